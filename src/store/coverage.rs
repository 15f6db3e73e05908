//! Whether a snapshot of the store is a recent backup of a body of data.

use jiff::{SignedDuration, Timestamp};

use super::{Stored, fault_of};
use crate::model::{
    coverage::{Coverage, CoverageStatus, Facts, Fault},
    evidence::Evidence,
    manifest::{Item, VerificationMethod, VerificationResult},
};

/// The best that these snapshots have of one body of data: `None` where none is of it. Reads the files of
/// what it counts as a backup, as one that was changed since is none; blocks for that long.
///
/// `volume_created` is the creation time of the volume that the data lies in: a recreated namesake is another
/// volume.
#[must_use]
pub fn coverage(
    snapshots: &[Stored],
    seen: &Evidence,
    volume_created: Option<&str>,
    max_age: SignedDuration,
    now: Timestamp,
) -> Option<Coverage> {
    let mut stale: Option<Coverage> = None;
    // Newest first: the first good one decides.
    for stored in snapshots {
        let Some(item) = stored.manifest.items.iter().find(|item| is_of(stored, item, seen, volume_created))
        else {
            continue;
        };
        match fault(stored, item, max_age, now) {
            None => {
                let detail = Some(stored.manifest.verification.detail.clone());
                let mut told = told(stored, CoverageStatus::Covered, detail, None);
                told.facts.scheduled = is_by_hand(snapshots, seen, volume_created).then_some(false);
                return Some(told);
            }
            Some((fault, why)) => {
                stale.get_or_insert_with(|| told(stored, CoverageStatus::Stale, Some(why), Some(fault)));
            }
        }
    }
    stale
}

/// Whether nothing speaks for a timer that takes the snapshots of one body of data: each was taken by a guarded command,
/// or there is no second one. Who takes several by themselves may have a crontab that nobody knows of.
fn is_by_hand(snapshots: &[Stored], seen: &Evidence, volume_created: Option<&str>) -> bool {
    let of =
        |stored: &&Stored| stored.manifest.items.iter().any(|item| is_of(stored, item, seen, volume_created));
    snapshots.iter().filter(of).filter(|stored| stored.manifest.command.is_empty()).count() < 2
}

/// The newest snapshot of one body of data, whatever its state; `None` where there is none.
#[must_use]
pub fn newest_of<'a>(
    snapshots: &'a [Stored],
    seen: &Evidence,
    volume_created: Option<&str>,
) -> Option<&'a Stored> {
    let of =
        |stored: &&Stored| stored.manifest.items.iter().any(|item| is_of(stored, item, seen, volume_created));
    snapshots.iter().find(of)
}

fn told(stored: &Stored, status: CoverageStatus, detail: Option<String>, fault: Option<Fault>) -> Coverage {
    // A snapshot counts only once it was proved, and what proves a copy by its sums alone is no restore.
    let verification = &stored.manifest.verification;
    let restored = stored.is_proved() && verification.how == VerificationMethod::Restore;
    let tested_at = verification.at.filter(|_| restored);
    Coverage {
        facts: Facts { fault, tested_at, off_host: Some(stored.is_off_host()), ..Facts::default() },
        status,
        at: Some(stored.manifest.created),
        source: Some(format!("snapshot {}", stored.manifest.id)),
        verified: stored.is_proved(),
        detail,
    }
}

/// Whether an item is of this data. A cluster's identity alone does not do: containers of an image with a
/// ready-made cluster all have the same.
fn is_of(stored: &Stored, item: &Item, seen: &Evidence, volume_created: Option<&str>) -> bool {
    if item.engine != seen.engine {
        return false;
    }
    let identities = (item.identity.as_deref(), seen.identity.as_deref());
    if matches!(identities, (Some(theirs), Some(ours)) if theirs != ours) {
        return false;
    }
    let same_place = match (&item.volume, &seen.volume) {
        (Some(theirs), Some(ours)) => {
            let recipe = stored.manifest.volumes.iter().find(|recipe| recipe.name == *theirs);
            theirs == ours && recipe.is_some_and(|recipe| Some(recipe.created.as_str()) == volume_created)
        }
        (None, None) => item.target.id == seen.target.id && item.path == seen.path,
        (Some(_), None) | (None, Some(_)) => false,
    };
    // After an undo, container and volume are new ones with the same cluster under the same name.
    let same_cluster = matches!(identities, (Some(_), Some(_)))
        && item.target.name == seen.target.name
        && item.volume == seen.volume
        && item.path == seen.path;
    same_place || same_cluster
}

