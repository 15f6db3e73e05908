//! What `docker-compose` 1.29 takes: the program in Python, with rules of its own. Facts from its
//! `compose/{project,service,volume}.py`, each with a scenario in `tests/plan_events`.
//!
//! It always goes by its files, never by labels alone; its list of services has those that no profile enables.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    compose::{Steps, ending, is_one_off, service},
    compose_up::{NUMBER, Observed},
    old_model::legacy_volume,
    project::Project,
    service::Service,
    simulate::{Does, EngineState, Step, VolumeStep},
};
use crate::model::{
    container::{ContainerSummary, State, label},
    operation::{ComposeDown, ComposeRm, ComposeStop, ComposeUp, StopKind, UpKind},
};

/// What was asked before planning.
pub(super) struct Old<'a> {
    pub(super) project: &'a Project,
    /// Profiles that are on; more may be in an environment file.
    pub(super) profiles: Vec<String>,
    pub(super) state: &'a EngineState,
}

impl Old<'_> {
    /// The project's containers: it asks for no configuration's hash.
    fn listed(&self, one_offs: bool) -> Vec<&ContainerSummary> {
        let has = |c: &ContainerSummary, name: &str, value: &str| {
            c.labels.get(name).is_some_and(|found| found == value)
        };
        let ours = |c: &&ContainerSummary| has(c, label::PROJECT, &self.project.name);
        let wanted = |c: &&ContainerSummary| one_offs || has(c, label::ONE_OFF, "False");
        self.state.summaries.iter().filter(ours).filter(wanted).collect()
    }

    fn chosen(&self, services: &[String], one_offs: bool) -> Vec<&ContainerSummary> {
        let wanted = |c: &&ContainerSummary| {
            let own = service(c);
            if services.is_empty() {
                self.project.services.contains_key(own)
            } else {
                services.iter().any(|name| name == own)
            }
        };
        self.listed(one_offs).into_iter().filter(wanted).collect()
    }

    /// A service that is not in the files ends the command before it has begun.
    fn refuses(&self, services: &[String], steps: &mut Steps) -> bool {
        let unknown = services.iter().find(|name| !self.project.services.contains_key(*name));
        if let Some(name) = unknown {
            steps.notes.push(format!("there is no service {name}, so docker-compose refuses"));
        }
        unknown.is_some()
    }

    fn is_enabled(&self, service: &Service) -> bool {
        service.profiles.is_empty() || service.profiles.iter().any(|profile| self.profiles.contains(profile))
    }

    fn orphans(&self, steps: &mut Steps) {
        let unknown = |c: &&ContainerSummary| !self.project.services.contains_key(service(c));
        for container in self.listed(false).into_iter().filter(unknown) {
            let does = Does::Remove { force: true, volumes: false };
            let cause = format!("an orphan of project {}, killed by --remove-orphans", self.project.name);
            steps.containers.push(Step::new(&container.id, does, cause));
        }
    }
}

/// `down`: one-offs, too.
pub(super) fn down(old: &Old<'_>, down: &ComposeDown) -> Steps {
    let mut steps = Steps::default();
    if !down.services.is_empty() {
        steps.notes.push("this version's down takes no services, so docker-compose refuses".to_owned());
        return steps;
    }
    for container in old.chosen(&[], true) {
        let does = Does::StopAndRemove { timeout: down.timeout, volumes: down.volumes };
        let kind = if is_one_off(container) { "a one-off of service" } else { "service" };
        let cause = format!("{kind} {} of project {}", service(container), old.project.name);
        steps.containers.push(Step::new(&container.id, does, cause));
    }
    if down.remove_orphans == Some(true) {
        old.orphans(&mut steps);
    }
    if !down.volumes {
        return steps;
    }
    for (key, volume) in &old.project.volumes {
        if volume.external {
            steps.notes.push(format!("the external volume {} is left alone", volume.name));
            continue;
        }
        let legacy = legacy_volume(&old.project.name, key);
        let is_custom = !volume.name.ends_with(&format!("_{key}"));
        let name =
            if !is_custom && old.state.volumes.contains_key(&legacy) { legacy } else { volume.name.clone() };
        // The first one in use ends the command, and the order is not told.
        steps.possible.push(name.clone());
        steps
            .volumes
            .push(VolumeStep { name, cause: "a volume of the compose file, taken by -v".to_owned() });
    }
    let gone: BTreeSet<&str> = steps.containers.iter().map(|step| step.id.as_str()).collect();
    let in_use = |name: &String| old.state.users(name).any(|user| !gone.contains(user.id.as_str()));
    if !steps.volumes.iter().any(|step| in_use(&step.name)) {
        steps.possible.clear();
    }
    steps
}

