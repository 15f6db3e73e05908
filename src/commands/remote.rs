//! Copies off this host: `snapshots push`, `pull`, and `--remote` on the others; and what follows each snapshot by
//! itself where a remote is set.

use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use jiff::{SignedDuration, Timestamp};

use super::{
    app::{App, Failure},
    save,
    snapshots::{PruneArgs, decide, print_json, write},
};
use crate::{
    act::progress::Progress,
    docker::environment::Environment,
    exit::Exit,
    report::{
        table,
        words::{self, ago, size},
    },
    settings::{OffHost, Settings},
    store::{
        Store, StoreError, Stored,
        remote::{
            Address, Attempt, Pushed, Remote, RemoteError, RemoteListing, RemoteSnapshot, Surroundings,
        },
        retention::Candidate,
        seal::{Identities, Recipients},
    },
    ui::clean,
};

/// What a killed push left is kept so long for it to go on.
const LEFTOVER_AGE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Which remote, and the key that opens it.
#[derive(Debug, Clone, Default, Args)]
pub struct RemoteArgs {
    /// At the remote, off this host; with =URL another one than that of the settings
    #[arg(long, value_name = "URL", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub remote: Option<String>,
    /// The age identity that opens what is encrypted
    #[arg(long, value_name = "FILE")]
    pub identity: Option<PathBuf>,
}

impl RemoteArgs {
    /// Whether the remote is meant and not this host's store.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        self.remote.is_some()
    }
}

/// What the settings and the environment say about copies off this host.
pub(super) fn off_host(environment: &Environment) -> Result<OffHost, Failure> {
    off_host_of(environment, &crate::settings::working_directory()?)
}

/// As `off_host`, for a command that was given in this folder.
pub(super) fn off_host_of(environment: &Environment, here: &Path) -> Result<OffHost, Failure> {
    let settings = Settings::gather(environment, here, &crate::model::plan::Plan::default())?;
    Ok(settings.off_host(environment))
}

/// Opens the remote that was named, else that of the settings.
pub(super) fn open(
    environment: &Environment,
    named: Option<&str>,
    off_host: &OffHost,
) -> Result<Remote, Failure> {
    let url = named.filter(|url| !url.is_empty()).or(off_host.url.as_deref()).ok_or_else(|| {
        Failure::usage("no remote is set")
            .hint("write [remote] url = \"s3://BUCKET/PREFIX\" into .dbsafe.toml, or name one: --remote=URL")
    })?;
    let surroundings =
        Surroundings { variables: environment.texts(), home: environment.home().map(Path::to_owned) };
    let remote = Address::parse(url).and_then(|address| Remote::open(&address, &surroundings));
    remote.map_err(|error| failed(&error))
}

/// Whom copies are encrypted for, where anybody is named.
pub(super) fn recipients(off_host: &OffHost) -> Result<Option<Recipients>, Failure> {
    if off_host.recipients.is_empty() {
        return Ok(None);
    }
    Recipients::parse(&off_host.recipients).map(Some).map_err(|error| failed(&error.into()))
}

/// The key at hand: named, else that of the environment or the settings.
pub(super) fn identities(named: Option<&Path>, off_host: &OffHost) -> Result<Option<Identities>, Failure> {
    let path = named.or(off_host.identity.as_deref());
    path.map(Identities::load).transpose().map_err(|error| failed(&error.into()))
}

/// A remote's failure, in its words.
pub(super) fn failed(error: &RemoteError) -> Failure {
    let failure = Failure::new(error.to_string());
    let failure = match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    };
    Failure { exit: if error.is_damage() { Exit::SnapshotFailed } else { Exit::Failed }, ..failure }
}

