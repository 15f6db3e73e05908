//! Whether a snapshot is a recent backup of a body of data: proved by a restore, whole, and of *this* data.

use jiff::{SignedDuration, Timestamp};

use super::{Store, StoreError, Stored, verify_files};
use crate::model::{
    coverage::{Coverage, CoverageStatus},
    evidence::Evidence,
    manifest::{Item, VerificationMethod, VerificationResult},
};

/// What tells the data from other data of the same name.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    pub seen: &'a Evidence,
    /// When the volume that holds it was created, as the engine wrote it: a recreated namesake is another.
    pub volume_created: Option<&'a str>,
}

impl Store {
    /// What the snapshots say of a body of data; `None` where none is of it. Reads the files of the one that
    /// would count back to their checksums, so it blocks.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn coverage(
        &self,
        subject: Subject<'_>,
        max_age: SignedDuration,
        now: Timestamp,
    ) -> Result<Option<Coverage>, StoreError> {
        let of_this = |stored: &Stored| stored.manifest.items.iter().any(|item| is_of(stored, item, subject));
        let mut best = None;
        for stored in self.list()?.snapshots.into_iter().filter(of_this) {
            let (status, detail) = match why_not(&stored, max_age, now) {
                None => (CoverageStatus::Covered, None),
                Some(why) => (CoverageStatus::Stale, Some(why)),
            };
            let coverage = Coverage {
                status,
                at: Some(stored.manifest.created),
                source: Some(format!("snapshot {}", stored.manifest.id)),
                verified: status == CoverageStatus::Covered,
                detail,
            };
            if status == CoverageStatus::Covered {
                return Ok(Some(coverage));
            }
            best.get_or_insert(coverage);
        }
        Ok(best)
    }
}

/// Whether an item is of this data: the same cluster, or for engines without such an identity the same place
/// in the same container or the same volume.
fn is_of(stored: &Stored, item: &Item, subject: Subject<'_>) -> bool {
    let seen = subject.seen;
    if item.engine != seen.engine || item.artifacts.is_empty() {
        return false;
    }
    if item.identity.is_some() || seen.identity.is_some() {
        return item.identity == seen.identity;
    }
    let same_place = item.path == seen.path && item.volume == seen.volume;
    same_place
        && match &seen.volume {
            None => item.target.id == seen.target.id,
            Some(name) => stored.manifest.volumes.iter().any(|volume| {
                volume.name == *name && Some(volume.created.as_str()) == subject.volume_created
            }),
        }
}

/// Why a snapshot of this data does not count; `None` where it does.
fn why_not(stored: &Stored, max_age: SignedDuration, now: Timestamp) -> Option<String> {
    let manifest = &stored.manifest;
    let verification = &manifest.verification;
    let proved =
        verification.result == VerificationResult::Proved && verification.how == VerificationMethod::Restore;
    if !proved {
        return Some("it was not proved by a restore".to_owned());
    }
    let age = now.duration_since(manifest.created);
    if age < SignedDuration::from_mins(-1) {
        return Some("its time is in the future".to_owned());
    }
    if age > max_age {
        return Some("it is too old".to_owned());
    }
    let faults = verify_files(stored, &mut |_bytes| {});
    faults.first().map(|fault| format!("{}: {}", fault.file, fault.fault))
}