/// `rm`: one-offs, too.
pub(super) fn rm(old: &Old<'_>, rm: &ComposeRm) -> Steps {
    let mut steps = Steps::default();
    if old.refuses(&rm.services, &mut steps) {
        return steps;
    }
    for container in old.chosen(&rm.services, true) {
        let own = service(container);
        let (does, cause) = if rm.stop {
            let does = Does::StopAndRemove { timeout: None, volumes: rm.volumes };
            (does, format!("service {own}, stopped by -s, then removed"))
        } else {
            let does = Does::RemoveIfStopped { volumes: rm.volumes };
            (does, format!("stopped container of service {own}"))
        };
        steps.containers.push(Step::new(&container.id, does, cause));
    }
    steps
}

/// `stop`, `kill`, `restart`: no one-offs, and nobody is taken along.
pub(super) fn stop(old: &Old<'_>, stop: &ComposeStop) -> Steps {
    let mut steps = Steps::default();
    let Some(does) = ending(stop.how, stop.timeout, stop.signal.as_deref()) else {
        steps.notes.push("the signal ends no process".to_owned());
        return steps;
    };
    if old.refuses(&stop.services, &mut steps) {
        return steps;
    }
    for container in old.chosen(&stop.services, false) {
        let own = service(container);
        let disabled = old.project.services.get(own).is_some_and(|service| !old.is_enabled(service));
        if stop.how == StopKind::Restart && stop.services.is_empty() && disabled {
            // A profile in an environment file would enable it.
            steps.possible.push(container.id.clone());
        }
        steps.containers.push(Step::new(&container.id, does, format!("service {own}")));
    }
    steps
}

/// Why a service's containers are replaced, and whether that is certain.
struct Reason {
    cause: String,
    certain: bool,
}

/// `up`, `create`, `scale`, `run`.
pub(super) fn up(old: &Old<'_>, up: &ComposeUp, observed: &Observed) -> Steps {
    let mut steps = Steps::default();
    if old.refuses(&up.services, &mut steps) {
        return steps;
    }
    if up.how == UpKind::Scale {
        for (name, wanted) in &up.scale {
            scale(old, up, name, *wanted, observed, &mut steps);
        }
        return steps;
    }
    if up.how == UpKind::Up && up.remove_orphans == Some(true) {
        old.orphans(&mut steps);
    }
    let services = services(old, up);
    for name in &services {
        duplicates(old, up, name, &mut steps);
    }
    if up.how == UpKind::Run {
        // Dependencies are started, never replaced or scaled.
        return steps;
    }
    let mut made_anew: BTreeSet<&String> = BTreeSet::new();
    for name in &services {
        let Some(own) = old.project.services.get(name) else { continue };
        let mut containers = old.chosen(std::slice::from_ref(name), false);
        containers.retain(|c| steps.containers.iter().all(|step| step.id != c.id));
        containers.sort_by_key(|container| number(container));
        let upstream = own.depends_on.keys().any(|need| made_anew.contains(need));
        let reason = reason(old, up, name, own, &containers, upstream, observed);
        if containers.is_empty() || reason.is_some() {
            made_anew.insert(name);
        }
        let told = up.scale.iter().rev().find(|(service, _)| service == name).map(|(_, count)| *count);
        let wanted = told.or(own.wanted()).unwrap_or(1);
        let disabled = up.services.is_empty() && !old.is_enabled(own);
        for (index, container) in containers.iter().enumerate() {
            let step = if index >= wanted {
                downscale(container, up, name, wanted)
            } else if let Some(reason) = &reason {
                replacement(old, up, name, container, reason, observed, &mut steps)
            } else {
                continue;
            };
            if disabled {
                steps.possible.push(container.id.clone());
            }
            steps.containers.push(step);
        }
        if up.ends_together {
            ended_together(up, name, &containers, &mut steps);
        }
    }
    steps
}

