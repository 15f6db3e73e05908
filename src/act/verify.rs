//! Proves a snapshot: a server of the same image is started on a copy, without a network, and compared with
//! the fingerprint; where there is no server to start, every artifact is read back.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    copy,
    dump::{self, Server},
    progress::Progress,
    recipe,
    snapshot::SnapshotError,
};
use crate::{
    docker::{
        archive::Place,
        engine::Engine,
        scratch::{self, Helper, Sight, run_token, sweep_run},
    },
    engines::recipe::{Comparison, Recipe, compare, offline_check, recipe as engine_recipe},
    model::{
        container::{Labels, label},
        evidence::Location,
        manifest::{
            Artifact, ArtifactKind, ContainerRecipe, Fingerprint, Item, Manifest, Verification,
            VerificationMethod, VerificationResult,
        },
    },
    store::{Files, Secrets, Store, Stored, StoredFile, fault_of},
};

/// How long a server may take to come up: it may have a log to replay.
const READY_LIMIT: Duration = Duration::from_secs(600);
const READY_EVERY: Duration = Duration::from_millis(150);
const QUESTION_LIMIT: Duration = Duration::from_secs(20);
/// What servers say that will let nobody in however long one waits; and how often it is said before it is believed: one
/// that crashes and recovers for ever says other things in between.
const REFUSALS: &[&str] = &["Access denied", "FATAL:"];
/// What they say while they come up.
const NOT_YET: &str = "the database system is";
const PATIENCE: u32 = 20;
/// What of a container's `HostConfig` its server may need to start. No network, no devices, no privileges.
const HOST_PARTS: &[&str] = &[
    "ShmSize",
    "Memory",
    "MemorySwap",
    "NanoCpus",
    "CpuQuota",
    "CpuPeriod",
    "Ulimits",
    "CapAdd",
    "CapDrop",
    "SecurityOpt",
    "Tmpfs",
    "GroupAdd",
    "UsernsMode",
    "Init",
    "Runtime",
    "ReadonlyRootfs",
    "OomScoreAdj",
];

/// What is to be proved.
pub(super) struct Subject<'a> {
    pub(super) engine: &'a Engine,
    pub(super) files: &'a Files,
    pub(super) manifest: &'a Manifest,
    pub(super) secrets: &'a Secrets,
    pub(super) progress: &'a Arc<dyn Progress>,
}

/// One part's result, in a clause.
enum Proof {
    Restored(String),
    Read(String),
    Failed(String),
    Unknown(String),
}

/// Proves a snapshot of the store again, and remembers the result there.
///
/// # Errors
/// Where the engine does not answer, or the store cannot be read or written: nothing is known then.
pub async fn verify_stored(
    engine: &Engine,
    store: &Store,
    stored: &Stored,
    method: VerificationMethod,
    progress: &Arc<dyn Progress>,
    now: Timestamp,
) -> Result<Verification, SnapshotError> {
    let secrets = match method {
        // Nothing is started, and what lies there can be compared without the key.
        VerificationMethod::Checksum => Secrets::new(),
        VerificationMethod::Restore => {
            stored.unlock()?;
            stored.secrets()?
        }
    };
    let (files, manifest) = (&stored.files(), &stored.manifest);
    let subject = Subject { engine, files, manifest, secrets: &secrets, progress };
    let proved = prove(&subject, method, now).await;
    progress.end();
    sweep_run(engine, run_token()).await;
    let (verification, _found) = proved?;
    store.record_verification(stored, &verification)?;
    Ok(verification)
}

/// Proves a snapshot. Returns also the fingerprints that were first seen on the way, by item.
///
/// # Errors
/// Where the engine does not answer or a file cannot be read: nothing is known then.
pub(super) async fn prove(
    subject: &Subject<'_>,
    method: VerificationMethod,
    now: Timestamp,
) -> Result<(Verification, Vec<(usize, Fingerprint)>), SnapshotError> {
    let mut found = Vec::new();
    let mut proofs = vec![subject.read_back().await?];
    if method == VerificationMethod::Restore && !matches!(proofs[0], Proof::Failed(_)) {
        for recipe in &subject.manifest.containers {
            if let Some(proof) = subject.prove_container(recipe, &mut found).await? {
                proofs.push(proof);
            }
        }
    }
    Ok((summary(proofs, now), found))
}

