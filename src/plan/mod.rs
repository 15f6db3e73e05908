//! From a docker command to what it would do, by id.
//!
//! Imports `model` and the reading half of `docker`. Mirrors docker and compose; never asks `--dry-run`,
//! which runs providers' programs and lists no anonymous volumes. What cannot be told is undetermined.

mod borrowed;
mod compose;
mod compose_old;
mod compose_up;
mod docker_commands;
pub mod harmless;
mod old_model;
pub mod parse;
mod parse_compose;
mod parse_up;
mod pflag;
mod project;
mod prune;
mod service;
pub mod shell;
mod simulate;
mod source;
mod swarm;
mod version;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

pub use self::source::ComposeSource;
use self::{
    compose::{Known, Scope, Steps},
    compose_up::{Image, Observed},
    simulate::{EngineState, simulate},
    source::Request,
    version::Version,
};
use crate::{
    docker::{
        engine::{Engine, is_helper},
        environment::Environment,
        error::EngineError,
        program::ProgramError,
    },
    model::{
        container::{Container, State, label},
        operation::{
            ComposeDown, ComposeGlobals, ComposeRm, ComposeStop, ComposeUp, Operation, StopKind, UpKind,
        },
        plan::Plan,
    },
};

/// Why a Compose of this version may do other things than those we know; `None` where we know it.
#[must_use]
pub fn compose_doubt(version: &str) -> Option<String> {
    version::Version::read(version).doubt()
}

/// Inspections at once.
const PARALLEL: usize = 16;

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// Compose itself would fail at this.
    #[error("compose cannot load the project: {0}")]
    Project(String),
}

impl PlanError {
    /// The command that mends it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Engine(error) => error.hint().map(str::to_owned),
            Self::Program(error) => Some(error.hint().to_owned()),
            Self::Project(_) => Some("docker compose config   says more; nothing was touched".to_owned()),
        }
    }
}

/// Works out what an operation would do.
///
/// # Errors
/// Where the engine does not answer, or compose cannot load the project.
pub async fn plan(
    operation: &Operation,
    engine: &Engine,
    compose: &ComposeSource,
) -> Result<Plan, PlanError> {
    if let (Some(globals), Some(version)) = (compose_globals(operation), compose.old().await?) {
        return of_old(operation, globals, engine, compose, version).await;
    }
    match operation {
        Operation::Harmless { .. } => Ok(Plan::default()),
        Operation::Unjudged { command, why } => {
            Ok(Plan { undetermined: vec![format!("what `{command}` does: {why}")], ..Plan::default() })
        }
        Operation::ComposeDown(down) => {
            let orphans = down.remove_orphans.unwrap_or_else(|| compose.removes_orphans());
            let request = Request { disabled: orphans, ..Request::of(&down.globals, &down.services) };
            of_project(engine, compose, &request, |known, state| {
                let by_name = || Known { scope: Scope::Labels(known.scope.name()), ..known.clone() };
                let known = if down.by_labels { &by_name() } else { known };
                compose::down(down, known, &state.summaries, &state.volumes, orphans)
            })
            .await
        }
        Operation::ComposeRm(rm) => {
            let request = Request::of(&rm.globals, &rm.services);
            of_project(engine, compose, &request, |known, state| compose::rm(rm, known, &state.summaries))
                .await
        }
        Operation::ComposeStop(stop) => {
            let orphans = stop.remove_orphans.unwrap_or_else(|| compose.removes_orphans());
            let request = match stop.how {
                // It loads the whole model, to see what restarts along.
                StopKind::Restart => Request { enable: &stop.services, ..Request::of(&stop.globals, &[]) },
                StopKind::Stop | StopKind::Kill => Request::of(&stop.globals, &stop.services),
            };
            of_project(engine, compose, &request, |known, state| {
                compose::stop(stop, known, &state.summaries, orphans)
            })
            .await
        }
        Operation::ComposeUp(up) => converge(up, engine, compose).await,
        Operation::ContainerRm(_)
        | Operation::ContainerStop(_)
        | Operation::VolumeRm(_)
        | Operation::SwarmRm(_)
        | Operation::Prune(_) => docker_commands::plan(operation, engine, compose).await,
    }
}

/// Plans a compose command: model, containers and volumes at once, then the chosen containers.
async fn of_project(
    engine: &Engine,
    compose: &ComposeSource,
    request: &Request<'_>,
    choose: impl Fn(&Known, &EngineState) -> Steps,
) -> Result<Plan, PlanError> {
    let (known, state) = tokio::join!(compose.known(request), listed(engine));
    let (known, mut state) = (known?, state?);
    let steps = choose(&known, &state);
    inspect_chosen(engine, &steps, &mut state).await?;
    Ok(of_steps(steps, &state, &known, request.globals.dry_run))
}

/// Whether the command reads its compose file from standard input.
#[must_use]
pub fn reads_input(operation: &Operation, environment: &Environment) -> bool {
    compose_globals(operation).is_some_and(|globals| source::reads_input(globals, environment))
}

/// The globals of a compose command that is judged.
fn compose_globals(operation: &Operation) -> Option<&ComposeGlobals> {
    match operation {
        Operation::ComposeDown(ComposeDown { globals, .. })
        | Operation::ComposeRm(ComposeRm { globals, .. })
        | Operation::ComposeStop(ComposeStop { globals, .. })
        | Operation::ComposeUp(ComposeUp { globals, .. }) => Some(globals),
        _ => None,
    }
}

