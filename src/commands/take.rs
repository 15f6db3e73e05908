//! `docker dbsafe snapshot`, `restore` and `undo`: the snapshots outside of a guarded command.

use std::io::Write;

use clap::Args;
use jiff::Timestamp;

use super::{
    app::{App, Failure},
    save::{self, open_store},
};
use crate::{
    act::{
        keeper::Keeper,
        restore,
        snapshot::{self, Mode, SnapshotError},
        targets, undo,
    },
    exit::Exit,
    inspect::{self, Depth},
    model::manifest::{EngineHost, VerificationMethod, VerificationResult},
    report::words::{ago, short, size},
    store::Stored,
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

/// Restore out of a snapshot, beside what is there
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The beginning of its id, or `latest`
    pub snapshot: String,
    /// Where to: `volume:NAME`, which must not exist yet; or `container:NAME`, the server to load a dump into
    #[arg(long, value_name = "volume:NAME|container:NAME")]
    pub to: Option<String>,
    /// Which copy, where the snapshot has several: a volume's or a container's name
    #[arg(long, value_name = "NAME")]
    pub of: Option<String>,
    /// Load the dump of this database instead
    #[arg(long, value_name = "NAME")]
    pub database: Option<String>,
    /// The database's new name
    #[arg(long = "as", value_name = "NAME", requires = "database")]
    pub new_name: Option<String>,
}

/// Take back the last command that removed something
#[derive(Debug, Args)]
pub struct UndoArgs {
    /// The beginning of a snapshot's id; without one, that of the last command
    pub snapshot: Option<String>,
    /// List what can be taken back
    #[arg(long)]
    pub list: bool,
}

