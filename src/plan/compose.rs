//! Which containers and volumes compose's commands take, as compose chooses them. Facts from docker/compose
//! `pkg/compose/{down,remove,stop,kill,restart}.go`, each with a scenario in `tests/plan.rs`.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    pflag::parse_bool,
    project::{Dependency, Project},
    service::Service,
    simulate::{Does, Step, VolumeStep, is_orderly},
    version::Version,
};
use crate::model::{
    container::{ContainerSummary, State, Volume, label},
    operation::{ComposeDown, ComposeRm, ComposeStop, StopKind},
};

/// Which project a command means, and how compose knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scope {
    /// From its files.
    Files(Project),
    /// From labels alone: `-p NAME` without `-f`, or files that cannot be loaded.
    Labels(String),
}

impl Scope {
    pub(super) fn name(&self) -> String {
        match self {
            Self::Files(project) => project.name.clone(),
            // Compose lowers it before it asks.
            Self::Labels(name) => name.to_lowercase(),
        }
    }
}

/// What compose said of itself and of the project.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) scope: Scope,
    pub(super) version: Version,
}

impl Known {
    /// The images that the services want, by name.
    pub(super) fn image_names(&self) -> BTreeSet<String> {
        let Scope::Files(project) = &self.scope else { return BTreeSet::new() };
        let name = |(service, own): (&String, &Service)| own.image_name(&project.name, service);
        project.services.iter().map(name).collect()
    }
}

/// The steps of a command.
#[derive(Debug, Default)]
pub(super) struct Steps {
    pub(super) containers: Vec<Step>,
    pub(super) volumes: Vec<VolumeStep>,
    pub(super) notes: Vec<String>,
    /// Ids of containers and names of volumes that may be spared.
    pub(super) possible: Vec<String>,
    pub(super) undetermined: Vec<String>,
}

/// Containers of a project as compose lists them: with a config hash, one-offs or not.
pub(super) fn listed<'a>(
    all: &'a [ContainerSummary],
    project: &str,
    one_offs: bool,
) -> Vec<&'a ContainerSummary> {
    let of_project = |c: &&ContainerSummary| {
        c.labels.get(label::PROJECT).is_some_and(|name| name == project)
            && c.labels.contains_key(label::CONFIG_HASH)
    };
    let wanted = |c: &&ContainerSummary| {
        one_offs || c.labels.get(label::ONE_OFF).is_some_and(|value| value == "False")
    };
    all.iter().filter(of_project).filter(wanted).collect()
}

pub(super) fn is_one_off(container: &ContainerSummary) -> bool {
    container.labels.get(label::ONE_OFF).is_some_and(|value| value == "True")
}

pub(super) fn service(container: &ContainerSummary) -> &str {
    container.labels.get(label::SERVICE).map(String::as_str).unwrap_or_default()
}

/// The project as its containers' labels tell it.
fn from_labels(name: &str, containers: &[&ContainerSummary], version: &Version) -> Project {
    let mut project = Project { name: name.to_owned(), ..Project::default() };
    for container in containers.iter().filter(|container| !is_one_off(container)) {
        let nameless = if version.names_nameless_services() { container.name.as_str() } else { "" };
        let own = container.labels.get(label::SERVICE).map_or(nameless, String::as_str);
        let entry = project.services.entry(own.to_owned()).or_default();
        let needs = container.labels.get(label::DEPENDS_ON).map(String::as_str).unwrap_or_default();
        // `db:service_healthy:true`; what is not said of a restart is taken for yes.
        let dependencies = needs.split(',').filter(|need| !need.is_empty()).map(|need| {
            let mut parts = need.split(':');
            let name = parts.next().unwrap_or_default().to_owned();
            let restart = parts.nth(1).is_none_or(|word| parse_bool(word).unwrap_or(false));
            (name, Dependency { restart })
        });
        entry.depends_on.extend(dependencies);
    }
    project
}

