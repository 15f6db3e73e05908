//! Takes back what a guarded command removed: networks, volumes with their data, containers with theirs.
//! It never overwrites: whatever is in the way stops it before it has done anything.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{
    progress::Progress,
    recipe,
    snapshot::SnapshotError,
    verify::{copy_of, fill_layer, fill_volume},
};
use crate::{
    cancel::Cancellation,
    docker::{
        engine::Engine,
        scratch::{run_token, sweep_run},
    },
    model::{
        container::label,
        manifest::{Artifact, ContainerRecipe, NetworkRecipe, VolumeRecipe},
    },
    store::{Outcome, Secrets, Store, Stored, verify_files},
};

/// What to take back.
pub struct Request<'a> {
    pub engine: &'a Engine,
    pub store: &'a Store,
    pub stored: &'a Stored,
    pub progress: Arc<dyn Progress>,
    pub cancellation: &'a Cancellation,
    pub now: fn() -> Timestamp,
}

/// Takes a command back, and says what it did, a sentence each.
///
/// # Errors
/// Where something is in the way, the snapshot is damaged, or the engine refuses. What was made until then
/// is removed again.
pub async fn undo(request: &Request<'_>) -> Result<Vec<String>, SnapshotError> {
    let made = Made::default();
    // Who cancels must not drop us before what was made is removed.
    let _ours = request.cancellation.hand_over();
    let result = tokio::select! {
        biased;
        () = request.cancellation.cancelled() => Err(SnapshotError::Cancelled),
        result = work(request, &made) => result,
    };
    request.progress.end();
    if result.is_err() {
        made.remove(request.engine).await;
    }
    sweep_run(request.engine, run_token()).await;
    result
}

/// What was made on the engine, to be removed should the rest fail.
#[derive(Default)]
struct Made {
    containers: std::sync::Mutex<Vec<String>>,
    volumes: std::sync::Mutex<Vec<String>>,
    networks: std::sync::Mutex<Vec<String>>,
}

fn push(list: &std::sync::Mutex<Vec<String>>, name: &str) {
    list.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(name.to_owned());
}