/// Runs `snapshot`.
///
/// # Errors
/// Where it fails: nothing was changed then, and what was frozen goes on.
pub async fn snapshot(app: &App, arguments: &SnapshotArgs, out: &mut dyn Write) -> Result<Exit, Failure> {
    let store = open_store(app)?;
    let targets = if arguments.all_at_risk { at_risk(app).await? } else { arguments.targets.clone() };
    if targets.is_empty() {
        app.ui.say("nothing is at risk");
        return Ok(Exit::Done);
    }
    let plan = targets::plan_for(&app.engine, &targets)
        .await
        .map_err(|error| save::not_saved("no snapshot was taken", &error))?;
    let evidence = inspect::inspect(&app.engine, &plan, Depth::Copied).await;
    let engine = app.engine_ref().await;
    let request = snapshot::Request {
        engine: &app.engine,
        store: &store,
        host: EngineHost { host: engine.host, version: engine.version },
        command: Vec::new(),
        purpose: "docker dbsafe snapshot".to_owned(),
        plan: &plan,
        evidence: &evidence,
        mode: Mode::Freeze,
        verify: if arguments.checksum { VerificationMethod::Checksum } else { VerificationMethod::Restore },
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
    let verification = &stored.manifest.verification;
    line(out, &format!("{}  {}", stored.manifest.id, size(stored.bytes())))?;
    let proved = verification.result == VerificationResult::Proved;
    let word = if proved { "proved" } else { "could not be verified" };
    line(out, &format!("  {word}: {}", clean(&verification.detail)))?;
    Ok(Exit::Done)
}

/// The containers with data that their removal would destroy.
async fn at_risk(app: &App) -> Result<Vec<String>, Failure> {
    use crate::model::evidence::{Location, Presence};
    let listed = app.engine.containers().await?;
    let ids: Vec<String> = listed.into_iter().map(|container| container.id).collect();
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
    Ok(found)
}

/// Runs `restore`.
///
/// # Errors
/// Where there is no such snapshot, its copy is damaged, or what it would be restored to exists.
pub async fn restore(app: &App, arguments: &RestoreArgs, out: &mut dyn Write) -> Result<Exit, Failure> {
    let store = open_store(app)?;
    let stored = store.find(&arguments.snapshot).map_err(|error| save::failed(&error))?;
    let refused = |error: SnapshotError| save::not_saved("nothing was restored", &error);
    let to = arguments.to.as_deref().map(|to| to.split_once(':').ok_or(to)).transpose();
    let to =
        to.map_err(|to| Failure::usage(format!("--to takes volume:NAME or container:NAME, not {to}")))?;
    if let Some(database) = &arguments.database {
        let container = match to {
            Some(("container", name)) => name.to_owned(),
            Some((other, _)) => {
                return Err(Failure::usage(format!("a dump cannot be restored to a {other}")));
            }
            None => dumped_from(&stored, database).ok_or_else(|| {
                Failure::new(format!("the snapshot has no dump of a database {}", clean(database)))
            })?,
        };
        let new_name = arguments.new_name.as_ref().unwrap_or(database);
        let progress = save::progress();
        let loading = restore::into_database(&app.engine, &stored, database, &container, new_name, &progress);
        loading.await.map_err(refused)?;
        line(out, &format!("{} is in {} as {}", clean(database), clean(&container), clean(new_name)))?;
        return Ok(Exit::Done);
    }
    let progress = save::progress();
    let mut copies = restore::copies(&stored);
    if let Some(of) = &arguments.of {
        copies.retain(|copy| copy.item.target.name == *of || copy.item.volume.as_ref() == Some(of));
    }
    let name_of =
        |copy: &restore::Copy<'_>| copy.item.volume.clone().unwrap_or_else(|| copy.item.target.name.clone());
    match (copies.as_slice(), to) {
        ([], _) => Err(Failure::new("the snapshot holds no copy of that")),
        (_, Some((kind, _))) if kind != "volume" => {
            Err(Failure::usage(format!("a copy can be restored to a volume, not to a {kind}")))
        }
        ([_, _, ..], Some(_)) => {
            let names: Vec<String> = copies.iter().map(|copy| clean(short(&name_of(copy)))).collect();
            Err(Failure::usage(format!("the snapshot holds several copies: {}", names.join(", ")))
                .hint("choose one with --of NAME"))
        }
        (copies, to) => {
            for copy in copies {
                let tail = stored.manifest.id.rsplit('-').next().unwrap_or("restored");
                let volume = match to {
                    Some((_, name)) => name.to_owned(),
                    None => format!("{}-{tail}", short(&name_of(copy))),
                };
                let restoring = restore::into_volume(&app.engine, &stored, *copy, &volume, &progress);
                restoring.await.map_err(refused)?;
                let from = clean(&format!("{} of {}", copy.item.path, copy.item.target.name));
                line(out, &format!("volume {} holds {from}", clean(&volume)))?;
            }
            Ok(Exit::Done)
        }
    }
}

/// The container whose server a database's dump is from.
fn dumped_from(stored: &Stored, database: &str) -> Option<String> {
    let has = |item: &&crate::model::manifest::Item| {
        item.artifacts.iter().any(|artifact| artifact.database.as_deref() == Some(database))
    };
    stored.manifest.items.iter().find(has).map(|item| item.target.name.clone())
}

/// Runs `undo`.
///
/// # Errors
/// Where there is nothing to take back, something is in the way, or the engine refuses.
pub async fn undo(app: &App, arguments: &UndoArgs, out: &mut dyn Write) -> Result<Exit, Failure> {
    let store = open_store(app)?;
    let mut guarded = store.list().map_err(|error| save::failed(&error))?.snapshots;
    guarded.retain(|stored| stored.outcome().is_some());
    if arguments.list {
        for stored in &guarded {
            let command = clean(&stored.manifest.command.join(" "));
            let undone = stored.outcome().is_some_and(|outcome| outcome.undone.is_some());
            let state = if undone { "  (undone)" } else { "" };
            let when = ago(stored.manifest.created, app.now());
            line(out, &format!("{}  {when}  docker {command}{state}", stored.manifest.id))?;
        }
        return Ok(Exit::Done);
    }
    let stored = match &arguments.snapshot {
        Some(prefix) => store.find(prefix).map_err(|error| save::failed(&error))?,
        None => guarded
            .into_iter()
            .find(|stored| stored.outcome().is_some_and(|outcome| outcome.undone.is_none()))
            .ok_or_else(|| {
                Failure::new("there is no command to take back").hint("docker dbsafe undo --list")
            })?,
    };
    let request = undo::Request {
        engine: &app.engine,
        store: &store,
        stored: &stored,
        progress: save::progress(),
        cancellation: &app.cancellation,
        now: Timestamp::now,
    };
    let said = undo::undo(&request).await.map_err(|error| {
        let failure = save::not_saved("nothing was taken back", &error);
        match error {
            SnapshotError::Refused(_) => {
                failure.hint(format!("restore beside it: docker dbsafe restore {}", stored.manifest.id))
            }
            _ => failure,
        }
    })?;
    for sentence in said {
        line(out, &clean(&sentence))?;
    }
    Ok(Exit::Done)
}

fn line(out: &mut dyn Write, text: &str) -> Result<(), Failure> {
    match writeln!(out, "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::new(error.to_string())),
        Ok(()) | Err(_) => Ok(()),
    }
}
