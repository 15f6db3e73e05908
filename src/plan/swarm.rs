//! `stack rm`, `service rm`, `swarm leave`, and what replaces tasks: the containers of a swarm's tasks (moby
//! `daemon/cluster/executor/container/adapter.go`, `daemon/cluster/swarm.go`).

use super::{
    compose::Steps,
    simulate::{Does, EngineState, Step},
};
use crate::{
    docker::{engine::Engine, error::EngineError},
    model::{
        container::{ContainerSummary, label::STACK},
        operation::{SwarmRm, SwarmScope},
    },
};

const SERVICE_NAME: &str = "com.docker.swarm.service.name";
const SERVICE_ID: &str = "com.docker.swarm.service.id";
const TASK: &str = "com.docker.swarm.task.id";

/// The steps on this engine. What other nodes lose cannot be looked into from here.
pub(super) async fn steps(
    swarm: &SwarmRm,
    engine: &Engine,
    state: &EngineState,
    steps: &mut Steps,
) -> Result<(), EngineError> {
    if swarm.what != SwarmScope::Node {
        match engine.swarm_nodes().await? {
            None => {
                steps.notes.push("this engine manages no swarm, so docker refuses".to_owned());
                return Ok(());
            }
            Some(1) => {}
            Some(nodes) => steps
                .undetermined
                .push(format!("what its tasks hold on the other {} nodes of the swarm", nodes - 1)),
        }
    }
    for container in state.summaries.iter().filter(|container| is_meant(swarm, container)) {
        let (does, cause) = match swarm.what {
            // Tasks are shut down in order, and removed with their anonymous volumes.
            SwarmScope::Stacks => (shut_down(), format!("a task of stack {}", label(container, STACK))),
            SwarmScope::Services => {
                (shut_down(), format!("a task of service {}", label(container, SERVICE_NAME)))
            }
            SwarmScope::Node => {
                (Does::Remove { force: true, volumes: false }, "a task on this node".to_owned())
            }
            // A replaced task's container goes once there are more than the swarm keeps (five, unless told).
            SwarmScope::Change(_) => {
                let service = label(container, SERVICE_NAME);
                (shut_down(), format!("a task of service {service}, which may be replaced"))
            }
            SwarmScope::Deploy => {
                (shut_down(), format!("a task of stack {}, which may be replaced", label(container, STACK)))
            }
        };
        if matches!(swarm.what, SwarmScope::Change(_) | SwarmScope::Deploy) {
            steps.possible.push(container.id.clone());
        }
        steps.containers.push(Step::new(&container.id, does, cause));
    }
    Ok(())
}

fn shut_down() -> Does {
    Does::StopAndRemove { timeout: None, volumes: true }
}

fn label<'a>(container: &'a ContainerSummary, name: &str) -> &'a str {
    container.labels.get(name).map(String::as_str).unwrap_or_default()
}

fn is_meant(swarm: &SwarmRm, container: &ContainerSummary) -> bool {
    let is_named = |test: &dyn Fn(&str) -> bool| swarm.references.iter().any(|reference| test(reference));
    match swarm.what {
        SwarmScope::Stacks | SwarmScope::Deploy => is_named(&|name| name == label(container, STACK)),
        SwarmScope::Services | SwarmScope::Change(_) => {
            is_named(&|reference| {
                reference == label(container, SERVICE_NAME)
                    || label(container, SERVICE_ID).starts_with(reference)
            }) && container.labels.contains_key(SERVICE_ID)
        }
        SwarmScope::Node => container.labels.contains_key(TASK),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::container::State;

    fn task(pairs: &[(&str, &str)]) -> ContainerSummary {
        ContainerSummary {
            id: "1".into(),
            name: "db.1.x".into(),
            image: String::new(),
            state: State::Running,
            labels: pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect(),
            volumes: Vec::new(),
        }
    }

    #[test]
    fn tasks_are_found_by_stack_name_and_id() {
        let own = task(&[(STACK, "shop"), (SERVICE_NAME, "shop_db"), (SERVICE_ID, "abc"), (TASK, "t")]);
        let other = task(&[("some", "label")]);
        let is = |what, reference: &str, container: &ContainerSummary| {
            is_meant(&SwarmRm { what, references: vec![reference.to_owned()] }, container)
        };
        for (what, reference) in [
            (SwarmScope::Stacks, "shop"),
            (SwarmScope::Services, "shop_db"),
            (SwarmScope::Services, "ab"),
            (SwarmScope::Node, ""),
            (SwarmScope::Change("service update"), "shop_db"),
            (SwarmScope::Deploy, "shop"),
        ] {
            assert!(is(what, reference, &own), "{reference}");
            assert!(!is(what, reference, &other), "{reference}");
        }
        assert!(!is(SwarmScope::Stacks, "sho", &own) && !is(SwarmScope::Services, "db", &own));
    }
}