/// Plans a command of `docker-compose` 1.29.
async fn of_old(
    operation: &Operation,
    globals: &ComposeGlobals,
    engine: &Engine,
    compose: &ComposeSource,
    version: Version,
) -> Result<Plan, PlanError> {
    let (model, state) = tokio::join!(compose.old_model(globals), listed(engine));
    let ((project, hashes), mut state) = (model?, state?);
    let images = images(engine, compose_old::image_names(&project)).await?;
    let observed = Observed { hashes, images, ..Observed::default() };
    let old = compose_old::Old { project: &project, profiles: compose.profiles(globals), state: &state };
    let mut steps = match operation {
        Operation::ComposeDown(down) => compose_old::down(&old, down),
        Operation::ComposeRm(rm) => compose_old::rm(&old, rm),
        Operation::ComposeStop(stop) => compose_old::stop(&old, stop),
        Operation::ComposeUp(up) => compose_old::up(&old, up, &observed),
        _ => Steps::default(),
    };
    steps.undetermined.extend(compose.old_engine_doubt(globals));
    let scope = Scope::Files(project.clone());
    inspect_chosen(engine, &steps, &mut state).await?;
    Ok(of_steps(steps, &state, &Known { scope, version }, globals.dry_run))
}

/// What the engine has of these images.
async fn images(engine: &Engine, names: BTreeSet<String>) -> Result<BTreeMap<String, Image>, EngineError> {
    let found = stream::iter(names)
        .map(|name| async move { Ok::<_, EngineError>((engine.image(&name).await?, name)) })
        .buffered(PARALLEL)
        .try_collect::<Vec<_>>()
        .await?;
    let image = |(found, name): (Option<(String, Vec<String>)>, String)| {
        found.map(|(id, volumes)| (name, Image { id, volumes }))
    };
    Ok(found.into_iter().filter_map(image).collect())
}

/// Plans a command that makes containers match the files.
async fn converge(up: &ComposeUp, engine: &Engine, compose: &ComposeSource) -> Result<Plan, PlanError> {
    let by_environment = up.how == UpKind::Up && compose.removes_orphans();
    let orphans = up.remove_orphans.unwrap_or(by_environment);
    let request = Request { disabled: orphans, files_only: true, ..Request::of(&up.globals, &up.services) };
    let (known, state, hashes) =
        tokio::join!(compose.known(&request), listed(engine), compose.hashes(&up.globals));
    let (known, mut state, hashes) = (known?, state?, hashes?);
    let images = images(engine, known.image_names()).await?;
    let project = match &known.scope {
        compose::Scope::Files(project) => project.name.clone(),
        compose::Scope::Labels(name) => name.clone(),
    };
    let networks = engine.network_labels(&project).await?.into_iter();
    let networks =
        networks.filter_map(|(name, mut labels)| Some((name, labels.remove(label::CONFIG_HASH)?))).collect();
    let observed = Observed { hashes, images, networks };
    let steps = compose_up::up(up, &known, &observed, &state.summaries, &state.volumes, orphans);
    inspect_chosen(engine, &steps, &mut state).await?;
    Ok(of_steps(steps, &state, &known, up.globals.dry_run))
}

/// The plan of a compose command's steps.
fn of_steps(steps: Steps, state: &EngineState, known: &Known, dry_run: bool) -> Plan {
    let mut plan = simulate(&steps.containers, &steps.volumes, state);
    plan.notes = steps.notes;
    plan.possible.extend(steps.possible);
    plan.undetermined = steps.undetermined;
    plan.undetermined.extend(known.version.doubt());
    if dry_run {
        plan.notes.push("--dry-run: compose removes nothing".to_owned());
        plan.containers.clear();
        plan.volumes.clear();
    }
    plan
}

/// All containers and volumes, our own helpers left out.
async fn listed(engine: &Engine) -> Result<EngineState, EngineError> {
    let (summaries, volumes) = tokio::try_join!(engine.containers(), engine.volumes())?;
    let never_started = summaries.iter().filter(|c| c.state == State::Created && !c.volumes.is_empty());
    let looks =
        stream::iter(never_started)
            .map(|c| async move {
                Ok::<_, EngineError>(engine.borrows_volumes(&c.id).await?.then(|| c.id.clone()))
            })
            .buffered(PARALLEL);
    let borrowers = looks.try_collect::<Vec<_>>().await?.into_iter().flatten().collect();
    Ok(EngineState {
        borrowers,
        untold: BTreeSet::new(),
        summaries: summaries.into_iter().filter(|container| !is_helper(&container.labels)).collect(),
        inspected: HashMap::new(),
        volumes: volumes.into_iter().map(|volume| (volume.name.clone(), volume)).collect(),
    })
}

async fn inspect_chosen(engine: &Engine, steps: &Steps, state: &mut EngineState) -> Result<(), EngineError> {
    let ids = steps.containers.iter().map(|step| step.id.clone());
    let looks = stream::iter(ids).map(|id| async move { engine.container(&id).await }).buffered(PARALLEL);
    let found: Vec<Option<Container>> = looks.try_collect().await?;
    state.inspected =
        found.into_iter().flatten().map(|container| (container.id.clone(), container)).collect();
    borrowed::settle(engine, state).await
}
