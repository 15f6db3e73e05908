//! `docker dbsafe drill`: restores the newest backup of each database into a scratch container, and looks at it.

use std::{io::Write, sync::Arc, time::Duration};

use clap::{Args, ValueEnum};
use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

use super::{
    app::{App, Failure},
    project::Project,
    save::{self, failed, open_store},
    snapshot::line,
};
use crate::{
    act::{
        drill::{
            self as act, Newest, Outcome,
            fetched::{self, Fetch},
        },
        snapshot::SnapshotError,
        targets::{self, Target},
        verify,
    },
    docker::engine::is_helper,
    exit::Exit,
    inspect::{self, Depth, backups::tools},
    model::{
        container::Container,
        drill::{DRILL_VERSION, Drill},
        evidence::{Evidence, Presence, TargetKind},
        manifest::{VerificationMethod, VerificationResult},
        plan::Plan,
    },
    report::{table, words::span},
    settings::{Held, Settings},
    store::{self, Store, StoreError, Stored, drills, transient},
    ui::{Paint, clean},
};

/// Restore the newest backup of each database into a scratch container, compare and time it
#[derive(Debug, Args)]
pub struct DrillArgs {
    /// Containers, compose services or volumes; all of the engine where none is named
    #[arg(value_name = "TARGET")]
    pub targets: Vec<String>,
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
}

/// The document of `--format json`; docs/drill.schema.json describes it.
#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    drills: &'a [Drill],
}

/// Runs the command.
///
/// # Errors
/// Where a target is not there, or the engine or the store does not answer.
pub async fn run(app: &App, arguments: &DrillArgs, out: &mut dyn Write) -> Result<Exit, Failure> {
    let store = open_store(app)?;
    let targets = if arguments.targets.is_empty() {
        let mut listed = app.engine.containers().await?;
        listed.retain(|container| !is_helper(&container.labels));
        listed.into_iter().map(|container| Target::Container(container.id)).collect()
    } else {
        Project::here(&app.environment).targets(&app.engine, &arguments.targets).await?
    };
    let drills = all(app, &store, &targets).await?;
    if arguments.format == Format::Json {
        let document = Document { schema_version: DRILL_VERSION, drills: &drills };
        let text =
            serde_json::to_string_pretty(&document).map_err(|error| Failure::new(error.to_string()))?;
        line(out, &text)?;
    } else if drills.is_empty() {
        app.ui.say("no database holds anything to restore");
    } else {
        line(out, shown(app, &drills).trim_end_matches('\n'))?;
    }
    Ok(exit(&drills))
}

/// Only what was proved is good: what could not be told, and data without any backup, are not.
fn exit(drills: &[Drill]) -> Exit {
    let good = drills.iter().all(|drill| drill.result == VerificationResult::Proved);
    if good { Exit::Done } else { Exit::SnapshotFailed }
}

/// Drills everything that these hold, and remembers what came of it.
///
/// # Errors
/// Where the engine or the store does not answer, or it was cancelled.
pub(super) async fn all(app: &App, store: &Store, targets: &[Target]) -> Result<Vec<Drill>, Failure> {
    let undrilled = |error: &SnapshotError| save::not_saved("nothing was drilled", error);
    let plan = targets::plan_for(&app.engine, targets).await.map_err(|error| undrilled(&error))?;
    let docker_engine = app.engine.id().await;
    let evidence = inspect::inspect(&app.engine, &plan, Depth::Everything).await;
    let settings = Settings::load_for(app, &plan)?;
    let snapshots = store.list().map_err(|error| failed(&error))?.snapshots;
    transient::sweep(store.home());
    // Who cancels must not drop us before everything is removed again.
    let _ours = app.cancellation.hand_over();
    let work = async {
        let mut done: Vec<Drill> = Vec::new();
        for (index, seen) in evidence.iter().enumerate() {
            let holds = seen.presence == Presence::Found && seen.engine.is_some();
            if !holds || seen.target.kind != TargetKind::Container {
                continue;
            }
            let (plan, settings, evidence) = (&plan, &settings, evidence.as_slice());
            let docker_engine = docker_engine.as_deref();
            let one = Body { app, store, docker_engine, plan, settings, evidence, index };
            for drill in one.drill(&snapshots, &done).await? {
                if drill.source.is_some() {
                    drills::record(store.home(), &drill).map_err(|error| failed(&error))?;
                }
                done.push(drill);
            }
        }
        Ok(done)
    };
    tokio::select! {
        biased;
        () = app.cancellation.cancelled() => {
            verify::sweep(&app.engine).await;
            Err(undrilled(&SnapshotError::Cancelled))
        }
        done = work => done,
    }
}

/// One body of data, and what is around it.
struct Body<'a> {
    app: &'a App,
    store: &'a Store,
    docker_engine: Option<&'a str>,
    plan: &'a Plan,
    settings: &'a Settings,
    evidence: &'a [Evidence],
    index: usize,
}

