//! Takes a snapshot: dump and fingerprint, stop, copy after the stop, prove. Should anything fail, what ran
//! runs again and nothing is left behind.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use jiff::Timestamp;

use super::{
    copy::{self, CopyError, NOT_KEPT},
    dump::{self, Server},
    keeper::Keeper,
    layer,
    progress::Progress,
    recipe,
    resume::Resume,
    verify,
};
use crate::{
    cancel::{Cancellation, HandedOver},
    docker::{
        archive::Place,
        engine::Engine,
        error::EngineError,
        scratch::{Helper, Sight, run_token, sweep_run},
    },
    engines::recipe::{offline_check, recipe as engine_recipe},
    exit::Exit,
    model::{
        container::{Labels, is_within, label},
        evidence::{Contents, Evidence, Location, Presence, TargetKind, TargetRef},
        manifest::{
            Artifact, ArtifactKind, Consistency, ContainerRecipe, EngineHost, FORMAT_VERSION, Item, Manifest,
            Verification, VerificationMethod, VerificationResult, VolumeRecipe,
        },
        plan::{Ending, Fate, Plan, PlannedContainer},
    },
    store::{Compression, Secrets, SnapshotWriter, Store, StoreError, Stored, Written, plain_name},
};

/// What to take a snapshot of, and how.
pub struct Request<'a> {
    pub engine: &'a Engine,
    pub store: &'a Store,
    pub host: EngineHost,
    /// docker's arguments of the guarded command; empty for a snapshot by itself.
    pub command: Vec<String>,
    /// The whole command, for who finds the store locked.
    pub purpose: String,
    /// What the command destroys and detaches is what is saved.
    pub plan: &'a Plan,
    pub evidence: &'a [Evidence],
    pub mode: Mode,
    /// Ask servers for a dump of their own beside the copy of their files. Where not, only what is in memory alone is
    /// asked for.
    pub dumps: bool,
    pub verify: VerificationMethod,
    /// See `Manifest::kept_until`.
    pub kept_until: Option<Timestamp>,
    pub progress: Arc<dyn Progress>,
    pub cancellation: &'a Cancellation,
    /// The time, read at the edge only.
    pub now: fn() -> Timestamp,
}

/// How to keep the data still while it is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Stop, as the command would; it goes on from there.
    Stop,
    /// Freeze for the time of the copy, and let go on.
    Freeze,
}

/// Why there is no snapshot. A fragment that fits 'failed to …'.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Copy(#[from] CopyError),
    #[error("the server could not be dumped: {0}")]
    Dump(String),
    #[error("the snapshot was not proved: {0}")]
    NotProved(String),
    #[error("{0}")]
    Refused(String),
    #[error("cancelled")]
    Cancelled,
}

impl SnapshotError {
    /// The exit status of a guarded command that this ends.
    #[must_use]
    pub fn exit(&self) -> Exit {
        if matches!(self, Self::Cancelled) { Exit::Cancelled } else { Exit::SnapshotFailed }
    }

    /// The command that mends it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Engine(error) | Self::Copy(CopyError::Engine(error)) => error.hint().map(str::to_owned),
            Self::Store(error) | Self::Copy(CopyError::Store(error)) => error.hint().map(str::to_owned),
            Self::Dump(_) | Self::NotProved(_) | Self::Refused(_) | Self::Cancelled | Self::Copy(_) => None,
        }
    }
}

/// A snapshot that was taken. In `Mode::Stop` the containers stay stopped for the command.
pub struct Taken {
    pub stored: Stored,
    resume: Resume,
    /// Who cancels must not drop us before everything is put back.
    _ours: HandedOver,
}

impl Taken {
    /// Starts again what was stopped, where the command does not go on after all. What could not be started
    /// is returned, a sentence each.
    pub async fn resume(self) -> Vec<String> {
        self.resume.put_back().await
    }

    /// Docker is about to get the command: from now on, should this process be killed, nothing is started
    /// again behind its back.
    pub fn hand_over(&self) {
        self.resume.dismiss_keeper();
    }

    /// The command goes on: what was stopped stays so.
    pub fn leave(self) -> Stored {
        self.resume.forget();
        self.stored
    }
}

/// What failed, and what could not be put back: empty where everything runs as before.
#[derive(Debug)]
pub struct Failed {
    pub error: SnapshotError,
    pub left: Vec<String>,
}

