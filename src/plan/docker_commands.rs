//! `docker rm`, `stop`, `kill`, `restart` and `volume rm`; the prunes are in `prune`.

use super::{
    ComposeSource, PlanError, borrowed,
    compose::{Steps, ending},
    inspect_chosen, listed,
    prune::{self, Rules},
    simulate::{Does, EngineState, Step, VolumeStep, simulate},
    swarm,
};
use crate::{
    docker::{
        engine::{Engine, is_helper},
        error::EngineError,
    },
    model::{
        container::{Container, ContainerSummary},
        operation::{ContainerRm, ContainerStop, Operation, VolumeRm},
        plan::Plan,
    },
};

pub(super) async fn plan(
    operation: &Operation,
    engine: &Engine,
    docker: &ComposeSource,
) -> Result<Plan, PlanError> {
    let mut state = listed(engine).await?;
    let mut steps = Steps::default();
    match operation {
        Operation::ContainerRm(rm) => {
            if rm.link {
                steps.notes.push("-l removes a link, and no container".to_owned());
            } else {
                let does = Does::Remove { force: rm.force, volumes: rm.volumes };
                name_containers(engine, &rm.references, does, rm_cause(rm), &mut steps, &mut state).await?;
            }
        }
        Operation::ContainerStop(ContainerStop { references, how, timeout, signal }) => {
            match ending(*how, *timeout, signal.as_deref()) {
                Some(does) => {
                    name_containers(engine, references, does, "named", &mut steps, &mut state).await?;
                }
                None => steps.notes.push("the signal ends no process".to_owned()),
            }
        }
        Operation::VolumeRm(VolumeRm { names, .. }) => {
            for name in names {
                if !state.volumes.contains_key(name) {
                    steps.notes.push(format!("there is no volume {name}"));
                }
                steps.volumes.push(VolumeStep { name: name.clone(), cause: "named".to_owned() });
            }
        }
        Operation::SwarmRm(swarm) => {
            swarm::steps(swarm, engine, &state, &mut steps).await?;
            inspect_chosen(engine, &steps, &mut state).await?;
        }
        Operation::Prune(prune) => {
            let rules = Rules::read(prune, &docker.config_prune_filters()?, docker.client().await?);
            prune::steps(prune, &rules, &state, &mut steps);
            inspect_chosen(engine, &steps, &mut state).await?;
        }
        Operation::ComposeDown(_)
        | Operation::ComposeRm(_)
        | Operation::ComposeStop(_)
        | Operation::ComposeUp(_)
        | Operation::Unjudged { .. }
        | Operation::Harmless { .. } => {}
    }
    let mut plan = simulate(&steps.containers, &steps.volumes, &state);
    plan.notes = steps.notes;
    plan.possible.extend(steps.possible);
    plan.undetermined = steps.undetermined;
    Ok(plan)
}

fn rm_cause(rm: &ContainerRm) -> &'static str {
    if rm.force { "named, with -f" } else { "named" }
}

/// A step for each container that a reference names, as the engine resolves it: id, name, prefix of an id.
async fn name_containers(
    engine: &Engine,
    references: &[String],
    does: Does,
    cause: &str,
    steps: &mut Steps,
    state: &mut EngineState,
) -> Result<(), EngineError> {
    for reference in references {
        match resolve(engine, reference, state).await? {
            Ok(container) => {
                let id = container.id.clone();
                // Named twice, it is removed once. Our own helpers hold nothing of anybody's.
                let is_new = !is_helper(&container.labels) && !state.inspected.contains_key(&id);
                if is_new {
                    state.inspected.insert(id.clone(), container);
                    steps.containers.push(Step::new(&id, does, cause.to_owned()));
                }
            }
            Err(note) => steps.notes.push(note),
        }
    }
    borrowed::settle(engine, state).await
}

/// The container, or why docker will find none. The engine itself resolves: links' names count, too.
async fn resolve(
    engine: &Engine,
    reference: &str,
    state: &EngineState,
) -> Result<Result<Container, String>, EngineError> {
    // Docker takes slashes off a name.
    let name = reference.trim_matches('/');
    if name.is_empty() {
        return Ok(Err("an empty name names no container".to_owned()));
    }
    match engine.container(name).await {
        Ok(Some(container)) => Ok(Ok(container)),
        Ok(None) => Ok(Err(format!("there is no container {reference}"))),
        Err(_refused) if is_ambiguous(name, state) => {
            Ok(Err(format!("{reference} begins the id of several containers, so docker refuses")))
        }
        Err(error) => Err(error),
    }
}

fn is_ambiguous(name: &str, state: &EngineState) -> bool {
    let is_exact = |c: &ContainerSummary| c.id == name || c.name == name;
    !state.summaries.iter().any(is_exact)
        && state.summaries.iter().filter(|c| c.id.starts_with(name)).count() > 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::container::State;

    #[test]
    fn a_prefix_of_two_ids_is_ambiguous_and_a_name_never_is() {
        let container = |id: &str, name: &str| ContainerSummary {
            id: id.into(),
            name: name.into(),
            image: String::new(),
            state: State::Exited,
            labels: Default::default(),
            volumes: Vec::new(),
        };
        let summaries = vec![container("ab1", "x"), container("ab2", "y"), container("c", "ab")];
        let state = EngineState { summaries, ..EngineState::default() };
        assert!(is_ambiguous("a", &state));
        assert!(!is_ambiguous("ab", &state) && !is_ambiguous("ab1", &state) && !is_ambiguous("c", &state));
    }
}
