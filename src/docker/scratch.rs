//! Helper containers: created from an empty image, never started, and removed again. They let the archive
//! API see volumes that no container mounts, and writable layers without the image below them.
//!
//! Nothing is pulled and nothing runs. Every helper carries the label `dbsafe.helper`, so that planning
//! never takes one for a target and the next run finds what a kill left behind.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bollard::{
    models::{ContainerCreateBody, HostConfig, Mount, MountType, MountVolumeOptions},
    query_parameters::{CreateImageOptions, ListImagesOptions, RemoveContainerOptions, RemoveImageOptions},
};
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use serde_json::Value;
use tokio::task::JoinHandle;

use super::{archive::Place, dial::EngineError, engine::Engine};
use crate::model::container::{Labels, label};

/// Leftovers of other boots and namespaces younger than this may belong to a run that is still at work: copying and proving a
/// large database takes its time.
const STALE_AFTER: Duration = Duration::from_secs(6 * 3600);

/// What a helper shall see.
#[derive(Debug, Clone, Default)]
pub struct Sight {
    /// Volumes by name, each mounted at `/v/<index>`.
    pub volumes: Vec<String>,
    /// Folders of the engine's host, each bound read-only at `/b/<index>`.
    pub folders: Vec<String>,
    /// Whether the volumes may be written to, as a restore does.
    pub writable: bool,
    /// Where the first volume is mounted instead.
    pub at: Option<String>,
}

/// A helper container. Call `remove` when done. Where its owner is dropped instead (Ctrl-C), `leave_nothing`
/// removes it at the end of the process; what a kill leaves behind the next helper's maker sweeps away.
#[derive(Clone)]
pub struct Helper {
    engine: Engine,
    container: String,
    image: String,
}

/// Helpers of this process that are not yet removed, and how many are being made or removed this moment.
static ALIVE: Mutex<Alive> = Mutex::new(Alive { busy: 0, helpers: Vec::new() });

struct Alive {
    busy: usize,
    helpers: Vec<Helper>,
}

fn alive() -> MutexGuard<'static, Alive> {
    ALIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes every helper that this process made and has not removed. Call it before the process ends.
