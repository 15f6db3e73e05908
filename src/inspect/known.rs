//! Data that an earlier look has explained, so that the next one sees only what lies beside it.

use std::sync::Arc;

use crate::{
    docker::archive::Hides,
    engines::{self, redis},
    model::{
        container::is_within,
        evidence::{Evidence, Location},
        plan::{Plan, PlannedContainer},
    },
};

/// Where one body of data lies, whoever has told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    location: Location,
    /// The volume, or the container where it is in none.
    holder: String,
    /// In the volume, or in the container; absolute.
    path: String,
    /// Whether it is single files in a folder that others may share, and not the folder.
    is_loose: bool,
}

impl Known {
    pub(super) fn new(plan: &Plan, seen: &Evidence) -> Self {
        let kind = seen.engine.as_deref().and_then(engines::kind);
        let (holder, path) = match &seen.volume {
            Some(volume) => {
                let teller = plan.containers.iter().find(|planned| planned.container.id == seen.target.id);
                let mount = teller.and_then(|planned| planned.container.mount_of(&seen.path));
                let root = mount.map_or("/", |mount| mount.destination.as_str());
                (volume, absolute(seen.path.strip_prefix(root.trim_end_matches('/')).unwrap_or(&seen.path)))
            }
            None => (&seen.target.id, absolute(&seen.path)),
        };
        let is_loose = kind.is_some_and(|kind| kind.in_memory);
        Self { location: seen.location, holder: holder.clone(), path, is_loose }
    }

    fn covers(&self, path: &str) -> bool {
        if !self.is_loose {
            return is_within(path, &self.path);
        }
        let below = path.strip_prefix(self.path.trim_end_matches('/'));
        below.and_then(|below| below.strip_prefix('/')).is_some_and(redis::is_own_file)
    }

    /// The same data as the container sees it that mounts its volume there.
    fn mounted_at(&self, destination: &str) -> Self {
        let path = absolute(&format!("{}{}", destination.trim_end_matches('/'), self.path));
        Self { path, ..self.clone() }
    }
}

fn absolute(path: &str) -> String {
    format!("/{}", path.trim_matches('/'))
}

/// What of a container is known; `None` where nothing is.
pub(super) fn hidden_in(settled: &[Known], planned: &PlannedContainer) -> Option<Hides> {
    let container = &planned.container;
    let own = settled.iter().filter(|known| known.holder == container.id).cloned();
    let mounted = container.mounts.iter().flat_map(|mount| {
        let in_it = move |known: &&Known| mount.volume.as_ref().is_some_and(|volume| known.holder == *volume);
        settled.iter().filter(in_it).map(|known| known.mounted_at(&mount.destination))
    });
    hiding(own.chain(mounted).collect())
}

/// What of a volume is known, as seen from its root; `None` where nothing is.
pub(super) fn hidden_in_volume(settled: &[Known], volume: &str) -> Option<Hides> {
    hiding(settled.iter().filter(|known| known.holder == volume).cloned().collect())
}

fn hiding(known: Vec<Known>) -> Option<Hides> {
    (!known.is_empty())
        .then(|| -> Hides { Arc::new(move |path| known.iter().any(|known| known.covers(path))) })
}
