//! Restores out of a snapshot beside what is there: into a new volume, or a dump into a new database.
//! Nothing that exists is ever written to.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    copy,
    dump::{self, Server},
    progress::Progress,
    recipe::completed,
    snapshot::SnapshotError,
    verify::{copy_of, fill_layer, fill_volume, isolated_body},
};
use crate::{
    docker::{
        archive::Place,
        engine::Engine,
        scratch::{Helper, Sight},
    },
    engines::recipe::recipe as engine_recipe,
    model::{
        container::Labels,
        manifest::{Artifact, ArtifactKind, ContainerRecipe, Item},
    },
    store::{Stored, StoredFile, fault_of},
};

/// Says on what was restored, out of which snapshot it is.
pub(super) const RESTORED_FROM: &str = "dbsafe.restored-from";

/// One copy that can stand in a volume of its own.
#[derive(Debug, Clone, Copy)]
pub struct Copy<'a> {
    pub item: &'a Item,
    pub artifact: &'a Artifact,
}

/// The copies of data in a snapshot: volumes and data directories.
#[must_use]
pub fn copies(stored: &Stored) -> Vec<Copy<'_>> {
    let of = |item| move |artifact| Copy { item, artifact };
    let items = stored.manifest.items.iter();
    items
        .flat_map(|item| item.artifacts.iter().map(of(item)))
        .filter(|copy| copy.artifact.kind == ArtifactKind::PhysicalCopy)
        .collect()
}

/// Restores a copy into a volume, which it creates. A data directory becomes the volume's root.
///
/// # Errors
/// Where the volume exists, the copy is damaged, or the engine refuses; the volume is removed again then.
pub async fn into_volume(
    engine: &Engine,
    stored: &Stored,
    copy: Copy<'_>,
    volume: &str,
    progress: &Arc<dyn Progress>,
) -> Result<(), SnapshotError> {
    if engine.volume(volume).await?.is_some() {
        return Err(SnapshotError::Refused(format!(
            "the volume {volume} exists already: it is not written to"
        )));
    }
    check(stored, copy.artifact, progress).await?;
    progress.stage(&format!("restoring into {volume}"), Some(copy.artifact.content_bytes));
    let labels = Labels::from([(RESTORED_FROM.to_owned(), stored.manifest.id.clone())]);
    engine.create_volume(volume, "local", &Labels::new(), &labels).await?;
    let file = stored.file(copy.artifact);
    let filled = match &copy.artifact.parent {
        None => fill_volume(engine, volume, &file, copy.artifact, progress).await,
        Some(_) => fill_from_folder(engine, volume, &file, copy.artifact, progress).await,
    };
    progress.end();
    if filled.is_err() {
        // Ours, and of no use to anybody.
        let _ = engine.remove_volume(volume).await;
    }
    filled
}

/// A data directory's archive has the directory's name as its root: it is unpacked in a helper that mounts
/// the volume there.
pub(super) async fn fill_from_folder(
    engine: &Engine,
    volume: &str,
    file: &StoredFile,
    artifact: &Artifact,
    progress: &Arc<dyn Progress>,
) -> Result<(), SnapshotError> {
    let Some(root) = artifact.root.as_deref().filter(|root| !root.contains('/') && *root != "..") else {
        return Err(SnapshotError::Refused("the copy has no root".to_owned()));
    };
    let sight = Sight {
        volumes: vec![volume.to_owned()],
        writable: true,
        at: Some(format!("/v/{root}")),
        ..Sight::default()
    };
    let helper = Helper::create(engine, &sight).await?;
    let place = Place::new(engine, helper.container(), "/v");
    let unpacked = copy::upload(&place, file, Some(root), &[], progress).await;
    helper.remove().await;
    unpacked?;
    Ok(())
}

/// Restores a container under a new name, with copies of its volumes, and starts it: on no network, with no port, so
/// that it can run beside the old one. `environment` is what the snapshot does not hold, where it came from another
/// host: `NAME=VALUE` each. Returns the names of the volumes that it has.
///
/// # Errors
/// Where the name is taken, a copy is damaged, or the engine refuses; what was made is removed again then.
pub async fn into_container(
    engine: &Engine,
    stored: &Stored,
    recipe: &ContainerRecipe,
    name: &str,
    environment: &[String],
    progress: &Arc<dyn Progress>,
) -> Result<Vec<String>, SnapshotError> {
    if engine.container(name).await?.is_some() {
        return Err(SnapshotError::Refused(format!("there is a container {name} already")));
    }
    let mut made = (None, Vec::new());
    let result = make_container(engine, stored, recipe, name, environment, progress, &mut made).await;
    progress.end();
    let (container, volumes) = made;
    match result {
        Ok(()) => Ok(volumes),
        Err(error) => {
            // Ours, and of no use to anybody.
            if let Some(container) = container {
                let _ = engine.discard_container(&container).await;
            }
            for volume in volumes {
                let _ = engine.remove_volume(&volume).await;
            }
            Err(error)
        }
    }
}

