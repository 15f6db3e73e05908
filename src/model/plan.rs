//! What a command would do to which objects: the planner's answer, before anybody looked for data.

use std::collections::BTreeSet;

use serde::Serialize;

use super::container::{Container, Volume};

/// What happens to a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// Not touched.
    Survives,
    /// A container is stopped: its RAM and tmpfs go.
    Stopped,
    /// An anonymous volume stays, but nothing points at it any more.
    Detached,
    /// Gone.
    Destroyed,
}

/// How a container's processes end, where the command ends them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// It has no processes, or they go on.
    Untouched,
    /// Stop signal, then SIGKILL after this many seconds.
    Stop { grace_seconds: i64 },
    /// SIGKILL at once, as `docker rm -f` does.
    Kill,
}

/// A container that the command touches, or refuses to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedContainer {
    pub container: Container,
    /// `Destroyed`: the writable layer goes. `Stopped`: only RAM and tmpfs. `Survives`: docker would refuse.
    pub fate: Fate,
    pub ending: Ending,
    /// Why, in a few words: `service of the project`, `orphan`, `depends on db`, `running: docker refuses`.
    pub cause: String,
    /// What happens to each volume of its mounts, by destination.
    pub mounts: Vec<PlannedMount>,
}

/// The fate of one mount of a planned container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedMount {
    pub destination: String,
    pub fate: Fate,
    pub cause: String,
}

/// A volume that the command removes by itself, or tries to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedVolume {
    pub volume: Volume,
    pub fate: Fate,
    pub cause: String,
    /// IDs of all containers that mount it, whoever owns them.
    pub used_by: Vec<String>,
}

/// Everything that a command would do, by id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    pub containers: Vec<PlannedContainer>,
    /// Every volume of which the fate is not simply `Survives`, and those that docker would refuse to remove.
    pub volumes: Vec<PlannedVolume>,
    /// Things worth a line that are neither: `external volume shop_pg is left alone`.
    pub notes: Vec<String>,
    /// Ids of containers and names of volumes that may be spared: nobody knows before docker has done its work,
    /// such as pulling an image. They are planned as if not.
    pub possible: Vec<String>,
    /// Why the plan is not complete. One is enough for the verdict `undetermined`.
    pub undetermined: Vec<String>,
}

impl Plan {
    /// Everything that goes or gets lost, by id.
    #[must_use]
    pub fn losses(&self) -> BTreeSet<String> {
        let goes = |fate: Fate| fate >= Fate::Detached;
        let containers = self.containers.iter().flat_map(|planned| {
            let own = goes(planned.fate).then(|| format!("container {}", planned.container.id));
            let mounts = planned.mounts.iter().filter(move |mount| goes(mount.fate));
            own.into_iter()
                .chain(mounts.map(|mount| format!("mount {} {}", planned.container.id, mount.destination)))
        });
        let volumes = self.volumes.iter().filter(|planned| goes(planned.fate));
        let volumes = volumes.map(|planned| format!("volume {}", planned.volume.identity()));
        containers.chain(volumes).collect()
    }

    /// Leaves only what goes for certain.
    pub fn drop_possible(&mut self) {
        let possible = std::mem::take(&mut self.possible);
        self.containers.retain(|planned| !possible.contains(&planned.container.id));
        self.volumes.retain(|planned| !possible.contains(&planned.volume.name));
    }

    /// The names of the containers and volumes that go or get lost.
    #[must_use]
    pub fn names_of_losses(&self) -> Vec<String> {
        let containers = self.containers.iter().filter(|planned| planned.fate >= Fate::Detached);
        let volumes = self.volumes.iter().filter(|planned| planned.fate >= Fate::Detached);
        containers
            .map(|planned| planned.container.name.clone())
            .chain(volumes.map(|planned| planned.volume.name.clone()))
            .collect()
    }

    /// What binds a verdict to the objects it was given on: every id with its fate, sorted.
    /// Equal before and after means that nothing came, went or changed its state in between.
    #[must_use]
    pub fn fingerprint(&self) -> Vec<String> {
        let containers = self.containers.iter().flat_map(|planned| {
            let own = format!(
                "container {} {:?} {:?} {}",
                planned.container.id, planned.fate, planned.ending, planned.container.started
            );
            let mounts = planned.mounts.iter().map(|mount| {
                format!("mount {} {} {:?}", planned.container.id, mount.destination, mount.fate)
            });
            std::iter::once(own).chain(mounts)
        });
        let volumes = self
            .volumes
            .iter()
            .map(|planned| format!("volume {} {:?}", planned.volume.identity(), planned.fate));
        let mut lines: Vec<String> = containers.chain(volumes).collect();
        lines.sort();
        lines
    }
}
