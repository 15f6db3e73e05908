//! The schedules of a home folder, and the log of their runs: `schedules/<id>.json` and, lines that are only ever added
//! to, `schedules/<id>.runs.jsonl`.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use super::{StoreError, create_private_folder, write_whole};
use crate::model::schedule::{Run, RunOutcome, Schedule};

const FOLDER: &str = "schedules";
/// Runs of which the log tells; older lines go when it has grown to twice as many.
const MOST_RUNS: usize = 500;

/// A schedule is worked at as long as this lives.
#[derive(Debug)]
pub struct AtWork {
    _file: File,
}

/// Every schedule, by its id. One that cannot be read is an error: a backup that is not made must be seen.
///
/// # Errors
/// Where one cannot be read.
pub fn list(home: &Path) -> Result<Vec<Schedule>, StoreError> {
    let folder = home.join(FOLDER);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StoreError::io("cannot read", &folder)(error)),
    };
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(id) = name.strip_suffix(".json").filter(|id| !id.starts_with('.')) {
            found.extend(load(home, id)?);
        }
    }
    found.sort_by(|a: &Schedule, b| a.id.cmp(&b.id));
    Ok(found)
}

/// One schedule; `None` where there is none of this id.
///
/// # Errors
/// Where it cannot be read.
pub fn load(home: &Path, id: &str) -> Result<Option<Schedule>, StoreError> {
    if super::plain_name(id) != id {
        return Ok(None);
    }
    let path = home.join(FOLDER).join(format!("{id}.json"));
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::io("cannot read", &path)(error)),
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| StoreError::io("cannot understand", &path)(error.into()))
}

/// Remembers a schedule.
///
/// # Errors
/// Where the disk refuses.
pub fn save(home: &Path, schedule: &Schedule) -> Result<(), StoreError> {
    let folder = home.join(FOLDER);
    for path in [home, &folder] {
        create_private_folder(path).map_err(StoreError::io("cannot create", path))?;
    }
    let json = serde_json::to_vec_pretty(schedule)
        .map_err(|error| StoreError::io("cannot write", &folder)(error.into()))?;
    write_whole(&folder, &format!("{}.json", schedule.id), &json)
}

/// Forgets a schedule and its runs. Its snapshots stay.
///
/// # Errors
/// Where the disk refuses.
pub fn forget(home: &Path, id: &str) -> Result<(), StoreError> {
    for name in [format!("{id}.json"), format!("{id}.runs.jsonl"), format!("{id}.lock")] {
        let path = home.join(FOLDER).join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StoreError::io("cannot remove", &path)(error));
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// Says that this process works at a schedule; `None` where another one does.
///
/// # Errors
/// Where the lock cannot be had at all.
pub fn work_at(home: &Path, id: &str) -> Result<Option<AtWork>, StoreError> {
    let path = home.join(FOLDER).join(format!("{id}.lock"));
    let mut options = fs::OpenOptions::new();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(&path).map_err(StoreError::io("cannot open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(AtWork { _file: file })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(cause)) => Err(StoreError::io("cannot lock", &path)(cause)),
    }
}

/// Whether a process works at a schedule. Makes nothing.
#[must_use]
pub fn is_at_work(home: &Path, id: &str) -> bool {
    let file = File::open(home.join(FOLDER).join(format!("{id}.lock")));
    file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Notes the beginning or the end of a run.
///
/// # Errors
/// Where the disk refuses.
pub fn record(home: &Path, id: &str, run: &Run) -> Result<(), StoreError> {
    let path = runs_of(home, id);
    let failed = || StoreError::io("cannot write", &path);
    let mut known = runs(home, id)?;
    let mut line = serde_json::to_vec(run).map_err(|error| failed()(error.into()))?;
    line.push(b'\n');
    if known.len() >= 2 * MOST_RUNS {
        // The newest of them, whole or not at all.
        known.drain(..known.len() - MOST_RUNS);
        let lines = known.iter().filter_map(|run| serde_json::to_string(run).ok());
        let text: String = lines.map(|line| line + "\n").collect();
        write_whole(&home.join(FOLDER), &format!("{id}.runs.jsonl"), text.as_bytes())?;
    }
    let mut options = fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(&path).and_then(|mut file| file.write_all(&line)).map_err(failed())
}

/// The runs that are known, oldest first; of each what was noted last.
///
/// # Errors
/// Where the log is there and cannot be read.
pub fn runs(home: &Path, id: &str) -> Result<Vec<Run>, StoreError> {
    let path = runs_of(home, id);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StoreError::io("cannot read", &path)(error)),
    };
    let mut found: Vec<Run> = Vec::new();
    // A line that was cut off by a full disk costs only itself.
    for run in text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Run>(line).ok()) {
        match found.iter_mut().rev().find(|known| known.started == run.started) {
            Some(known) if run.outcome != RunOutcome::Started => *known = run,
            Some(_) => {}
            None => found.push(run),
        }
    }
    Ok(found)
}

fn runs_of(home: &Path, id: &str) -> PathBuf {
    home.join(FOLDER).join(format!("{id}.runs.jsonl"))
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::*;
    use crate::model::schedule::SCHEDULE_VERSION;

    fn run(number: i64, outcome: RunOutcome) -> Run {
        let started = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(number);
        Run {
            version: SCHEDULE_VERSION,
            started,
            ended: None,
            outcome,
            snapshot: None,
            detail: String::new(),
        }
    }

    #[test]
    fn a_run_is_what_was_noted_of_it_last() {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join(FOLDER)).unwrap();
        let record = |number, outcome| record(home.path(), "db", &run(number, outcome)).unwrap();
        record(1, RunOutcome::Started);
        record(1, RunOutcome::Done);
        record(2, RunOutcome::Started);
        let outcomes = || {
            let runs = runs(home.path(), "db").unwrap();
            runs.into_iter().map(|run| run.outcome).collect::<Vec<_>>()
        };
        assert_eq!(outcomes(), [RunOutcome::Done, RunOutcome::Started]);
        for number in 3..(2 * MOST_RUNS as i64 + 2) {
            record(number, RunOutcome::Done);
        }
        assert!(outcomes().len() <= MOST_RUNS + 2);
        assert_eq!(*outcomes().last().unwrap(), RunOutcome::Done);
    }

    #[test]
    fn only_one_works_at_a_schedule() {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join(FOLDER)).unwrap();
        assert!(!is_at_work(home.path(), "db"));
        let first = work_at(home.path(), "db").unwrap().unwrap();
        assert!(work_at(home.path(), "db").unwrap().is_none() && is_at_work(home.path(), "db"));
        drop(first);
        assert!(!is_at_work(home.path(), "db"));
        assert_eq!(load(home.path(), "../db").unwrap(), None);
    }
}
