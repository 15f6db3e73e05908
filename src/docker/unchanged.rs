//! Whether a file is the one that was looked at before.

use std::{fs, path::Path};

use serde::{Deserialize, Serialize};

/// What must be as it was, for a file to be taken for unchanged: the change time cannot be set by programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileIdentity {
    /// In bytes.
    pub size: u64,
    inode: (u64, u64),
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileIdentity {
    /// Of the file at a path, links followed; `None` where there is none, or where the system does not tell (not Unix).
    #[cfg(unix)]
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let file = fs::metadata(path).ok()?;
        Some(Self {
            size: file.size(),
            inode: (file.dev(), file.ino()),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        })
    }

    /// Elsewhere no file is ever taken for unchanged.
    #[cfg(not(unix))]
    #[must_use]
    pub fn of(_path: &Path) -> Option<Self> {
        None
    }
}