/// `down`.
pub(super) fn down(
    down: &ComposeDown,
    known: &Known,
    all: &[ContainerSummary],
    volumes: &BTreeMap<String, Volume>,
    remove_orphans: bool,
) -> Steps {
    let mut steps = Steps::default();
    let Known { scope, version } = known;
    let name = scope.name();
    let containers = listed(all, &name, remove_orphans);
    let project = match scope {
        Scope::Files(project) => project.clone(),
        Scope::Labels(_) => from_labels(&name, &containers, version),
    };
    let known: Vec<String> =
        down.services.iter().filter(|s| project.services.contains_key(*s)).cloned().collect();
    let takes_all = matches!(scope, Scope::Labels(_)) && version.takes_all_for_unknown_services();
    if !down.services.is_empty() && known.is_empty() && !takes_all {
        steps.notes.push(format!("no service of project {name} is named {}", down.services.join(" or ")));
        return steps;
    }
    let services = project.with_dependants(&known);
    for provider in project.unknown_providers(&services) {
        steps
            .undetermined
            .push(format!("compose runs the provider program of service {provider}, which may do anything"));
    }
    let dependants: BTreeSet<&String> =
        services.iter().filter(|service| !known.is_empty() && !known.contains(service)).collect();
    for container in &containers {
        let own = service(container).to_owned();
        if services.contains(&own) {
            let cause = match (is_one_off(container), dependants.contains(&own)) {
                (true, _) => format!("a one-off of service {own}, taken by --remove-orphans"),
                (false, true) => format!("service {own} depends on {}", known.join(", ")),
                (false, false) => format!("service {own} of project {name}"),
            };
            let does = Does::StopAndRemove { timeout: down.timeout, volumes: down.volumes };
            steps.containers.push(Step::new(&container.id, does, cause));
        } else if remove_orphans && is_orphan(container, &project, version) {
            let does = Does::StopAndRemove { timeout: down.timeout, volumes: false };
            let cause = format!("an orphan of project {name}, taken by --remove-orphans");
            steps.containers.push(Step::new(&container.id, does, cause));
        }
    }
    for container in hooks(all, &name, &known) {
        let does = Does::Remove { force: true, volumes: true };
        let cause = "a left-over hook container of the project".to_owned();
        steps.containers.push(Step::new(&container.id, does, cause));
    }
    if down.volumes {
        steps.volumes = match scope {
            Scope::Files(project) => {
                for external in project.volumes.values().filter(|volume| volume.external) {
                    steps.notes.push(format!("the external volume {} is left alone", external.name));
                }
                let own = project.volumes.values().filter(|volume| !volume.external);
                own.map(|volume| volume_step(&volume.name, "a volume of the compose file, taken by -v"))
                    .collect()
            }
            Scope::Labels(_) => {
                let labelled =
                    |v: &&Volume| v.labels.get(label::PROJECT).is_some_and(|project| *project == name);
                let own = volumes.values().filter(labelled);
                own.map(|volume| volume_step(&volume.name, "labelled with the project, taken by -v"))
                    .collect()
            }
        };
    }
    steps
}

fn volume_step(name: &str, cause: &str) -> VolumeStep {
    VolumeStep { name: name.to_owned(), cause: cause.to_owned() }
}

/// Whether compose takes a container for an orphan: of an unknown service, or a one-off that has ended.
pub(super) fn is_orphan(container: &ContainerSummary, project: &Project, version: &Version) -> bool {
    if is_one_off(container) && version.knows_ended_one_offs() {
        return matches!(container.state, State::Exited | State::Dead);
    }
    let own = service(container);
    !project.services.contains_key(own) && !project.disabled.contains(own)
}

/// Containers of failed `pre_start` hooks. They have no config hash, so nothing else finds them.
fn hooks<'a>(all: &'a [ContainerSummary], project: &str, services: &[String]) -> Vec<&'a ContainerSummary> {
    let is = |c: &ContainerSummary, name: &str, value: &str| {
        c.labels.get(name).is_some_and(|found| found == value)
    };
    all.iter()
        .filter(|c| is(c, label::PROJECT, project) && is(c, label::HOOK, "pre_start"))
        .filter(|c| services.is_empty() || services.iter().any(|name| name == service(c)))
        .collect()
}

/// The containers that `rm` and `stop` look at.
fn chosen<'a>(scope: &Scope, services: &[String], all: &'a [ContainerSummary]) -> Vec<&'a ContainerSummary> {
    let containers = listed(all, &scope.name(), false);
    let wanted = |container: &&ContainerSummary| {
        let own = service(container);
        let in_model = match scope {
            Scope::Files(project) => project.services.contains_key(own),
            Scope::Labels(_) => true,
        };
        in_model && (services.is_empty() || services.iter().any(|name| name == own))
    };
    containers.into_iter().filter(wanted).collect()
}

/// `rm`.
pub(super) fn rm(rm: &ComposeRm, known: &Known, all: &[ContainerSummary]) -> Steps {
    let mut steps = Steps::default();
    let scope = &known.scope;
    for container in chosen(scope, &rm.services, all) {
        let (does, cause) = if rm.stop {
            // It stops before it asks, so what a stop loses is lost whatever the answer.
            let cause = format!("service {}, stopped by -s, then removed", service(container));
            (Does::StopAndRemove { timeout: None, volumes: rm.volumes }, cause)
        } else {
            (
                Does::RemoveIfStopped { volumes: rm.volumes },
                format!("stopped container of service {}", service(container)),
            )
        };
        steps.containers.push(Step::new(&container.id, does, cause));
    }
    add_providers(&mut steps, scope, &rm.services, rm.stop);
    steps
}

