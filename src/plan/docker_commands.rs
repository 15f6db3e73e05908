//! `docker rm`, `stop`, `kill`, `restart`, `volume rm` and the prunes.

use super::{
    PlanError,
    compose::{Steps, ending},
    inspect_chosen, listed,
    simulate::{Does, EngineState, Step, VolumeStep, simulate},
};
use crate::{
    docker::{engine::Engine, error::EngineError},
    model::{
        container::Container,
        operation::{ContainerRm, ContainerStop, Operation, Prune, PruneScope, VolumeRm},
        plan::Plan,
    },
};

pub(super) async fn plan(operation: &Operation, engine: &Engine) -> Result<Plan, PlanError> {
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
        Operation::Prune(prune) => {
            prune_steps(prune, &state, engine, &mut steps).await?;
            inspect_chosen(engine, &steps, &mut state).await?;
        }
        Operation::ComposeDown(_)
        | Operation::ComposeRm(_)
        | Operation::ComposeStop(_)
        | Operation::Unjudged { .. }
        | Operation::Harmless { .. } => {}
    }
    let mut plan = simulate(&steps.containers, &steps.volumes, &state);
    plan.notes = steps.notes;
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
        match resolve(engine, reference).await? {
            Ok(container) => {
                let id = container.id.clone();
                // Named twice, it is removed once.
                if state.inspected.insert(id.clone(), container).is_none() {
                    steps.containers.push(Step { id, does, cause: cause.to_owned() });
                }
            }
            Err(note) => steps.notes.push(note),
        }
    }
    Ok(())
}

/// The container, or why docker will find none.
async fn resolve(engine: &Engine, reference: &str) -> Result<Result<Container, String>, EngineError> {
    // Docker takes a slash before a name.
    match engine.container(reference.strip_prefix('/').unwrap_or(reference)).await {
        Ok(Some(container)) => Ok(Ok(container)),
        Ok(None) => Ok(Err(format!("there is no container {reference}"))),
        // Several ids begin with it: docker refuses.
        Err(error) if matches!(error.status(), Some(400 | 500)) => Ok(Err(format!("{reference}: {error}"))),
        Err(error) => Err(error),
    }
}

/// What a prune takes. Filters other than none make the engine's choice, which we do not second-guess.
async fn prune_steps(
    prune: &Prune,
    state: &EngineState,
    engine: &Engine,
    steps: &mut Steps,
) -> Result<(), EngineError> {
    if !prune.filters.is_empty() {
        steps.undetermined.push("what the prune's --filter chooses".to_owned());
        return Ok(());
    }
    let containers = prune.scope != PruneScope::Volumes;
    if containers {
        for container in &state.summaries {
            if !container.state.refuses_removal() {
                let does = Does::RemoveIfStopped { volumes: false };
                steps.containers.push(Step {
                    id: container.id.clone(),
                    does,
                    cause: "it does not run".to_owned(),
                });
            }
        }
    }
    let volumes = prune.scope == PruneScope::Volumes || prune.scope == PruneScope::System && prune.volumes;
    if volumes {
        // Below API 1.42 a prune takes every unused volume, named ones too.
        let old = api_is_before(&engine.version().await?.api, (1, 42));
        let all = old || prune.scope == PruneScope::Volumes && prune.all;
        let going: Vec<&str> = steps.containers.iter().map(|step| step.id.as_str()).collect();
        for volume in state.volumes.values() {
            let used = state
                .summaries
                .iter()
                .any(|c| c.volumes.contains(&volume.name) && !going.contains(&c.id.as_str()));
            let wanted =
                volume.driver == "local" && volume.options.is_empty() && (all || volume.labelled_anonymous());
            if wanted && !used {
                let cause = "no container uses it".to_owned();
                steps.volumes.push(VolumeStep { name: volume.name.clone(), cause });
            }
        }
    }
    Ok(())
}

fn api_is_before(version: &str, limit: (u32, u32)) -> bool {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) < limit
}

#[cfg(test)]
mod tests {
    use super::api_is_before;

    #[test]
    fn api_versions_are_numbers() {
        assert!(api_is_before("1.41", (1, 42)));
        assert!(!api_is_before("1.42", (1, 42)) && !api_is_before("1.100", (1, 42)));
    }
}
