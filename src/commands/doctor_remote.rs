//! The checks of `doctor` about copies off this host: whether they arrive, and whether somebody can open them.

use std::time::Duration;

use super::{
    doctor::Check,
    remote::{identities, off_host, open, recipients, same_disk},
};
use crate::{
    docker::environment::Environment,
    model::plan::Plan,
    report::words,
    settings::{OffHost, Settings, place, working_directory},
    store::{Store, StoreError, seal::SealError},
    ui::clean,
};

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

/// What proves that somebody has the key.
const PROOF: &str = "docker dbsafe snapshots verify latest --identity FILE   proves that you have the key; --remote, of a copy";

const KEY: &str = "encryption";

/// Whether the key at hand opens what is encrypted; nothing where nothing is.
pub(super) fn key(environment: &Environment) -> Option<Check> {
    let here = working_directory().ok()?;
    let settings = Settings::gather(environment, &here, &Plan::default()).ok()?;
    let off_host = settings.off_host(environment);
    let mend = "mend [encryption] recipients";
    let at_rest = match settings.at_rest(environment) {
        Ok(at_rest) => at_rest,
        Err(failure) => {
            return Some(Check::bad(KEY, failure.sentence, failure.hint.unwrap_or_else(|| mend.to_owned())));
        }
    };
    if let Some(closed) = newest_that_is_closed(environment, &off_host) {
        return Some(closed);
    }
    let what = if at_rest.is_some() { "snapshot" } else { "copy" };
    let recipients = match recipients(&OffHost {
        recipients: at_rest.unwrap_or(off_host.recipients),
        ..OffHost::default()
    }) {
        Ok(recipients) => recipients?,
        Err(failure) => return Some(Check::bad(KEY, failure.sentence, mend)),
    };
    let whom = recipients.shown().join(", ");
    let key = OffHost { identity: off_host.identity, ..OffHost::default() };
    Some(match identities(None, &key) {
        Err(failure) => Check::bad(KEY, failure.sentence, PROOF),
        Ok(None) => Check::note(
            KEY,
            format!("for {whom}; no key is here: if it is lost, every {what} is lost"),
            PROOF,
        ),
        Ok(Some(identities)) if identities.open_what_is_for(&recipients) => {
            Check::ok(KEY, format!("for {whom}; the identity here opens it: keep a copy of it elsewhere"))
        }
        Ok(Some(_)) => Check::bad(KEY, format!("the identity here does not open what is for {whom}"), PROOF),
    })
}

/// The newest snapshot that is encrypted on this disk, where the key at hand does not open it.
fn newest_that_is_closed(environment: &Environment, off_host: &OffHost) -> Option<Check> {
    // Only to look: where there is no store, none is made.
    let home = place::home(environment).filter(|home| home.join("snapshots").is_dir())?;
    let store = Store::open(&home).ok()?.opened_by(off_host.identity.clone());
    let listed = store.list().ok()?.snapshots;
    let newest = listed.into_iter().find(|stored| !stored.manifest.recipients.is_empty())?;
    let error = newest.unlock().err()?;
    Some(match &error {
        StoreError::Sealed { cause: SealError::NoKey, .. } => {
            let whom = newest.manifest.recipients.join(", ");
            let detail =
                format!("snapshots are for {whom}; no key is here: if it is lost, every snapshot is lost");
            Check::note(KEY, clean(&detail), PROOF)
        }
        error => Check::bad(KEY, clean(&error.to_string()), error.hint().unwrap_or(PROOF)),
    })
}
