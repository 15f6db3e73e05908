//! The drills that were done: `drills.jsonl`, a line each, that is only ever added to.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

use super::{StoreError, create_private_folder, write_whole};
use crate::model::drill::Drill;

const FILE: &str = "drills.jsonl";
/// Drills that are remembered; older ones go when there are twice as many.
const MOST: usize = 2000;

/// Remembers a drill.
///
/// # Errors
/// Where the disk refuses.
pub fn record(home: &Path, drill: &Drill) -> Result<(), StoreError> {
    create_private_folder(home).map_err(StoreError::io("cannot create", home))?;
    let path = home.join(FILE);
    let failed = || StoreError::io("cannot write", &path);
    let line = |drill: &Drill| serde_json::to_string(drill).map(|line| line + "\n");
    let known = list(home)?;
    if known.len() >= 2 * MOST {
        let text: String = known[known.len() - MOST..].iter().filter_map(|drill| line(drill).ok()).collect();
        write_whole(home, FILE, text.as_bytes())?;
    }
    let line = line(drill).map_err(|error| failed()(error.into()))?;
    let mut options = fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(&path).and_then(|mut file| file.write_all(line.as_bytes())).map_err(failed())
}

/// The drills that are remembered, oldest first. A line that was cut off costs only itself.
///
/// # Errors
/// Where they are there and cannot be read.
pub fn list(home: &Path) -> Result<Vec<Drill>, StoreError> {
    let path = home.join(FILE);
    match fs::read(&path) {
        Ok(text) => {
            let lines = text.split(|byte| *byte == b'\n');
            Ok(lines.filter_map(|line| serde_json::from_slice(line).ok()).collect())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(StoreError::io("cannot read", &path)(error)),
    }
}
