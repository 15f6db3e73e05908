//! Moves a service's data into named volumes: saved and proved, copied, and served from there before the old place is
//! let go. Whatever fails, the old container runs again as it was.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{
    copy,
    keeper::Keeper,
    moves::Move,
    progress::Progress,
    restore::fill_from_folder,
    snapshot::{self, Failed, Mode, SnapshotError, Taken},
    undo, verify,
};
use crate::{
    cancel::Cancellation,
    docker::{
        archive::Place,
        engine::Engine,
        scratch::{Helper, Sight, run_token, sweep_run},
        tar_stream::TarScan,
    },
    model::{
        container::{Container, Labels, label},
        evidence::Evidence,
        manifest::{Artifact, ArtifactKind, EngineHost, VerificationMethod},
        plan::{Ending, Fate, Plan, PlannedContainer, PlannedMount},
    },
    store::{Outcome, Store, Stored, StoredFile},
};

/// Which compose made something, on the thing.
const COMPOSE_VERSION: &str = "com.docker.compose.version";
/// How long retention leaves alone what was moved away from.
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A volume that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVolume {
    /// As the compose file calls it.
    pub key: String,
    /// As the engine calls it.
    pub name: String,
    pub of: Move,
}

/// What is to be moved where.
pub struct Request<'a> {
    pub engine: &'a Engine,
    pub store: &'a Store,
    pub host: EngineHost,
    pub container: &'a Container,
    pub volumes: &'a [NewVolume],
    pub evidence: &'a [Evidence],
    pub command: Vec<String>,
    pub progress: Arc<dyn Progress>,
    pub cancellation: &'a Cancellation,
    pub now: fn() -> Timestamp,
}

/// What the surroundings do: the compose file and compose are not ours.
pub trait Project {
    /// Changes the file.
    ///
    /// # Errors
    /// Where it cannot be written, in a clause.
    fn change_file(&mut self) -> Result<(), String>;
    /// Has compose make the container anew.
    ///
    /// # Errors
    /// Where compose fails, in a clause.
    fn recreate(&mut self) -> impl Future<Output = Result<(), String>> + Send;
    /// Puts the file back as it was, where it was changed.
    ///
    /// # Errors
    /// Where it cannot be written, in a clause.
    fn restore_file(&mut self) -> Result<(), String>;
}

/// What was done.
#[derive(Debug)]
pub struct Migrated {
    pub snapshot: Stored,
    /// What was compared, in a clause.
    pub compared: String,
    /// Anonymous volumes that could not be let go, and why: a sentence each.
    pub left: Vec<String>,
}

/// The plan that the snapshot is of: the container goes, and the anonymous volumes that are moved.
#[must_use]
pub fn plan(container: &Container, volumes: &[NewVolume]) -> Plan {
    let moved = volumes.iter().filter(|volume| volume.of.anonymous.is_some());
    let mounts = moved.map(|volume| PlannedMount {
        destination: volume.of.destination.clone(),
        fate: Fate::Destroyed,
        cause: "moved into a volume with a name".to_owned(),
    });
    let planned = PlannedContainer {
        container: container.clone(),
        fate: Fate::Destroyed,
        ending: Ending::Untouched,
        cause: "made anew on the volume".to_owned(),
        mounts: mounts.collect(),
    };
    Plan { containers: vec![planned], ..Plan::default() }
}

/// Moves the data.
///
/// # Errors
/// Where any part of it fails: the old container runs again then, the compose file is as it was, and the new volumes are
/// gone, but for those that a server has written to.
pub async fn migrate(
    request: &Request<'_>,
    project: &mut impl Project,
    keeper: Option<Keeper>,
) -> Result<Migrated, Failed> {
    let plan = plan(request.container, request.volumes);
    let saving = snapshot::Request {
        engine: request.engine,
        store: request.store,
        host: request.host.clone(),
        purpose: format!("docker {}", request.command.join(" ")),
        command: request.command.clone(),
        plan: &plan,
        evidence: request.evidence,
        mode: Mode::Stop,
        dumps: true,
        verify: VerificationMethod::Restore,
        kept_until: Some((request.now)() + KEPT),
        progress: Arc::clone(&request.progress),
        cancellation: request.cancellation,
        now: request.now,
    };
    let taken = snapshot::take(&saving, keeper).await?;
    let stored = taken.stored.clone();
    let outcome = Outcome { handed_over: (request.now)(), status: None, undone: None };
    let mut made = Vec::new();
    let ready = or_cancelled(request, async {
        for volume in request.volumes {
            make(request, &stored, volume, &mut made).await?;
        }
        request.store.record_outcome(&stored, &outcome)?;
        Ok(())
    });
    let ready = ready.await.and_then(|()| project.change_file().map_err(SnapshotError::Refused));
    if let Err(error) = ready {
        return Err(give_up(request, project, taken, &made, error).await);
    }
    taken.hand_over();
    request.progress.end();
    let mut served = false;
    let done = async {
        project.recreate().await.map_err(SnapshotError::Refused)?;
        served = true;
        or_cancelled(request, compare(request, &stored)).await
    };
    let done = done.await;
    request.progress.end();
    match done {
        Ok(compared) => {
            taken.leave();
            let ended = Outcome { status: Some(0), undone: Some((request.now)()), ..outcome };
            let mut left = let_go(request).await;
            left.extend(request.store.record_outcome(&stored, &ended).err().map(|error| error.to_string()));
            Ok(Migrated { snapshot: stored, compared, left })
        }
        Err(error) => {
            let error = if request.cancellation.is_cancelled() { SnapshotError::Cancelled } else { error };
            let left = put_back(request, project, &stored, &made, served).await;
            taken.leave();
            Err(Failed { error, left })
        }
    }
}

