//! What becomes of containers and volumes when steps are taken, in their order. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::model::{
    container::{Container, ContainerSummary, Mount, MountKind, State, Volume, is_engine_made, label},
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
    /// Where the container that takes its place has the volumes that it had there. Only for `Replace`.
    pub(super) takes_over: BTreeSet<String>,
}

impl Step {
    pub(super) fn new(id: &str, does: Does, cause: String) -> Self {
        Self { id: id.to_owned(), does, cause, takes_over: BTreeSet::new() }
    }
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
    /// Stop, then start again: also with `--rm`, the container stays.
    Restart {
        timeout: Option<i64>,
    },
    Kill,
    /// Stop, remove without its volumes, put another one in its place.
    Replace {
        timeout: Option<i64>,
    },
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
    /// Ids of containers that were never started and have another one's volumes. The engine counts such a use
    /// only from the start on (moby `registerMountPoints`), and removes the volumes under their hands.
    pub(super) borrowers: HashSet<String>,
    /// Volumes of which it cannot be told whether a removal with `-v` takes them: who lent them is gone.
    pub(super) untold: BTreeSet<String>,
}

impl EngineState {
    /// The containers that keep the engine from removing a volume.
    pub(super) fn users<'a>(&'a self, volume: &'a str) -> impl Iterator<Item = &'a ContainerSummary> {
        let counts = |summary: &&ContainerSummary| !self.borrowers.contains(&summary.id);
        let uses = move |summary: &&ContainerSummary| summary.volumes.iter().any(|name| name == volume);
        self.summaries.iter().filter(counts).filter(uses)
    }
}