/// Starts the servers of a manifest on its copies, which are not read before: what they hold, by item, is returned beside
/// whether they came up.
///
/// # Errors
/// Where the engine does not answer.
pub(super) async fn start_on_copies(
    subject: &Subject<'_>,
    now: Timestamp,
) -> Result<(Verification, Vec<(usize, Fingerprint)>), SnapshotError> {
    let (mut found, mut proofs) = (Vec::new(), Vec::new());
    for recipe in &subject.manifest.containers {
        let proof = subject.prove_container(recipe, &mut found).await?;
        proofs.push(proof.unwrap_or(Proof::Unknown("there is no way to look into it".to_owned())));
    }
    Ok((summary(proofs, now), found))
}

fn summary(proofs: Vec<Proof>, now: Timestamp) -> Verification {
    let mut result = VerificationResult::Proved;
    let mut how = VerificationMethod::Checksum;
    let mut details: Vec<String> = Vec::new();
    for proof in proofs {
        match proof {
            Proof::Restored(detail) => {
                how = VerificationMethod::Restore;
                details.push(detail);
            }
            Proof::Read(detail) => details.push(detail),
            Proof::Failed(detail) => {
                result = VerificationResult::Failed;
                details.insert(0, detail);
            }
            Proof::Unknown(detail) => {
                if result == VerificationResult::Proved {
                    result = VerificationResult::Unverified;
                }
                details.insert(0, detail);
            }
        }
    }
    if result != VerificationResult::Proved {
        details.truncate(1);
    }
    Verification { result, how, at: Some(now), detail: details.join("; ") }
}

impl Subject<'_> {
    fn artifacts(&self) -> impl Iterator<Item = &Artifact> {
        self.manifest.items.iter().flat_map(|item| &item.artifacts)
    }

    /// Reads every artifact from the disk: its checksum, and each archive from end to end.
    async fn read_back(&self) -> Result<Proof, SnapshotError> {
        let bytes = self.artifacts().map(|artifact| artifact.bytes).sum();
        self.progress.stage("reading back", Some(bytes));
        let artifacts: Vec<Artifact> = self.artifacts().cloned().collect();
        let (files, progress) = (self.files.clone(), Arc::clone(self.progress));
        let closed = artifacts.iter().any(|artifact| files.of(artifact).unlock().is_err());
        // Two readers, so that the archives' insides cost no time beside the checksums.
        let (sums, sums_files) = (artifacts.clone(), files.clone());
        let sums = tokio::task::spawn_blocking(move || {
            sums.iter().find_map(|artifact| {
                let fault =
                    fault_of(sums_files.of(artifact).path(), artifact, &mut |bytes| progress.advance(bytes))?;
                Some(Proof::Failed(format!("{}: {fault}", artifact.file)))
            })
        });
        let count = artifacts.len();
        let archives = tokio::task::spawn_blocking(move || {
            let mut archives = artifacts.iter().filter(|artifact| artifact.kind.is_archive() && !closed);
            archives.find_map(|artifact| {
                let fault = match copy::inspect_archive(&files.of(artifact), artifact.root.as_deref()) {
                    Ok(census) if census.entries == artifact.entries => return None,
                    Ok(_) => "entries are missing".to_owned(),
                    Err(error) => error.to_string(),
                };
                Some(Proof::Failed(format!("{}: {fault}", artifact.file)))
            })
        });
        let failed = |_panicked| SnapshotError::Refused("reading back failed".to_owned());
        if let Some(fault) = sums.await.map_err(failed)? {
            return Ok(fault);
        }
        if let Some(fault) = archives.await.map_err(failed)? {
            return Ok(fault);
        }
        let plural = if count == 1 { "" } else { "s" };
        let unopened = if closed { "; without their key they were not opened" } else { "" };
        Ok(Proof::Read(format!("{count} file{plural} read back{unopened}")))
    }

    fn items(&self, recipe: &ContainerRecipe) -> Vec<(usize, &Item)> {
        let own = |(_, item): &(usize, &Item)| {
            item.target.id == recipe.id
                || item.volume.as_ref().is_some_and(|volume| recipe.volumes.values().any(|own| own == volume))
        };
        self.manifest.items.iter().enumerate().filter(own).collect()
    }

    /// Proves what one container's data are; `None` where nothing of it can be started.
    async fn prove_container(
        &self,
        recipe: &ContainerRecipe,
        found: &mut Vec<(usize, Fingerprint)>,
    ) -> Result<Option<Proof>, SnapshotError> {
        let items = self.items(recipe);
        let served = served(&items);
        let offline: Vec<(&Item, &'static str)> = items
            .iter()
            .filter_map(|(_, item)| Some((*item, offline_check(item.engine.as_deref()?)?)))
            .collect();
        if served.is_empty() && offline.is_empty() {
            return Ok(None);
        }
        if self.engine.image_raw(&recipe.image_id).await?.is_none() {
            return Ok(Some(Proof::Unknown(format!(
                "the image of {} is not on the engine any more",
                recipe.name
            ))));
        }
        self.progress.stage(&format!("restoring {} beside itself", recipe.name), None);
        let scratch = match Scratch::create(self, recipe, offline.first().filter(|_| served.is_empty())).await
        {
            Ok(scratch) => scratch,
            Err(SnapshotError::Engine(error)) if error.status().is_some() => {
                return Ok(Some(Proof::Unknown(format!("a scratch container for {}: {error}", recipe.name))));
            }
            Err(error) => return Err(error),
        };
        let proof = if served.is_empty() {
            scratch.check_offline(&recipe.name).await
        } else {
            scratch.serve(self, recipe, &served, found).await
        };
        scratch.remove().await;
        proof.map(Some)
    }
}