/// Runs `snapshots push`.
pub(super) async fn push(
    app: &App,
    store: &Store,
    wanted: &[String],
    arguments: &RemoteArgs,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let off_host = off_host(&app.environment)?;
    let remote = open(&app.environment, arguments.remote.as_deref(), &off_host)?;
    let mut chosen = Vec::new();
    for prefix in wanted {
        chosen.push(store.find(prefix).map_err(|error| save::failed(&error))?);
    }
    if wanted.is_empty() {
        let listing = store.list().map_err(|error| save::failed(&error))?;
        for unreadable in &listing.unreadable {
            app.ui.note(&format!("{}: it is not copied", unreadable.error));
        }
        chosen = listing.snapshots;
        if chosen.is_empty() {
            app.ui.say("there is no snapshot to copy");
        }
        // The oldest first: a later push of the newest finds less to do.
        chosen.reverse();
    }
    let recipients = recipients(&off_host)?;
    let identities = identities(arguments.identity.as_deref(), &off_host)?;
    warn_of_key(app, store, "copies", recipients.as_ref(), identities.as_ref());
    note_others(app, &chosen, recipients.as_ref());
    if let Some(sentence) = same_disk(&remote, store.home()) {
        app.ui.note(&sentence);
    }
    let progress = save::progress();
    for stored in &chosen {
        let pushed = push_one(app, store, stored, &remote, recipients.as_ref(), &progress).await?;
        let encrypted = is_sealed(stored, recipients.as_ref());
        write(out, &format!("{}  {}\n", stored.manifest.id, told(pushed, &remote, encrypted)))?;
    }
    Ok(Exit::Done)
}

fn told(pushed: Pushed, remote: &Remote, encrypted: bool) -> String {
    let how = if encrypted { "encrypted, " } else { "" };
    let kept = match pushed.kept {
        0 => String::new(),
        kept => format!(", {} were there", size(kept)),
    };
    format!("{how}{} sent to {}{kept}", size(pushed.sent), clean(&remote.address().to_string()))
}

/// Pushes one snapshot, and notes beside it what came of that.
async fn push_one(
    app: &App,
    store: &Store,
    stored: &Stored,
    remote: &Remote,
    recipients: Option<&Recipients>,
    progress: &Arc<dyn Progress>,
) -> Result<Pushed, Failure> {
    let id = &stored.manifest.id;
    progress.stage(&format!("copying {id} to {}", remote.address()), Some(stored.bytes()));
    let advance = |bytes| progress.advance(bytes);
    let pushing = remote.push(store, stored, recipients, &advance);
    let pushed = tokio::select! {
        biased;
        pushed = pushing => pushed,
        () = app.cancellation.cancelled() => Err(RemoteError::Refused("the copy was cancelled".to_owned())),
    };
    progress.end();
    let failure = pushed.as_ref().err().map(ToString::to_string);
    note(app, store, stored, remote, is_sealed(stored, recipients), failure)?;
    pushed.map_err(|error| {
        let failure = failed(&error);
        match (&failure.hint, app.cancellation.is_cancelled()) {
            (_, true) => Failure { exit: Exit::Cancelled, ..failure },
            (None, false) => failure.hint(format!("try again: docker dbsafe snapshots push {id}")),
            (Some(_), false) => failure,
        }
    })
}

/// Whether the copy of a snapshot is encrypted: those on this disk stay what they are.
fn is_sealed(stored: &Stored, recipients: Option<&Recipients>) -> bool {
    recipients.is_some() || !stored.manifest.recipients.is_empty()
}

/// Says which of these are encrypted on this disk for others than the settings name now: nobody here can change that.
fn note_others(app: &App, chosen: &[Stored], recipients: Option<&Recipients>) {
    let named = recipients.map(Recipients::shown).unwrap_or_default();
    let others = chosen.iter().map(|stored| &stored.manifest.recipients);
    let mut others: Vec<String> =
        others.filter(|own| !own.is_empty() && *own != named).map(|own| clean(&own.join(", "))).collect();
    let count = others.len() as u64;
    others.dedup();
    if count > 0 {
        app.ui.note(&format!(
            "{} encrypted on this disk for {}: copied as is, and not for the recipients of the settings",
            words::count(count, "snapshot"),
            others.join("; ")
        ));
    }
}