/// Takes a snapshot. The keeper puts everything back should this process be killed.
///
/// # Errors
/// Where any part of it fails. Nothing was destroyed then, what ran runs again, and no half of it is kept.
pub async fn take(request: &Request<'_>, keeper: Option<Keeper>) -> Result<Taken, Failed> {
    let resume = Resume::new(request.engine, keeper);
    let ours = request.cancellation.hand_over();
    let result = tokio::select! {
        biased;
        () = request.cancellation.cancelled() => Err(SnapshotError::Cancelled),
        result = work(request, &resume) => result,
    };
    request.progress.end();
    sweep_run(request.engine, run_token()).await;
    match result {
        Ok(stored) => Ok(Taken { stored, resume, _ours: ours }),
        Err(error) => {
            let left = resume.put_back().await.into_iter().map(|sentence| by_name(request.plan, sentence));
            Err(Failed { error, left: left.collect() })
        }
    }
}

/// A sentence with names for the ids in it.
fn by_name(plan: &Plan, sentence: String) -> String {
    let containers = plan.containers.iter().map(|planned| &planned.container);
    containers.fold(sentence, |text, container| text.replace(&container.id, &container.name))
}

async fn work(request: &Request<'_>, resume: &Resume) -> Result<Stored, SnapshotError> {
    let started = (request.now)();
    let writer = request.store.begin(&request.purpose, started)?;
    let mut draft = Draft::gather(request, writer, started).await?;
    draft.dump_servers(request, resume).await?;
    match request.mode {
        Mode::Stop => stop(request, resume).await?,
        Mode::Freeze => freeze(request, resume).await?,
    }
    draft.copy_volumes(request).await?;
    draft.copy_layers(request).await?;
    if request.mode == Mode::Freeze {
        let left = resume.put_back().await;
        if let Some(sentence) = left.into_iter().next() {
            return Err(SnapshotError::Refused(sentence));
        }
    }
    draft.prove(request).await?;
    draft.commit(request)
}

/// A snapshot in the making.
struct Draft {
    writer: SnapshotWriter,
    /// What was written later may not be in it.
    started: Timestamp,
    secrets: Secrets,
    containers: Vec<ContainerRecipe>,
    volumes: Vec<VolumeRecipe>,
    networks: Vec<crate::model::manifest::NetworkRecipe>,
    items: Vec<Item>,
    verification: Verification,
}

impl Draft {
    /// Reads how to create everything again, before anything is touched.
    async fn gather(
        request: &Request<'_>,
        writer: SnapshotWriter,
        started: Timestamp,
    ) -> Result<Self, SnapshotError> {
        let (mut containers, mut secrets) = (Vec::new(), Secrets::new());
        request.progress.stage("reading how to create everything again", None);
        for planned in concerned(request) {
            let (recipe, secret) = recipe::of_container(request.engine, &planned.container).await?;
            secrets.insert(recipe.id.clone(), secret);
            containers.push(recipe);
        }
        let mut volumes = Vec::new();
        for (name, fate) in doomed_volumes(request.plan) {
            let Some(volume) = request.engine.volume(&name).await? else { continue };
            volumes.push(recipe::of_volume(&volume, fate == Fate::Destroyed && request.mode == Mode::Stop));
        }
        let networks = recipe::of_networks(request.engine, &containers).await?;
        Ok(Self {
            writer,
            started,
            secrets,
            containers,
            volumes,
            networks,
            items: Vec::new(),
            verification: Verification::none(),
        })
    }

