//! Whether something backs the data up.

use jiff::Timestamp;
use serde::Serialize;

use super::schedule::Trouble;

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
    /// What else is known of it.
    #[serde(flatten)]
    pub facts: Facts,
}

/// What is known of a backup beside its age and content. `None` is not known, and says nothing either way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// What is wrong with it, where it does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// When a restore of it, or of an earlier one from the same source, was last proved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tested_at: Option<Timestamp>,
    /// How long that restore took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tested_milliseconds: Option<u64>,
    /// Whether something makes the next one by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduled: Option<bool>,
    /// What is wrong with what should make it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule_trouble: Option<Trouble>,
    /// Whether a copy of it is on another machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub off_host: Option<bool>,
    /// Whether it is a copy of files that a running server was writing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_copy: Option<bool>,
}

/// Why a backup that was found does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    TooOld,
    /// Empty, truncated, or its sums do not fit.
    Broken,
    /// Of other data, or of a part of it.
    OtherData,
    /// Its restore failed, or was never tried.
    Unproved,
}

impl Coverage {
    /// Nothing was found.
    #[must_use]
    pub fn none() -> Self {
        Self {
            status: CoverageStatus::None,
            at: None,
            source: None,
            verified: false,
            detail: None,
            facts: Facts::default(),
        }
    }
}