/// Notes beside a snapshot what a push came to.
fn note(
    app: &App,
    store: &Store,
    stored: &Stored,
    remote: &Remote,
    encrypted: bool,
    failure: Option<String>,
) -> Result<(), Failure> {
    let address = remote.address().to_string();
    let attempt = Attempt { remote: &address, encrypted, same_disk: remote.is_beside(store.home()) };
    store.record_push(stored, attempt, app.now(), failure).map_err(|error| save::failed(&error))
}

/// After a snapshot: the copy off this host, where one is set. A copy that fails is a warning, and undoes nothing.
/// `here` is the folder whose settings count, where that is not the working directory.
pub(super) async fn after_snapshot(app: &App, store: &Store, stored: &Stored, here: Option<&Path>) {
    let id = &stored.manifest.id;
    let pushed = async {
        let off_host = match here {
            Some(here) => off_host_of(&app.environment, here)?,
            None => off_host(&app.environment)?,
        };
        if off_host.url.is_none() || !off_host.auto {
            return Ok(None);
        }
        let recipients = recipients(&off_host)?;
        let identities = identities(None, &off_host)?;
        warn_of_key(app, store, "copies", recipients.as_ref(), identities.as_ref());
        note_others(app, std::slice::from_ref(stored), recipients.as_ref());
        let remote = match open(&app.environment, None, &off_host) {
            Ok(remote) => remote,
            Err(failure) => {
                let url = off_host.url.clone().unwrap_or_default();
                let attempt = Attempt {
                    remote: &url,
                    encrypted: is_sealed(stored, recipients.as_ref()),
                    same_disk: false,
                };
                // Seen in the listing, too; what cannot be noted is said below anyway.
                let _ = store.record_push(stored, attempt, app.now(), Some(failure.sentence.clone()));
                return Err(failure);
            }
        };
        // A wish to stop ends the copy, and not what was done before it.
        let _ours = app.cancellation.hand_over();
        let pushed = push_one(app, store, stored, &remote, recipients.as_ref(), &save::progress()).await?;
        Ok(Some(told(pushed, &remote, is_sealed(stored, recipients.as_ref()))))
    };
    match pushed.await {
        Ok(None) => {}
        Ok(Some(told)) => app.ui.say(&format!("snapshot {id}: {told}")),
        Err::<_, Failure>(failure) => {
            app.ui.note(&format!("snapshot {id} is on this host only: {}", failure.sentence));
            app.ui.say(&format!("  try again   docker dbsafe snapshots push {id}"));
        }
    }
}

/// Says that a lost key is a lost backup: once for each set of recipients, and always where no key at hand opens them.
/// `what` is encrypted.
pub(super) fn warn_of_key(
    app: &App,
    store: &Store,
    what: &str,
    recipients: Option<&Recipients>,
    identities: Option<&Identities>,
) {
    let Some(recipients) = recipients else { return };
    let whom = recipients.shown().join(", ");
    let opens = identities.map(|identities| identities.open_what_is_for(recipients));
    if opens == Some(false) {
        app.ui.note(&format!(
            "the identity at hand does not open what is encrypted for {whom}: {what} made now can only be restored \
             with another key"
        ));
        return;
    }
    if !store.first_use_of(recipients, what) {
        return;
    }
    app.ui.note(&format!(
        "{what} are encrypted for {whom}: whoever loses its secret key has lost these backups"
    ));
    app.ui.say(match opens {
        Some(_) => "  the identity at hand opens them; keep a copy of it off this host",
        None => {
            "  no identity is set here, so nobody on this host can open or restore them: make sure now that you have \
             the key\n  docker dbsafe snapshots verify latest --identity FILE   proves it; of a copy, with --remote"
        }
    });
}

/// A folder on the disk of the snapshots is no copy off this host.
pub(super) fn same_disk(remote: &Remote, home: &Path) -> Option<String> {
    remote.is_beside(home).then(|| {
        format!(
            "{} is on the same disk as the snapshots: not a copy off this host; is it mounted?",
            remote.address()
        )
    })
}