/// Why a snapshot does not count, in a clause.
fn fault(stored: &Stored, item: &Item, max_age: SignedDuration, now: Timestamp) -> Option<(Fault, String)> {
    let because = |fault, why: &str| Some((fault, why.to_owned()));
    let manifest = &stored.manifest;
    let age = now.duration_since(manifest.created);
    if age > max_age {
        return because(Fault::TooOld, "it is too old");
    }
    if age < -SignedDuration::from_mins(5) {
        return because(Fault::TooOld, "it is from the future: a clock is wrong");
    }
    match manifest.verification.result {
        VerificationResult::Proved => {}
        VerificationResult::Failed => return because(Fault::Unproved, "its verification failed"),
        VerificationResult::Unverified => return because(Fault::Unproved, "it was never proved"),
    }
    if item.artifacts.is_empty() {
        return because(Fault::Broken, "it holds no files of it");
    }
    item.artifacts.iter().find_map(|artifact| {
        fault_of(&stored.folder.join(&artifact.file), artifact, &mut |_bytes| ())
            .map(|fault| (Fault::Broken, format!("{}: {fault}", artifact.file)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{
            evidence::{Contents, Location, Presence, TargetKind, TargetRef},
            manifest::{
                Consistency, EngineHost, FORMAT_VERSION, Manifest, Verification, VerificationMethod,
                VolumeRecipe,
            },
            plan::Fate,
        },
        store::{Compression, Store},
    };
    use std::io::Write as _;

    const NOW: &str = "2026-01-02T12:00:00Z";

    fn target() -> TargetRef {
        let (id, name) = ("c1".to_owned(), "db".to_owned());
        TargetRef { kind: TargetKind::Container, id, name, project: None, service: None }
    }

    fn seen(identity: Option<&str>) -> Evidence {
        Evidence {
            target: target(),
            engine: Some("postgres".to_owned()),
            engine_name: None,
            engine_version: None,
            location: Location::NamedVolume,
            path: "/data".to_owned(),
            volume: Some("pg".to_owned()),
            presence: Presence::Found,
            size_bytes: None,
            contents: Contents::default(),
            last_write: None,
            running: true,
            fate: Fate::Destroyed,
            consequence: String::new(),
            identity: identity.map(str::to_owned),
            coverage: Coverage::none(),
        }
    }

    /// A store with one snapshot, made an hour before `NOW`.
    fn store(folder: &std::path::Path, identity: Option<&str>, result: VerificationResult) -> Vec<Stored> {
        let store = Store::open(folder).unwrap();
        let created: Timestamp = "2026-01-02T11:00:00Z".parse().unwrap();
        let writer = store.begin("test", created).unwrap();
        let mut file = writer.artifact("data.tar.zst", Compression::Zstd).unwrap();
        file.write_all(b"data").unwrap();
        let written = file.finish().unwrap();
        let artifact = crate::model::manifest::Artifact {
            file: written.file,
            kind: crate::model::manifest::ArtifactKind::PhysicalCopy,
            format: "tar.zst".to_owned(),
            bytes: written.bytes,
            content_bytes: written.content_bytes,
            sha256: written.sha256,
            milliseconds: 1,
            database: None,
            parent: None,
            root: None,
            entries: 1,
        };
        let item = Item {
            target: target(),
            engine: Some("postgres".to_owned()),
            engine_version: None,
            location: Location::NamedVolume,
            path: "/data".to_owned(),
            volume: Some("pg".to_owned()),
            identity: identity.map(str::to_owned),
            contents: Contents::default(),
            fingerprint: None,
            consistency: Consistency::Stopped,
            artifacts: vec![artifact],
            not_kept: Vec::new(),
        };
        let volume = VolumeRecipe {
            name: "pg".to_owned(),
            driver: "local".to_owned(),
            labels: Default::default(),
            options: Default::default(),
            created: "then".to_owned(),
            removed: true,
        };
        let manifest = Manifest {
            format_version: FORMAT_VERSION,
            id: String::new(),
            created,
            dbsafe: String::new(),
            command: Vec::new(),
            engine: EngineHost { host: String::new(), version: String::new() },
            projects: Vec::new(),
            items: vec![item],
            containers: Vec::new(),
            volumes: vec![volume],
            networks: Vec::new(),
            verification: Verification {
                result,
                how: VerificationMethod::Restore,
                at: Some(created),
                detail: String::new(),
            },
            kept_until: None,
            recipients: Vec::new(),
        };
        writer.commit(manifest).unwrap();
        store.list().unwrap().snapshots
    }

    fn status(snapshots: &[Stored], seen: &Evidence, created: &str, hours: i64) -> Option<CoverageStatus> {
        let (age, now) = (SignedDuration::from_hours(hours), NOW.parse().unwrap());
        coverage(snapshots, seen, Some(created), age, now).map(|found| found.status)
    }

    #[test]
    fn a_fresh_proved_snapshot_of_the_same_cluster_counts() {
        let folder = tempfile::tempdir().unwrap();
        let snapshots = store(folder.path(), Some("7"), VerificationResult::Proved);
        assert_eq!(status(&snapshots, &seen(Some("7")), "then", 24), Some(CoverageStatus::Covered));
        assert_eq!(status(&snapshots, &seen(Some("7")), "later", 24), Some(CoverageStatus::Covered));
        let mut namesake = seen(Some("7"));
        namesake.target.name = "other".to_owned();
        assert_eq!(status(&snapshots, &namesake, "later", 24), None);
    }

    #[test]
    fn another_cluster_and_a_recreated_namesake_are_other_data() {
        let folder = tempfile::tempdir().unwrap();
        let snapshots = store(folder.path(), Some("7"), VerificationResult::Proved);
        assert_eq!(status(&snapshots, &seen(Some("8")), "then", 24), None);
        let folder = tempfile::tempdir().unwrap();
        let snapshots = store(folder.path(), None, VerificationResult::Proved);
        assert_eq!(status(&snapshots, &seen(None), "then", 24), Some(CoverageStatus::Covered));
        assert_eq!(status(&snapshots, &seen(None), "later", 24), None);
    }

    #[test]
    fn an_old_an_unproved_and_a_changed_snapshot_do_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let snapshots = store(folder.path(), None, VerificationResult::Proved);
        assert_eq!(status(&snapshots, &seen(None), "then", 0), Some(CoverageStatus::Stale));
        let path = snapshots[0].folder.join("data.tar.zst");
        let mut bytes = std::fs::read(&path).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(status(&snapshots, &seen(None), "then", 24), Some(CoverageStatus::Stale));
        let folder = tempfile::tempdir().unwrap();
        let snapshots = store(folder.path(), None, VerificationResult::Unverified);
        assert_eq!(status(&snapshots, &seen(None), "then", 24), Some(CoverageStatus::Stale));
    }

    #[test]
    fn a_snapshot_is_whole_or_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let now: Timestamp = NOW.parse().unwrap();
        let writer = store.begin("test", now).unwrap();
        writer.artifact("a.tar.zst", Compression::Zstd).unwrap().write_all(b"x").unwrap();
        assert!(store.list().unwrap().snapshots.is_empty());
        // As a kill would: nothing is cleaned up, and the lock is the system's to release.
        let left = writer.files().folder().to_owned();
        drop(writer);
        std::fs::create_dir(&left).unwrap();
        assert!(store.list().unwrap().snapshots.is_empty());
        drop(store.begin("test", now).unwrap());
        assert!(!left.exists());
    }

    #[test]
    fn a_newer_form_is_named_and_never_touched() {
        let folder = tempfile::tempdir().unwrap();
        let snapshots = self::store(folder.path(), None, VerificationResult::Proved);
        let path = snapshots[0].folder.join(super::super::MANIFEST);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("\"format_version\": 1", "\"format_version\": 3")).unwrap();
        let store = Store::open(folder.path()).unwrap();
        let listing = store.list().unwrap();
        assert!(listing.snapshots.is_empty());
        let told = listing.unreadable[0].error.to_string();
        assert!(told.contains("written by a newer dbsafe"), "{told}");
        assert!(store.find("latest").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let snapshots = store(&folder.path().join("home"), None, VerificationResult::Proved);
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&snapshots[0].folder), 0o700);
        for entry in std::fs::read_dir(&snapshots[0].folder).unwrap() {
            let path = entry.unwrap().path();
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
    }
}
