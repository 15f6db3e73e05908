//! From a docker command to what it would do, by id.
//!
//! Imports `model` and the reading half of `docker`. Mirrors docker and compose; never asks `--dry-run`,
//! which runs providers' programs and lists no anonymous volumes. What cannot be told is undetermined.

mod compose;
mod docker_commands;
mod harmless;
pub mod parse;
mod parse_compose;
mod pflag;
mod project;
mod simulate;
mod source;

use std::collections::HashMap;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

pub use self::source::ComposeSource;
use self::{
    compose::{Scope, Steps},
    simulate::{EngineState, simulate},
};
use crate::{
    docker::{
        engine::{Engine, is_helper},
        error::EngineError,
        program::ProgramError,
    },
    model::{
        container::Container,
        operation::{ComposeGlobals, Operation},
        plan::Plan,
    },
};

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
    match operation {
        Operation::Harmless { .. } => Ok(Plan::default()),
        Operation::Unjudged { command, why } => {
            Ok(Plan { undetermined: vec![format!("what `{command}` does: {why}")], ..Plan::default() })
        }
        Operation::ComposeDown(down) => {
            let orphans = down.remove_orphans.unwrap_or_else(|| compose.removes_orphans());
            let need_disabled = orphans;
            of_project(engine, compose, &down.globals, &down.services, need_disabled, |scope, state| {
                compose::down(down, scope, &state.summaries, &state.volumes, orphans)
            })
            .await
        }
        Operation::ComposeRm(rm) => {
            of_project(engine, compose, &rm.globals, &rm.services, false, |scope, state| {
                compose::rm(rm, scope, &state.summaries)
            })
            .await
        }
        Operation::ComposeStop(stop) => {
            of_project(engine, compose, &stop.globals, &stop.services, false, |scope, state| {
                compose::stop(stop, scope, &state.summaries)
            })
            .await
        }
        Operation::ContainerRm(_)
        | Operation::ContainerStop(_)
        | Operation::VolumeRm(_)
        | Operation::Prune(_) => docker_commands::plan(operation, engine).await,
    }
}

/// Plans a compose command: model, containers and volumes at once, then the chosen containers.
async fn of_project(
    engine: &Engine,
    compose: &ComposeSource,
    globals: &ComposeGlobals,
    services: &[String],
    need_disabled: bool,
    choose: impl Fn(&Scope, &EngineState) -> Steps,
) -> Result<Plan, PlanError> {
    let (scope, state) = tokio::join!(compose.scope(globals, services, need_disabled), listed(engine));
    let (scope, mut state) = (scope?, state?);
    let steps = choose(&scope, &state);
    inspect_chosen(engine, &steps, &mut state).await?;
    let mut plan = simulate(&steps.containers, &steps.volumes, &state);
    plan.notes = steps.notes;
    plan.undetermined = steps.undetermined;
    plan.undetermined.extend(compose.version_doubt().await);
    if globals.dry_run {
        plan.notes.push("--dry-run: compose removes nothing".to_owned());
        plan.containers.clear();
        plan.volumes.clear();
    }
    Ok(plan)
}

/// All containers and volumes, our own helpers left out.
async fn listed(engine: &Engine) -> Result<EngineState, EngineError> {
    let (summaries, volumes) = tokio::try_join!(engine.containers(), engine.volumes())?;
    Ok(EngineState {
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
    Ok(())
}