async fn or_cancelled<T>(
    request: &Request<'_>,
    work: impl Future<Output = Result<T, SnapshotError>>,
) -> Result<T, SnapshotError> {
    tokio::select! {
        biased;
        () = request.cancellation.cancelled() => Err(SnapshotError::Cancelled),
        done = work => done,
    }
}

/// Nothing was handed to compose yet: the stopped container is still there.
async fn give_up(
    request: &Request<'_>,
    project: &mut impl Project,
    taken: Taken,
    made: &[String],
    error: SnapshotError,
) -> Failed {
    let stored = taken.stored.clone();
    let mut left: Vec<String> = project.restore_file().err().into_iter().collect();
    left.extend(taken.resume().await);
    sweep_run(request.engine, run_token()).await;
    remove_new(request, made).await;
    // It is of what runs again.
    let _ = request.store.remove(&stored, (request.now)());
    Failed { error, left }
}

/// Makes a volume as compose would, and fills it out of the snapshot, which was proved.
async fn make(
    request: &Request<'_>,
    stored: &Stored,
    volume: &NewVolume,
    made: &mut Vec<String>,
) -> Result<(), SnapshotError> {
    let (engine, name) = (request.engine, &volume.name);
    let mut labels = Labels::from([(label::VOLUME.to_owned(), volume.key.clone())]);
    for key in [label::PROJECT, COMPOSE_VERSION] {
        labels.extend(request.container.labels.get(key).map(|value| (key.to_owned(), value.clone())));
    }
    if engine.volume(name).await?.is_some() {
        return Err(SnapshotError::Refused(format!("there is a volume {name} by now")));
    }
    made.push(name.clone());
    engine.create_volume(name, "local", &Labels::new(), &labels).await?;
    let artifact = artifact_of(stored, &volume.of);
    let artifact = artifact.ok_or_else(|| {
        SnapshotError::Refused(format!("the snapshot has no copy of {}", volume.of.destination))
    })?;
    request.progress.stage(&format!("copying into {name}"), Some(artifact.content_bytes));
    let file = stored.file(artifact);
    match &artifact.parent {
        None => verify::fill_volume(engine, name, &file, artifact, &request.progress).await?,
        Some(_) => fill_from_folder(engine, name, &file, artifact, &request.progress).await?,
    }
    let sight = Sight { volumes: vec![name.clone()], writable: true, ..Sight::default() };
    let helper = Helper::create(engine, &sight).await?;
    let filled = async {
        read_back(&helper.volume(0), &file, artifact).await?;
        add_from_memory(&helper.volume(0), stored, &volume.of).await
    };
    let filled = filled.await;
    helper.remove().await;
    filled
}

/// The copy of what is moved.
fn artifact_of<'a>(stored: &'a Stored, of: &Move) -> Option<&'a Artifact> {
    if let Some(volume) = &of.anonymous {
        return verify::copy_of(&stored.manifest, volume);
    }
    let artifacts = stored.manifest.items.iter().flat_map(|item| &item.artifacts);
    artifacts.into_iter().find(|artifact| {
        let folder = artifact.parent.as_deref().zip(artifact.root.as_deref());
        artifact.kind == ArtifactKind::PhysicalCopy
            && folder.is_some_and(|(parent, root)| {
                format!("{}/{root}", parent.trim_end_matches('/')) == of.destination
            })
    })
}

/// Reads the new volume: everything that the copy has must be in it.
async fn read_back(place: &Place, file: &StoredFile, artifact: &Artifact) -> Result<(), SnapshotError> {
    use futures_util::StreamExt as _;
    let (file, root) = (file.clone(), artifact.root.clone());
    let reading = tokio::task::spawn_blocking(move || copy::inspect_archive(&file, root.as_deref()));
    let wanted =
        reading.await.map_err(|_panicked| SnapshotError::Refused("reading it failed".to_owned()))??;
    let mut body = place.stream("").await?.ok_or_else(|| copy::CopyError::Absent("/".to_owned()))?;
    let mut scan = TarScan::counting();
    while let Some(chunk) = body.next().await {
        scan.feed(&chunk?).map_err(copy::CopyError::from)?;
    }
    let found = scan.finish().map_err(copy::CopyError::from)?;
    if (found.entries, found.bytes) == (wanted.entries, wanted.bytes) {
        return Ok(());
    }
    Err(SnapshotError::NotProved(format!(
        "the new volume has {} entries and {} bytes, and not {} and {}",
        found.entries, found.bytes, wanted.entries, wanted.bytes
    )))
}