/// The plan of these steps.
pub(super) fn simulate(steps: &[Step], volume_steps: &[VolumeStep], state: &EngineState) -> Plan {
    let mut plan = Plan::default();
    let mut removed: HashSet<&str> = HashSet::new();
    let mut ended: HashSet<&str> = HashSet::new();
    let mut ends: Vec<(&Step, &Container, Fate, Ending, String)> = Vec::new();
    for step in steps {
        // One that vanished since it was listed is nothing to lose.
        let Some(container) = state.inspected.get(&step.id) else { continue };
        let (fate, ending, cause) = outcome(step, container);
        if fate == Fate::Destroyed {
            removed.insert(&container.id);
        }
        if ending != Ending::Untouched {
            ended.insert(&container.id);
        }
        ends.push((step, container, fate, ending, cause));
    }
    let stays = |volume: &str| {
        let rest = state.users(volume).filter(|summary| !removed.contains(summary.id.as_str()));
        rest.map(|summary| summary.name.clone()).collect::<Vec<String>>()
    };
    let holds = |volume: &str| {
        let goes_on = |s: &&ContainerSummary| s.state.has_processes() && !ended.contains(s.id.as_str());
        state.users(volume).any(|summary| goes_on(&summary))
    };
    let users = Users { stays: &stays, holds: &holds };
    for (step, container, fate, ending, cause) in ends {
        let with_volumes = takes_volumes(step, container, ending);
        let mounts = container
            .mounts
            .iter()
            .map(|mount| {
                let (fate, cause) =
                    if step.takes_over.contains(&mount.destination) && is_kept(mount, ending, state) {
                        (Fate::Survives, "the new container takes it over".to_owned())
                    } else {
                        mount_outcome(mount, fate, ending, with_volumes, &users, state)
                    };
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
        if fate == Fate::Destroyed {
            tell_mounts(&mut plan.containers, &step.name, &cause);
        }
        let used_by = used_by.into_iter().map(|summary| summary.id.clone()).collect();
        plan.volumes.push(PlannedVolume { volume: volume.clone(), fate, cause, used_by });
    }
    // A borrower does count where the lender has the volume from `-v /path` or its image, and not from a mount
    // without a source.
    let stay = state
        .summaries
        .iter()
        .filter(|s| state.borrowers.contains(&s.id) && !removed.contains(s.id.as_str()));
    plan.possible = stay.flat_map(|summary| summary.volumes.iter().cloned()).collect();
    plan.possible.extend(state.untold.iter().cloned());
    plan
}

/// A volume that goes by its name is gone from every mount, too.
fn tell_mounts(containers: &mut [PlannedContainer], volume: &str, cause: &str) {
    for planned in containers {
        let at = |destination: &str| {
            let mount = planned.container.mounts.iter().find(|mount| mount.destination == destination);
            mount.and_then(|mount| mount.volume.as_deref()) == Some(volume)
        };
        for mount in planned.mounts.iter_mut().filter(|mount| at(&mount.destination)) {
            (mount.fate, mount.cause) = (Fate::Destroyed, cause.to_owned());
        }
    }
}

/// Whether servers take a signal as the wish to end in order, and save first what only memory has. `SIGRTMIN+3`
/// is systemd's. Of any other nobody knows, so that it is judged as a kill.
pub(super) fn is_orderly(signal: &str) -> bool {
    let name = signal.to_uppercase();
    matches!(name.trim_start_matches("SIG"), "" | "TERM" | "15" | "INT" | "2" | "RTMIN+3" | "37")
}

/// What a step does to a container itself.
fn outcome(step: &Step, container: &Container) -> (Fate, Ending, String) {
    let runs = container.state.has_processes();
    let stop = |timeout: Option<i64>| {
        let grace_seconds = timeout.or(container.stop_timeout).unwrap_or(DEFAULT_GRACE);
        let is_asked = container.stop_signal.as_deref().is_none_or(is_orderly);
        match (runs, is_asked) {
            (false, _) => Ending::Untouched,
            (true, false) => Ending::Kill,
            (true, true) => Ending::Stop { grace_seconds },
        }
    };
    let cause = step.cause.clone();
    let removes = !matches!(step.does, Does::Stop { .. } | Does::Restart { .. } | Does::Kill);
    if removes && container.state == State::Removing {
        // The engine refuses a second removal, and nobody can hold the first one back.
        return (Fate::Survives, Ending::Untouched, "it is being removed already".to_owned());
    }
    match step.does {
        Does::StopAndRemove { timeout, .. } | Does::Replace { timeout } => {
            (Fate::Destroyed, stop(timeout), cause)
        }
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
        Does::Stop { .. } | Does::Restart { .. } | Does::Kill if !runs => {
            (Fate::Survives, Ending::Untouched, "it does not run".to_owned())
        }
        // The engine removes such a container, and its anonymous volumes, as soon as it ends.
        Does::Stop { timeout } if container.auto_remove => {
            (Fate::Destroyed, stop(timeout), format!("{cause}; started with --rm"))
        }
        Does::Kill if container.auto_remove => {
            (Fate::Destroyed, Ending::Kill, format!("{cause}; started with --rm"))
        }
        Does::Stop { timeout } | Does::Restart { timeout } => (Fate::Stopped, stop(timeout), cause),
        Does::Kill => (Fate::Stopped, Ending::Kill, cause),
    }
}

/// Whether the removal is one with `v=1`. A container of `--rm` is removed so by the engine once it ends, but
/// not where a removal is already under way: `rm -f` without `-v` leaves its volumes behind.
fn takes_volumes(step: &Step, container: &Container, ending: Ending) -> bool {
    let asked = match step.does {
        Does::StopAndRemove { volumes, .. }
        | Does::Remove { volumes, .. }
        | Does::RemoveIfStopped { volumes } => volumes,
        Does::Stop { .. } | Does::Restart { .. } | Does::Kill | Does::Replace { .. } => false,
    };
    let ends_by_itself = matches!(step.does, Does::StopAndRemove { .. } | Does::Stop { .. } | Does::Kill);
    asked || container.auto_remove && ends_by_itself && ending != Ending::Untouched
}

/// Whether a mount is a volume that outlasts its container's stop.
fn is_kept(mount: &Mount, ending: Ending, state: &EngineState) -> bool {
    let volume = mount.volume.as_deref().and_then(|name| state.volumes.get(name));
    let is_volume = matches!(mount.kind, MountKind::NamedVolume | MountKind::AnonymousVolume);
    is_volume && (ending == Ending::Untouched || !volume.is_some_and(is_in_memory))
}

/// Who still has a volume once all steps are taken.
struct Users<'a> {
    /// Names of the containers that have it mounted, running or not.
    stays: &'a dyn Fn(&str) -> Vec<String>,
    /// Whether any of them runs, and ran all the time.
    holds: &'a dyn Fn(&str) -> bool,
}

fn mount_outcome(
    mount: &Mount,
    container: Fate,
    ending: Ending,
    with_volumes: bool,
    users: &Users<'_>,
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
        MountKind::NamedVolume | MountKind::AnonymousVolume
            if ends && volume.is_some_and(is_in_memory) && !(users.holds)(name) =>
        {
            (Fate::Destroyed, "the volume is kept in memory".to_owned())
        }
        MountKind::NamedVolume | MountKind::AnonymousVolume if container != Fate::Destroyed => survives(""),
        MountKind::AnonymousVolume | MountKind::NamedVolume => {
            let others = (users.stays)(name);
            if !others.is_empty() {
                return survives(&format!("{} uses it too", others.join(", ")));
            }
            let is_anonymous = mount.kind == MountKind::AnonymousVolume;
            if let (true, true, Some(device)) = (is_anonymous, with_volumes, volume.and_then(device)) {
                return survives(&format!("its data stays on {device}"));
            }
            if is_anonymous && with_volumes {
                return (Fate::Destroyed, "anonymous, and removed with the container".to_owned());
            }
            // Compose names a volume that a recreated container inherited; nobody else does.
            let nameless = volume.map_or_else(|| is_engine_made(name), Volume::is_anonymous);
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
    if let Some(device) = device(volume) {
        return (Fate::Survives, format!("{cause}; its data stays on {device}"));
    }
    let owner = volume.labels.get(label::PROJECT).map(|project| format!(", made by project {project}"));
    (Fate::Destroyed, format!("{cause}{}", owner.unwrap_or_default()))
}

/// Where a volume's data really is, if not in the engine's own folder: what a removal leaves alone.
fn device(volume: &Volume) -> Option<&str> {
    let device = volume.options.get("device").filter(|device| !device.is_empty())?;
    (volume.driver == "local" && !is_in_memory(volume)).then_some(device.as_str())
}

fn is_in_memory(volume: &Volume) -> bool {
    volume.options.get("type").is_some_and(|kind| kind == "tmpfs" || kind == "ramfs")
}

#[cfg(test)]
#[path = "simulate_tests.rs"]
mod tests;
