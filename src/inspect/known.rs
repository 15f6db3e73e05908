//! Data that an earlier look has explained, so that the next one sees only what lies beside it.

use std::sync::Arc;

use crate::{
    docker::archive::Hides,
    engines::{self, redis},
    model::{
        container::{Mount, is_within},
        evidence::{Evidence, Location},
        plan::{Plan, PlannedContainer},
    },
};

/// A place in a volume, or in a container where it is in none; whoever has told of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Site {
    /// The volume's name or the container's ID.
    holder: String,
    /// In it; absolute.
    path: String,
}

impl Site {
    /// Where evidence lies.
    pub(super) fn of(plan: &Plan, seen: &Evidence) -> Self {
        let (holder, path) = match &seen.volume {
            Some(volume) => {
                let teller = plan.containers.iter().find(|planned| planned.container.id == seen.target.id);
                let mount = teller.and_then(|planned| planned.container.mount_of(&seen.path));
                let root = mount.map_or("/", |mount| mount.destination.as_str()).trim_end_matches('/');
                let part = mount.and_then(|mount| mount.part.as_deref()).unwrap_or_default();
                let below = seen.path.strip_prefix(root).unwrap_or(&seen.path);
                (volume, absolute(&format!("{}{below}", absolute(part).trim_end_matches('/'))))
            }
            None => (&seen.target.id, absolute(&seen.path)),
        };
        Self { holder: holder.clone(), path }
    }
}

/// Where one body of data lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    location: Location,
    site: Site,
    /// Whether it is single files in a folder that others may share, and not the folder.
    is_loose: bool,
}

impl Known {
    pub(super) fn new(plan: &Plan, seen: &Evidence) -> Self {
        let kind = seen.engine.as_deref().and_then(engines::kind);
        let is_loose = kind.is_some_and(|kind| kind.in_memory);
        Self { location: seen.location, site: Site::of(plan, seen), is_loose }
    }

    fn covers(&self, path: &str) -> bool {
        let own = &self.site.path;
        if !self.is_loose {
            return is_within(path, own);
        }
        let below = path.strip_prefix(own.trim_end_matches('/'));
        below.and_then(|below| below.strip_prefix('/')).is_some_and(redis::is_own_file)
    }

    /// The same data as the container sees it that mounts its volume there; `None` where it does not see it.
    fn mounted_by(&self, mount: &Mount) -> Option<Self> {
        let part = mount.part.as_deref().map_or_else(String::new, absolute);
        let below = self.site.path.strip_prefix(part.trim_end_matches('/'))?;
        if !below.is_empty() && !below.starts_with('/') {
            return None;
        }
        let path = absolute(&format!("{}{below}", mount.destination.trim_end_matches('/')));
        Some(Self { site: Site { path, ..self.site.clone() }, ..self.clone() })
    }
}

fn absolute(path: &str) -> String {
    format!("/{}", path.trim_matches('/'))
}

/// What of a container is known; `None` where nothing is.
pub(super) fn hidden_in(settled: &[Known], planned: &PlannedContainer) -> Option<Hides> {
    let container = &planned.container;
    let own = settled.iter().filter(|known| known.site.holder == container.id).cloned();
    let mounted = container.mounts.iter().flat_map(|mount| {
        let in_it =
            move |known: &&Known| mount.volume.as_ref().is_some_and(|volume| known.site.holder == *volume);
        settled.iter().filter(in_it).filter_map(|known| known.mounted_by(mount))
    });
    hiding(own.chain(mounted).collect())
}

/// What of a volume is known, as seen from its root; `None` where nothing is.
pub(super) fn hidden_in_volume(settled: &[Known], volume: &str) -> Option<Hides> {
    hiding(settled.iter().filter(|known| known.site.holder == volume).cloned().collect())
}

fn hiding(known: Vec<Known>) -> Option<Hides> {
    (!known.is_empty())
        .then(|| -> Hides { Arc::new(move |path| known.iter().any(|known| known.covers(path))) })
}
