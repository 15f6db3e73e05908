//! What becomes of containers and volumes when steps are taken, in their order. Pure.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::model::{
    container::{Container, ContainerSummary, Mount, MountKind, Volume, label},
    plan::{Ending, Fate, Plan, PlannedContainer, PlannedMount, PlannedVolume},
};

/// Seconds between stop signal and SIGKILL where nobody sets them (moby `container.DefaultStopTimeout`).
const DEFAULT_GRACE: i64 = 10;

/// What is done to one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) id: String,
    pub(super) does: Does,
    pub(super) cause: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Does {
    /// Stop (seconds of grace, where given), then remove with force.
    StopAndRemove {
        timeout: Option<i64>,
        volumes: bool,
    },
    /// Remove; with force, running ones are killed.
    Remove {
        force: bool,
        volumes: bool,
    },
    /// Remove if it is not running once the step is reached; else nothing happens to it.
    RemoveIfStopped {
        volumes: bool,
    },
    Stop {
        timeout: Option<i64>,
    },
    Kill,
}

/// A volume that is removed by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct VolumeStep {
    pub(super) name: String,
    pub(super) cause: String,
}

/// What the engine has.
#[derive(Debug, Clone, Default)]
pub(super) struct EngineState {
    pub(super) summaries: Vec<ContainerSummary>,
    /// Of the containers that steps name.
    pub(super) inspected: HashMap<String, Container>,
    pub(super) volumes: BTreeMap<String, Volume>,
}

/// The plan of these steps.
pub(super) fn simulate(steps: &[Step], volume_steps: &[VolumeStep], state: &EngineState) -> Plan {
    let mut plan = Plan::default();
    let mut removed: HashSet<&str> = HashSet::new();
    let mut ends: Vec<(&Step, &Container, Fate, Ending, String)> = Vec::new();
    for step in steps {
        // One that vanished since it was listed is nothing to lose.
        let Some(container) = state.inspected.get(&step.id) else { continue };
        let (fate, ending, cause) = outcome(step, container);
        if fate == Fate::Destroyed {
            removed.insert(&container.id);
        }
        ends.push((step, container, fate, ending, cause));
    }
    let stays = |volume: &str| {
        let uses = |summary: &&ContainerSummary| summary.volumes.iter().any(|name| name == volume);
        let rest = state.summaries.iter().filter(|summary| !removed.contains(summary.id.as_str()));
        rest.filter(uses).map(|summary| summary.name.clone()).collect::<Vec<String>>()
    };
    for (step, container, fate, ending, cause) in ends {
        let with_volumes = takes_volumes(step, container, ending);
        let mounts = container
            .mounts
            .iter()
            .map(|mount| {
                let (fate, cause) = mount_outcome(mount, fate, ending, with_volumes, &stays, state);
                PlannedMount { destination: mount.destination.clone(), fate, cause }
            })
            .collect();
        plan.containers.push(PlannedContainer { container: container.clone(), fate, ending, cause, mounts });
    }
    for step in volume_steps {
        let Some(volume) = state.volumes.get(&step.name) else { continue };
        let used_by: Vec<&ContainerSummary> =
            state.summaries.iter().filter(|summary| summary.volumes.contains(&step.name)).collect();
        let (fate, cause) = volume_outcome(volume, &stays(&step.name), &step.cause);
        let used_by = used_by.into_iter().map(|summary| summary.id.clone()).collect();
        plan.volumes.push(PlannedVolume { volume: volume.clone(), fate, cause, used_by });
    }
    plan
}

