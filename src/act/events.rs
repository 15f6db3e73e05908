//! Compares what the engine destroyed with what was planned. A difference is a bug of ours, and said.

use std::{collections::HashSet, time::Duration};

use futures_util::StreamExt as _;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::{
    docker::{
        engine::{Engine, is_helper},
        events::Destroyed,
    },
    model::{
        container::label,
        plan::{Fate, Plan, PlannedContainer},
    },
};

/// How long the events of a command that succeeded are waited for.
const LATE: Duration = Duration::from_millis(300);

/// Listens from before the command runs.
pub struct Watch {
    events: Option<UnboundedReceiver<Destroyed>>,
}

impl Watch {
    /// Subscribes. Without events nothing can be compared, and the guard has done its work all the same.
    pub async fn start(engine: &Engine) -> Self {
        let Ok(stream) = engine.destructions().await else { return Self { events: None } };
        let (sender, events) = unbounded_channel();
        tokio::spawn(async move {
            let mut stream = Box::pin(stream);
            while let Some(event) = stream.next().await {
                if sender.send(event).is_err() {
                    break;
                }
            }
        });
        Self { events: Some(events) }
    }

    /// The differences between plan and events, each as a sentence.
    pub async fn compare(self, plan: &Plan, succeeded: bool) -> Vec<String> {
        let Some(mut events) = self.events else { return Vec::new() };
        let expected = expected(plan);
        let mut missing: HashSet<&(bool, String)> = expected.iter().collect();
        let mut surprises = Vec::new();
        let deadline = tokio::time::Instant::now() + LATE;
        loop {
            let event = if missing.is_empty() || !succeeded {
                // Everything was seen, or nobody knows how far the command came: take what is there.
                match events.try_recv() {
                    Ok(event) => event,
                    Err(_none) => break,
                }
            } else {
                match tokio::time::timeout_at(deadline, events.recv()).await {
                    Ok(Some(event)) => event,
                    Ok(None) | Err(_) => break,
                }
            };
            let key = (event.is_volume, event.id.clone());
            if !missing.remove(&key) && !expected.contains(&key) && concerns(plan, &event) {
                surprises.push(event);
            }
        }
        let mut said: Vec<String> = surprises.iter().map(surprise).collect();
        let may_stay = |id: &String| {
            let container = plan.possible.contains(id);
            container
                || plan
                    .containers
                    .iter()
                    .any(|p| plan.possible.contains(&p.container.id) && has_volume(p, id))
        };
        missing.retain(|(_, id)| !may_stay(id));
        if succeeded && !missing.is_empty() {
            let names: Vec<&str> = missing.iter().map(|(_, id)| crate::report::words::short(id)).collect();
            said.push(format!("docker left alone what it was expected to remove: {}", names.join(", ")));
        }
        said
    }
}

fn surprise(event: &Destroyed) -> String {
    let kind = if event.is_volume { "volume" } else { "container" };
    let name = event.attributes.get("name").map_or(event.id.as_str(), String::as_str);
    format!("the {kind} {name} was removed too, which the plan did not foresee; please report this")
}

fn has_volume(planned: &PlannedContainer, volume: &str) -> bool {
    planned.container.mounts.iter().any(|mount| mount.volume.as_deref() == Some(volume))
}

/// What the plan says will be destroyed, as (is a volume, id).
fn expected(plan: &Plan) -> HashSet<(bool, String)> {
    let mut expected = HashSet::new();
    for planned in &plan.containers {
        if planned.fate == Fate::Destroyed {
            expected.insert((false, planned.container.id.clone()));
        }
        for mount in planned.mounts.iter().filter(|mount| mount.fate == Fate::Destroyed) {
            let found = planned.container.mounts.iter().find(|m| m.destination == mount.destination);
            expected.extend(found.and_then(|m| m.volume.clone()).map(|volume| (true, volume)));
        }
    }
    let volumes = plan.volumes.iter().filter(|planned| planned.fate == Fate::Destroyed);
    expected.extend(volumes.map(|planned| (true, planned.volume.name.clone())));
    expected
}

/// Whether an unforeseen event can be this command's doing: other people use the engine too.
fn concerns(plan: &Plan, event: &Destroyed) -> bool {
    if is_helper(&event.attributes) {
        return false;
    }
    let planned = plan.containers.iter();
    if event.is_volume {
        return planned.clone().any(|p| has_volume(p, &event.id))
            || plan.volumes.iter().any(|p| p.volume.name == event.id);
    }
    // A one-off of `compose run` that the plan does not know was made by the command itself.
    let one_off = event.attributes.get(label::ONE_OFF).is_some_and(|value| value == "True");
    let project = event.attributes.get(label::PROJECT).filter(|_| !one_off).map(String::as_str);
    planned
        .clone()
        .any(|p| p.container.id == event.id || project.is_some() && p.container.project() == project)
}