/// What is only left running is stopped, too, once one of them has ended.
fn ended_together(up: &ComposeUp, name: &str, containers: &[&ContainerSummary], steps: &mut Steps) {
    for container in containers {
        if steps.containers.iter().all(|step| step.id != container.id) {
            let does = Does::Stop { timeout: up.timeout };
            let cause = format!("service {name} is stopped once another one has ended");
            steps.containers.push(Step::new(&container.id, does, cause));
            steps.possible.push(container.id.clone());
        }
    }
}

fn number(container: &ContainerSummary) -> u64 {
    container.labels.get(NUMBER).and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn downscale(container: &ContainerSummary, up: &ComposeUp, name: &str, wanted: usize) -> Step {
    let does = Does::StopAndRemove { timeout: up.timeout, volumes: false };
    Step::new(&container.id, does, format!("service {name} is scaled down to {wanted}"))
}

fn replacement(
    old: &Old<'_>,
    up: &ComposeUp,
    name: &str,
    container: &ContainerSummary,
    reason: &Reason,
    observed: &Observed,
    steps: &mut Steps,
) -> Step {
    let mut step = Step::new(&container.id, Does::Replace { timeout: up.timeout }, reason.cause.clone());
    if !up.renew_volumes {
        let own = old.project.services.get(name);
        let image = own.and_then(|own| observed.images.get(&own.image_name_of_old(&old.project.name, name)));
        step.takes_over.extend(own.into_iter().flat_map(Service::anonymous_volumes));
        step.takes_over.extend(image.into_iter().flat_map(|image| image.volumes.iter().cloned()));
        for taken in own.into_iter().flat_map(Service::sourced_volumes) {
            step.takes_over.remove(&taken);
        }
        // From engine 26 on it looks for a field that is not there, and gives up once it has stopped the container.
        steps.possible.push(container.id.clone());
    } else if !reason.certain {
        steps.possible.push(container.id.clone());
    }
    step
}

/// The services that are looked at, each behind what it depends on.
fn services(old: &Old<'_>, up: &ComposeUp) -> Vec<String> {
    let mut wanted: BTreeSet<String> = if up.services.is_empty() {
        // Those of profiles that an environment file may enable are looked at, too.
        old.project.services.keys().cloned().collect()
    } else {
        up.services.iter().cloned().collect()
    };
    let needs = |name: &String| {
        let own = old.project.services.get(name);
        own.into_iter().flat_map(|own| own.depends_on.keys().cloned()).collect::<Vec<String>>()
    };
    if !up.no_deps {
        let mut open: Vec<String> = wanted.iter().cloned().collect();
        while let Some(name) = open.pop() {
            open.extend(needs(&name).into_iter().filter(|need| wanted.insert(need.clone())));
        }
    }
    let mut sorted: Vec<String> = Vec::new();
    while !wanted.is_empty() {
        let free = wanted.iter().find(|name| needs(name).iter().all(|need| !wanted.contains(need)));
        let Some(next) = free.or_else(|| wanted.first()).cloned() else { break };
        wanted.remove(&next);
        sorted.push(next);
    }
    sorted
}

/// Containers of one number are removed but for the oldest one.
fn duplicates(old: &Old<'_>, up: &ComposeUp, name: &str, steps: &mut Steps) {
    let mut seen = BTreeSet::new();
    // The engine lists the newest first.
    for container in old.chosen(&[name.to_owned()], false).into_iter().rev() {
        if !seen.insert(number(container)) {
            let does = Does::StopAndRemove { timeout: up.timeout, volumes: false };
            let cause = format!("service {name} has two containers of this number");
            steps.containers.push(Step::new(&container.id, does, cause));
        }
    }
}

fn reason(
    old: &Old<'_>,
    up: &ComposeUp,
    name: &str,
    own: &Service,
    containers: &[&ContainerSummary],
    upstream: bool,
    observed: &Observed,
) -> Option<Reason> {
    let certain = |cause: String| Some(Reason { cause, certain: true });
    let possible = |cause: String| Some(Reason { cause, certain: false });
    if up.no_recreate || containers.is_empty() {
        return None;
    }
    if up.force_recreate {
        return certain(format!("service {name}: --force-recreate"));
    }
    if up.renew_volumes {
        return certain(format!("service {name}: -V replaces it"));
    }
    if upstream {
        let stands = |c: &&ContainerSummary| matches!(c.state, State::Created | State::Exited);
        if up.always_recreate_deps || containers.iter().any(stands) {
            return certain(format!("service {name} goes with what it depends on, which is made anew"));
        }
        if !own.links.is_empty() {
            return possible(format!("service {name} is linked to what is made anew"));
        }
    }
    let image = own.image_name_of_old(&old.project.name, name);
    if !observed.images.contains_key(&image) {
        return possible(format!("the image of service {name} is not here, another one may come"));
    }
    let Some(hash) = observed.hashes.get(name) else {
        return possible(format!("whether the configuration of service {name} changed is not known"));
    };
    let same = |c: &&ContainerSummary| c.labels.get(label::CONFIG_HASH).is_some_and(|found| found == hash);
    if !containers.iter().all(same) {
        return certain(format!("the configuration or the image of service {name} changed"));
    }
    (up.build && own.has_build())
        .then(|| Reason { cause: format!("service {name}: its image is built anew"), certain: false })
}

/// `scale`: by what runs. More are wanted: what stands and differs from the files goes; fewer: the last ones go.
fn scale(old: &Old<'_>, up: &ComposeUp, name: &str, wanted: usize, observed: &Observed, steps: &mut Steps) {
    let mut all = old.chosen(&[name.to_owned()], false);
    all.sort_by_key(|container| number(container));
    let running: Vec<&ContainerSummary> = all.iter().filter(|c| c.state.has_processes()).copied().collect();
    if wanted < running.len() {
        steps.containers.extend(running[wanted..].iter().map(|c| downscale(c, up, name, wanted)));
    }
    if wanted <= running.len() {
        return;
    }
    let hash = observed.hashes.get(name);
    let differs = |c: &ContainerSummary| hash.is_none() || c.labels.get(label::CONFIG_HASH) != hash;
    let (gone, kept): (Vec<&ContainerSummary>, Vec<&ContainerSummary>) =
        all.into_iter().partition(|c| !c.state.has_processes() && differs(c));
    for container in gone {
        let cause = format!("it stands, and service {name} changed");
        steps.containers.push(Step::new(&container.id, Does::RemoveIfStopped { volumes: false }, cause));
    }
    steps.containers.extend(kept.iter().skip(wanted).map(|c| downscale(c, up, name, wanted)));
}

/// The images that the services want, by name.
pub(super) fn image_names(project: &Project) -> BTreeSet<String> {
    let named: BTreeMap<&String, &Service> = project.services.iter().collect();
    named.iter().map(|(name, own)| own.image_name_of_old(&project.name, name)).collect()
}

#[cfg(test)]
#[path = "compose_old_tests.rs"]
mod tests;