async fn make_container(
    engine: &Engine,
    stored: &Stored,
    recipe: &ContainerRecipe,
    name: &str,
    environment: &[String],
    progress: &Arc<dyn Progress>,
    made: &mut (Option<String>, Vec<String>),
) -> Result<(), SnapshotError> {
    let mut secrets = stored.secrets()?;
    let own = completed(recipe, secrets.get(&recipe.id), environment)?;
    secrets.insert(recipe.id.clone(), own);
    let mut mounts = Vec::new();
    for (index, (destination, old)) in recipe.volumes.iter().enumerate() {
        let Some(artifact) = copy_of(&stored.manifest, old) else { continue };
        let item = stored.manifest.items.iter().find(|item| item.artifacts.contains(artifact));
        let Some(item) = item else { continue };
        let volume = format!("{name}-{index}");
        into_volume(engine, stored, Copy { item, artifact }, &volume, progress).await?;
        made.1.push(volume.clone());
        mounts.push(json!({
            "Type": "volume", "Source": volume, "Target": destination, "VolumeOptions": {"NoCopy": true},
        }));
    }
    for item in stored.manifest.items.iter().filter(|item| item.target.id == recipe.id) {
        for artifact in item.artifacts.iter().filter(|artifact| artifact.parent.is_some()) {
            check(stored, artifact, progress).await?;
        }
    }
    let labels = json!({RESTORED_FROM: stored.manifest.id});
    let body = Value::Object(isolated_body(recipe, &secrets, mounts, labels));
    let id = engine.create_container_raw(Some(name), &body).await?;
    made.0 = Some(id.clone());
    progress.stage(&format!("restoring into {name}"), None);
    fill_layer(engine, &id, &stored.files(), &stored.manifest, &recipe.id, progress).await?;
    engine.start(&id).await?;
    Ok(())
}

pub(super) async fn check(
    stored: &Stored,
    artifact: &Artifact,
    progress: &Arc<dyn Progress>,
) -> Result<(), SnapshotError> {
    stored.file(artifact).unlock()?;
    progress.stage("reading the snapshot", Some(artifact.bytes));
    let (path, artifact, meter) =
        (stored.folder.join(&artifact.file), artifact.clone(), Arc::clone(progress));
    let name = artifact.file.clone();
    let reading =
        tokio::task::spawn_blocking(move || fault_of(&path, &artifact, &mut |bytes| meter.advance(bytes)));
    match reading.await.map_err(|_panicked| SnapshotError::Refused("reading it failed".to_owned()))? {
        None => Ok(()),
        Some(fault) => Err(SnapshotError::NotProved(format!("{name}: {fault}"))),
    }
}

/// Loads the dump of one database into a running container's server, as a database that it creates.
///
/// # Errors
/// Where there is no such dump, a database of that name exists, or the server refuses.
pub async fn into_database(
    engine: &Engine,
    stored: &Stored,
    database: &str,
    container: &str,
    new_name: &str,
    progress: &Arc<dyn Progress>,
) -> Result<(), SnapshotError> {
    let refused = |sentence: String| Err(SnapshotError::Refused(sentence));
    let items = stored.manifest.items.iter();
    let mut dumps = items.flat_map(|item| item.artifacts.iter().map(move |artifact| (item, artifact)));
    let Some((item, artifact)) = dumps.find(|(_, artifact)| {
        artifact.kind == ArtifactKind::LogicalDump && artifact.database.as_deref() == Some(database)
    }) else {
        return refused(format!("the snapshot has no dump of a database {database:?}"));
    };
    let load = item.engine.as_deref().and_then(engine_recipe).and_then(|recipe| recipe.load);
    let Some(load) = load else { return refused("this kind of dump cannot be loaded by itself".to_owned()) };
    let Some(target) = engine.container(container).await?.filter(|found| found.state.has_processes()) else {
        return refused(format!("there is no running container {container}"));
    };
    check(stored, artifact, progress).await?;
    progress.stage(&format!("loading {database} into {}", target.name), None);
    let name = format!("dbsafe-restore-{}", artifact.sha256.get(..16).unwrap_or("dump"));
    let place = Place::new(engine, &target.id, "/tmp");
    copy::put_file(&place, &stored.file(artifact), &name, (0, 0)).await?;
    let server =
        Server { container: target.id.clone(), data: item.path.clone(), arguments: target.command.join(" ") };
    let path = format!("/tmp/{name}");
    let more = [("DBSAFE_FILE", path.as_str()), ("DBSAFE_DATABASE", new_name)];
    let loaded = dump::ask(engine, &server, load, &more).await;
    let remove = server.exec("rm -f -- \"$DBSAFE_FILE\"", &more);
    // A file in /tmp is all that is left, should the container have ended meanwhile.
    let _ = engine.exec(&target.id, remove, std::time::Duration::from_secs(10), 1 << 16).await;
    progress.end();
    loaded.map(drop)
}
