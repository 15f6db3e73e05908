//! Which containers and volumes compose's commands take, as compose chooses them. Facts from docker/compose
//! `pkg/compose/{down,remove,stop,kill,restart}.go`, each with a scenario in `tests/plan.rs`.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    project::Project,
    simulate::{Does, Step, VolumeStep},
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

/// The steps of a command.
#[derive(Debug, Default)]
pub(super) struct Steps {
    pub(super) containers: Vec<Step>,
    pub(super) volumes: Vec<VolumeStep>,
    pub(super) notes: Vec<String>,
    pub(super) undetermined: Vec<String>,
}

/// Containers of a project as compose lists them: with a config hash, one-offs or not.
fn listed<'a>(all: &'a [ContainerSummary], project: &str, one_offs: bool) -> Vec<&'a ContainerSummary> {
    let of_project = |c: &&ContainerSummary| {
        c.labels.get(label::PROJECT).is_some_and(|name| name == project)
            && c.labels.contains_key(label::CONFIG_HASH)
    };
    let wanted = |c: &&ContainerSummary| {
        one_offs || c.labels.get(label::ONE_OFF).is_some_and(|value| value == "False")
    };
    all.iter().filter(of_project).filter(wanted).collect()
}

fn is_one_off(container: &ContainerSummary) -> bool {
    container.labels.get(label::ONE_OFF).is_some_and(|value| value == "True")
}

fn service(container: &ContainerSummary) -> &str {
    container.labels.get(label::SERVICE).map(String::as_str).unwrap_or_default()
}

/// The project as its containers' labels tell it.
fn from_labels(name: &str, containers: &[&ContainerSummary]) -> Project {
    let mut project = Project { name: name.to_owned(), ..Project::default() };
    for container in containers.iter().filter(|container| !is_one_off(container)) {
        // Without the label compose takes the container's name for its service.
        let own = container.labels.get(label::SERVICE).map_or(container.name.as_str(), String::as_str);
        let entry = project.services.entry(own.to_owned()).or_default();
        let needs = container.labels.get(label::DEPENDS_ON).map(String::as_str).unwrap_or_default();
        let names =
            needs.split(',').filter_map(|need| need.split(':').next()).filter(|name| !name.is_empty());
        entry.depends_on.extend(names.map(|name| (name.to_owned(), serde_json::Value::Null)));
    }
    project
}

/// `down`.
pub(super) fn down(
    down: &ComposeDown,
    scope: &Scope,
    all: &[ContainerSummary],
    volumes: &BTreeMap<String, Volume>,
    remove_orphans: bool,
) -> Steps {
    let mut steps = Steps::default();
    let name = scope.name();
    let containers = listed(all, &name, remove_orphans);
    let project = match scope {
        Scope::Files(project) => project.clone(),
        Scope::Labels(_) => from_labels(&name, &containers),
    };
    let known: Vec<String> =
        down.services.iter().filter(|s| project.services.contains_key(*s)).cloned().collect();
    if !down.services.is_empty() && known.is_empty() {
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
            steps.containers.push(Step { id: container.id.clone(), does, cause });
        } else if remove_orphans && is_orphan(container, &project) {
            let does = Does::StopAndRemove { timeout: down.timeout, volumes: false };
            let cause = format!("an orphan of project {name}, taken by --remove-orphans");
            steps.containers.push(Step { id: container.id.clone(), does, cause });
        }
    }
    for container in hooks(all, &name, &known) {
        let does = Does::Remove { force: true, volumes: true };
        let cause = "a left-over hook container of the project".to_owned();
        steps.containers.push(Step { id: container.id.clone(), does, cause });
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
fn is_orphan(container: &ContainerSummary, project: &Project) -> bool {
    if is_one_off(container) {
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

/// The containers that `rm`, `stop`, `kill` and `restart` look at.
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
pub(super) fn rm(rm: &ComposeRm, scope: &Scope, all: &[ContainerSummary]) -> Steps {
    let mut steps = Steps::default();
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
        steps.containers.push(Step { id: container.id.clone(), does, cause });
    }
    add_providers(&mut steps, scope, rm.stop);
    steps
}

/// `stop`, `kill`, `restart`.
pub(super) fn stop(stop: &ComposeStop, scope: &Scope, all: &[ContainerSummary]) -> Steps {
    let mut steps = Steps::default();
    let does = ending(stop.how, stop.timeout, stop.signal.as_deref());
    let Some(does) = does else {
        steps.notes.push("the signal ends no process".to_owned());
        return steps;
    };
    let mut targets = chosen(scope, &stop.services, all);
    if stop.remove_orphans {
        // `kill` takes the containers of services that are not in the model, too.
        targets = listed(all, &scope.name(), false);
    }
    for container in targets {
        let cause = format!("service {}", service(container));
        steps.containers.push(Step { id: container.id.clone(), does, cause });
    }
    add_providers(&mut steps, scope, stop.how == StopKind::Stop);
    steps
}

fn add_providers(steps: &mut Steps, scope: &Scope, stops: bool) {
    if let (true, Scope::Files(project)) = (stops, scope) {
        for provider in project.unknown_providers(&project.with_dependants(&[])) {
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
        (StopKind::Kill, Some("TERM" | "15" | "INT" | "2" | "QUIT" | "3")) => {
            Some(Does::Stop { timeout: Some(-1) })
        }
        (StopKind::Kill, Some(_)) => Some(Does::Kill),
        (StopKind::Stop | StopKind::Restart, _) => Some(Does::Stop { timeout }),
    }
}
