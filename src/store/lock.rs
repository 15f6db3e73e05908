//! One writer at a time. The lock is the operating system's, so that a killed process leaves none behind.

use std::{
    fs::{self, File, TryLockError},
    path::Path,
};

use super::{Store, StoreError};

/// The lock of a home folder, held until it is dropped.
#[derive(Debug)]
pub struct Holder {
    _file: File,
}

impl Store {
    /// Takes the writers' lock, or says at once who has it. `purpose` is the command, for that message.
    ///
    /// # Errors
    /// Where another process has it, or the file cannot be created.
    pub fn lock(&self, purpose: &str, now: jiff::Timestamp) -> Result<Holder, StoreError> {
        self.lock_of("lock", purpose, now)
    }

    /// Takes another lock of the home folder, which only its own kind of work waits for.
    ///
    /// # Errors
    /// As `lock`.
    pub(super) fn lock_of(
        &self,
        name: &str,
        purpose: &str,
        now: jiff::Timestamp,
    ) -> Result<Holder, StoreError> {
        let path = self.home.join(name);
        let holder_name = format!("{name}.holder");
        let mut options = fs::OpenOptions::new();
        options.create(true).truncate(false).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(StoreError::io("cannot open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Locked { holder: holder(&self.home.join(&holder_name)) });
            }
            Err(TryLockError::Error(cause)) => return Err(StoreError::io("cannot lock", &path)(cause)),
        }
        let words =
            format!("process {}, {purpose}, since {}", std::process::id(), now.strftime("%H:%M:%S UTC"));
        super::write_whole(&self.home, &holder_name, words.as_bytes())?;
        Ok(Holder { _file: file })
    }
}

/// Who holds it: beside the lock, as some platforms let nobody read a locked file.
fn holder(path: &Path) -> String {
    match fs::read_to_string(path) {
        Ok(words) if !words.is_empty() => words,
        Ok(_) | Err(_) => "another dbsafe".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_writer_is_told_who_the_first_is() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let now = "2026-01-02T03:04:05Z".parse().unwrap();
        let first = store.lock("docker dbsafe down --snapshot", now).unwrap();
        let told = store.lock("other", now).unwrap_err().to_string();
        assert!(told.contains("docker dbsafe down --snapshot, since 03:04:05 UTC"), "{told}");
        drop(first);
        store.lock("other", now).unwrap();
    }
}
