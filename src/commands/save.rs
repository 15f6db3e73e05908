//! `--snapshot`: saves what is at risk, proves it, and lets the command go on.

use std::{io::IsTerminal as _, sync::Arc};

use jiff::Timestamp;

use super::app::{App, Failure};
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
    settings::place,
    store::{Outcome, Store, StoreError},
    ui::clean,
};

/// The store in `DBSAFE_HOME`.
///
/// # Errors
/// Where it cannot be made or read.
pub(super) fn open_store(app: &App) -> Result<Store, Failure> {
    let home = place::home(&app.environment).ok_or_else(|| {
        Failure::new("there is no folder for snapshots").hint("export DBSAFE_HOME=/a/folder")
    })?;
    Store::open(&home).map_err(|error| failed(&error))
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
        "snapshot {} of {}: {}, {how} in {took}\n  take the command back   docker dbsafe undo",
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