/// An item by its index, and how its server is asked.
type Served<'a> = (usize, &'a Item, &'static Recipe);

fn served<'a>(items: &[(usize, &'a Item)]) -> Vec<Served<'a>> {
    let known =
        |(index, item): &(usize, &'a Item)| Some((*index, *item, engine_recipe(item.engine.as_deref()?)?));
    items.iter().filter_map(known).collect()
}

/// Compares the server that runs in a container by now with what a snapshot says of its container; people may write
/// to it already. What it came to is returned in a clause.
///
/// # Errors
/// Where it does not come up, or holds less.
pub(super) async fn compare_running(
    subject: &Subject<'_>,
    recipe: &ContainerRecipe,
    container: &str,
) -> Result<String, SnapshotError> {
    let items = subject.items(recipe);
    let released: Vec<(usize, Item)> = items.iter().map(|(index, item)| (*index, released(item))).collect();
    let released: Vec<(usize, &Item)> = released.iter().map(|(index, item)| (*index, item)).collect();
    let running =
        Scratch { engine: subject.engine.clone(), container: container.to_owned(), volumes: Vec::new() };
    let offline = items.iter().filter_map(|(_, item)| Some((*item, offline_check(item.engine.as_deref()?)?)));
    let mut details = Vec::new();
    for (item, script) in offline {
        running.check_in_place(&recipe.name, &item.path, script).await?;
        details.push(format!("{} is sound in its new place", item.path));
    }
    let compared =
        running.compare(subject, recipe, &served(&released), &mut Vec::new(), "in its new place").await?;
    match compared {
        Proof::Restored(detail) | Proof::Read(detail) => {
            details.push(detail);
            details.retain(|detail| !detail.is_empty());
            Ok(details.join("; "))
        }
        Proof::Failed(detail) | Proof::Unknown(detail) => Err(SnapshotError::NotProved(detail)),
    }
}

/// An item whose server may be written to since: nothing holds that up any more.
fn released(item: &Item) -> Item {
    let mut item = item.clone();
    if let Some(fingerprint) = &mut item.fingerprint {
        fingerprint.writes_held = false;
    }
    item
}

/// A container on a copy.
struct Scratch {
    engine: Engine,
    container: String,
    volumes: Vec<String>,
}

