//! What `up`, `create`, `scale`, `run` and `watch` replace, scale down and sweep away, as compose reconciles
//! containers with its files (docker/compose `pkg/compose/{reconcile,create,scale,run}.go`; before version 5
//! `convergence.go`). What only the command itself will find out, such as a newer image, is planned as if it
//! came so, and marked as possible.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    compose::{Known, Scope, Steps, is_one_off, is_orphan, listed, service},
    project::{Project, ProjectVolume},
    service::Service,
    simulate::{Does, Step, VolumeStep},
    version::Version,
};
use crate::model::{
    container::{ContainerSummary, Labels, Volume, label},
    operation::{ComposeUp, UpKind},
};

/// What the engine has of an image, by the name in the files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Image {
    pub(super) id: String,
    /// Its VOLUME paths.
    pub(super) volumes: Vec<String>,
}

/// What was asked beside the model.
#[derive(Debug, Clone, Default)]
pub(super) struct Observed {
    /// By service, from `config --hash`; a service that is not there could not be asked about.
    pub(super) hashes: BTreeMap<String, String>,
    /// By name; one that is not there is not on the engine.
    pub(super) images: BTreeMap<String, Image>,
    /// The hash of the description that a network was made from, by the network's name; a network that is not there
    /// was not made by compose, or by one that keeps no hash.
    pub(super) networks: BTreeMap<String, String>,
}

const HASH: &str = label::CONFIG_HASH;
const IMAGE: &str = "com.docker.compose.image";
pub(super) const NUMBER: &str = "com.docker.compose.container-number";

/// Why a container is replaced, and whether that is certain.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reason {
    cause: String,
    certain: bool,
}

impl Reason {
    fn certain(cause: impl Into<String>) -> Option<Self> {
        Some(Self { cause: cause.into(), certain: true })
    }

    fn possible(cause: impl Into<String>) -> Option<Self> {
        Some(Self { cause: cause.into(), certain: false })
    }
}

/// When containers are replaced, of services that are named and of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Policy {
    Never,
    Diverged,
    Force(&'static str),
}

struct Planner<'a> {
    up: &'a ComposeUp,
    project: &'a Project,
    version: &'a Version,
    observed: &'a Observed,
    volumes: &'a BTreeMap<String, Volume>,
    steps: Steps,
}

/// Plans the command. `all` are all containers of the engine.
pub(super) fn up(
    up: &ComposeUp,
    known: &Known,
    observed: &Observed,
    all: &[ContainerSummary],
    volumes: &BTreeMap<String, Volume>,
    remove_orphans: bool,
) -> Steps {
    let Scope::Files(project) = &known.scope else {
        // These commands need the files; compose refuses without.
        return Steps::default();
    };
    let mut planner =
        Planner { up, project, version: &known.version, observed, volumes, steps: Steps::default() };
    let of_project = listed(all, &project.name, true);
    let services = planner.services();
    planner.providers(&services);
    let diverged = planner.diverged_volumes(&services, &of_project);
    planner.containers(&services, &of_project, &diverged);
    planner.diverged_networks(&of_project);
    if remove_orphans {
        let may_stay =
            up.how == UpKind::Run && services.is_empty() && known.version.may_run_without_orphans();
        for container in of_project.iter().filter(|container| is_orphan(container, project, &known.version)) {
            let does = Does::StopAndRemove { timeout: up.timeout, volumes: false };
            let cause = format!("an orphan of project {}, taken by --remove-orphans", project.name);
            planner.steps.containers.push(Step::new(&container.id, does, cause));
            if may_stay {
                planner.steps.possible.push(container.id.clone());
            }
        }
    }
    if up.ends_together {
        planner.ended_together(&services, &of_project);
    }
    planner.steps
}

