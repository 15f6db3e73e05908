//! Helper containers: created from an empty image, never started, and removed again. They let the archive
//! API see volumes that no container mounts, and writable layers without the image below them.
//!
//! Nothing is pulled and nothing runs. Every helper carries the label `dbsafe.helper`, so that planning
//! never takes one for a target and the next run finds what a kill left behind.

use std::{collections::HashMap, time::Duration};

use bollard::{
    models::{ContainerCreateBody, HostConfig, Mount, MountType, MountVolumeOptions},
    query_parameters::{
        CreateContainerOptions, CreateImageOptions, ListImagesOptions, RemoveContainerOptions,
        RemoveImageOptions,
    },
};
use bytes::Bytes;
use futures_util::TryStreamExt as _;

use super::{archive::Place, dial::EngineError, engine::Engine};
use crate::model::container::label;

/// Leftovers younger than this may belong to another run that is still at work.
const STALE_AFTER: Duration = Duration::from_secs(600);

/// What a helper shall see.
#[derive(Debug, Clone, Default)]
pub struct Sight {
    /// Volumes by name, each mounted at `/v/<index>`.
    pub volumes: Vec<String>,
    /// Folders of the engine's host, each bound read-only at `/b/<index>`.
    pub folders: Vec<String>,
    /// Whether the volumes may be written to, as a restore does.
    pub writable: bool,
}

/// A helper container. Call `remove` when done; what a kill leaves behind the next run sweeps away.
pub struct Helper {
    engine: Engine,
    container: String,
    image: String,
}

impl Helper {
    /// Creates a helper that sees the given volumes and folders.
    ///
    /// # Errors
    /// Where the engine refuses; nothing is left behind then.
    pub async fn create(engine: &Engine, sight: &Sight) -> Result<Self, EngineError> {
        let image = import_empty_image(engine).await?;
        let volumes = sight.volumes.iter().enumerate().map(|(index, name)| Mount {
            typ: Some(MountType::VOLUME),
            source: Some(name.clone()),
            target: Some(format!("/v/{index}")),
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
            labels: Some(helper_labels()),
            host_config: Some(HostConfig {
                mounts: Some(volumes.chain(folders).collect()),
                network_mode: Some("none".to_owned()),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let created = engine.api().create_container(None::<CreateContainerOptions>, body).await;
        match created {
            Ok(created) => Ok(Self { engine: engine.clone(), container: created.id, image }),
            Err(error) => {
                remove_image(engine, &image).await;
                Err(EngineError::from_api(error))
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

    /// The root of the folder with this index.
    #[must_use]
    pub fn folder(&self, index: usize) -> Place {
        Place::new(&self.engine, &self.container, &format!("/b/{index}"))
    }

    /// Removes the helper and its image.
    pub async fn remove(self) {
        let options = RemoveContainerOptions { force: true, ..RemoveContainerOptions::default() };
        // A helper that cannot be removed is swept away by a later run; the look itself has succeeded.
        let _ = self.engine.api().remove_container(&self.container, Some(options)).await;
        remove_image(&self.engine, &self.image).await;
    }
}

fn helper_labels() -> HashMap<String, String> {
    HashMap::from([(label::HELPER.to_owned(), run_token().to_owned())])
}

/// Names this run on everything that it makes on an engine, so that it removes just its own. A process id
/// alone would not do: other hosts use the same engine.
#[must_use]
pub fn run_token() -> &'static str {
    use std::hash::{BuildHasher as _, Hasher as _};
    static TOKEN: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    TOKEN.get_or_init(|| {
        let random = std::hash::RandomState::new().build_hasher().finish();
        format!("{}-{random:016x}", std::process::id())
    })
}

/// Removes everything that carries the token: containers with their anonymous volumes, volumes, images.
/// Failures are left to a later `sweep`.
pub async fn sweep_run(engine: &Engine, token: &str) {
    let is_ours = |labels: &crate::model::container::Labels| {
        labels.get(label::HELPER).is_some_and(|value| value == token)
    };
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

async fn remove_image(engine: &Engine, image: &str) {
    let options = RemoveImageOptions { force: true, ..RemoveImageOptions::default() };
    // As above: a later run sweeps it away.
    let _ = engine.api().remove_image(image, Some(options), None).await;
}

/// Removes helpers that a killed run left behind. Failures are left to the next run.
pub async fn sweep(engine: &Engine, now: jiff::Timestamp) {
    if let Ok(containers) = engine.containers().await {
        for left in containers.iter().filter(|container| super::engine::is_helper(&container.labels)) {
            let Ok(Some(container)) = engine.container(&left.id).await else { continue };
            if is_stale(container.created.parse().ok(), now) {
                let options =
                    RemoveContainerOptions { force: true, v: true, ..RemoveContainerOptions::default() };
                let _ = engine.api().remove_container(&left.id, Some(options)).await;
            }
        }
    }
    if let Ok(volumes) = engine.volumes().await {
        for volume in volumes.iter().filter(|volume| super::engine::is_helper(&volume.labels)) {
            if is_stale(volume.created.parse().ok(), now) {
                let _ = engine.remove_volume(&volume.name).await;
            }
        }
    }
    let filters = HashMap::from([("label".to_owned(), vec![label::HELPER.to_owned()])]);
    let options = ListImagesOptions { filters: Some(filters), all: true, ..ListImagesOptions::default() };
    if let Ok(images) = engine.api().list_images(Some(options)).await {
        for image in images {
            if is_stale(jiff::Timestamp::from_second(image.created).ok(), now) {
                remove_image(engine, &image.id).await;
            }
        }
    }
}

fn is_stale(created: Option<jiff::Timestamp>, now: jiff::Timestamp) -> bool {
    created.is_some_and(|created| now.duration_since(created).unsigned_abs() > STALE_AFTER)
}
