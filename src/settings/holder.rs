//! Whose a body of data is: the container and volume that hold it, and which labels speak for it. Pure.

use crate::model::{
    container::{Container, Labels, Volume, label},
    evidence::{Evidence, Location, TargetKind},
    plan::Plan,
};

/// The container and volume of the plan that a body of data is in.
pub(super) struct Holder<'a> {
    pub(super) container: Option<&'a Container>,
    pub(super) volume: Option<&'a Volume>,
}

impl<'a> Holder<'a> {
    pub(super) fn of(plan: &'a Plan, seen: &Evidence) -> Self {
        let is_container = seen.target.kind == TargetKind::Container;
        let containers = || plan.containers.iter().map(|planned| &planned.container);
        let name = seen.volume.as_deref().or((!is_container).then_some(seen.target.id.as_str()));
        Self {
            container: containers().find(|container| is_container && container.id == seen.target.id),
            volume: plan
                .volumes
                .iter()
                .map(|planned| &planned.volume)
                .find(|volume| name == Some(&volume.name)),
        }
    }

    /// Whether the data's volume may belong to somebody else than the container that mounts it.
    pub(super) fn volume_of_another(&self, seen: &Evidence) -> bool {
        let Some(volume) = self.volume.filter(|_| seen.location == Location::NamedVolume) else {
            return false;
        };
        let owner = volume.labels.get(label::PROJECT).map(String::as_str);
        owner.is_none() || owner != self.container.and_then(Container::project)
    }

    /// The labels that were fixed before this data was written: a named volume outlives its containers, so
    /// only its own speak for it.
    pub(super) fn own_labels(&self, seen: &Evidence) -> Option<&'a Labels> {
        match (self.volume, self.container) {
            (Some(volume), _) if seen.location == Location::NamedVolume => Some(&volume.labels),
            _ if seen.location == Location::NamedVolume => None,
            (_, Some(container)) => Some(&container.labels),
            (volume, None) => volume.map(|volume| &volume.labels),
        }
    }

    /// A label about backups: the volume's, or else the container's, where both have one owner.
    pub(super) fn backup_label(&self, seen: &Evidence, name: &str) -> Option<&'a str> {
        let own = self.own_labels(seen).and_then(|labels| labels.get(name));
        let container = self.container.filter(|_| !self.volume_of_another(seen));
        own.or_else(|| container.and_then(|container| container.labels.get(name))).map(String::as_str)
    }
}

/// Whether a name is this data's compose service: `db`, where a bare one is clear, or `shop/db`.
pub(super) fn is_service(name: &str, seen: &Evidence, bare_is_clear: bool) -> bool {
    let service = seen.target.service.as_deref();
    match name.split_once('/') {
        Some((project, own)) => seen.target.project.as_deref() == Some(project) && service == Some(own),
        None => bare_is_clear && service == Some(name),
    }
}