/// `stop`, `kill`, `restart`.
pub(super) fn stop(
    stop: &ComposeStop,
    known: &Known,
    all: &[ContainerSummary],
    remove_orphans: bool,
) -> Steps {
    let mut steps = Steps::default();
    let does = ending(stop.how, stop.timeout, stop.signal.as_deref());
    let Some(does) = does else {
        steps.notes.push("the signal ends no process".to_owned());
        return steps;
    };
    let targets = match stop.how {
        StopKind::Stop => chosen(&known.scope, &stop.services, all),
        StopKind::Kill => killed(stop, known, all, remove_orphans),
        StopKind::Restart => restarted(stop, known, all),
    };
    for container in targets {
        let own = service(container);
        let cause = if stop.services.is_empty() || stop.services.iter().any(|name| name == own) {
            format!("service {own}")
        } else {
            format!("service {own} restarts with {}", stop.services.join(", "))
        };
        steps.containers.push(Step::new(&container.id, does, cause));
    }
    add_providers(&mut steps, &known.scope, &stop.services, stop.how == StopKind::Stop);
    steps
}

/// `kill` takes what runs, one-offs too; with `--remove-orphans` of services that are not in the model, too.
fn killed<'a>(
    stop: &ComposeStop,
    known: &Known,
    all: &'a [ContainerSummary],
    remove_orphans: bool,
) -> Vec<&'a ContainerSummary> {
    let running = listed(all, &known.scope.name(), true).into_iter().filter(|c| c.state.has_processes());
    let containers: Vec<&ContainerSummary> = running
        .filter(|c| stop.services.is_empty() || stop.services.iter().any(|s| s == service(c)))
        .collect();
    let in_model = match &known.scope {
        Scope::Files(project) => project.clone(),
        Scope::Labels(name) => from_labels(name, &containers, &known.version),
    };
    let wanted = |c: &&ContainerSummary| remove_orphans || in_model.services.contains_key(service(c));
    containers.into_iter().filter(wanted).collect()
}

/// `restart` takes along the services whose dependency says so.
fn restarted<'a>(
    stop: &ComposeStop,
    known: &Known,
    all: &'a [ContainerSummary],
) -> Vec<&'a ContainerSummary> {
    let containers = listed(all, &known.scope.name(), false);
    let project = match &known.scope {
        Scope::Files(project) => project.clone(),
        Scope::Labels(name) => from_labels(name, &containers, &known.version),
    };
    let services = if stop.no_deps {
        stop.services.iter().cloned().collect()
    } else {
        project.with_restarted(&stop.services)
    };
    let all_of_model = stop.services.is_empty();
    let wanted = |c: &&ContainerSummary| {
        let own = service(c);
        if all_of_model { project.services.contains_key(own) } else { services.contains(own) }
    };
    containers.into_iter().filter(wanted).collect()
}

fn add_providers(steps: &mut Steps, scope: &Scope, services: &[String], stops: bool) {
    if let (true, Scope::Files(project)) = (stops, scope) {
        let named: BTreeSet<String> = project
            .services
            .keys()
            .filter(|name| services.is_empty() || services.contains(name))
            .cloned()
            .collect();
        for provider in project.unknown_providers(&named) {
            let text =
                format!("compose runs the provider program of service {provider}, which may do anything");
            steps.undetermined.push(text);
        }
    }
}

/// What a stop, kill or restart does; `None` where its signal ends nothing.
pub(super) fn ending(how: StopKind, timeout: Option<i64>, signal: Option<&str>) -> Option<Does> {
    let signal = signal.map(|name| name.trim_start_matches("SIG").trim_start_matches("sig").to_uppercase());
    match (how, signal.as_deref()) {
        (StopKind::Kill, None | Some("KILL" | "9" | "")) => Some(Does::Kill),
        // Signals that servers reload or log at.
        (
            StopKind::Kill,
            Some("HUP" | "1" | "USR1" | "10" | "USR2" | "12" | "WINCH" | "28" | "CONT" | "18"),
        ) => None,
        // Any other may end it, in order or not: judged as the worse.
        (StopKind::Kill, Some(signal)) if is_orderly(signal) => Some(Does::Stop { timeout: Some(-1) }),
        (StopKind::Kill, Some(_)) => Some(Does::Kill),
        (StopKind::Stop, Some(signal)) if !is_orderly(signal) => Some(Does::Kill),
        (StopKind::Stop, _) => Some(Does::Stop { timeout }),
        (StopKind::Restart, Some(signal)) if !is_orderly(signal) => Some(Does::Restart { timeout: Some(0) }),
        (StopKind::Restart, _) => Some(Does::Restart { timeout }),
    }
}

#[cfg(test)]
#[path = "compose_tests.rs"]
mod tests;