impl Body<'_> {
    fn seen(&self) -> &Evidence {
        &self.evidence[self.index]
    }

    /// The newest of everything: a snapshot where that is the newest, or where nothing else is of a part of the data.
    async fn drill(&self, snapshots: &[Stored], done: &[Drill]) -> Result<Vec<Drill>, Failure> {
        let seen = self.seen();
        let created = match &seen.volume {
            Some(name) => self.app.engine.volume(name).await?.map(|volume| volume.created),
            None => None,
        };
        let snapshot = store::newest_of(snapshots, seen, created.as_deref());
        let since = snapshot.map(|stored| stored.manifest.created);
        let files = self.settings.backup_files(self.plan, self.evidence, self.index);
        let copy = seen.clone();
        let reading = tokio::task::spawn_blocking(move || act::newest(&files, &copy, &TimeZone::system()));
        let dumps = reading.await.map_err(|_panicked| Failure::new("the backups could not be read"))?;
        let held = self.settings.held(self.app, self.plan, (self.evidence, self.index), since).await;
        let chosen = newest_of(&dumps, &held, tools::wanted(seen), since);
        let mut drills = Vec::new();
        match snapshot {
            Some(stored) if chosen.is_empty() => drills.push(self.snapshot(stored, done).await?),
            Some(_) | None => {}
        }
        let files: Vec<Newest> = chosen.iter().filter_map(Chosen::file).cloned().collect();
        drills.extend(self.dumps(&files).await?);
        for held in chosen.iter().filter_map(Chosen::held) {
            drills.push(self.fetched(held).await?);
        }
        // A place that could not be asked may hold what is newer than all of these. Beside a snapshot of our own it is one
        // more, which `backups` tells of.
        let untold = held.iter().filter(|held| held.holding.place.is_none());
        for held in untold.filter(|_| snapshot.is_none() || !chosen.is_empty()) {
            drills.push(self.fetched(held).await?);
        }
        if drills.is_empty() {
            drills.push(self.told(None, None, Duration::ZERO, unknown("there is no backup to restore")));
        }
        Ok(drills)
    }

    /// Fetches what another tool holds, and restores it.
    async fn fetched(&self, held: &Held) -> Result<Drill, Failure> {
        let backup = &held.holding.backup;
        let source = Some(backup.source.clone());
        let why = || unknown(backup.detail.as_deref().unwrap_or("it could not be asked"));
        let (Some(container), Some(repository)) = (self.container(), &held.repository) else {
            return Ok(self.told(source, backup.at, Duration::ZERO, why()));
        };
        let request = self.request(container);
        let fetch = Fetch {
            request: &request,
            home: self.store.home(),
            repository: Arc::clone(repository),
            holding: &held.holding,
        };
        let restored = fetched::restore(&fetch).await;
        let (outcome, took) = restored.map_err(|error| save::not_saved("nothing was drilled", &error))?;
        Ok(self.told(source, backup.at, took, outcome))
    }

    fn container(&self) -> Option<&Container> {
        let mut containers = self.plan.containers.iter().map(|planned| &planned.container);
        containers.find(|container| container.id == self.seen().target.id)
    }

    fn request<'a>(&'a self, container: &'a Container) -> act::Request<'a> {
        act::Request { engine: &self.app.engine, container, seen: self.seen(), progress: save::progress() }
    }

    fn told(
        &self,
        source: Option<String>,
        made: Option<Timestamp>,
        took: Duration,
        outcome: Outcome,
    ) -> Drill {
        let seen = self.seen();
        Drill {
            version: DRILL_VERSION,
            at: self.app.now(),
            docker_engine: self.docker_engine.map(str::to_owned),
            container: seen.target.name.clone(),
            volume: seen.volume.clone(),
            path: seen.path.clone(),
            engine: seen.engine.clone().unwrap_or_default(),
            identity: seen.identity.clone(),
            source,
            made,
            result: outcome.result,
            milliseconds: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            detail: outcome.detail,
        }
    }

    /// A snapshot is restored whole; once for all that it is of.
    async fn snapshot(&self, stored: &Stored, done: &[Drill]) -> Result<Drill, Failure> {
        let source = format!("snapshot {}", stored.manifest.id);
        let made = Some(stored.manifest.created);
        if let Some(known) = done.iter().find(|drill| drill.source.as_ref() == Some(&source)) {
            let outcome = Outcome { result: known.result, detail: known.detail.clone() };
            return Ok(self.told(Some(source), made, Duration::from_millis(known.milliseconds), outcome));
        }
        let began = tokio::time::Instant::now();
        let method = VerificationMethod::Restore;
        let (engine, progress) = (&self.app.engine, save::progress());
        let proving = verify::verify_stored(engine, self.store, stored, method, &progress, self.app.now());
        let verification = match proving.await {
            // Whoever has the key can tell; the others are drilled all the same.
            Err(SnapshotError::Store(error @ StoreError::Sealed { .. })) => {
                let outcome = Outcome { result: VerificationResult::Unverified, detail: error.to_string() };
                return Ok(self.told(Some(source), made, began.elapsed(), outcome));
            }
            other => other.map_err(|error| save::not_saved("nothing was drilled", &error))?,
        };
        let read_only = verification.how == VerificationMethod::Checksum;
        let outcome = match verification.result {
            VerificationResult::Proved if read_only => Outcome {
                result: VerificationResult::Unverified,
                detail: format!("{}; nothing in it can be started", verification.detail),
            },
            result => Outcome { result, detail: verification.detail },
        };
        Ok(self.told(Some(source), made, began.elapsed(), outcome))
    }

    async fn dumps(&self, dumps: &[Newest]) -> Result<Vec<Drill>, Failure> {
        let Some(container) = self.container().filter(|_| !dumps.is_empty()) else { return Ok(Vec::new()) };
        let outcomes = act::restore_dumps(&self.request(container), dumps).await;
        let outcomes = outcomes.map_err(|error| save::not_saved("nothing was drilled", &error))?;
        let told = dumps.iter().zip(outcomes).map(|(dump, (outcome, took))| {
            self.told(Some(dump.path.display().to_string()), Some(dump.file.made_at), took, outcome)
        });
        Ok(told.collect())
    }
}

