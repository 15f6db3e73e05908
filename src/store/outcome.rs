//! What became of the command that a snapshot was made for, so that `undo` knows what to take back.

use std::fs;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Store, StoreError, Stored, write_whole};

const OUTCOME: &str = "outcome.json";

/// What became of a guarded command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// When docker was handed the command.
    pub handed_over: Timestamp,
    /// docker's exit status; `None` where dbsafe ended before docker did.
    pub status: Option<u8>,
    /// When it was taken back.
    #[serde(default)]
    pub undone: Option<Timestamp>,
}

impl Store {
    /// Remembers what became of a command.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn record_outcome(&self, stored: &Stored, outcome: &Outcome) -> Result<(), StoreError> {
        let json = serde_json::to_vec_pretty(outcome).map_err(|error| StoreError::Manifest {
            id: stored.manifest.id.clone(),
            cause: error.to_string(),
        })?;
        write_whole(&stored.folder, OUTCOME, &json)
    }
}

impl Stored {
    /// What became of its command; `None` where none was handed over.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        serde_json::from_slice(&fs::read(self.folder.join(OUTCOME)).ok()?).ok()
    }
}
