//! The journal on disk: JSON lines that are only ever added to. Two writers at once do not mix their lines, as each
//! is one write to the end of the file.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use super::create_private_folder;
use crate::model::journal::Entry;

/// A file that has grown this large becomes the old one, and the old one goes: some forty thousand entries are kept.
const LARGEST_BYTES: u64 = 8 << 20;
const FILE: &str = "journal.jsonl";
const OLD: &str = "journal.1.jsonl";

/// What could be read.
#[derive(Debug, Default)]
pub struct Read {
    /// Oldest first.
    pub entries: Vec<Entry>,
    /// Lines that are none: cut off by a full disk, or written by a newer dbsafe.
    pub broken: usize,
}

/// Adds an entry. `home` is our own folder; it is created where it is not there.
///
/// # Errors
/// Where the disk refuses.
pub fn append(home: &Path, entry: &Entry) -> io::Result<()> {
    create_private_folder(home)?;
    let path = home.join(FILE);
    if fs::metadata(&path).is_ok_and(|file| file.len() > LARGEST_BYTES) {
        rotate(home, &path)?;
    }
    let mut options = fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut line = serde_json::to_vec(entry).map_err(io::Error::other)?;
    line.push(b'\n');
    options.open(&path)?.write_all(&line)
}

/// Only one of several writers moves the file; the others find a small one.
fn rotate(home: &Path, path: &Path) -> io::Result<()> {
    let lock = File::create(home.join("journal.lock"))?;
    lock.lock()?;
    if fs::metadata(path).is_ok_and(|file| file.len() > LARGEST_BYTES) {
        fs::rename(path, home.join(OLD))?;
    }
    Ok(())
}

/// Reads every entry that is there.
///
/// # Errors
/// Where a file is there and cannot be read.
pub fn read(home: &Path) -> io::Result<Read> {
    let mut read = Read::default();
    for name in [OLD, FILE] {
        let path: PathBuf = home.join(name);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match serde_json::from_slice(line) {
                Ok(entry) => read.entries.push(entry),
                Err(_) => read.broken += 1,
            }
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::journal::{Event, JOURNAL_VERSION};

    fn entry(number: usize) -> Entry {
        Entry {
            version: JOURNAL_VERSION,
            at: jiff::Timestamp::UNIX_EPOCH,
            user: "ann".to_owned(),
            engine: "unix:///run/docker.sock".to_owned(),
            event: Event::Verdict,
            command: vec!["rm".to_owned(), format!("c{number}")],
            targets: Vec::new(),
            outcome: "block".to_owned(),
        }
    }

    #[test]
    fn what_is_written_by_several_at_once_is_read_back_whole() {
        let home = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let home = home.path();
                scope.spawn(move || {
                    for number in 0..50 {
                        append(home, &entry(writer * 50 + number)).unwrap();
                    }
                });
            }
        });
        let found = read(home.path()).unwrap();
        assert_eq!((found.entries.len(), found.broken), (200, 0));
    }

    #[test]
    fn a_line_that_was_cut_off_costs_only_itself() {
        let home = tempfile::tempdir().unwrap();
        append(home.path(), &entry(1)).unwrap();
        let mut file = fs::OpenOptions::new().append(true).open(home.path().join(FILE)).unwrap();
        file.write_all(b"{\"version\":1,\"at\n").unwrap();
        append(home.path(), &entry(2)).unwrap();
        let found = read(home.path()).unwrap();
        assert_eq!((found.entries, found.broken), (vec![entry(1), entry(2)], 1));
    }

    #[test]
    fn a_large_journal_makes_room() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(FILE);
        File::create(&path).unwrap().set_len(LARGEST_BYTES + 1).unwrap();
        append(home.path(), &entry(1)).unwrap();
        assert!(fs::metadata(&path).unwrap().len() < 1000);
        assert!(home.path().join(OLD).exists());
    }
}