impl Planner<'_> {
    /// The services that the command makes containers match.
    fn services(&self) -> Vec<String> {
        let named = |name: &&String| self.up.services.contains(name);
        let all = self.project.services.keys();
        match self.up.how {
            UpKind::Run if self.up.no_deps => Vec::new(),
            UpKind::Run => all.filter(|name| !named(name)).cloned().collect(),
            UpKind::Up | UpKind::Create | UpKind::Scale
                if self.up.no_deps && !self.up.services.is_empty() =>
            {
                all.filter(named).cloned().collect()
            }
            UpKind::Up | UpKind::Create | UpKind::Scale | UpKind::Watch => all.cloned().collect(),
        }
    }

    fn providers(&mut self, services: &[String]) {
        let services: BTreeSet<String> = services.iter().cloned().collect();
        for provider in self.project.unknown_providers(&services) {
            self.steps.undetermined.push(format!(
                "compose runs the provider program of service {provider}, which may do anything"
            ));
        }
    }

    fn policy(&self, service: &str) -> Policy {
        let up = self.up;
        let named = up.services.is_empty() || up.services.iter().any(|name| name == service);
        if up.no_recreate {
            Policy::Never
        } else if named && up.how != UpKind::Run && up.force_recreate {
            Policy::Force("--force-recreate")
        } else if named && up.how != UpKind::Run && up.renew_volumes && self.version.renewal_forces() {
            Policy::Force("-V replaces it")
        } else if !named && up.always_recreate_deps {
            Policy::Force("--always-recreate-deps")
        } else {
            Policy::Diverged
        }
    }

    /// Volumes that the files now describe otherwise: compose asks, and removes them with their containers.
    /// Answers the services that lose their containers to it.
    fn diverged_volumes(
        &mut self,
        services: &[String],
        containers: &[&ContainerSummary],
    ) -> BTreeSet<String> {
        let mut hit = BTreeSet::new();
        for (key, wanted) in self.project.volumes.iter().filter(|(_, volume)| !volume.external) {
            let Some(volume) = self.volumes.get(&wanted.name) else { continue };
            let ours = volume.labels.get(label::PROJECT).is_some_and(|name| *name == self.project.name);
            if !ours || !volume.labels.contains_key(HASH) || matches(wanted, volume) {
                continue;
            }
            let cause = if self.up.assume_yes {
                "its description changed, and -y lets compose remove it"
            } else {
                "its description changed, and compose asks whether to remove it"
            };
            self.steps.volumes.push(VolumeStep { name: volume.name.clone(), cause: cause.to_owned() });
            if !self.up.assume_yes {
                self.steps.possible.push(volume.name.clone());
            }
            let uses =
                |name: &&String| self.project.services.get(*name).is_some_and(|s| s.mounts_volume(key));
            for name in services.iter().filter(uses) {
                hit.insert(name.clone());
            }
        }
        for container in containers.iter().filter(|c| !is_one_off(c) && hit.contains(service(c))) {
            let does = Does::StopAndRemove { timeout: self.up.timeout, volumes: false };
            let cause = "a volume of it is made anew".to_owned();
            self.steps.containers.push(Step::new(&container.id, does, cause));
            if !self.up.assume_yes {
                self.steps.possible.push(container.id.clone());
            }
        }
        hit
    }

    /// Networks that the files now describe otherwise: compose stops what is on them, makes them anew, and starts it
    /// again (compose `create.go`, `removeDivergedNetwork`).
    fn diverged_networks(&mut self, containers: &[&ContainerSummary]) {
        for (key, wanted) in self.project.networks.iter().filter(|(_, network)| !network.external) {
            let made = self.observed.networks.get(&wanted.name);
            if made.is_none_or(|hash| *hash == wanted.hash) {
                continue;
            }
            for container in containers.iter().filter(|container| !is_one_off(container)) {
                let own = self.project.services.get(service(container));
                let is_on = own.is_some_and(|own| own.networks.contains_key(key));
                if is_on && self.steps.containers.iter().all(|step| step.id != container.id) {
                    let cause = format!("its network {key} is made anew, as its description changed");
                    let does = Does::Restart { timeout: None };
                    self.steps.containers.push(Step::new(&container.id, does, cause));
                }
            }
        }
    }

    /// What is only left running is stopped, too, once one of them has ended.
    fn ended_together(&mut self, services: &[String], containers: &[&ContainerSummary]) {
        for container in containers.iter().filter(|c| !is_one_off(c)) {
            let name = service(container);
            let goes_on = services.iter().any(|own| own == name)
                && self.steps.containers.iter().all(|step| step.id != container.id);
            if goes_on {
                let does = Does::Stop { timeout: self.up.timeout };
                let cause = format!("service {name} is stopped once another one has ended");
                self.steps.containers.push(Step::new(&container.id, does, cause));
                self.steps.possible.push(container.id.clone());
            }
        }
    }

    fn containers(
        &mut self,
        services: &[String],
        containers: &[&ContainerSummary],
        removed: &BTreeSet<String>,
    ) {
        let of = |name: &str| -> Vec<&ContainerSummary> {
            let own = containers.iter().filter(|c| !is_one_off(c) && service(c) == name);
            own.copied().collect()
        };
        let mut reasons: BTreeMap<String, Reason> = BTreeMap::new();
        let mut replaced: BTreeSet<String> = removed.clone();
        for name in services.iter().filter(|name| !removed.contains(*name)) {
            for container in of(name) {
                if let Some(reason) = self.reason(name, container) {
                    reasons.insert(container.id.clone(), reason);
                    replaced.insert(name.clone());
                }
            }
        }
        // Who shares a namespace or volumes with a replaced container is replaced after it; in earlier versions,
        // who depends on it.
        loop {
            let more: Vec<(String, String)> = services
                .iter()
                .filter(|name| !replaced.contains(*name) && self.policy(name) != Policy::Never)
                .filter_map(|name| {
                    let own = self.project.services.get(name)?;
                    let mut parents = own.parents();
                    if self.version.replaces_dependants() {
                        parents.extend(own.depends_on.keys().cloned());
                    }
                    Some((name.clone(), parents.into_iter().find(|parent| replaced.contains(parent))?))
                })
                .collect();
            if more.is_empty() {
                break;
            }
            for (name, parent) in more {
                for container in of(&name) {
                    let reason = Reason {
                        cause: format!("service {name} goes with {parent}, which is replaced"),
                        certain: self.version.replaces_dependants(),
                    };
                    reasons.insert(container.id.clone(), reason);
                }
                replaced.insert(name);
            }
        }
        for name in services.iter().filter(|name| !removed.contains(*name)) {
            self.one_service(name, of(name), &reasons);
        }
        self.restarted(services, &replaced, &of);
    }

    /// Replaces and scales down one service's containers.
    fn one_service(
        &mut self,
        name: &str,
        mut containers: Vec<&ContainerSummary>,
        reasons: &BTreeMap<String, Reason>,
    ) {
        let number =
            |c: &ContainerSummary| c.labels.get(NUMBER).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
        containers.sort_by_key(|container| number(container));
        let wanted = self.wanted(name);
        // Version 5 keeps those that are up to date, earlier ones those that are not: where both are there, each
        // may be the one too many.
        let rank = |obsolete_first: bool| {
            let mut ranked = containers.clone();
            ranked.sort_by_key(|c| reasons.contains_key(&c.id) != obsolete_first);
            ranked.into_iter().skip(wanted).map(|c| c.id.clone()).collect::<BTreeSet<String>>()
        };
        let (one, other) = (rank(true), rank(false));
        for container in containers {
            let id = &container.id;
            if one.contains(id) || other.contains(id) {
                let does = Does::StopAndRemove { timeout: self.up.timeout, volumes: false };
                let cause = format!("service {name} is scaled down to {wanted}");
                self.steps.containers.push(Step::new(id, does, cause));
                if !(one.contains(id) && other.contains(id)) {
                    self.steps.possible.push(id.clone());
                }
            } else if let Some(reason) = reasons.get(id) {
                let does = Does::Replace { timeout: self.up.timeout };
                let mut step = Step::new(id, does, reason.cause.clone());
                step.takes_over = self.taken_over(name);
                self.steps.containers.push(step);
                if !reason.certain {
                    self.steps.possible.push(id.clone());
                }
            }
        }
    }

    /// Dependants that restart with what they depend on are stopped, and started again.
    fn restarted<'c>(
        &mut self,
        services: &[String],
        replaced: &BTreeSet<String>,
        of: &dyn Fn(&str) -> Vec<&'c ContainerSummary>,
    ) {
        for name in services {
            let Some(own) = self.project.services.get(name) else { continue };
            let parent = own.depends_on.iter().find(|(on, how)| how.restart && replaced.contains(*on));
            let Some((parent, _)) = parent else { continue };
            for container in of(name) {
                if self.steps.containers.iter().all(|step| step.id != container.id) {
                    let cause = format!("service {name} restarts with {parent}, which is replaced");
                    let does = Does::Restart { timeout: self.up.timeout };
                    self.steps.containers.push(Step::new(&container.id, does, cause));
                }
            }
        }
    }

    fn wanted(&self, name: &str) -> usize {
        if self.up.how == UpKind::Watch && self.up.no_recreate {
            // `--no-up` only watches.
            return usize::MAX;
        }
        let told = self.up.scale.iter().rev().find(|(service, _)| service == name).map(|(_, count)| *count);
        let model = self.project.services.get(name).and_then(Service::wanted);
        told.or(model).unwrap_or(1)
    }

    /// Destinations at which the new container has the volumes of the old one.
    fn taken_over(&self, name: &str) -> BTreeSet<String> {
        // `scale` and `run` hand nothing on.
        if self.up.renew_volumes || matches!(self.up.how, UpKind::Scale | UpKind::Run) {
            return BTreeSet::new();
        }
        let Some(own) = self.project.services.get(name) else { return BTreeSet::new() };
        let mut destinations: BTreeSet<String> = own.anonymous_volumes().collect();
        if self.newer_image(own).is_none() {
            let image = self.observed.images.get(&own.image_name(&self.project.name, name));
            destinations.extend(image.into_iter().flat_map(|image| image.volumes.iter().cloned()));
        }
        for taken in own.sourced_volumes() {
            destinations.remove(&taken);
        }
        destinations
    }

    /// Why the image may be another one once the command comes to it.
    fn newer_image(&self, own: &Service) -> Option<&'static str> {
        let policy = self.up.pull.as_deref().unwrap_or(own.pull_policy.as_str());
        if own.has_build() && (self.up.build || policy == "build") {
            return Some("its image is built anew");
        }
        let pulls = policy == "always" || policy == "daily" || policy == "weekly" || policy == "refresh";
        (pulls || policy.starts_with("every_")).then_some("a newer image may be pulled")
    }

    fn reason(&self, name: &str, container: &ContainerSummary) -> Option<Reason> {
        let own = self.project.services.get(name)?;
        let watches = self.up.watch || self.up.how == UpKind::Watch;
        if let Some(action) = own.watched().filter(|_| watches) {
            return Reason::possible(format!("service {name}: a change of its sources means {action}"));
        }
        match self.policy(name) {
            Policy::Never => return None,
            Policy::Force(flag) => return Reason::certain(format!("service {name}: {flag}")),
            Policy::Diverged => {}
        }
        if self.up.no_deps && !own.depends_on.is_empty() && self.version.hashes_dependencies() {
            return Reason::possible(format!("service {name} differs from itself without its dependencies"));
        }
        let of_container = |name: &str| container.labels.get(name).map(String::as_str).unwrap_or_default();
        match self.observed.hashes.get(name) {
            // A reference to another container is hashed with that one's id, which `config` does not know.
            Some(hash) if own.parents().is_empty() && hash != of_container(HASH) => {
                return Reason::certain(format!("the configuration of service {name} changed"));
            }
            Some(_) if own.parents().is_empty() => {}
            _ => {
                return Reason::possible(format!(
                    "whether the configuration of service {name} changed is not known"
                ));
            }
        }
        match self.observed.images.get(&own.image_name(&self.project.name, name)) {
            None => {
                return Reason::certain(format!(
                    "the image of service {name} is not here, another one comes"
                ));
            }
            Some(image) if image.id != of_container(IMAGE) => {
                return Reason::certain(format!("the image of service {name} is another one now"));
            }
            Some(_) => {}
        }
        if own.mounts_images() {
            return Reason::possible(format!("an image that service {name} mounts may have changed"));
        }
        let missing = own.named_volumes().find(|key| {
            let wanted = self.project.volumes.get(*key).map(|volume| &volume.name);
            wanted.is_some_and(|wanted| !container.volumes.contains(wanted))
        });
        if let Some(key) = missing {
            return Reason::certain(format!("service {name} gets the volume {key}"));
        }
        self.newer_image(own).and_then(Reason::possible)
    }
}

/// Whether a volume is as its description has it.
fn matches(wanted: &ProjectVolume, volume: &Volume) -> bool {
    let driver = if wanted.driver.is_empty() { "local" } else { wanted.driver.as_str() };
    let own: Labels = volume
        .labels
        .iter()
        .filter(|(name, _)| !name.starts_with("com.docker.compose."))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    driver == volume.driver && wanted.driver_opts == volume.options && wanted.labels == own
}

#[cfg(test)]
#[path = "compose_up_tests.rs"]
mod tests;
