//! What the checks find on an engine: in how its containers are set up, and around the data that was seen.

use std::collections::{HashMap, HashSet};

use super::app::App;
use crate::{
    checks::{self, from_container, named_files},
    inspect::scripts,
    model::{
        check::Situation,
        container::{Container, Labels, Volume},
        evidence::{Evidence, TargetKind, TargetRef},
        plan::Plan,
        setup::Setup,
        verdict::Finding,
    },
    settings::Settings,
};

/// Everything that was looked at.
pub(super) struct Looked<'a> {
    pub(super) plan: &'a Plan,
    pub(super) evidence: &'a [Evidence],
    /// Every volume of the engine.
    pub(super) volumes: &'a [Volume],
    /// The names of those that a container uses.
    pub(super) used: &'a HashSet<&'a str>,
}

/// The findings of all checks, beside what the judgement says.
pub(super) async fn findings(app: &App, settings: &Settings, looked: &Looked<'_>) -> Vec<Finding> {
    let containers = looked.plan.containers.iter().map(|planned| &planned.container);
    let mut setups: Vec<Setup> = containers.clone().map(from_container::setup).collect();
    scripts::note_changes(&app.engine, &mut setups).await;
    read_files(app, &mut setups).await;
    let mut found = of_setups(settings, looked.plan, &setups);
    let by_name: HashMap<&str, &Volume> =
        looked.volumes.iter().map(|volume| (volume.name.as_str(), volume)).collect();
    let by_id: HashMap<&str, &Setup> =
        setups.iter().filter_map(|setup| Some((setup.id.as_deref()?, setup))).collect();
    for seen in looked.evidence {
        let setup = by_id.get(seen.target.id.as_str()).filter(|_| seen.target.kind == TargetKind::Container);
        let name = match (&seen.volume, seen.target.kind) {
            (Some(volume), _) => Some(volume.as_str()),
            (None, TargetKind::Volume) => Some(seen.target.id.as_str()),
            (None, TargetKind::Container) => None,
        };
        let situation = Situation {
            seen,
            setup: setup.copied(),
            all: &setups,
            volume: name.and_then(|name| by_name.get(name).copied()),
            is_used: name.is_some_and(|name| looked.used.contains(name)),
            now: app.now(),
        };
        found.extend(checks::of_data(&situation).into_iter().map(|raised| {
            let mut finding = raised.into_finding(seen.target.clone(), Some(&seen.path));
            finding.suppressed = settings.accepts_data(looked.plan, seen, &finding);
            finding
        }));
    }
    found
}

/// Reads the files that say more of a container than its description.
async fn read_files(app: &App, setups: &mut [Setup]) {
    let id = |setup: &Setup| setup.id.clone().unwrap_or_default();
    let wanted: Vec<(String, String)> = setups
        .iter()
        .flat_map(|setup| named_files::wanted(setup).into_iter().map(move |path| (id(setup), path)))
        .collect();
    let read = scripts::read(&app.engine, &wanted, named_files::LIMIT).await;
    let by_id: HashMap<String, usize> =
        setups.iter().enumerate().map(|(at, setup)| (id(setup), at)).collect();
    for ((container, path), bytes) in wanted.into_iter().zip(read) {
        if let (Some(at), Some(bytes)) = (by_id.get(&container), bytes) {
            named_files::note(&mut setups[*at], path, bytes);
        }
    }
}

/// Containers see the services of their own project alone.
fn of_setups(settings: &Settings, plan: &Plan, setups: &[Setup]) -> Vec<Finding> {
    let mut projects: HashMap<&str, Vec<Setup>> = HashMap::new();
    for setup in setups {
        // Without a project a container has nobody beside it.
        let key = setup.project.as_deref().or(setup.id.as_deref()).unwrap_or(&setup.name);
        projects.entry(key).or_default().push(setup.clone());
    }
    let mut found = Vec::new();
    let containers = plan.containers.iter().map(|planned| &planned.container);
    let by_name: HashMap<&str, &Container> =
        containers.map(|container| (container.name.as_str(), container)).collect();
    for raised in projects.values().flat_map(|project| checks::of_setups(project)) {
        let Some(&container) = by_name.get(raised.name.as_str()) else { continue };
        let mut finding = raised.into_finding(TargetRef::of_container(container), None);
        finding.suppressed = settings.accepts_setup(container, &finding);
        found.push(finding);
    }
    found.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.target.cmp(&b.target)));
    found
}

/// The names and labels of what was looked at.
pub(super) fn labelled<'a>(plan: &'a Plan, volumes: &'a [Volume]) -> Vec<(&'a str, &'a Labels)> {
    let containers = plan.containers.iter().map(|planned| &planned.container);
    let containers = containers.map(|container| (container.name.as_str(), &container.labels));
    let volumes = volumes.iter().map(|volume| (volume.name.as_str(), &volume.labels));
    containers.chain(volumes).collect()
}