    /// Dumps every server whose data is at stake, with a fingerprint of the same moment.
    async fn dump_servers(&mut self, request: &Request<'_>, resume: &Resume) -> Result<(), SnapshotError> {
        let mut dumped: Vec<(String, String)> = Vec::new();
        for evidence in request.evidence.iter().filter(|evidence| is_at_stake(evidence)) {
            let Some(kind) = evidence.engine.as_deref() else { continue };
            let Some(recipe) = engine_recipe(kind) else { continue };
            let planned = request.plan.containers.iter().find(|p| p.container.id == evidence.target.id);
            let Some(planned) = planned.filter(|planned| planned.container.state.has_processes()) else {
                continue;
            };
            let key = (evidence.target.id.clone(), kind.to_owned());
            if dumped.contains(&key) {
                continue;
            }
            let in_memory = evidence.location == Location::Memory;
            if !request.dumps && !in_memory {
                continue;
            }
            let server = Server {
                container: evidence.target.id.clone(),
                data: if in_memory { String::new() } else { evidence.path.clone() },
                arguments: planned.container.command.join(" "),
            };
            dumped.push(key);
            let name = &evidence.target.name;
            request.progress.stage(&format!("dumping {name}"), None);
            let mut item = item_of(evidence);
            item.consistency = Consistency::DumpOnly;
            let mut held = false;
            if let (Some((hold, release)), Mode::Stop) = (recipe.hold, request.mode) {
                resume.holding(&server, release);
                let answer = request.engine.exec(
                    &server.container,
                    server.exec(hold, &[]),
                    std::time::Duration::from_secs(10),
                    1 << 16,
                );
                held = answer.await.is_ok_and(|answer| answer.succeeded());
                if !held && in_memory {
                    return Err(SnapshotError::Dump(format!(
                        "{name} keeps its data in memory, and writing to it could not be held up"
                    )));
                }
            }
            let databases = match recipe.databases {
                Some(script) => dump::databases(request.engine, &server, script).await?,
                None => vec![String::new()],
            };
            let base = format!("{}-{}", plain_name(name), plain_name(kind));
            let mut fingerprint = crate::model::manifest::Fingerprint {
                at: Some((request.now)()),
                writes_held: held,
                ..Default::default()
            };
            for (index, database) in databases.iter().enumerate() {
                let file = match database.as_str() {
                    "" => format!("{base}{}", recipe.dump.ending),
                    database => format!("{base}-{index}-{}{}", plain_name(database), recipe.dump.ending),
                };
                let artifact = self.open(&file)?;
                let (written, told) =
                    dump::dump(request.engine, &server, &recipe.dump, database, artifact).await?;
                fingerprint.position = fingerprint.position.take().or(told.fingerprint.position);
                fingerprint.databases.extend(told.fingerprint.databases);
                let mut artifact = artifact_of(written, recipe.dump.kind, recipe.dump.format);
                artifact.database = Some(database.clone()).filter(|name| !name.is_empty());
                // What no append-only file holds, a server finds in this file at its next start.
                if let Some(place) = told.server_file.filter(|place| !place.append_only) {
                    artifact.parent = Some(place.directory).filter(|path| path.starts_with('/'));
                    artifact.root = Some(place.name).filter(|name| !name.is_empty() && !name.contains('/'));
                }
                item.artifacts.push(artifact);
            }
            if let Some(globals) = &recipe.globals {
                let artifact = self.open(&format!("{base}-globals{}", globals.ending))?;
                let (written, _told) = dump::dump(request.engine, &server, globals, "", artifact).await?;
                item.artifacts.push(artifact_of(written, globals.kind, globals.format));
            }
            item.fingerprint = Some(fingerprint);
            self.items.push(item);
        }
        Ok(())
    }

    fn open(&self, file: &str) -> Result<crate::store::ArtifactWriter, StoreError> {
        let compressed = Path::new(file).extension().is_some_and(|ending| ending == "zst");
        self.writer.artifact(file, if compressed { Compression::Zstd } else { Compression::None })
    }

    /// Copies the volumes that go, each through a helper that sees it alone.
    async fn copy_volumes(&mut self, request: &Request<'_>) -> Result<(), SnapshotError> {
        for (index, name) in
            self.volumes.iter().map(|volume| volume.name.clone()).enumerate().collect::<Vec<_>>()
        {
            let evidence: Vec<&Evidence> =
                request.evidence.iter().filter(|seen| seen.volume.as_deref() == Some(&name)).collect();
            let size = evidence.iter().filter_map(|seen| seen.size_bytes).max();
            request.progress.stage(&format!("copying volume {name}"), size);
            let artifact = self.open(&format!("volume-{index}-{}.tar.zst", plain_name(&name)))?;
            let sight = Sight { volumes: vec![name.clone()], ..Sight::default() };
            let helper = Helper::create(request.engine, &sight).await?;
            let sizing = (size.is_none() && request.progress.is_seen())
                .then(|| tell_size(request.engine.clone(), name.clone(), Arc::clone(&request.progress)));
            let copied = copy::download(&helper.volume(0), "", artifact, &request.progress).await;
            if let Some(sizing) = sizing {
                sizing.abort();
            }
            helper.remove().await;
            let (written, census) = copied?;
            let mut artifact = artifact_of(written, ArtifactKind::PhysicalCopy, "tar.zst");
            (artifact.entries, artifact.root) = (census.entries, Some(census.root));
            let user = users(request.plan, &name).next();
            let mut item = match (evidence.first(), user) {
                (Some(seen), _) => item_of(seen),
                (None, Some((planned, destination))) => plain_item(
                    TargetRef::of_container(&planned.container),
                    Location::NamedVolume,
                    destination,
                ),
                (None, None) => {
                    plain_item(TargetRef::of_volume(&name, &Labels::new()), Location::NamedVolume, "/")
                }
            };
            item.volume = Some(name);
            self.add_copy(item, artifact, consistency(request.mode));
        }
        Ok(())
    }

