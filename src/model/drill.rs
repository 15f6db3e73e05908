//! What became of a drill: a backup that was restored where nothing can be hurt, and looked at.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{evidence::Evidence, manifest::VerificationResult};

/// The form of a record, and of `drill --format json`.
pub const DRILL_VERSION: u32 = 1;

/// One drill of one backup of one body of data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drill {
    pub version: u32,
    pub at: Timestamp,
    /// The ID of the engine that the container is on, where that is known.
    #[serde(default)]
    pub docker_engine: Option<String>,
    /// The container's name.
    pub container: String,
    pub volume: Option<String>,
    /// The data directory or file.
    pub path: String,
    /// The database engine's id.
    pub engine: String,
    /// What tells this cluster from every other, where that is known.
    pub identity: Option<String>,
    /// What was restored: `snapshot ID`, a file's path, or a repository and its name there, as `backups` tells it. `None`
    /// where there was nothing to restore.
    pub source: Option<String>,
    /// When the backup was made.
    pub made: Option<Timestamp>,
    pub result: VerificationResult,
    /// From the beginning of the restore to the end of the comparison.
    pub milliseconds: u64,
    /// What was compared, or what went wrong. One clause.
    pub detail: String,
}

impl Drill {
    /// Whether it was of a backup of this data. On which engine is the caller's to know.
    #[must_use]
    pub fn is_of(&self, seen: &Evidence) -> bool {
        let same = |theirs: &Option<String>, ours: &Option<String>| {
            theirs.as_ref().zip(ours.as_ref()).is_none_or(|(theirs, ours)| theirs == ours)
        };
        seen.engine.as_ref() == Some(&self.engine)
            && same(&self.identity, &seen.identity)
            && self.container == seen.target.name
            && (self.volume == seen.volume && self.path == seen.path)
    }
}