/// What a remote holds.
async fn listed(
    app: &App,
    arguments: &RemoteArgs,
) -> Result<(Remote, RemoteListing, Option<Identities>), Failure> {
    let off_host = off_host(&app.environment)?;
    let remote = open(&app.environment, arguments.remote.as_deref(), &off_host)?;
    let identities = identities(arguments.identity.as_deref(), &off_host)?;
    let listing = remote.snapshots(identities.as_ref()).await.map_err(|error| failed(&error))?;
    Ok((remote, listing, identities))
}

/// Runs `snapshots pull`.
pub(super) async fn pull(
    app: &App,
    store: &Store,
    prefix: &str,
    arguments: &RemoteArgs,
) -> Result<Stored, Failure> {
    let (remote, listing, identities) = listed(app, arguments).await?;
    let found = listing.find(prefix).map_err(|error| failed(&error))?;
    let progress = save::progress();
    progress.stage(&format!("fetching {} from {}", found.id, remote.address()), Some(found.bytes()));
    let advance = |bytes| progress.advance(bytes);
    let pulled = remote.pull(store, found, identities.as_ref(), app.now(), &advance).await;
    progress.end();
    let stored = pulled.map_err(|error| failed(&error))?;
    note(app, store, &stored, &remote, found.encrypted, None)?;
    Ok(stored)
}

/// A snapshot of the store; where it has none of this id, and a remote is set or named, that of the remote, which is
/// brought here first.
pub(super) async fn find(
    app: &App,
    store: &Store,
    prefix: &str,
    arguments: &RemoteArgs,
) -> Result<Stored, Failure> {
    if arguments.is_remote() {
        return pull(app, store, prefix, arguments).await;
    }
    match store.find(prefix) {
        Err(StoreError::NotFound(_)) if off_host(&app.environment)?.url.is_some() => {
            app.ui.say("it is not in this host's store: looking at the remote");
            pull(app, store, prefix, arguments).await
        }
        other => other.map_err(|error| save::failed(&error)),
    }
}

/// Runs `snapshots ls --remote`.
pub(super) async fn ls(
    app: &App,
    json: bool,
    arguments: &RemoteArgs,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let (remote, listing, _) = listed(app, arguments).await?;
    if json {
        print_json(out, &listing.document(&remote.address().to_string()))?;
    } else {
        write(out, &list(&listing, app.now(), app.ui.width_out))?;
    }
    for (id, cause) in &listing.unreadable {
        app.ui.note(&format!("snapshot {id} cannot be read: {cause}"));
    }
    for leftover in &listing.leftovers {
        let (id, bytes, when) = (&leftover.id, size(leftover.bytes), ago(leftover.modified, app.now()));
        app.ui.note(&format!("{id}: a push that did not end, {bytes}, {when}: no snapshot"));
    }
    let damaged = listing.snapshots.iter().any(|snapshot| !snapshot.damage.is_empty());
    Ok(if damaged { Exit::SnapshotFailed } else { Exit::Done })
}

fn list(listing: &RemoteListing, now: Timestamp, width: usize) -> String {
    let mut rows = vec![["SNAPSHOT", "MADE", "OF", "SIZE", "STATE"].map(str::to_owned)];
    for snapshot in &listing.snapshots {
        let of = match &snapshot.manifest {
            Some(manifest) => super::snapshots::names_of(manifest),
            None => "encrypted".to_owned(),
        };
        rows.push([
            snapshot.id.clone(),
            ago(snapshot.created, now),
            of,
            size(snapshot.bytes()),
            state(snapshot),
        ]);
    }
    table::plain(&rows, width)
}

fn state(snapshot: &RemoteSnapshot) -> String {
    match snapshot.damage.as_slice() {
        [] => {
            let proved = if snapshot.proved { "proved" } else { "not proved" };
            if snapshot.encrypted { format!("{proved}, encrypted") } else { proved.to_owned() }
        }
        [first, rest @ ..] => {
            let more = if rest.is_empty() { String::new() } else { format!(", and {} more", rest.len()) };
            format!("DAMAGED: {}: {}{more}", clean(&first.file), first.fault)
        }
    }
}