    /// Copies the writable layers that go: data directories as they are, everything else as one tar.
    async fn copy_layers(&mut self, request: &Request<'_>) -> Result<(), SnapshotError> {
        for planned in concerned(request).filter(|planned| planned.fate == Fate::Destroyed) {
            let container = &planned.container;
            let root = Place::new(request.engine, &container.id, "/");
            let name = plain_name(&container.name);
            let mut elsewhere: Vec<String> = Vec::new();
            let in_layer =
                |seen: &&Evidence| seen.target.id == container.id && seen.location == Location::WritableLayer;
            for (index, seen) in request.evidence.iter().filter(in_layer).enumerate() {
                let path = seen.path.trim_end_matches('/');
                let is_folder = root.stat(path).await?.is_some_and(|stat| stat.is_dir);
                let holds_mount = container.mounts.iter().any(|mount| is_within(&mount.destination, path));
                let taken = elsewhere.iter().any(|other| is_within(path, other) || is_within(other, path));
                let Some((parent, folder)) = path.rsplit_once('/') else { continue };
                if !is_folder || holds_mount || taken || folder.is_empty() {
                    continue;
                }
                request.progress.stage(&format!("copying {} of {}", path, container.name), seen.size_bytes);
                let artifact = self.open(&format!("{name}-data-{index}.tar.zst"))?;
                let (written, census) = copy::download(&root, path, artifact, &request.progress).await?;
                let mut artifact = artifact_of(written, ArtifactKind::PhysicalCopy, "tar.zst");
                artifact.parent = Some(if parent.is_empty() { "/".to_owned() } else { parent.to_owned() });
                (artifact.entries, artifact.root) = (census.entries, Some(folder.to_owned()));
                self.add_copy(item_of(seen), artifact, consistency(request.mode));
                elsewhere.push(path.to_owned());
            }
            // A file in a folder that was copied is proved by itself, out of that copy.
            for seen in request.evidence.iter().filter(in_layer) {
                let copied =
                    elsewhere.iter().any(|place| is_within(&seen.path, place) && seen.path != *place);
                let checked = seen.engine.as_deref().is_some_and(|kind| offline_check(kind).is_some());
                if copied && checked {
                    self.items.push(Item { consistency: consistency(request.mode), ..item_of(seen) });
                }
            }
            request.progress.stage(&format!("copying what {} changed", container.name), None);
            let changes = request.engine.layer_changes(&container.id).await?;
            let pieces = layer::pieces(&changes, container, &elsewhere);
            if pieces.is_empty() {
                continue;
            }
            let artifact = self.open(&format!("{name}-layer.tar.zst"))?;
            let (written, census) = layer::save(request.engine, &container.id, pieces, artifact).await?;
            let mut artifact = artifact_of(written, ArtifactKind::WritableLayer, "tar.zst");
            artifact.parent = Some("/".to_owned());
            artifact.entries = census.entries;
            let mut files = request.evidence.iter().filter(in_layer);
            let loose = files.find(|seen| !elsewhere.iter().any(|place| is_within(&seen.path, place)));
            let mut item = match loose {
                Some(seen) => item_of(seen),
                None => plain_item(TargetRef::of_container(container), Location::WritableLayer, "/"),
            };
            item.not_kept = vec!["that files of the image were deleted".to_owned()];
            self.add_copy(item, artifact, consistency(request.mode));
        }
        Ok(())
    }