/// What a step does to a container itself.
fn outcome(step: &Step, container: &Container) -> (Fate, Ending, String) {
    let runs = container.state.has_processes();
    let stop = |timeout: Option<i64>| {
        let grace_seconds = timeout.or(container.stop_timeout).unwrap_or(DEFAULT_GRACE);
        if runs { Ending::Stop { grace_seconds } } else { Ending::Untouched }
    };
    let cause = step.cause.clone();
    match step.does {
        Does::StopAndRemove { timeout, .. } => (Fate::Destroyed, stop(timeout), cause),
        Does::Remove { force: true, .. } => {
            (Fate::Destroyed, if runs { Ending::Kill } else { Ending::Untouched }, cause)
        }
        Does::Remove { .. } if container.state.refuses_removal() => {
            (Fate::Survives, Ending::Untouched, "it runs, so docker refuses".to_owned())
        }
        Does::RemoveIfStopped { .. } if container.state.refuses_removal() => {
            (Fate::Survives, Ending::Untouched, "it runs, so it is left alone".to_owned())
        }
        Does::Remove { .. } | Does::RemoveIfStopped { .. } => (Fate::Destroyed, Ending::Untouched, cause),
        Does::Stop { .. } | Does::Kill if !runs => {
            (Fate::Survives, Ending::Untouched, "it does not run".to_owned())
        }
        // The engine removes such a container, and its anonymous volumes, as soon as it ends.
        Does::Stop { timeout } if container.auto_remove => {
            (Fate::Destroyed, stop(timeout), format!("{cause}; started with --rm"))
        }
        Does::Kill if container.auto_remove => {
            (Fate::Destroyed, Ending::Kill, format!("{cause}; started with --rm"))
        }
        Does::Stop { timeout } => (Fate::Stopped, stop(timeout), cause),
        Does::Kill => (Fate::Stopped, Ending::Kill, cause),
    }
}

/// Whether the removal is one with `v=1`.
fn takes_volumes(step: &Step, container: &Container, ending: Ending) -> bool {
    let asked = match step.does {
        Does::StopAndRemove { volumes, .. }
        | Does::Remove { volumes, .. }
        | Does::RemoveIfStopped { volumes } => volumes,
        Does::Stop { .. } | Does::Kill => false,
    };
    asked || container.auto_remove && ending != Ending::Untouched
}

fn mount_outcome(
    mount: &Mount,
    container: Fate,
    ending: Ending,
    with_volumes: bool,
    stays: &impl Fn(&str) -> Vec<String>,
    state: &EngineState,
) -> (Fate, String) {
    let ends = ending != Ending::Untouched;
    let survives = |cause: &str| (Fate::Survives, cause.to_owned());
    let name = mount.volume.as_deref().unwrap_or_default();
    let volume = state.volumes.get(name);
    match mount.kind {
        MountKind::Tmpfs if ends => (Fate::Destroyed, "memory ends with the processes".to_owned()),
        MountKind::Tmpfs | MountKind::Bind | MountKind::Other => survives(""),
        // `driver_opts: type: tmpfs`: its contents go when the last container lets go of it.
        MountKind::NamedVolume | MountKind::AnonymousVolume if ends && volume.is_some_and(is_in_memory) => {
            (Fate::Destroyed, "the volume is kept in memory".to_owned())
        }
        MountKind::NamedVolume | MountKind::AnonymousVolume if container != Fate::Destroyed => survives(""),
        MountKind::AnonymousVolume | MountKind::NamedVolume => {
            let others = stays(name);
            if !others.is_empty() {
                return survives(&format!("{} uses it too", others.join(", ")));
            }
            let is_anonymous = mount.kind == MountKind::AnonymousVolume;
            if is_anonymous && with_volumes {
                return (Fate::Destroyed, "anonymous, and removed with the container".to_owned());
            }
            // Compose names a volume that a recreated container inherited; nobody else does.
            let nameless = volume.is_some_and(Volume::labelled_anonymous) || is_engine_made(name);
            if is_anonymous || nameless {
                return (Fate::Detached, "anonymous, and left without a container".to_owned());
            }
            survives("a named volume")
        }
    }
}

/// What a removal by name does to a volume.
fn volume_outcome(volume: &Volume, used_by_others: &[String], cause: &str) -> (Fate, String) {
    if !used_by_others.is_empty() {
        return (Fate::Survives, format!("in use by {}, so docker refuses", used_by_others.join(", ")));
    }
    if volume.driver == "local" && !is_in_memory(volume) && volume.options.contains_key("device") {
        let device = volume.options.get("device").map(String::as_str).unwrap_or_default();
        return (Fate::Survives, format!("{cause}; its data stays on {device}"));
    }
    let owner = volume.labels.get(label::PROJECT).map(|project| format!(", made by project {project}"));
    (Fate::Destroyed, format!("{cause}{}", owner.unwrap_or_default()))
}

fn is_in_memory(volume: &Volume) -> bool {
    volume.options.get("type").is_some_and(|kind| kind == "tmpfs" || kind == "ramfs")
}

/// Whether a name has the shape of those that the engine makes up: 64 hexadecimal digits.
fn is_engine_made(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
#[path = "simulate_tests.rs"]
mod tests;
