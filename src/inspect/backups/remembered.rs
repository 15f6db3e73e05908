//! What large backup files were found to be, so that a guarded command does not read the same gigabytes again.
//!
//! A file that was written to is always read anew.

use std::{
    collections::BTreeMap,
    fs, io,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::{BackupFile, check_file};
use crate::docker::unchanged::FileIdentity;

/// Smaller files are read faster than remembered.
const SMALLEST: u64 = 16 << 20;
/// More files are no longer worth it.
const MOST: usize = 500;
/// What a file was found to be may change with the program that looked.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), ", large objects");

#[derive(Default, Serialize, Deserialize)]
struct Memory {
    version: String,
    files: BTreeMap<String, Remembered>,
    /// What was read out of other tools' repositories: their snapshots do not change.
    #[serde(default)]
    snapshots: BTreeMap<String, Read>,
}

#[derive(Serialize, Deserialize)]
struct Read {
    at: Timestamp,
    found: BackupFile,
}

#[derive(Serialize, Deserialize)]
struct Remembered {
    same: Same,
    found: BackupFile,
}

/// What must be as it was.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct Same {
    file: FileIdentity,
    /// Wall clocks were read in it.
    zone: Option<String>,
}

/// As `check_file`, from memory where the file is large and the same. `memory` is our own file.
///
/// # Errors
/// Where the file could not be read.
pub(super) fn check(path: &Path, zone: &TimeZone, memory: Option<&Path>) -> io::Result<BackupFile> {
    let large = FileIdentity::of(path).filter(|file| file.size >= SMALLEST);
    let same = large.map(|file| Same { file, zone: zone.iana_name().map(str::to_owned) });
    let (Some(before), Some(memory), Some(name)) = (same, memory, path.to_str()) else {
        return check_file(path, zone);
    };
    if let Some(known) = load(memory).files.remove(name).filter(|known| known.same == before) {
        return Ok(known.found);
    }
    let found = check_file(path, zone)?;
    let _alone = writing();
    // Read again: another command may have added its own meanwhile.
    let mut known = load(memory);
    known.files.retain(|path, _| Path::new(path).exists());
    if known.files.len() < MOST {
        known.files.insert(name.to_owned(), Remembered { same: before, found: found.clone() });
        // Forgetting costs time only.
        let _ = save(memory, &known);
    }
    Ok(found)
}

/// A repository may lose what it held; after this time it is read again.
const GOOD_FOR: SignedDuration = SignedDuration::from_hours(6);

/// What was found in a repository's snapshot, while it is fresh.
pub(super) fn recall(key: &str, memory: Option<&Path>, now: Timestamp) -> Option<BackupFile> {
    let known = load(memory?).snapshots.remove(key)?;
    let age = now.duration_since(known.at);
    (age >= SignedDuration::ZERO && age < GOOD_FOR).then_some(known.found)
}

/// Remembers what was found in a repository's snapshot.
pub(super) fn keep(key: &str, found: &BackupFile, memory: Option<&Path>, now: Timestamp) {
    let Some(memory) = memory else { return };
    let _alone = writing();
    let mut known = load(memory);
    known.snapshots.retain(|_, read| now.duration_since(read.at) < GOOD_FOR);
    if known.snapshots.len() < MOST {
        known.snapshots.insert(key.to_owned(), Read { at: now, found: found.clone() });
        // Forgetting costs time only.
        let _ = save(memory, &known);
    }
}

/// Searches go on at once, and each writes what it has read: one after the other.
fn writing() -> MutexGuard<'static, ()> {
    static WRITING: Mutex<()> = Mutex::new(());
    WRITING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn load(memory: &Path) -> Memory {
    let known: Option<Memory> = fs::read(memory).ok().and_then(|text| serde_json::from_slice(&text).ok());
    let fresh = || Memory { version: VERSION.to_owned(), ..Memory::default() };
    known.filter(|known| known.version == VERSION).unwrap_or_else(fresh)
}

fn save(memory: &Path, known: &Memory) -> io::Result<()> {
    let folder = memory.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let temporary = folder.join(format!("backups.json.{}", std::process::id()));
    fs::write(&temporary, serde_json::to_vec(known).map_err(io::Error::other)?)?;
    fs::rename(&temporary, memory)
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::inspect::backups::Whole;

    #[test]
    fn a_large_file_is_remembered_until_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large.sql");
        let memory = folder.path().join("cache/backups.json");
        let mut text = "--\n-- PostgreSQL database dump\n--\n\n".to_owned();
        text.push_str(&format!("-- {}\n", "x".repeat(SMALLEST as usize)));
        text.push_str("--\n-- PostgreSQL database dump complete\n--\n\n");
        fs::write(&path, &text).unwrap();
        let check = || check(&path, &TimeZone::UTC, Some(&memory)).unwrap();
        let first = check();
        assert_eq!(first.whole, Whole::Yes);
        // What is remembered is what is answered.
        let mut known = load(&memory);
        known.files.values_mut().for_each(|known| known.found.keys = Some(7));
        save(&memory, &known).unwrap();
        assert_eq!(check().keys, Some(7));
        // Same size, same time stamp, other content.
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        let mut file = fs::File::options().write(true).open(&path).unwrap();
        file.write_all(b"xx").unwrap();
        file.set_modified(modified).unwrap();
        assert_eq!(check().keys, None);
        fs::write(&memory, "no").unwrap();
        assert_eq!(check().keys, None);
    }
}