/// Runs `snapshots verify --remote`: reads every byte there.
pub(super) async fn verify(
    app: &App,
    prefix: &str,
    arguments: &RemoteArgs,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let (remote, listing, identities) = listed(app, arguments).await?;
    let found = listing.find(prefix).map_err(|error| failed(&error))?;
    let progress = save::progress();
    progress.stage(&format!("reading {} at {}", found.id, remote.address()), Some(found.bytes()));
    let advance = |bytes| progress.advance(bytes);
    let faults = remote.verify(found, &advance).await;
    progress.end();
    let faults = faults.map_err(|error| failed(&error))?;
    for fault in &faults {
        write(out, &format!("{}  {}: {}\n", found.id, clean(&fault.file), fault.fault))?;
    }
    if !faults.is_empty() {
        return Ok(Exit::SnapshotFailed);
    }
    let key = match (found.encrypted, &found.manifest, identities) {
        (false, ..) => "",
        (true, Some(_), _) => ", and the key at hand opens it",
        (true, None, Some(_)) => {
            return Err(failed(&RemoteError::Refused(format!("the key at hand does not open {}", found.id))));
        }
        (true, None, None) => "; without a key it was not opened",
    };
    write(out, &format!("{}  every file is as it was sent{key}\n", found.id))?;
    Ok(Exit::Done)
}

/// Runs `snapshots rm --remote`.
pub(super) async fn rm(
    app: &App,
    store: &Store,
    prefix: &str,
    force: bool,
    arguments: &RemoteArgs,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let (remote, listing, _) = listed(app, arguments).await?;
    let found = listing.find(prefix).map_err(|error| failed(&error))?;
    let others: Vec<&RemoteSnapshot> =
        listing.snapshots.iter().filter(|other| other.id != found.id && is_good(other)).collect();
    let kept = |subject: &String| others.iter().any(|other| other.hidden_subjects().contains(subject));
    if is_good(found) && !force && !found.hidden_subjects().iter().all(kept) {
        return Err(Failure::new(format!(
            "{} is the last proved snapshot of its data at the remote",
            found.id
        ))
        .hint(format!("docker dbsafe snapshots rm --remote --force {}", found.id)));
    }
    remove(store, &remote, &found.id).await?;
    write(out, &format!("removed {} from {}\n", found.id, clean(&remote.address().to_string())))?;
    Ok(Exit::Done)
}

async fn remove(store: &Store, remote: &Remote, id: &str) -> Result<(), Failure> {
    remote.remove(store.home(), id).await.map_err(|error| failed(&error))?;
    if let Ok(stored) = store.find(id) {
        let forgotten = store.forget_copy(&stored, &remote.address().to_string());
        forgotten.map_err(|error| save::failed(&error))?;
    }
    Ok(())
}

/// Proved, and nothing of it is missing.
fn is_good(snapshot: &RemoteSnapshot) -> bool {
    snapshot.proved && snapshot.damage.is_empty()
}

/// Runs `snapshots prune --remote`.
pub(super) async fn prune(
    app: &App,
    store: &Store,
    prune: &PruneArgs,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let (remote, listing, _) = listed(app, &prune.remote).await?;
    let candidate = |snapshot: &RemoteSnapshot| Candidate {
        id: snapshot.id.clone(),
        created: snapshot.created,
        proved: is_good(snapshot),
        subjects: snapshot.hidden_subjects(),
        kept_until: snapshot.manifest.as_ref().and_then(|manifest| manifest.kept_until),
    };
    let candidates: Vec<Candidate> = listing.snapshots.iter().map(candidate).collect();
    let mut doomed = decide(app, prune, &candidates, out)?;
    let old = |modified: Timestamp| app.now().duration_since(modified) > LEFTOVER_AGE;
    for leftover in listing.leftovers.iter().filter(|leftover| old(leftover.modified)) {
        write(out, &format!("{}  a push that did not end\n", leftover.id))?;
        doomed.push(leftover.id.clone());
    }
    if prune.yes {
        for id in &doomed {
            remove(store, &remote, id).await?;
        }
    } else if !doomed.is_empty() {
        app.ui.say("nothing was removed; add --yes to do it");
    }
    Ok(Exit::Done)
}