pub async fn leave_nothing() {
    for _ in 0..1000 {
        let left = std::mem::take(&mut alive().helpers);
        for helper in left {
            helper.remove_later();
        }
        if alive().busy == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

impl Helper {
    /// Creates a helper that sees the given volumes and folders.
    ///
    /// # Errors
    /// Where the engine refuses; nothing is left behind then.
    pub async fn create(engine: &Engine, sight: &Sight) -> Result<Self, EngineError> {
        alive().busy += 1;
        let (engine, sight) = (engine.clone(), sight.clone());
        // A task of its own: whoever waits for it may be dropped, and the helper must not be lost then.
        let made = tokio::spawn(async move {
            let (made, ()) = tokio::join!(Self::make(&engine, &sight), sweep(&engine, Timestamp::now()));
            let mut alive = alive();
            alive.busy -= 1;
            if let Ok(helper) = &made {
                alive.helpers.push(helper.clone());
            }
            made
        });
        made.await
            .unwrap_or_else(|_panicked| Err(EngineError::unexpected("making a helper container failed")))
    }

    async fn make(engine: &Engine, sight: &Sight) -> Result<Self, EngineError> {
        let image = import_empty_image(engine).await?;
        let volumes = sight.volumes.iter().enumerate().map(|(index, name)| Mount {
            typ: Some(MountType::VOLUME),
            source: Some(name.clone()),
            target: Some(sight.at.clone().filter(|_| index == 0).unwrap_or_else(|| format!("/v/{index}"))),
            // Without it, the engine would copy the image's files into an empty volume.
            volume_options: Some(MountVolumeOptions { no_copy: Some(true), ..MountVolumeOptions::default() }),
            read_only: Some(!sight.writable),
            ..Mount::default()
        });
        let folders = sight.folders.iter().enumerate().map(|(index, path)| Mount {
            typ: Some(MountType::BIND),
            source: Some(path.clone()),
            target: Some(format!("/b/{index}")),
            read_only: Some(true),
            ..Mount::default()
        });
        let body = ContainerCreateBody {
            image: Some(image.clone()),
            cmd: Some(vec!["/never-started".to_owned()]),
            host_config: Some(HostConfig {
                mounts: Some(volumes.chain(folders).collect()),
                network_mode: Some("none".to_owned()),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let body = serde_json::to_value(body).map_err(|error| EngineError::unexpected(&error.to_string()))?;
        match create(engine, body).await {
            Ok(container) => Ok(Self { engine: engine.clone(), container, image }),
            Err(error) => {
                remove_image(engine, &image).await;
                Err(error)
            }
        }
    }

    /// Its container's id.
    #[must_use]
    pub fn container(&self) -> &str {
        &self.container
    }

    /// The root of the volume with this index.
    #[must_use]
    pub fn volume(&self, index: usize) -> Place {
        Place::new(&self.engine, &self.container, &format!("/v/{index}"))
    }

    /// Above all the folders: `<index>/…` in it is the folder with that index.
    #[must_use]
    pub fn folders(&self) -> Place {
        Place::new(&self.engine, &self.container, "/b")
    }

    /// The root of the folder with this index.
    #[must_use]
    pub fn folder(&self, index: usize) -> Place {
        Place::new(&self.engine, &self.container, &format!("/b/{index}"))
    }

    /// Lets go of the helper: it is removed while other things go on, at the latest by `leave_nothing`.
    pub fn remove_later(self) -> JoinHandle<()> {
        {
            let mut alive = alive();
            alive.busy += 1;
            alive.helpers.retain(|helper| helper.container != self.container);
        }
        // A task of its own, so that nobody who stops waiting stops it.
        tokio::spawn(async move {
            remove(&self.engine, &self.container).await;
            remove_image(&self.engine, &self.image).await;
            alive().busy -= 1;
        })
    }

    /// Removes the helper and its image.
    pub async fn remove(self) {
        // It fails only where the runtime ends, which `leave_nothing` waits for.
        let _ = self.remove_later().await;
    }
}

/// Tells the containers of one run apart, where the engine's answer does not.
const NUMBER: &str = "dbsafe.helper.number";

/// How long an engine that did not answer may be at the creation, and how often it is asked meanwhile.
const UNHEARD_FOR: u32 = 30;
const UNHEARD_EVERY: Duration = Duration::from_millis(100);

/// Creates a container of our own, labelled so that it is removed whatever happens.
///
/// # Errors
/// Where the engine refuses or does not answer; nothing is left behind then.
pub async fn create(engine: &Engine, mut body: Value) -> Result<String, EngineError> {
    static CREATED: AtomicU64 = AtomicU64::new(0);
    let number = CREATED.fetch_add(1, Ordering::Relaxed).to_string();
    body["Labels"][label::HELPER] = run_token().into();
    body["Labels"][NUMBER] = number.as_str().into();
    let created = engine.create_container_raw(None, &body).await;
    if created.as_ref().is_err_and(|error| error.status().is_none()) {
        remove_unheard(engine, &number).await;
    }
    created
}

/// Removes a container of which the engine may have heard, and we not its answer: it may still be making it.
async fn remove_unheard(engine: &Engine, number: &str) {
    let is_it = |labels: &Labels| {
        labels.get(label::HELPER).is_some_and(|token| token == run_token())
            && labels.get(NUMBER).is_some_and(|own| own == number)
    };
    for _ in 0..UNHEARD_FOR {
        match engine.containers().await {
            Ok(containers) => {
                if let Some(ours) = containers.iter().find(|container| is_it(&container.labels)) {
                    return remove(engine, &ours.id).await;
                }
            }
            // One answer that broke off says nothing of the next.
            Err(EngineError::Unexpected(_)) => {}
            // It is gone, or hangs: the next run sweeps.
            Err(_) => return,
        }
        tokio::time::sleep(UNHEARD_EVERY).await;
    }
}

/// Names this run on everything that it makes on an engine, so that it removes just its own: where it runs,
/// which process it is, and something that no other process has.
#[must_use]
pub fn run_token() -> &'static str {
    use std::hash::{BuildHasher as _, Hasher as _};
    static TOKEN: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    TOKEN.get_or_init(|| {
        let random = std::hash::RandomState::new().build_hasher().finish();
        format!("{}-{}-{}-{random:016x}", machine(), here(), std::process::id())
    })
}

/// Whether a label's value is one that this machine gives. Anybody can write a label: an image or a compose file of
/// ill will, with the label of our helpers on its database, must not be passed over, let alone swept away.
#[must_use]
pub fn is_of_this_machine(token: &str) -> bool {
    token == run_token() || machine() != ELSEWHERE && token.split('-').next() == Some(machine())
}

const ELSEWHERE: &str = "elsewhere";

/// The first digits of a digest.
fn short_digest(parts: &[&[u8]]) -> String {
    use sha2::{Digest as _, Sha256};
    let digest = parts.iter().fold(Sha256::new(), |digest, part| digest.chain_update(part)).finalize();
    digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// Names this machine to itself, by an id that nobody else is told (machine-id(5) asks for a digest of it).
fn machine() -> &'static str {
    static MACHINE: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    MACHINE.get_or_init(|| match std::fs::read("/etc/machine-id") {
        Ok(id) if id.len() >= 32 => short_digest(&[b"docker-dbsafe", &id]),
        _ => here().to_owned(),
    })
}

/// Names the space that process ids have their meaning in: this boot of this host, and the namespace.
fn here() -> &'static str {
    static HERE: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    HERE.get_or_init(|| {
        let boot = std::fs::read("/proc/sys/kernel/random/boot_id");
        let space = std::fs::read_link("/proc/self/ns/pid");
        let (Ok(boot), Ok(space)) = (boot, space) else { return ELSEWHERE.to_owned() };
        short_digest(&[&boot, space.as_os_str().as_encoded_bytes()])
    })
}

/// Whether the process that a token names is known to be alive, or known to be gone.
fn is_alive(token: &str) -> Option<bool> {
    let mut parts = token.split('-').skip(1);
    let (place, process) = (parts.next()?, parts.next()?);
    let known = place == here() && place != ELSEWHERE && process.bytes().all(|byte| byte.is_ascii_digit());
    known.then(|| std::path::Path::new("/proc").join(process).exists())
}

/// Removes everything that carries the token: containers with their anonymous volumes, volumes, images.
/// Failures are left to a later `sweep`.
pub async fn sweep_run(engine: &Engine, token: &str) {
    let is_ours = |labels: &Labels| labels.get(label::HELPER).is_some_and(|value| value == token);
    for container in engine.containers().await.unwrap_or_default() {
        if is_ours(&container.labels) {
            let options =
                RemoveContainerOptions { force: true, v: true, ..RemoveContainerOptions::default() };
            let _ = engine.api().remove_container(&container.id, Some(options)).await;
        }
    }
    for volume in engine.volumes().await.unwrap_or_default() {
        if is_ours(&volume.labels) {
            let _ = engine.remove_volume(&volume.name).await;
        }
    }
    let filters = HashMap::from([("label".to_owned(), vec![format!("{}={token}", label::HELPER)])]);
    let options = ListImagesOptions { filters: Some(filters), all: true, ..ListImagesOptions::default() };
    for image in engine.api().list_images(Some(options)).await.unwrap_or_default() {
        remove_image(engine, &image.id).await;
    }
}

/// Imports an image from an empty tar. It has no name, so it cannot clash with anybody's.
async fn import_empty_image(engine: &Engine) -> Result<String, EngineError> {
    let empty_tar = Bytes::from_static(&[0; 1024]);
    let options = CreateImageOptions {
        from_src: Some("-".to_owned()),
        changes: vec![format!("LABEL {}={}", label::HELPER, run_token())],
        ..CreateImageOptions::default()
    };
    let body = bollard::body_full(empty_tar);
    let answers: Vec<_> = engine
        .api()
        .create_image(Some(options), Some(body), None)
        .try_collect()
        .await
        .map_err(EngineError::from_api)?;
    answers
        .into_iter()
        .filter_map(|answer| answer.status)
        .rfind(|status| status.starts_with("sha256:"))
        .ok_or_else(|| EngineError::unexpected("the engine did not name the image that it imported"))
}

/// Removes a helper container. What cannot be removed is swept away by a later run; the look itself has succeeded.
async fn remove(engine: &Engine, container: &str) {
    for _ in 0..TRIES {
        let options = RemoveContainerOptions { force: true, ..RemoveContainerOptions::default() };
        match engine.api().remove_container(container, Some(options)).await {
            // It is gone, or the engine has its reasons.
            Ok(()) | Err(bollard::errors::Error::DockerResponseServerError { .. }) => return,
            // The connection may have ended before the engine heard of it.
            Err(_broken_off) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// How often a removal is tried whose answer does not come, and how long after.
const TRIES: usize = 3;
const PAUSE: Duration = Duration::from_millis(50);

async fn remove_image(engine: &Engine, image: &str) {
    let options = RemoveImageOptions { force: true, ..RemoveImageOptions::default() };
    // As above: a later run sweeps it away.
    let _ = engine.api().remove_image(image, Some(options), None).await;
}

/// Removes helpers that a killed run left behind on this machine. Failures are left to the next run.
async fn sweep(engine: &Engine, now: Timestamp) {
    if let Ok(containers) = engine.containers().await {
        for left in containers.iter().filter(|container| super::engine::is_helper(&container.labels)) {
            let Ok(Some(container)) = engine.container(&left.id).await else { continue };
            if is_stale(left.labels.get(label::HELPER), container.created.parse().ok(), now) {
                let options =
                    RemoveContainerOptions { force: true, v: true, ..RemoveContainerOptions::default() };
                let _ = engine.api().remove_container(&left.id, Some(options)).await;
            }
        }
    }
    if let Ok(volumes) = engine.volumes().await {
        for volume in volumes.iter().filter(|volume| super::engine::is_helper(&volume.labels)) {
            if is_stale(volume.labels.get(label::HELPER), volume.created.parse().ok(), now) {
                let _ = engine.remove_volume(&volume.name).await;
            }
        }
    }
    let filters = HashMap::from([("label".to_owned(), vec![label::HELPER.to_owned()])]);
    let options = ListImagesOptions { filters: Some(filters), all: true, ..ListImagesOptions::default() };
    if let Ok(images) = engine.api().list_images(Some(options)).await {
        for image in images {
            let token = image.labels.get(label::HELPER);
            let ours = token.is_some_and(|token| is_of_this_machine(token));
            if ours && is_stale(token, Timestamp::from_second(image.created).ok(), now) {
                remove_image(engine, &image.id).await;
            }
        }
    }
}

/// Whether nobody needs a leftover any more: its process is gone, or, where that cannot be told, it is old.
fn is_stale(token: Option<&String>, created: Option<Timestamp>, now: Timestamp) -> bool {
    match token.and_then(|token| is_alive(token)) {
        Some(alive) => !alive,
        None => created.is_some_and(|created| now.duration_since(created).unsigned_abs() > STALE_AFTER),
    }
}