impl Scratch {
    async fn create(
        subject: &Subject<'_>,
        recipe: &ContainerRecipe,
        offline: Option<&(&Item, &'static str)>,
    ) -> Result<Self, SnapshotError> {
        let engine = subject.engine;
        let mut volumes = Vec::new();
        let mut mounts = Vec::new();
        for (destination, volume) in &recipe.volumes {
            let copy = copy_of(subject.manifest, volume);
            let source = match copy {
                Some(artifact) => {
                    let name = format!("dbsafe-scratch-{}-{}", run_token(), volumes.len());
                    let labels = Labels::from([(label::HELPER.to_owned(), run_token().to_owned())]);
                    engine.create_volume(&name, "local", &Labels::new(), &labels).await?;
                    fill_volume(engine, &name, &subject.files.of(artifact), artifact, subject.progress)
                        .await?;
                    volumes.push(name.clone());
                    name
                }
                // It is none of the snapshot's: the server may read it, and nothing more.
                None if engine.volume(volume).await?.is_some() => volume.clone(),
                None => continue,
            };
            mounts.push(json!({
                "Type": "volume", "Source": source, "Target": destination, "ReadOnly": copy.is_none(),
                "VolumeOptions": {"NoCopy": true},
            }));
        }
        let body = scratch_body(recipe, subject.secrets, mounts, offline);
        let container = scratch::create(engine, body).await?;
        let scratch = Self { engine: engine.clone(), container, volumes };
        scratch.fill_layer(subject, recipe).await?;
        Ok(scratch)
    }

    /// Unpacks what was in the writable layer, and what only the server had.
    async fn fill_layer(&self, subject: &Subject<'_>, recipe: &ContainerRecipe) -> Result<(), SnapshotError> {
        fill_layer(
            &self.engine,
            &self.container,
            subject.files,
            subject.manifest,
            &recipe.id,
            subject.progress,
        )
        .await
    }

    /// Starts the server and compares.
    async fn serve(
        &self,
        subject: &Subject<'_>,
        recipe: &ContainerRecipe,
        served: &[Served<'_>],
        found: &mut Vec<(usize, Fingerprint)>,
    ) -> Result<Proof, SnapshotError> {
        if let Err(error) = self.engine.start(&self.container).await {
            return Ok(Proof::Unknown(format!("{} does not start on the copy: {error}", recipe.name)));
        }
        self.compare(subject, recipe, served, found, "on the copy").await
    }

    /// Waits for the server, and compares what it has.
    async fn compare(
        &self,
        subject: &Subject<'_>,
        recipe: &ContainerRecipe,
        served: &[Served<'_>],
        found: &mut Vec<(usize, Fingerprint)>,
        on: &str,
    ) -> Result<Proof, SnapshotError> {
        let name = &recipe.name;
        let mut details = Vec::new();
        for (index, item, how) in served {
            let in_memory = item.location == Location::Memory;
            let server = Server {
                container: self.container.clone(),
                data: if in_memory { String::new() } else { item.path.clone() },
                arguments: arguments(recipe, subject.secrets),
            };
            subject.progress.stage(&format!("waiting for {name} {on}"), None);
            if let Some(cause) = wait_until_ready(&self.engine, &server, how).await {
                return Ok(Proof::Unknown(format!("{name} does not come up {on}: {cause}")));
            }
            subject.progress.stage(&format!("comparing {name}"), None);
            let after = match fingerprint(&self.engine, &server, how).await {
                Ok(after) => after,
                Err(error) => return Ok(Proof::Unknown(format!("{name} {on}: {error}"))),
            };
            if let Some(check) = how.check
                && let Ok(said) = self.run(&server, check).await
                && let Some(fault) = said.lines().find(|line| !line.trim().is_empty())
            {
                return Ok(Proof::Failed(format!("{name} {on}: {}", fault.trim())));
            }
            let (tables, rows) = after.totals();
            let keyed = matches!(item.engine.as_deref(), Some("redis" | "valkey"));
            let counted = match keyed {
                true => number_of(rows, "key"),
                false => format!("{}, {}", number_of(tables as u64, "table"), number_of(rows, "row")),
            };
            details.push(match &item.fingerprint {
                None => {
                    found.push((*index, Fingerprint { at: subject.manifest.created.into(), ..after }));
                    format!("{name} starts {on}: {counted}")
                }
                Some(before) => {
                    let moved = match (&before.position, &after.position) {
                        // A position that a restart keeps is Postgres's alone.
                        (Some(before), Some(after)) if item.engine.as_deref() == Some("postgres") => {
                            Some(before != after)
                        }
                        _ => None,
                    };
                    match compare(before, &after, moved) {
                        Comparison::Same => format!("{name} {on} holds the same: {counted}"),
                        Comparison::WrittenSince(_) => {
                            format!("{name} {on} holds what was there and what was written since: {counted}")
                        }
                        Comparison::Different(what) => {
                            return Ok(Proof::Failed(format!("{name} {on} differs: {what}")));
                        }
                    }
                }
            });
        }
        Ok(Proof::Restored(details.join("; ")))
    }

    async fn run(&self, server: &Server, script: &str) -> Result<String, SnapshotError> {
        let answer = self.engine.exec(&self.container, server.exec(script, &[]), READY_LIMIT, 1 << 20).await;
        let answer = answer.map_err(|error| SnapshotError::Dump(error.to_string()))?;
        Ok(String::from_utf8_lossy(&answer.stdout).into_owned())
    }

    /// Runs the checker that is its command, and reads what it says.
    async fn check_offline(&self, name: &str) -> Result<Proof, SnapshotError> {
        let Some(said) = run_to_the_end(&self.engine, &self.container).await? else {
            return Ok(Proof::Unknown(format!("checking {name} took too long")));
        };
        Ok(match said.as_str() {
            "[\"OK\"]" => Proof::Restored(format!("{name}: integrity_check says ok")),
            "[\"NONE\"]" => Proof::Read(format!("{name}: its image has nothing to check SQLite with")),
            other => Proof::Failed(format!("{name}: {other}")),
        })
    }

    /// Runs a checker in a container that is at work, on a file that must be there.
    async fn check_in_place(&self, name: &str, path: &str, script: &str) -> Result<(), SnapshotError> {
        let refused = |what: &str| Err(SnapshotError::NotProved(format!("{name}: {path} {what}")));
        match Place::new(&self.engine, &self.container, "/").stat(path).await? {
            Some(stat) if stat.size > 0 && !stat.is_dir => {}
            _ => return refused("is not there"),
        }
        let running = self.engine.container(&self.container).await?;
        if !running.is_some_and(|container| container.state.has_processes()) {
            return Err(SnapshotError::NotProved(format!(
                "{name} does not stay up: {}",
                end(&self.engine, &self.container).await
            )));
        }
        let server =
            Server { container: self.container.clone(), data: String::new(), arguments: String::new() };
        let asked = server.exec(script, &[("DBSAFE_PATH", path)]);
        let answer = self.engine.exec(&self.container, asked, READY_LIMIT, 1 << 16).await;
        let answer = answer.map_err(|error| SnapshotError::Dump(error.to_string()))?;
        match String::from_utf8_lossy(&answer.stdout).trim() {
            "[\"OK\"]" | "[\"NONE\"]" => Ok(()),
            other => refused(other),
        }
    }

    async fn remove(self) {
        // What is left, the sweep at the end of the run finds by its label.
        let _ = self.engine.discard_container(&self.container).await;
        for volume in &self.volumes {
            let _ = self.engine.remove_volume(volume).await;
        }
    }
}

/// What the sentence begins with that says how a server ended.
pub(super) const ENDED: &str = "it ended with status";

/// Waits; `None` when it is ready, else why it never will be.
pub(super) async fn wait_until_ready(engine: &Engine, server: &Server, how: &Recipe) -> Option<String> {
    let deadline = tokio::time::Instant::now() + READY_LIMIT;
    let mut refusals = 0;
    loop {
        let asked =
            engine.exec(&server.container, server.exec(how.ready, &[]), QUESTION_LIMIT, 1 << 16).await;
        match asked {
            Ok(answer) if answer.succeeded() => return None,
            Ok(answer) => {
                let said = String::from_utf8_lossy(&answer.stderr);
                let is_refusal = |line: &&str| REFUSALS.iter().any(|words| line.contains(words));
                let refusal = said.lines().find(is_refusal).filter(|line| !line.contains(NOT_YET));
                refusals += u32::from(refusal.is_some());
                if let Some(refusal) = refusal.filter(|_| refusals >= PATIENCE) {
                    return Some(format!("it lets nobody in: {}", refusal.trim()));
                }
            }
            Err(_) => {}
        }
        match engine.container(&server.container).await {
            Ok(Some(container)) if container.state.has_processes() => {}
            Ok(_) => return Some(end(engine, &server.container).await),
            Err(error) => return Some(error.to_string()),
        }
        if tokio::time::Instant::now() > deadline {
            return Some("it was not ready in time".to_owned());
        }
        tokio::time::sleep(READY_EVERY).await;
    }
}

/// How a container ended, and its last words.
async fn end(engine: &Engine, container: &str) -> String {
    let status = match engine.inspect_raw(container).await {
        Ok(raw) => raw["State"]["ExitCode"].to_string(),
        Err(error) => return error.to_string(),
    };
    let words = engine.last_words(container).await;
    let separator = if words.is_empty() { "" } else { ": " };
    format!("{ENDED} {status}{separator}{words}")
}

/// Starts a container and waits for its end; what it said, and `None` where it takes too long.
pub(super) async fn run_to_the_end(
    engine: &Engine,
    container: &str,
) -> Result<Option<String>, SnapshotError> {
    engine.start(container).await?;
    let deadline = tokio::time::Instant::now() + READY_LIMIT;
    loop {
        match engine.container(container).await? {
            Some(container) if container.state.has_processes() => {}
            _ => return Ok(Some(engine.last_words(container).await)),
        }
        if tokio::time::Instant::now() > deadline {
            return Ok(None);
        }
        tokio::time::sleep(READY_EVERY).await;
    }
}

/// Removes everything that this run made on the engine and has not removed.
pub async fn sweep(engine: &Engine) {
    sweep_run(engine, run_token()).await;
}

/// The copy of a volume.
pub(super) fn copy_of<'a>(manifest: &'a Manifest, volume: &str) -> Option<&'a Artifact> {
    let own = |item: &&Item| item.volume.as_deref() == Some(volume);
    let copies = manifest.items.iter().filter(own).flat_map(|item| &item.artifacts);
    copies
        .into_iter()
        .find(|artifact| artifact.kind == ArtifactKind::PhysicalCopy && artifact.parent.is_none())
}

/// Unpacks the copy of a volume into another, which nothing else mounts meanwhile.
pub(super) async fn fill_volume(
    engine: &Engine,
    volume: &str,
    file: &StoredFile,
    artifact: &Artifact,
    progress: &Arc<dyn Progress>,
) -> Result<(), SnapshotError> {
    let sight = Sight { volumes: vec![volume.to_owned()], writable: true, ..Sight::default() };
    let helper = Helper::create(engine, &sight).await?;
    let parent = Place::new(engine, helper.container(), "/v");
    // The only root is the folder that a helper mounts its first volume at.
    let unpacked = match artifact.root.as_deref() {
        Some("0") => copy::upload(&parent, file, Some("0"), &[], progress).await.map(drop),
        _ => Err(copy::CopyError::Tar(crate::docker::tar_stream::TarFault::Damaged(
            "its root is not a volume's",
        ))),
    };
    helper.remove().await;
    Ok(unpacked?)
}

/// Unpacks what was in a container's writable layer into another container: first what lies around the data,
/// then the data, then what only the server had.
pub(super) async fn fill_layer(
    engine: &Engine,
    container: &str,
    files: &Files,
    manifest: &Manifest,
    from: &str,
    progress: &Arc<dyn Progress>,
) -> Result<(), SnapshotError> {
    let own = manifest.items.iter().filter(|item| item.target.id == from);
    let artifacts: Vec<&Artifact> = own.flat_map(|item| &item.artifacts).collect();
    let mounted = mount_points(manifest, from);
    let order = [ArtifactKind::WritableLayer, ArtifactKind::PhysicalCopy, ArtifactKind::Rdb];
    for kind in order {
        for artifact in artifacts.iter().filter(|artifact| artifact.kind == kind) {
            let Some(parent) = &artifact.parent else { continue };
            let (file, place) = (files.of(artifact), Place::new(engine, container, parent));
            match (kind, &artifact.root) {
                (ArtifactKind::Rdb, Some(name)) => {
                    let owner = place.owner("").await?.unwrap_or((0, 0));
                    copy::put_file(&place, &file, name, owner).await?;
                }
                (ArtifactKind::Rdb, None) => {}
                (_, root) => {
                    copy::upload(&place, &file, root.as_deref(), &mounted, progress).await?;
                }
            }
        }
    }
    Ok(())
}

/// Where a container has something mounted: none of it is its writable layer.
fn mount_points(manifest: &Manifest, container: &str) -> Vec<String> {
    let Some(recipe) = manifest.containers.iter().find(|recipe| recipe.id == container) else {
        return Vec::new();
    };
    let volumes = recipe.volumes.keys().cloned();
    let binds = recipe.host_config["Binds"].as_array().into_iter().flatten();
    let binds = binds.filter_map(|bind| Some(bind.as_str()?.split(':').nth(1)?.to_owned()));
    let mounts = recipe.host_config["Mounts"].as_array().into_iter().flatten();
    let mounts = mounts.filter_map(|mount| Some(mount["Target"].as_str()?.to_owned()));
    volumes.chain(binds).chain(mounts).collect()
}

/// Counts everything in a server.
pub(super) async fn fingerprint(
    engine: &Engine,
    server: &Server,
    how: &Recipe,
) -> Result<Fingerprint, SnapshotError> {
    let databases = match how.databases {
        Some(script) => dump::databases(engine, server, script).await?,
        None => vec![String::new()],
    };
    let mut all = Fingerprint::default();
    for database in &databases {
        let told = dump::ask(engine, server, how.dump.script, &[("DBSAFE_DATABASE", database)]).await?;
        all.position = all.position.take().or(told.fingerprint.position);
        all.databases.extend(told.fingerprint.databases);
    }
    Ok(all)
}

/// The command line as it was, which may hold a password.
pub(super) fn arguments(recipe: &ContainerRecipe, secrets: &Secrets) -> String {
    let empty = BTreeMap::new();
    let config = secrets.get(&recipe.id).map_or(&empty, |secret| &secret.config);
    let words = ["Entrypoint", "Cmd"].into_iter().filter_map(|part| config.get(part)?.as_array());
    words.flatten().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
}

/// The host's folders and files that the container saw, to be read only. Never a socket: behind it is power.
fn read_only_binds(host: &Value) -> Vec<Value> {
    let bind = |source: &str, target: &str| {
        let plain = source.starts_with('/') && source != "/" && !source.ends_with(".sock");
        plain.then(|| json!({"Type": "bind", "Source": source, "Target": target, "ReadOnly": true}))
    };
    let binds = host["Binds"].as_array().into_iter().flatten().filter_map(|text| {
        let mut parts = text.as_str()?.splitn(3, ':');
        bind(parts.next()?, parts.next()?)
    });
    let mounts = host["Mounts"].as_array().into_iter().flatten();
    let mounts = mounts
        .filter(|mount| mount["Type"] == "bind")
        .filter_map(|mount| bind(mount["Source"].as_str()?, mount["Target"].as_str()?));
    binds.chain(mounts).collect()
}

fn scratch_body(
    recipe: &ContainerRecipe,
    secrets: &Secrets,
    mounts: Vec<Value>,
    offline: Option<&(&Item, &'static str)>,
) -> Value {
    let mut body = isolated_body(recipe, secrets, mounts, json!({}));
    body.insert("Healthcheck".to_owned(), json!({"Test": ["NONE"]}));
    if let Some((item, script)) = offline {
        look_at(&mut body, script, &item.path);
    }
    Value::Object(body)
}

/// Has a container do nothing but look at a file, by its own programs.
pub(super) fn look_at(body: &mut Map<String, Value>, script: &str, path: &str) {
    body.insert("Entrypoint".to_owned(), json!(["sh", "-c", script]));
    body.insert("Cmd".to_owned(), json!([]));
    let mut environment = body.get("Env").and_then(Value::as_array).cloned().unwrap_or_default();
    environment.push(json!(format!("DBSAFE_PATH={path}")));
    body.insert("Env".to_owned(), Value::Array(environment));
}

/// A container like the old one, but on no network, with no port, name or label of it, and nothing of the host to
/// write to: it can run beside the old one.
pub(super) fn isolated_body(
    recipe: &ContainerRecipe,
    secrets: &Secrets,
    mut mounts: Vec<Value>,
    labels: Value,
) -> Map<String, Value> {
    mounts.extend(read_only_binds(&recipe.host_config));
    let full = recipe::creation(recipe, secrets.get(&recipe.id), &recipe.image_id, &json!({}));
    let mut body = full.as_object().cloned().unwrap_or_default();
    let old_host = body.remove("HostConfig").unwrap_or_default();
    for part in ["NetworkingConfig", "ExposedPorts", "Hostname", "Domainname", "MacAddress", "OnBuild"] {
        body.remove(part);
    }
    let mut host = Map::new();
    for part in HOST_PARTS {
        if let Some(value) = old_host.get(*part).filter(|value| !value.is_null()) {
            host.insert((*part).to_owned(), value.clone());
        }
    }
    host.insert("NetworkMode".to_owned(), json!("none"));
    host.insert("Mounts".to_owned(), Value::Array(mounts));
    body.insert("HostConfig".to_owned(), Value::Object(host));
    // Not compose's: it would take the container for its own.
    body.insert("Labels".to_owned(), labels);
    body
}

fn number_of(count: u64, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}
