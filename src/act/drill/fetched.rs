//! A drill of what lies in another tool's repository: fetched into a private folder, restored from there, and removed
//! again, whatever happens.

use std::{
    cell::Cell,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{Newest, Outcome, Request, restore_dumps};
use crate::{
    act::{
        recipe,
        snapshot::SnapshotError,
        verify::{ENDED, Subject, start_on_copies},
    },
    docker::{
        archive::Place,
        scratch::{run_token, sweep_run},
    },
    inspect::backups::{
        Whole,
        tools::{Entry, Holding, Repository, Snapshot, fetch},
    },
    model::{
        container::is_within,
        evidence::{Evidence, Location},
        manifest::{
            Artifact, ArtifactKind, Consistency, ContainerRecipe, EngineHost, FORMAT_VERSION, Fingerprint,
            Item, Manifest, Verification, VerificationResult,
        },
    },
    report::words::size,
    store::{Files, Secrets, transient::Transient},
};

/// What is to be fetched, and where it may lie meanwhile.
pub struct Fetch<'a> {
    pub request: &'a Request<'a>,
    pub home: &'a Path,
    pub repository: Arc<dyn Repository + Send + Sync>,
    pub holding: &'a Holding,
}

/// Fetches it, restores it, and removes both.
///
/// # Errors
/// Where the engine does not answer, or there is no place for a folder.
pub async fn restore(fetch: &Fetch<'_>) -> Result<(Outcome, Duration), SnapshotError> {
    let began = tokio::time::Instant::now();
    let outcome = fetch.restore().await;
    fetch.request.progress.end();
    Ok((outcome?, began.elapsed()))
}

impl Fetch<'_> {
    async fn restore(&self) -> Result<Outcome, SnapshotError> {
        let (Some((snapshot, entry)), Some(file)) = (&self.holding.place, &self.holding.file) else {
            return Ok(Outcome::unknown(self.holding.backup.detail.clone().unwrap_or_default()));
        };
        // It was read to its end already.
        if let Whole::Broken(why) = &file.whole {
            return Ok(Outcome::failed(why.clone()));
        }
        let folder = Transient::create(self.home)?;
        if let Some(room) = folder.room().filter(|room| *room < entry.size) {
            return Ok(Outcome::unknown(format!(
                "it takes {} to fetch it, and {} has room for {}: set DBSAFE_HOME to a larger disk",
                size(entry.size),
                self.home.display(),
                size(room)
            )));
        }
        let path = match self.fetched(&folder, snapshot, entry).await? {
            Ok(path) => path,
            Err(error) => return Ok(Outcome::unknown(format!("it could not be fetched: {error}"))),
        };
        if entry.is_folder {
            return self.start(&folder, &path).await;
        }
        let dump = Newest { path, file: file.clone(), of: self.holding.of.clone() };
        let outcomes = restore_dumps(self.request, std::slice::from_ref(&dump)).await?;
        let outcome = outcomes.into_iter().next().map(|(outcome, _took)| outcome);
        Ok(outcome.unwrap_or_else(|| Outcome::unknown("it was not restored")))
    }

    async fn fetched(
        &self,
        folder: &Transient,
        snapshot: &Snapshot,
        entry: &Entry,
    ) -> Result<io::Result<PathBuf>, SnapshotError> {
        let (request, backup) = (self.request, &self.holding.backup);
        // A tool that ran as somebody else lost whose the files are; the live ones tell it.
        let live = Place::new(request.engine, &request.container.id, &request.seen.path);
        let owner = if entry.is_folder { live.owner("").await?.unwrap_or((0, 0)) } else { (0, 0) };
        let known = (entry.size > 0).then_some(entry.size);
        request.progress.stage(&format!("fetching {} {}", backup.tool, backup.source), known);
        let (path, file) = match folder.file(if entry.is_folder { "copy.tar.zst" } else { "dump" }) {
            Ok(opened) => opened,
            Err(error) => return Ok(Err(error)),
        };
        // Nobody waits for it any more once we are dropped.
        let given_up = CancellationToken::new();
        let _ends_with_us = given_up.clone().drop_guard();
        let (repository, progress) = (Arc::clone(&self.repository), Arc::clone(&request.progress));
        let (snapshot, entry, room) = (snapshot.clone(), entry.clone(), folder.room());
        let work = move || {
            let written = Cell::new(0);
            let meter = |bytes: u64| {
                written.set(written.get() + bytes);
                progress.advance(bytes);
                if given_up.is_cancelled() {
                    return Err(io::Error::other("it was given up"));
                }
                // What a listing says of sizes is only a word.
                match room {
                    Some(room) if written.get() > room => Err(io::ErrorKind::StorageFull.into()),
                    Some(_) | None => Ok(()),
                }
            };
            let repository = repository.as_ref();
            match entry.is_folder {
                true => fetch::folder(repository, &snapshot, &entry, owner, &file, &meter),
                false => fetch::file(repository, &snapshot, &entry, &file, &meter),
            }
        };
        let done = tokio::task::spawn_blocking(work).await;
        let done = done.unwrap_or_else(|_panicked| Err(io::Error::other("reading it failed")));
        Ok(done.map(|()| path))
    }

    /// Starts a server like the database's own on the files, and counts what it has.
    async fn start(&self, folder: &Transient, copy: &Path) -> Result<Outcome, SnapshotError> {
        let request = self.request;
        let (mut recipe, secret) = recipe::of_container(request.engine, request.container).await?;
        let secrets = Secrets::from([(recipe.id.clone(), secret)]);
        let volume = format!("dbsafe-drill-{}", run_token());
        lay_over(&mut recipe, &request.seen.path, &volume);
        let name = copy.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let bytes = fs::metadata(copy).map_or(0, |metadata| metadata.len());
        let now = Timestamp::now();
        let manifest = manifest(request.seen, recipe, volume, (name, bytes), now);
        let subject = Subject {
            engine: request.engine,
            files: &Files::plain(folder.path()),
            manifest: &manifest,
            secrets: &secrets,
            progress: &request.progress,
        };
        let started = start_on_copies(&subject, now).await;
        sweep_run(request.engine, run_token()).await;
        let (verification, found) = started?;
        let held = found.into_iter().next().map(|(_, held)| held).unwrap_or_default();
        Ok(self.judge(verification, &held))
    }

    fn judge(&self, verification: Verification, held: &Fingerprint) -> Outcome {
        let Verification { result, detail, .. } = verification;
        if result != VerificationResult::Proved {
            // It had nothing to do but to start on its files.
            let has_failed = result == VerificationResult::Failed || detail.contains(ENDED);
            return if has_failed { Outcome::failed(detail) } else { Outcome::unknown(detail) };
        }
        let (tables, rows) = held.totals();
        let is_keyed = matches!(self.request.seen.engine.as_deref(), Some("redis" | "valkey"));
        // An image sets up a new server where it finds no files.
        if tables == 0 || is_keyed && rows == 0 {
            return Outcome::unknown(format!("{detail}: it holds nothing"));
        }
        let missing = |name: &&String| !held.databases.contains_key(*name);
        if let Some(name) = self.holding.of.iter().flatten().find(missing) {
            return Outcome::unknown(format!("{detail}; the live one's database {name} is not in it"));
        }
        if self.holding.is_running_copy() {
            return Outcome::unknown(format!(
                "{detail}; but its server ran while it was copied: what is missing in it cannot be told"
            ));
        }
        Outcome { result, detail }
    }
}

