//! Where a path of a container lies, and what the command does to that place.

use std::collections::HashMap;

use crate::model::{
    container::{MountKind, is_within},
    evidence::Location,
    plan::{Ending, Fate, PlannedContainer},
};

/// The fates of volumes that a command removes by name.
pub(super) type VolumeFates = HashMap<String, Fate>;

/// A place that a container writes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) location: Location,
    /// Where the place begins in the container; `/` for the writable layer.
    pub(super) root: String,
    pub(super) volume: Option<String>,
    pub(super) fate: Fate,
}

impl Spot {
    /// Whether the command takes the place away, or hides it.
    pub(super) fn is_at_risk(&self) -> bool {
        self.fate >= Fate::Detached
    }

    /// How the fate comes about, in a person's words.
    pub(super) fn consequence(&self) -> String {
        let text = match (self.fate, self.location) {
            (Fate::Destroyed, Location::WritableLayer) => "gone when the container is removed",
            (Fate::Destroyed, Location::AnonymousVolume | Location::NamedVolume) => "the volume is removed",
            (Fate::Destroyed, Location::Tmpfs) => "gone when the container stops",
            (Fate::Destroyed, Location::Memory) => "gone when the server stops",
            (Fate::Detached, _) => "left behind where no later `up` finds it, for the next prune to take",
            _ => "not touched",
        };
        text.to_owned()
    }
}

/// The place that holds a path.
pub(super) fn spot_of(planned: &PlannedContainer, fates: &VolumeFates, path: &str) -> Spot {
    let ends = planned.ending != Ending::Untouched;
    let in_memory = |root: &str| Spot {
        location: Location::Tmpfs,
        root: root.to_owned(),
        volume: None,
        fate: if ends { Fate::Destroyed } else { Fate::Survives },
    };
    match planned.container.mount_of(path) {
        None if is_within(path, SHARED_MEMORY) => in_memory(SHARED_MEMORY),
        None => Spot {
            location: Location::WritableLayer,
            root: "/".to_owned(),
            volume: None,
            fate: if planned.fate == Fate::Destroyed { Fate::Destroyed } else { Fate::Survives },
        },
        Some(mount) if mount.kind == MountKind::Tmpfs => in_memory(&mount.destination),
        Some(mount) => {
            let planned_fate =
                planned.mounts.iter().find(|m| m.destination == mount.destination).map(|m| m.fate);
            let by_name = mount.volume.as_ref().and_then(|name| fates.get(name)).copied();
            Spot {
                location: match mount.kind {
                    MountKind::AnonymousVolume => Location::AnonymousVolume,
                    MountKind::NamedVolume => Location::NamedVolume,
                    MountKind::Bind | MountKind::Tmpfs | MountKind::Other => Location::BindMount,
                },
                root: mount.destination.clone(),
                volume: mount.volume.clone(),
                fate: planned_fate.max(by_name).unwrap_or(Fate::Survives),
            }
        }
    }
}

/// Docker mounts memory here in every container, and lists it nowhere.
pub(super) const SHARED_MEMORY: &str = "/dev/shm";