/// What only the server had, as the file that it reads at its start.
async fn add_from_memory(place: &Place, stored: &Stored, of: &Move) -> Result<(), SnapshotError> {
    for artifact in stored.manifest.items.iter().flat_map(|item| &item.artifacts) {
        let (ArtifactKind::Rdb, Some(parent), Some(name)) = (artifact.kind, &artifact.parent, &artifact.root)
        else {
            continue;
        };
        let Some(below) = parent.strip_prefix(of.destination.as_str()) else { continue };
        if !below.is_empty() && !below.starts_with('/') {
            continue;
        }
        let place = Place::new(&place.engine, &place.container, &format!("{}{below}", place.base));
        let owner = place.owner("").await?.unwrap_or((0, 0));
        copy::put_file(&place, &stored.file(artifact), name, owner).await?;
    }
    Ok(())
}

/// The service's containers that are not the old one.
async fn new_containers(request: &Request<'_>) -> Result<Vec<String>, SnapshotError> {
    let old = request.container;
    let listed = request.engine.containers().await?;
    let is_new = |labels: &Labels| {
        [label::PROJECT, label::SERVICE].iter().all(|key| labels.get(*key) == old.labels.get(*key))
            && labels.get(label::ONE_OFF) == old.labels.get(label::ONE_OFF)
    };
    let new = listed.into_iter().filter(|one| one.id != old.id && is_new(&one.labels));
    Ok(new.map(|one| one.id).collect())
}

/// Waits for the new server and compares what it has.
async fn compare(request: &Request<'_>, stored: &Stored) -> Result<String, SnapshotError> {
    let new = new_containers(request).await?;
    let [new] = new.as_slice() else {
        return Err(SnapshotError::NotProved("compose did not make the container anew".to_owned()));
    };
    let made = request.engine.container(new).await?;
    let mounts = made.map(|made| made.mounts).unwrap_or_default();
    for volume in request.volumes {
        let has = mounts.iter().any(|mount| {
            mount.destination == volume.of.destination && mount.volume.as_ref() == Some(&volume.name)
        });
        if !has {
            return Err(SnapshotError::NotProved(format!("the new container does not have {}", volume.name)));
        }
    }
    if !request.container.state.has_processes() {
        return Ok("it is as stopped as it was".to_owned());
    }
    let secrets = stored.secrets()?;
    let subject = verify::Subject {
        engine: request.engine,
        files: &stored.files(),
        manifest: &stored.manifest,
        secrets: &secrets,
        progress: &request.progress,
    };
    let mut compared = Vec::new();
    for recipe in &stored.manifest.containers {
        compared.push(verify::compare_running(&subject, recipe, new).await?);
    }
    Ok(compared.join("; "))
}

/// Puts the file, the old container and what runs back. Whoever wants to stop has to wait for it. What could not be
/// put back is returned, a sentence each.
async fn put_back(
    request: &Request<'_>,
    project: &mut impl Project,
    stored: &Stored,
    made: &[String],
    served: bool,
) -> Vec<String> {
    let mut left: Vec<String> = project.restore_file().err().into_iter().collect();
    if let Err(error) = bring_back(request, stored).await {
        left.push(format!(
            "{} could not be put back: {error}; try again with: docker dbsafe undo {}",
            request.container.name, stored.manifest.id
        ));
        return left;
    }
    if served {
        // Clients may have written to it meanwhile, and had it acknowledged.
        left.push(format!(
            "{} was served for a moment, and is kept for what was written then",
            made.join(", ")
        ));
    } else {
        remove_new(request, made).await;
    }
    left
}

async fn bring_back(request: &Request<'_>, stored: &Stored) -> Result<(), SnapshotError> {
    for container in new_containers(request).await? {
        request.engine.stop(&container, None).await?;
        request.engine.remove_container(&container).await?;
    }
    let undoing = undo::Request {
        engine: request.engine,
        store: request.store,
        stored,
        progress: Arc::clone(&request.progress),
        cancellation: &Cancellation::manual(),
        now: request.now,
    };
    undo::undo(&undoing).await.map(drop)
}

async fn remove_new(request: &Request<'_>, made: &[String]) {
    for volume in made {
        // Ours, and of no use to anybody. What is in use is somebody's.
        let _ = request.engine.remove_volume(volume).await;
    }
}

/// Lets go of the anonymous volumes that the data was in.
async fn let_go(request: &Request<'_>) -> Vec<String> {
    let mut left = Vec::new();
    for volume in request.volumes.iter().filter_map(|volume| volume.of.anonymous.as_ref()) {
        if let Err(error) = request.engine.remove_volume(volume).await {
            left.push(format!("the old volume {volume} is still there: {error}"));
        }
    }
    left
}