fn drain(list: &std::sync::Mutex<Vec<String>>) -> Vec<String> {
    std::mem::take(&mut *list.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
}

impl Made {
    async fn remove(&self, engine: &Engine) {
        // Not their volumes: those have names, and only those that we made may go.
        for container in drain(&self.containers) {
            let _ = engine.remove_container(&container).await;
        }
        for volume in drain(&self.volumes) {
            let _ = engine.remove_volume(&volume).await;
        }
        for network in drain(&self.networks) {
            let _ = engine.remove_network(&network).await;
        }
    }
}

/// What is missing, and so is to be made.
struct Missing<'a> {
    networks: Vec<&'a NetworkRecipe>,
    volumes: Vec<(&'a VolumeRecipe, Option<&'a Artifact>)>,
    containers: Vec<(&'a ContainerRecipe, String)>,
    /// Those that are there, and ran before.
    stopped: Vec<&'a ContainerRecipe>,
}

async fn work(request: &Request<'_>, made: &Made) -> Result<Vec<String>, SnapshotError> {
    let manifest = &request.stored.manifest;
    request.stored.unlock()?;
    let secrets = request.stored.secrets()?;
    let missing = look(request, &secrets).await?;
    check_files(request).await?;
    let mut said = Vec::new();
    for network in missing.networks {
        push(&made.networks, &network.name);
        request.engine.create_network(&network.body).await?;
        said.push(format!("network {} is back", network.name));
    }
    for (volume, copy) in missing.volumes {
        request
            .progress
            .stage(&format!("restoring volume {}", volume.name), copy.map(|copy| copy.content_bytes));
        push(&made.volumes, &volume.name);
        request.engine.create_volume(&volume.name, &volume.driver, &volume.options, &volume.labels).await?;
        // What a driver's options point at outlived the volume.
        let outlived = volume.options.contains_key("device");
        match copy.filter(|_| !outlived) {
            Some(copy) => {
                let file = request.stored.file(copy);
                fill_volume(request.engine, &volume.name, &file, copy, &request.progress).await?;
                said.push(format!("volume {} is back with its data", volume.name));
            }
            None => said.push(format!("volume {} is back", volume.name)),
        }
    }
    let mut to_start: Vec<(&ContainerRecipe, String)> = Vec::new();
    for (container, image) in &missing.containers {
        request.progress.stage(&format!("restoring {}", container.name), None);
        let id = create(request, container, secrets.get(&container.id), image, made).await?;
        fill_layer(request.engine, &id, &request.stored.files(), manifest, &container.id, &request.progress)
            .await?;
        if container.was_running {
            to_start.push((container, id));
        }
        said.push(format!("container {} is back", container.name));
    }
    to_start.extend(missing.stopped.iter().map(|recipe| (*recipe, recipe.id.clone())));
    for (recipe, id) in in_order(to_start) {
        request.progress.stage(&format!("starting {}", recipe.name), None);
        // From here on everything is where it was: a container that does not start is a container to look at,
        // and no reason to take its data away again.
        match request.engine.start(&id).await {
            Ok(()) => said.push(format!("{} runs again", recipe.name)),
            Err(error) => said.push(format!("{} does not start: {error}", recipe.name)),
        }
    }
    for list in [&made.containers, &made.volumes, &made.networks] {
        drain(list);
    }
    if let Some(outcome) = request.stored.outcome() {
        request
            .store
            .record_outcome(request.stored, &Outcome { undone: Some((request.now)()), ..outcome })?;
    }
    if said.is_empty() {
        said.push("everything is still there".to_owned());
    }
    Ok(said)
}

/// Finds out what is missing, and what is in the way. Changes nothing.
async fn look<'a>(request: &'a Request<'_>, secrets: &Secrets) -> Result<Missing<'a>, SnapshotError> {
    let (engine, manifest) = (request.engine, &request.stored.manifest);
    let mut missing =
        Missing { networks: Vec::new(), volumes: Vec::new(), containers: Vec::new(), stopped: Vec::new() };
    let there: BTreeMap<String, String> =
        engine.volumes().await?.into_iter().map(|volume| (volume.name, volume.created)).collect();
    for volume in &manifest.volumes {
        let copy = copy_of(manifest, &volume.name);
        match there.get(&volume.name) {
            Some(created) if *created == volume.created => {}
            Some(_) => {
                return Err(SnapshotError::Refused(format!(
                    "there is another volume {} by now; its data would be overwritten",
                    volume.name
                )));
            }
            None => missing.volumes.push((volume, copy)),
        }
    }
    for network in &manifest.networks {
        if engine.network_raw(&network.name).await?.is_none() {
            missing.networks.push(network);
        }
    }
    for container in &manifest.containers {
        for volume in container.volumes.values() {
            let known = manifest.volumes.iter().any(|recipe| recipe.name == *volume);
            if !known && !there.contains_key(volume) {
                return Err(SnapshotError::Refused(format!(
                    "the volume {volume} of {} is gone, and was not part of this snapshot",
                    container.name
                )));
            }
        }
        match engine.container(&container.name).await? {
            Some(found) if found.id == container.id => {
                if container.was_running && !found.state.has_processes() {
                    missing.stopped.push(container);
                }
            }
            Some(_) => {
                return Err(SnapshotError::Refused(format!(
                    "there is another container {} by now",
                    container.name
                )));
            }
            None => {
                if !secrets.contains_key(&container.id) {
                    return Err(SnapshotError::Refused(format!(
                        "the environment of {} stayed on the host that the snapshot was made on",
                        container.name
                    )));
                }
                missing.containers.push((container, image_of(engine, container).await?));
            }
        }
    }
    Ok(missing)
}

/// The reference to create a container from: its own where it still means the same image.
async fn image_of(engine: &Engine, container: &ContainerRecipe) -> Result<String, SnapshotError> {
    let named = engine.image_raw(&container.image).await?;
    if named.is_some_and(|image| image["Id"].as_str() == Some(&container.image_id)) {
        return Ok(container.image.clone());
    }
    if engine.image_raw(&container.image_id).await?.is_some() {
        return Ok(container.image_id.clone());
    }
    let pull = container.image_digests.first().unwrap_or(&container.image);
    Err(SnapshotError::Refused(format!(
        "the image of {} is gone: get it again with docker pull {pull}",
        container.name
    )))
}

async fn check_files(request: &Request<'_>) -> Result<(), SnapshotError> {
    request.progress.stage("reading the snapshot", Some(request.stored.bytes()));
    let (stored, progress) = (request.stored.clone(), Arc::clone(&request.progress));
    let reading =
        tokio::task::spawn_blocking(move || verify_files(&stored, &mut |bytes| progress.advance(bytes)));
    let faults = reading.await.map_err(|_panicked| SnapshotError::Refused("reading it failed".to_owned()))?;
    match faults.first() {
        None => Ok(()),
        Some(fault) => Err(SnapshotError::NotProved(format!("{}: {}", fault.file, fault.fault))),
    }
}

async fn create(
    request: &Request<'_>,
    recipe: &ContainerRecipe,
    secrets: Option<&crate::store::ContainerSecrets>,
    image: &str,
    made: &Made,
) -> Result<String, SnapshotError> {
    let mut networks = recipe.networks.as_object().cloned().unwrap_or_default();
    // The first is that of its mode, where it is on that; engines before 25 take one at a creation.
    let mode = recipe.host_config["NetworkMode"].as_str().unwrap_or_default();
    let first = networks.keys().find(|name| *name == mode).or(networks.keys().next()).cloned();
    let mut at_creation = Map::new();
    if let Some(name) = first
        && let Some(endpoint) = networks.remove(&name)
    {
        at_creation.insert(name, endpoint);
    }
    let predefined = |name: &String| ["host", "none"].contains(&name.as_str());
    at_creation.retain(|name, _| !predefined(name));
    let body = recipe::creation(recipe, secrets, image, &Value::Object(at_creation));
    let id = request.engine.create_container_raw(Some(&recipe.name), &body).await?;
    push(&made.containers, &id);
    for (name, endpoint) in networks.iter().filter(|(name, _)| !predefined(name)) {
        request.engine.connect_network(name, &id, endpoint).await?;
    }
    Ok(id)
}

/// Those first that others depend on.
fn in_order(mut left: Vec<(&ContainerRecipe, String)>) -> Vec<(&ContainerRecipe, String)> {
    let mut ordered = Vec::new();
    while !left.is_empty() {
        let free = |one: &ContainerRecipe| !left.iter().any(|(other, _)| depends(one, other));
        let index = left.iter().position(|(one, _)| free(one)).unwrap_or(0);
        ordered.push(left.remove(index));
    }
    ordered
}

fn depends(one: &ContainerRecipe, other: &ContainerRecipe) -> bool {
    let Some(names) = one.labels.get(label::DEPENDS_ON) else { return false };
    let service = other.labels.get(label::SERVICE).map(String::as_str);
    one.id != other.id
        && one.labels.get(label::PROJECT) == other.labels.get(label::PROJECT)
        && names.split(',').any(|name| name.split(':').next() == service)
}
