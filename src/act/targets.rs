//! Names the data of a snapshot by itself, as a plan whose command nobody will run.

use super::snapshot::SnapshotError;
use crate::{
    docker::engine::{Engine, is_helper},
    model::{
        container::{Container, MountKind, label},
        plan::{Ending, Fate, Plan, PlannedContainer, PlannedMount, PlannedVolume},
    },
};

/// The plan of what a snapshot of these names would hold. A name is a container's, a compose service's or a
/// volume's.
///
/// # Errors
/// Where a name is nobody's, or the engine does not answer.
pub async fn plan_for(engine: &Engine, names: &[String]) -> Result<Plan, SnapshotError> {
    let (containers, volumes) = (engine.containers().await?, engine.volumes().await?);
    let mut plan = Plan::default();
    for name in names {
        let own: Vec<&str> = containers
            .iter()
            .filter(|listed| !is_helper(&listed.labels))
            .filter(|listed| {
                listed.name == *name
                    || listed.id.starts_with(name.as_str()) && name.len() >= 4
                    || listed.labels.get(label::SERVICE) == Some(name)
            })
            .map(|listed| listed.id.as_str())
            .collect();
        for id in &own {
            if let Some(container) = engine.container(id).await? {
                add(&mut plan, container, Fate::Destroyed);
            }
        }
        let volume = volumes.iter().find(|volume| volume.name == *name);
        if let (Some(volume), true) = (volume, own.is_empty()) {
            let users = containers.iter().filter(|listed| listed.volumes.contains(name));
            let users: Vec<String> = users.map(|listed| listed.id.clone()).collect();
            for user in &users {
                if let Some(container) = engine.container(user).await? {
                    add(&mut plan, container, Fate::Stopped);
                }
            }
            let cause = "asked for".to_owned();
            plan.volumes.push(PlannedVolume {
                volume: volume.clone(),
                fate: Fate::Destroyed,
                cause,
                used_by: users,
            });
        } else if own.is_empty() {
            return Err(SnapshotError::Refused(format!("there is no container, service or volume {name:?}")));
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