    /// Adds a physical copy, to the item that has the dump of the same data where there is one.
    fn add_copy(&mut self, item: Item, artifact: Artifact, consistency: Consistency) {
        let same = |other: &&mut Item| {
            other.consistency == Consistency::DumpOnly
                && other.location != Location::Memory
                && other.engine == item.engine
                && other.target == item.target
                && other.volume == item.volume
                && other.path == item.path
        };
        let found = self.items.iter_mut().find(same);
        let item = match found {
            Some(found) => found,
            None => {
                self.items.push(item);
                let last = self.items.len() - 1;
                &mut self.items[last]
            }
        };
        item.consistency = consistency;
        item.artifacts.push(artifact);
        item.not_kept.extend(NOT_KEPT.iter().map(|&what| what.to_owned()));
    }

    fn manifest(&self, request: &Request<'_>) -> Manifest {
        let mut projects: Vec<String> =
            self.containers.iter().filter_map(|recipe| recipe.labels.get(label::PROJECT).cloned()).collect();
        projects.sort();
        projects.dedup();
        Manifest {
            format_version: FORMAT_VERSION,
            id: self.writer.id().to_owned(),
            created: self.started,
            dbsafe: env!("CARGO_PKG_VERSION").to_owned(),
            command: request.command.clone(),
            engine: request.host.clone(),
            projects,
            items: self.items.clone(),
            containers: self.containers.clone(),
            volumes: self.volumes.clone(),
            networks: self.networks.clone(),
            verification: self.verification.clone(),
            kept_until: request.kept_until,
            recipients: Vec::new(),
        }
    }

    /// Proves it. Before a removal, anything less than proved is a failure.
    async fn prove(&mut self, request: &Request<'_>) -> Result<(), SnapshotError> {
        let manifest = self.manifest(request);
        let subject = verify::Subject {
            engine: request.engine,
            files: &self.writer.files(),
            manifest: &manifest,
            secrets: &self.secrets,
            progress: &request.progress,
        };
        let (mut verification, found) = verify::prove(&subject, request.verify, (request.now)()).await?;
        verification.at = Some((request.now)());
        for (index, fingerprint) in found {
            if let Some(item) = self.items.get_mut(index) {
                item.fingerprint.get_or_insert(fingerprint);
            }
        }
        let good = match verification.result {
            VerificationResult::Proved => true,
            VerificationResult::Failed => false,
            // By itself, a snapshot that nobody could prove is better than none.
            VerificationResult::Unverified => request.mode == Mode::Freeze,
        };
        if !good {
            return Err(SnapshotError::NotProved(verification.detail));
        }
        self.verification = verification;
        Ok(())
    }

    fn commit(self, request: &Request<'_>) -> Result<Stored, SnapshotError> {
        let manifest = self.manifest(request);
        self.writer.secrets(&self.secrets)?;
        Ok(self.writer.commit(manifest)?)
    }
}

fn consistency(mode: Mode) -> Consistency {
    match mode {
        Mode::Stop => Consistency::Stopped,
        Mode::Freeze => Consistency::Frozen,
    }
}

/// The containers that the command does something to.
fn concerned<'a>(request: &'a Request<'_>) -> impl Iterator<Item = &'a PlannedContainer> {
    request.plan.containers.iter().filter(|planned| planned.fate != Fate::Survives)
}

/// Whether the command takes this data away, and it is worth a dump.
/// Finds out beside the copy how large the volume is, which may take the engine as long.
fn tell_size(engine: Engine, volume: String, progress: Arc<dyn Progress>) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        // Without it there is no time left to show, and nothing else is amiss.
        if let Ok(Some(bytes)) = engine.volume_bytes(&volume).await {
            progress.total(bytes);
        }
    })
}

fn is_at_stake(evidence: &Evidence) -> bool {
    let there = !matches!(evidence.presence, Presence::Empty { .. });
    there && evidence.fate != Fate::Survives && evidence.target.kind == TargetKind::Container
}

/// The volumes that go or that nothing will point at any more, each once, with the worse fate.
fn doomed_volumes(plan: &Plan) -> BTreeMap<String, Fate> {
    let mut found: BTreeMap<String, Fate> = BTreeMap::new();
    let mut add = |name: &str, fate: Fate| {
        if fate >= Fate::Detached {
            let known = found.entry(name.to_owned()).or_insert(fate);
            *known = (*known).max(fate);
        }
    };
    for planned in &plan.volumes {
        add(&planned.volume.name, planned.fate);
    }
    for planned in &plan.containers {
        for mount in &planned.mounts {
            let real = planned.container.mounts.iter().find(|real| real.destination == mount.destination);
            if let Some(volume) = real.and_then(|real| real.volume.as_deref()) {
                add(volume, mount.fate);
            }
        }
    }
    found
}

