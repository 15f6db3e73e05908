//! What is known here of a snapshot's copies: noted beside its manifest after each push.

use std::fs;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::store::{Store, StoreError, Stored, seal::Recipients, write_whole};

const COPIES: &str = "copies.json";
/// The recipients that were used before, by their tags, each with what for.
const KNOWN: &str = "recipients";

/// What the pushes to one remote came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copied {
    /// The remote's address.
    pub remote: String,
    /// When the last push that succeeded ended.
    pub pushed: Option<Timestamp>,
    #[serde(default)]
    pub encrypted: bool,
    /// Whether the remote is a folder on the disk of the snapshots: no copy off this host.
    #[serde(default)]
    pub same_disk: bool,
    /// When the last push failed, and why; `None` once one has succeeded.
    #[serde(default)]
    pub failed: Option<(Timestamp, String)>,
}

/// Where a push was meant to go.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// The remote's address.
    pub remote: &'a str,
    pub encrypted: bool,
    pub same_disk: bool,
}

impl Store {
    /// Notes what a push came to.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn record_push(
        &self,
        stored: &Stored,
        push: Attempt<'_>,
        at: Timestamp,
        failure: Option<String>,
    ) -> Result<(), StoreError> {
        let Attempt { remote, encrypted, same_disk } = push;
        let mut copies = stored.copies();
        let known = copies.iter().position(|copy| copy.remote == remote);
        let mut copy = match known {
            Some(index) => copies.remove(index),
            None => Copied { remote: remote.to_owned(), pushed: None, encrypted, same_disk, failed: None },
        };
        copy.failed = failure.map(|cause| (at, cause));
        if copy.failed.is_none() {
            (copy.pushed, copy.encrypted, copy.same_disk) = (Some(at), encrypted, same_disk);
        }
        copies.push(copy);
        let json = serde_json::to_vec_pretty(&copies).map_err(|error| StoreError::Manifest {
            id: stored.manifest.id.clone(),
            cause: error.to_string(),
        })?;
        write_whole(&stored.folder, COPIES, &json)
    }

    /// Whether neither this nor `snapshots` was encrypted for these recipients here before; from now on it was. More is
    /// lost with the key of snapshots than with that of their copies.
    #[must_use]
    pub fn first_use_of(&self, recipients: &Recipients, what: &str) -> bool {
        let path = self.home().join(KNOWN);
        let known = fs::read_to_string(path).unwrap_or_default();
        let line = |what: &str| format!("{} {what}", recipients.tag());
        if known.lines().any(|known| known == line(what) || known == line("snapshots")) {
            return false;
        }
        // Where it cannot be remembered, it is said again.
        let _ = write_whole(self.home(), KNOWN, format!("{known}{}\n", line(what)).as_bytes());
        true
    }

    /// Forgets the copy at a remote that was removed there.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn forget_copy(&self, stored: &Stored, remote: &str) -> Result<(), StoreError> {
        let mut copies = stored.copies();
        copies.retain(|copy| copy.remote != remote);
        let json = serde_json::to_vec_pretty(&copies).unwrap_or_default();
        write_whole(&stored.folder, COPIES, &json)
    }
}

impl Stored {
    /// Whether a copy of it is known to be at a remote.
    #[must_use]
    pub fn is_off_host(&self) -> bool {
        self.copies().iter().any(|copy| copy.pushed.is_some() && !copy.same_disk)
    }

    /// What is known of its copies; none where none was made.
    #[must_use]
    pub fn copies(&self) -> Vec<Copied> {
        let json = fs::read(self.folder.join(COPIES)).ok();
        json.and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default()
    }
}
