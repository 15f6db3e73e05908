//! Whether something backs the data up.

use jiff::Timestamp;
use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CoverageStatus {
    /// Recent, whole, and of this data.
    Covered,
    /// There is a backup, but it is too old, broken, or of something else: `detail` says which.
    Stale,
    /// Nothing was found.
    None,
    /// A backup is configured and could not be checked. Never counts as a backup.
    Undetermined,
}

/// The best backup that was found for a body of data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Coverage {
    pub status: CoverageStatus,
    /// When the backup was made.
    pub at: Option<Timestamp>,
    /// What made it or where it is: a file's path, a snapshot's id.
    pub source: Option<String>,
    /// Whether a restore proved it.
    pub verified: bool,
    /// Why it is not `covered`, or what kind of backup it is. One clause.
    pub detail: Option<String>,
}

impl Coverage {
    /// Nothing was found.
    #[must_use]
    pub fn none() -> Self {
        Self { status: CoverageStatus::None, at: None, source: None, verified: false, detail: None }
    }
}
