//! A private folder below the home folder, for the time of one piece of work: what was fetched to be looked at.
//!
//! `<home>/transient/<token>/` is locked for as long as its process works, so that a killed one's is told from
//! another's, and removed by the next run.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use super::{StoreError, create_private_file, create_private_folder, health};

const FOLDER: &str = "transient";
const LOCK: &str = "lock";
/// What stays free of a disk: other work needs some, too.
pub const RESERVE: u64 = 64 << 20;

static COUNT: AtomicU32 = AtomicU32::new(0);

/// The folder. It goes with this value, whatever is in it.
#[derive(Debug)]
pub struct Transient {
    path: PathBuf,
    _lock: File,
}

impl Transient {
    /// Makes an empty folder, and removes what killed runs left behind.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn create(home: &Path) -> Result<Self, StoreError> {
        sweep(home);
        let all = home.join(FOLDER);
        for folder in [home, &all] {
            create_private_folder(folder).map_err(StoreError::io("cannot create", folder))?;
        }
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path =
            all.join(format!("{}-{number}-{}", std::process::id(), jiff::Timestamp::now().as_nanosecond()));
        create_private_folder(&path).map_err(StoreError::io("cannot create", &path))?;
        let lock = path.join(LOCK);
        let make = || -> io::Result<File> {
            let file = create_private_file(&lock)?;
            file.try_lock().map_err(io::Error::from)?;
            Ok(file)
        };
        match make() {
            Ok(file) => Ok(Self { path, _lock: file }),
            Err(cause) => {
                // Empty, or as good as that; the next run tries again.
                let _ = fs::remove_dir_all(&path);
                Err(StoreError::io("cannot lock", &lock)(cause))
            }
        }
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A new file in it, for its owner alone.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn file(&self, name: &'static str) -> io::Result<(PathBuf, File)> {
        let path = self.path.join(name);
        let file = create_private_file(&path)?;
        Ok((path, file))
    }

    /// Bytes that may be written, so that some of the disk stays free; `None` where that cannot be told.
    #[must_use]
    pub fn room(&self) -> Option<u64> {
        health::free(&self.path).map(|free| free.saturating_sub(RESERVE))
    }
}

impl Drop for Transient {
    fn drop(&mut self) {
        // What cannot be removed now the next run finds unlocked.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Removes what killed runs left behind.
pub fn sweep(home: &Path) {
    let Ok(entries) = fs::read_dir(home.join(FOLDER)) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let is_ours = fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_dir());
        // Without a lock it was killed right at its beginning, or is at it this moment: nothing is in it yet.
        let held = match File::options().write(true).open(path.join(LOCK)) {
            Ok(lock) => lock.try_lock().is_err(),
            Err(_) => fs::read_dir(&path).is_ok_and(|mut entries| entries.next().is_none()),
        };
        if is_ours && !held {
            // The next run tries again.
            let _ = fs::remove_dir_all(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_with_its_work_and_a_killed_ones_with_the_next() {
        let home = tempfile::tempdir().unwrap();
        let left = home.path().join("transient/1-0-1");
        fs::create_dir_all(left.join("deep")).unwrap();
        fs::write(left.join(LOCK), "").unwrap();
        fs::write(left.join("deep/dump"), "secret").unwrap();
        let first = Transient::create(home.path()).unwrap();
        assert!(!left.exists());
        let (path, _) = first.file("dump").unwrap();
        // Another run at the same time takes nothing away.
        let second = Transient::create(home.path()).unwrap();
        assert!(path.exists() && second.path() != first.path());
        let gone = first.path().to_owned();
        drop(first);
        assert!(!gone.exists() && second.path().exists());
    }
}
