//! Names the data of a snapshot by itself, as a plan whose command nobody will run.

use super::snapshot::SnapshotError;
use crate::{
    docker::engine::{Engine, is_helper},
    model::{
        container::{Container, MountKind},
        plan::{Ending, Fate, Plan, PlannedContainer, PlannedMount, PlannedVolume},
    },
};

/// What a snapshot by itself is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A container's ID.
    Container(String),
    /// A volume's name.
    Volume(String),
}

/// The plan of what a snapshot of these would hold. What is gone meanwhile is left out.
///
/// # Errors
/// Where the engine does not answer.
pub async fn plan_for(engine: &Engine, targets: &[Target]) -> Result<Plan, SnapshotError> {
    let containers = engine.containers().await?;
    let mut plan = Plan::default();
    for target in targets {
        match target {
            Target::Container(id) => {
                if let Some(container) = engine.container(id).await? {
                    add(&mut plan, container, Fate::Destroyed);
                }
            }
            Target::Volume(name) => {
                let Some(volume) = engine.volume(name).await? else { continue };
                let users = containers
                    .iter()
                    .filter(|listed| !is_helper(&listed.labels) && listed.volumes.contains(name));
                let users: Vec<String> = users.map(|listed| listed.id.clone()).collect();
                for user in &users {
                    if let Some(container) = engine.container(user).await? {
                        add(&mut plan, container, Fate::Stopped);
                    }
                }
                let cause = "asked for".to_owned();
                plan.volumes.push(PlannedVolume { volume, fate: Fate::Destroyed, cause, used_by: users });
            }
        }
    }
    Ok(plan)
}

fn add(plan: &mut Plan, container: Container, fate: Fate) {
    if plan.containers.iter().any(|planned| planned.container.id == container.id) {
        return;
    }
    let volumes = container
        .mounts
        .iter()
        .filter(|mount| matches!(mount.kind, MountKind::NamedVolume | MountKind::AnonymousVolume));
    let mounts = volumes.map(|mount| PlannedMount {
        destination: mount.destination.clone(),
        fate: if fate == Fate::Destroyed { Fate::Destroyed } else { Fate::Survives },
        cause: "asked for".to_owned(),
    });
    let mounts = mounts.collect();
    let cause = "asked for".to_owned();
    plan.containers.push(PlannedContainer { container, fate, ending: Ending::Untouched, cause, mounts });
}