fn unknown(why: &str) -> Outcome {
    Outcome { result: VerificationResult::Unverified, detail: why.to_owned() }
}

/// What is drilled of a part of the data.
#[derive(Clone, Copy)]
enum Chosen<'a> {
    File(&'a Newest),
    Held(&'a Held),
}

impl<'a> Chosen<'a> {
    fn file(&self) -> Option<&'a Newest> {
        match self {
            Self::File(dump) => Some(dump),
            Self::Held(_) => None,
        }
    }

    fn held(&self) -> Option<&'a Held> {
        match self {
            Self::Held(held) => Some(held),
            Self::File(_) => None,
        }
    }

    fn of(&self) -> &'a [Option<String>] {
        match self {
            Self::File(dump) => &dump.of,
            Self::Held(held) => &held.holding.of,
        }
    }

    fn made(&self) -> Option<Timestamp> {
        match self {
            Self::File(dump) => Some(dump.file.made_at),
            Self::Held(held) => held.holding.backup.at,
        }
    }
}

/// The newest of each wanted database that was made since a moment. The files of a server that ran are the last resort.
fn newest_of<'a>(
    dumps: &'a [Newest],
    held: &'a [Held],
    mut wanted: Vec<Option<String>>,
    since: Option<Timestamp>,
) -> Vec<Chosen<'a>> {
    let held = held.iter().filter(|held| held.holding.place.is_some());
    let (last, held): (Vec<_>, Vec<_>) = held.partition(|held| held.holding.is_running_copy());
    let mut all: Vec<Chosen<'_>> = dumps.iter().map(Chosen::File).collect();
    all.extend(held.into_iter().map(Chosen::Held));
    let mut last: Vec<Chosen<'_>> = last.into_iter().map(Chosen::Held).collect();
    let has_snapshot = since.is_some();
    let is_newer = |one: &Chosen<'_>| since.is_none_or(|since| one.made().is_some_and(|made| made > since));
    all.retain(is_newer);
    // Stable: of two of the same moment, the file that lies here.
    all.sort_by_key(|one| std::cmp::Reverse(one.made()));
    last.sort_by_key(|one| std::cmp::Reverse(one.made()));
    let mut chosen = Vec::new();
    for one in all.into_iter().chain(last.into_iter().filter(|_| !has_snapshot)) {
        let before = wanted.len();
        wanted.retain(|want| !one.of().contains(want));
        if wanted.len() < before {
            chosen.push(one);
        }
    }
    chosen
}

fn shown(app: &App, drills: &[Drill]) -> String {
    let mut rows = vec![["", "CONTAINER", "BACKUP", "TOOK", "WHAT CAME OF IT"].map(str::to_owned)];
    for drill in drills {
        let (word, paint) = match drill.result {
            VerificationResult::Proved => ("restored", Paint::Good),
            VerificationResult::Failed => ("FAILED", Paint::Danger),
            VerificationResult::Unverified if drill.source.is_none() => ("none", Paint::Danger),
            VerificationResult::Unverified => ("unknown", Paint::Warning),
        };
        rows.push([
            paint.apply(app.ui.colour_out, word),
            clean(&drill.container),
            drill.source.as_deref().map(clean).unwrap_or_default(),
            if drill.source.is_some() { span(drill.milliseconds.div_ceil(1000)) } else { String::new() },
            clean(&drill.detail),
        ]);
    }
    table::plain(&rows, app.ui.width_out)
}
