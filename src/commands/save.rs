//! `--snapshot`: saves what is at risk, proves it, and lets the command go on.

use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;

use super::{
    app::{App, Failure},
    remote,
};
use crate::{
    act::{
        keeper::Keeper,
        progress::{Bar, Progress, Silent},
        snapshot::{self, Mode, SnapshotError, Taken},
    },
    model::{
        evidence::Evidence,
        manifest::{EngineHost, VerificationMethod},
        plan::Plan,
    },
    plan::parse::{Parsed, Verify},
    report::words::{self, short},
    settings::{Settings, place},
    store::{Outcome, Store, StoreError, seal::Recipients},
    ui::clean,
};

/// The store in `DBSAFE_HOME`.
///
/// # Errors
/// Where it cannot be made or read.
pub(super) fn open_store(app: &App) -> Result<Store, Failure> {
    open_store_with(app, None)
}

/// As `open_store`; `identity` is the key that was named to open what is encrypted.
///
/// # Errors
/// As `open_store`.
pub(super) fn open_store_with(app: &App, identity: Option<&Path>) -> Result<Store, Failure> {
    let home = place::home(&app.environment).ok_or_else(|| {
        Failure::new("there is no folder for snapshots").hint("export DBSAFE_HOME=/a/folder")
    })?;
    let store = Store::open(&home).map_err(|error| failed(&error))?;
    Ok(store.opened_by(identity.map(Path::to_owned).or_else(|| identity_in(app, None))))
}

/// The key at hand in a folder, or in the working directory. What is wrong with the settings is said by who goes by them:
/// to list and remove what is here, none are needed.
pub(super) fn identity_in(app: &App, here: Option<&Path>) -> Option<PathBuf> {
    let off_host = match here {
        Some(here) => remote::off_host_of(&app.environment, here),
        None => remote::off_host(&app.environment),
    };
    let by_variable = |_| app.environment.get("DBSAFE_AGE_IDENTITY").map(PathBuf::from);
    off_host.map_or_else(by_variable, |off_host| off_host.identity)
}

/// The store as the settings want it written: encrypted, where one says `at_rest`. Before the first that is, a lost key is
/// said to be a lost backup.
///
/// # Errors
/// Where it is to be encrypted, and nobody is named that it is for.
pub(super) fn sealing(app: &App, store: &Store, settings: &Settings) -> Result<Store, Failure> {
    let off_host = settings.off_host(&app.environment);
    let Some(recipients) = settings.at_rest(&app.environment)? else { return Ok(store.clone()) };
    let recipients = Recipients::parse(&recipients).map_err(|error| Failure::new(error.to_string()))?;
    // To write, none is needed.
    let identities = remote::identities(None, &off_host).unwrap_or_else(|failure| {
        app.ui.note(&failure.sentence);
        None
    });
    remote::warn_of_key(app, store, "snapshots", Some(&recipients), identities.as_ref());
    Ok(store.opened_by(off_host.identity).sealing_for(Some(recipients)))
}

/// Before a snapshot is offered: what it saves will be encrypted, and nobody here could take the command back.
pub(super) fn warn_of_undo(app: &App, settings: &Settings) {
    let is_encrypted = settings.at_rest(&app.environment).is_ok_and(|recipients| recipients.is_some());
    if is_encrypted && settings.off_host(&app.environment).identity.is_none() {
        app.ui.note("a snapshot would be encrypted, and no key is here: undo needs --identity FILE");
    }
}

/// A failure of the store, in its words.
pub(super) fn failed(error: &StoreError) -> Failure {
    let failure = Failure::new(error.to_string());
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// What a snapshot's failure means for whoever asked for it.
pub(super) fn not_saved(what: &str, error: &SnapshotError) -> Failure {
    Failure { exit: error.exit(), hint: error.hint(), sentence: format!("{what}: {error}") }
}

/// A line on a terminal, nothing elsewhere.
pub(super) fn progress() -> Arc<dyn Progress> {
    if std::io::stderr().is_terminal() { Arc::new(Bar::on_terminal()) } else { Arc::new(Silent) }
}

/// Takes a snapshot of what a command would destroy. Its containers are stopped then, as the command would
/// stop them.
///
/// # Errors
/// Where it fails at any point: nothing was destroyed, and what ran runs again.
pub(super) async fn save(
    app: &App,
    parsed: &Parsed,
    plan: &Plan,
    evidence: &[Evidence],
    store: &Store,
) -> Result<Taken, Failure> {
    let engine = app.engine_ref().await;
    let started = app.now();
    let request = snapshot::Request {
        engine: &app.engine,
        store,
        host: EngineHost { host: engine.host, version: engine.version },
        command: parsed.docker_arguments.clone(),
        purpose: format!("docker {}", parsed.docker_arguments.join(" ")),
        plan,
        evidence,
        mode: Mode::Stop,
        dumps: true,
        kept_until: None,
        verify: match parsed.own.verify {
            Verify::Restore => VerificationMethod::Restore,
            Verify::Checksum => VerificationMethod::Checksum,
        },
        progress: progress(),
        cancellation: &app.cancellation,
        now: Timestamp::now,
    };
    let taken =
        snapshot::take(&request, Keeper::start(&app.globals, store.home())).await.map_err(|failed| {
            for sentence in &failed.left {
                app.ui.note(sentence);
            }
            let sentence = format!("no snapshot was taken, and nothing was destroyed: {}", failed.error);
            Failure { exit: failed.error.exit(), hint: failed.error.hint(), sentence }
        })?;
    let stored = &taken.stored;
    let took = words::span((app.now().as_second() - started.as_second()).unsigned_abs());
    let how = if stored.is_proved() { "proved" } else { "stored" };
    let mut names: Vec<String> =
        stored.manifest.items.iter().map(|item| clean(short(&item.target.name))).collect();
    names.sort();
    names.dedup();
    app.ui.say(&format!(
        "snapshot {} of {}: {}, {how} in {took}",
        stored.manifest.id,
        names.join(", "),
        words::size(stored.bytes()),
    ));
    Ok(taken)
}

/// Remembers that docker has the command, and what became of it.
///
/// # Errors
/// Where the disk refuses.
pub(super) fn remember(
    store: &Store,
    taken: &snapshot::Taken,
    at: Timestamp,
    status: Option<u8>,
) -> Result<(), Failure> {
    let outcome = Outcome { handed_over: at, status, undone: None };
    store.record_outcome(&taken.stored, &outcome).map_err(|error| failed(&error))
}