/// The planned containers that mount a volume, and where.
fn users<'a>(plan: &'a Plan, volume: &'a str) -> impl Iterator<Item = (&'a PlannedContainer, &'a str)> {
    plan.containers.iter().flat_map(move |planned| {
        let mounts = planned.container.mounts.iter();
        let own = mounts.filter(move |mount| mount.volume.as_deref() == Some(volume));
        own.map(move |mount| (planned, mount.destination.as_str()))
    })
}

fn item_of(evidence: &Evidence) -> Item {
    Item {
        engine: evidence.engine.clone(),
        engine_version: evidence.engine_version.clone(),
        volume: evidence.volume.clone(),
        identity: evidence.identity.clone(),
        contents: evidence.contents.clone(),
        ..plain_item(evidence.target.clone(), evidence.location, &evidence.path)
    }
}

fn plain_item(target: TargetRef, location: Location, path: &str) -> Item {
    Item {
        target,
        engine: None,
        engine_version: None,
        location,
        path: path.to_owned(),
        volume: None,
        identity: None,
        contents: Contents::default(),
        fingerprint: None,
        consistency: Consistency::Stopped,
        artifacts: Vec::new(),
        not_kept: Vec::new(),
    }
}

pub(super) fn artifact_of(written: Written, kind: ArtifactKind, format: &str) -> Artifact {
    Artifact {
        file: written.file,
        kind,
        format: format.to_owned(),
        bytes: written.bytes,
        content_bytes: written.content_bytes,
        sha256: written.sha256,
        milliseconds: written.milliseconds,
        database: None,
        parent: None,
        root: None,
        entries: 0,
    }
}

/// Stops what the command would stop: those first that others do not depend on.
async fn stop(request: &Request<'_>, resume: &Resume) -> Result<(), SnapshotError> {
    let mut left: Vec<&PlannedContainer> =
        concerned(request).filter(|planned| planned.container.state.has_processes()).collect();
    if let Some(planned) = left.iter().find(|planned| planned.container.auto_remove) {
        let name = &planned.container.name;
        return Err(SnapshotError::Refused(format!(
            "{name} was started with --rm: it disappears when it stops, before it can be copied"
        )));
    }
    while !left.is_empty() {
        let wave: Vec<&PlannedContainer> =
            left.iter().copied().filter(|one| !left.iter().any(|other| depends(other, one))).collect();
        // In a circle, somebody has to be the first.
        let wave = if wave.is_empty() { left.clone() } else { wave };
        let stops = wave.iter().map(|planned| {
            let container = &planned.container;
            request.progress.stage(&format!("stopping {}", container.name), None);
            let grace = match planned.ending {
                Ending::Stop { grace_seconds } => Some(grace_seconds),
                // Killing would lose what the server has yet to write: it may end in order first.
                Ending::Kill | Ending::Untouched => None,
            };
            resume.stopping(&container.id, grace);
            request.engine.stop(&container.id, grace)
        });
        futures_util::future::try_join_all(stops).await?;
        left.retain(|planned| !wave.iter().any(|stopped| stopped.container.id == planned.container.id));
    }
    Ok(())
}

/// Whether compose started `one` after `other`.
fn depends(one: &PlannedContainer, other: &PlannedContainer) -> bool {
    let (one, other) = (&one.container, &other.container);
    let Some(names) = one.labels.get(label::DEPENDS_ON) else { return false };
    one.id != other.id
        && one.project() == other.project()
        && names.split(',').any(|name| name.split(':').next() == other.service())
}

async fn freeze(request: &Request<'_>, resume: &Resume) -> Result<(), SnapshotError> {
    for planned in concerned(request).filter(|planned| planned.container.state.has_processes()) {
        if planned.container.state == crate::model::container::State::Paused {
            continue;
        }
        request.progress.stage(&format!("freezing {}", planned.container.name), None);
        resume.freezing(&planned.container.id);
        request.engine.pause(&planned.container.id).await?;
        resume.frozen(&planned.container.id);
    }
    Ok(())
}