/// Puts a volume in the place of the data, and takes away whatever else was mounted there.
fn lay_over(recipe: &mut ContainerRecipe, data: &str, volume: &str) {
    let apart = |target: &str| !is_within(target, data) && !is_within(data, target);
    recipe.volumes.retain(|target, _| apart(target));
    recipe.volumes.insert(data.to_owned(), volume.to_owned());
    let target_of = |mount: &Value| match mount.as_str() {
        Some(bind) => bind.split(':').nth(1).unwrap_or_default().to_owned(),
        None => mount["Target"].as_str().unwrap_or_default().to_owned(),
    };
    for part in ["Binds", "Mounts"] {
        if let Some(mounts) = recipe.host_config.get_mut(part).and_then(Value::as_array_mut) {
            mounts.retain(|mount| apart(&target_of(mount)));
        }
    }
    if let Some(places) = recipe.host_config.get_mut("Tmpfs").and_then(Value::as_object_mut) {
        places.retain(|target, _| apart(target));
    }
}

/// What was fetched, described as a snapshot of it would be.
fn manifest(
    seen: &Evidence,
    recipe: ContainerRecipe,
    volume: String,
    (file, bytes): (String, u64),
    now: Timestamp,
) -> Manifest {
    let artifact = Artifact {
        file,
        kind: ArtifactKind::PhysicalCopy,
        format: "tar.zst".to_owned(),
        bytes,
        content_bytes: bytes,
        sha256: String::new(),
        milliseconds: 0,
        database: None,
        parent: None,
        root: Some(fetch::ROOT.to_owned()),
        entries: 0,
    };
    let item = Item {
        target: seen.target.clone(),
        engine: seen.engine.clone(),
        engine_version: seen.engine_version.clone(),
        location: Location::NamedVolume,
        path: seen.path.clone(),
        volume: Some(volume),
        identity: seen.identity.clone(),
        contents: seen.contents.clone(),
        fingerprint: None,
        consistency: Consistency::Stopped,
        artifacts: vec![artifact],
        not_kept: Vec::new(),
    };
    Manifest {
        format_version: FORMAT_VERSION,
        id: String::new(),
        created: now,
        dbsafe: env!("CARGO_PKG_VERSION").to_owned(),
        command: Vec::new(),
        engine: EngineHost { host: String::new(), version: String::new() },
        projects: Vec::new(),
        items: vec![item],
        containers: vec![recipe],
        volumes: Vec::new(),
        networks: Vec::new(),
        verification: Verification::none(),
        kept_until: None,
        recipients: Vec::new(),
    }
}
