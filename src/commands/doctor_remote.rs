//! The checks of `doctor` about copies off this host: whether they arrive, and whether somebody can open them.

use std::time::Duration;

use super::{
    doctor::Check,
    remote::{identities, off_host, open, recipients, same_disk},
};
use crate::{docker::environment::Environment, report::words, settings::place, store::Store};

/// A remote that takes longer is not in order.
const LIMIT: Duration = Duration::from_secs(10);

/// Whether the remote answers, and whether the last copies arrived there.
pub(super) async fn copies(environment: &Environment) -> Check {
    const CHECK: &str = "remote";
    let bad = |failure: super::app::Failure| {
        let remedy = failure.hint.unwrap_or_else(|| "docker dbsafe snapshots ls --remote".to_owned());
        Check::bad(CHECK, failure.sentence, remedy)
    };
    // What is wrong with the settings is another check's matter.
    let Ok(off_host) = off_host(environment) else { return Check::note(CHECK, "not asked", "see settings") };
    let Some(url) = &off_host.url else {
        return Check::note(
            CHECK,
            "none: snapshots are on this host only, and are lost with it",
            "write [remote] url = \"s3://BUCKET/PREFIX\" into the settings",
        );
    };
    let remote = match open(environment, None, &off_host) {
        Ok(remote) => remote,
        Err(failure) => return bad(failure),
    };
    let home = place::home(environment);
    if let Some(sentence) = home.as_deref().and_then(|home| same_disk(&remote, home)) {
        return Check::bad(CHECK, sentence, "mount another machine's disk there, or name a bucket");
    }
    let listing = match tokio::time::timeout(LIMIT, remote.snapshots(None)).await {
        Ok(Ok(listing)) => listing,
        Ok(Err(error)) => return bad(super::remote::failed(&error)),
        Err(_elapsed) => {
            let detail = format!("{url} did not answer within {} s", LIMIT.as_secs());
            return Check::bad(CHECK, detail, "docker dbsafe snapshots ls --remote");
        }
    };
    if let Some(damaged) = listing.snapshots.iter().find(|snapshot| !snapshot.damage.is_empty()) {
        let detail = format!("{url}: the copy of {} is damaged", damaged.id);
        return Check::bad(CHECK, detail, format!("docker dbsafe snapshots push {}", damaged.id));
    }
    // Only to look: where there is no store, none is made.
    let home = home.filter(|home| home.join("snapshots").is_dir());
    let stored = home.and_then(|home| Store::open(&home).ok()).and_then(|store| store.list().ok());
    let here = stored.map(|listing| listing.snapshots).unwrap_or_default();
    let has = |id: &str| listing.snapshots.iter().any(|snapshot| snapshot.id == id);
    let missing = here.iter().filter(|stored| !has(&stored.manifest.id)).count();
    if missing > 0 {
        let detail = format!("{url}: {} of this host not there", words::count(missing as u64, "snapshot"));
        return Check::bad(CHECK, detail, "docker dbsafe snapshots push");
    }
    Check::ok(CHECK, format!("{url}: {}", words::count(listing.snapshots.len() as u64, "snapshot")))
}

/// Whether the key at hand opens what is encrypted; nothing where nothing is.
pub(super) fn key(environment: &Environment) -> Option<Check> {
    const CHECK: &str = "encryption";
    let off_host = off_host(environment).ok()?;
    let remedy =
        "docker dbsafe snapshots verify latest --remote --identity FILE   proves that you have the key";
    let recipients = match recipients(&off_host) {
        Ok(recipients) => recipients?,
        Err(failure) => return Some(Check::bad(CHECK, failure.sentence, "mend [encryption] recipients")),
    };
    let whom = recipients.shown().join(", ");
    Some(match identities(None, &off_host) {
        Err(failure) => Check::bad(CHECK, failure.sentence, remedy),
        Ok(None) => Check::note(
            CHECK,
            format!("for {whom}; no key is here: if it is lost, every copy is lost"),
            remedy,
        ),
        Ok(Some(identities)) if identities.open_what_is_for(&recipients) => {
            Check::ok(CHECK, format!("for {whom}; the identity here opens it: keep a copy of it elsewhere"))
        }
        Ok(Some(_)) => {
            Check::bad(CHECK, format!("the identity here does not open what is for {whom}"), remedy)
        }
    })
}
