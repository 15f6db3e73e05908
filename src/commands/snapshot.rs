//! `docker dbsafe snapshot`: saves without a command that removes anything.

use std::{io::Write, path::Path};

use clap::Args;
use jiff::Timestamp;

use super::{
    app::{App, Failure},
    project::Project,
    remote,
    save::{self, open_store},
};
use crate::{
    act::{
        keeper::Keeper,
        snapshot::{self, Mode},
        targets::{self, Target},
    },
    exit::Exit,
    inspect::{self, Depth},
    model::{
        journal::Event,
        manifest::{EngineHost, VerificationMethod},
    },
    report::words::size,
    settings::{Settings, working_directory},
    store::{Store, Stored},
    ui::clean,
};

/// Save the data of containers, services or volumes, and prove that it can be restored
#[derive(Debug, Args)]
pub struct SnapshotArgs {
    /// Containers, compose services or volumes
    #[arg(required_unless_present = "all_at_risk", value_name = "TARGET")]
    pub targets: Vec<String>,
    /// Everything that a removal of its container would destroy
    #[arg(long, conflicts_with = "targets")]
    pub all_at_risk: bool,
    /// Only read the files back, instead of starting a server on a copy
    #[arg(long)]
    pub checksum: bool,
}

/// Runs `snapshot`.
///
/// # Errors
/// Where it fails: nothing was changed then, and what was frozen goes on.
pub async fn snapshot(app: &App, arguments: &SnapshotArgs, out: &mut dyn Write) -> Result<Exit, Failure> {
    let store = open_store(app)?;
    let targets = if arguments.all_at_risk {
        at_risk(app).await?
    } else {
        Project::here(&app.environment).targets(&app.engine, &arguments.targets).await?
    };
    if targets.is_empty() {
        app.ui.say("nothing is at risk");
        return Ok(Exit::Done);
    }
    let verify = if arguments.checksum { VerificationMethod::Checksum } else { VerificationMethod::Restore };
    let order = Order { command: Vec::new(), verify, here: None };
    let stored = take(app, &store, &targets, order).await?;
    let verification = &stored.manifest.verification;
    line(out, &format!("{}  {}", stored.manifest.id, size(stored.bytes())))?;
    let word = if stored.is_proved() { "proved" } else { "could not be verified" };
    line(out, &format!("  {word}: {}", clean(&verification.detail)))?;
    Ok(Exit::Done)
}

/// Who wants a snapshot, and how.
pub(super) struct Order<'a> {
    /// Docker's arguments, where it is not `snapshot` by itself.
    pub(super) command: Vec<String>,
    pub(super) verify: VerificationMethod,
    /// The folder whose settings count, where that is not the working directory.
    pub(super) here: Option<&'a Path>,
}

/// Takes a snapshot of these, and notes it in the journal.
///
/// # Errors
/// As `snapshot`.
pub(super) async fn take(
    app: &App,
    store: &Store,
    targets: &[Target],
    order: Order<'_>,
) -> Result<Stored, Failure> {
    let Order { command, verify, here } = order;
    let plan = targets::plan_for(&app.engine, targets)
        .await
        .map_err(|error| save::not_saved("no snapshot was taken", &error))?;
    let here = here.map_or_else(working_directory, |here| Ok(here.to_owned()))?;
    let settings = Settings::gather(&app.environment, &here, &plan)?;
    let store = &save::sealing(app, store, &settings)?;
    let evidence = inspect::inspect(&app.engine, &plan, Depth::Copied).await;
    let engine = app.engine_ref().await;
    let words =
        if command.is_empty() { ["dbsafe", "snapshot"].map(str::to_owned).into() } else { command.clone() };
    let request = snapshot::Request {
        engine: &app.engine,
        store,
        host: EngineHost { host: engine.host, version: engine.version },
        command,
        purpose: format!("docker {}", words.join(" ")),
        plan: &plan,
        evidence: &evidence,
        mode: Mode::Freeze,
        dumps: true,
        kept_until: None,
        verify,
        progress: save::progress(),
        cancellation: &app.cancellation,
        now: Timestamp::now,
    };
    let taken =
        snapshot::take(&request, Keeper::start(&app.globals, store.home())).await.map_err(|failed| {
            for sentence in &failed.left {
                app.ui.note(sentence);
            }
            save::not_saved("no snapshot was taken", &failed.error)
        })?;
    let stored = taken.leave();
    let names = stored.manifest.items.iter().map(|item| item.target.name.clone()).collect();
    app.journal(Event::Snapshot, &words, names, &stored.manifest.id);
    remote::after_snapshot(app, store, &stored, Some(&here)).await;
    Ok(stored)
}

/// The containers with data that their removal would destroy.
async fn at_risk(app: &App) -> Result<Vec<Target>, Failure> {
    use crate::model::evidence::{Location, Presence};
    let listed = app.engine.containers().await?;
    let ids: Vec<Target> = listed.into_iter().map(|container| Target::Container(container.id)).collect();
    let plan = targets::plan_for(&app.engine, &ids)
        .await
        .map_err(|error| save::not_saved("no snapshot was taken", &error))?;
    let evidence = inspect::inspect(&app.engine, &plan, Depth::Threatened).await;
    let goes = |location| {
        matches!(
            location,
            Location::WritableLayer | Location::AnonymousVolume | Location::Memory | Location::Tmpfs
        )
    };
    let mut found: Vec<String> = evidence
        .into_iter()
        .filter(|seen| goes(seen.location) && !matches!(seen.presence, Presence::Empty { .. }))
        .map(|seen| seen.target.id)
        .collect();
    found.sort();
    found.dedup();
    Ok(found.into_iter().map(Target::Container).collect())
}

pub(super) fn line(out: &mut dyn Write, text: &str) -> Result<(), Failure> {
    match writeln!(out, "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::new(error.to_string())),
        Ok(()) | Err(_) => Ok(()),
    }
}
