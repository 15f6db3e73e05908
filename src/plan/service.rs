//! One service of compose's model, and what its description says of images, volumes and other services.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use super::project::{Dependency, Provider};

/// A service, reduced to what decides whether its containers are removed or replaced.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Service {
    /// Explicit and implied ones: compose adds links, volumes_from and shared namespaces.
    #[serde(deserialize_with = "null_is_default")]
    pub(super) depends_on: BTreeMap<String, Dependency>,
    pub(super) provider: Option<Provider>,
    image: Option<String>,
    build: Option<serde_json::Value>,
    #[serde(deserialize_with = "null_is_default")]
    pub(super) pull_policy: String,
    scale: Option<usize>,
    deploy: Option<Deploy>,
    #[serde(deserialize_with = "null_is_default")]
    volumes: Vec<ServiceVolume>,
    #[serde(deserialize_with = "null_is_default")]
    volumes_from: Vec<String>,
    #[serde(deserialize_with = "null_is_default")]
    network_mode: String,
    #[serde(deserialize_with = "null_is_default")]
    ipc: String,
    #[serde(deserialize_with = "null_is_default")]
    pid: String,
    develop: Option<Develop>,
    /// By their keys in the file.
    #[serde(deserialize_with = "null_is_default")]
    pub(super) networks: BTreeMap<String, serde_json::Value>,
    #[serde(deserialize_with = "null_is_default")]
    pub(super) profiles: Vec<String>,
    /// Of the old format: services that the engine links to.
    #[serde(deserialize_with = "null_is_default")]
    pub(super) links: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Deploy {
    replicas: Option<usize>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct ServiceVolume {
    #[serde(rename = "type")]
    kind: String,
    #[serde(deserialize_with = "null_is_default")]
    source: String,
    #[serde(deserialize_with = "null_is_default")]
    target: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Develop {
    #[serde(deserialize_with = "null_is_default")]
    watch: Vec<Trigger>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Trigger {
    #[serde(deserialize_with = "null_is_default")]
    action: String,
}

impl Service {
    /// How many containers the files want; `None` where they do not say.
    pub(super) fn wanted(&self) -> Option<usize> {
        self.scale.or_else(|| self.deploy.as_ref().and_then(|deploy| deploy.replicas))
    }

    pub(super) fn has_build(&self) -> bool {
        self.build.is_some()
    }

    /// The image's name; one that is built without a name has the service's.
    pub(super) fn image_name(&self, project: &str, service: &str) -> String {
        let named = self.image.as_deref().filter(|name| !name.is_empty());
        named.map_or_else(|| format!("{project}-{service}"), str::to_owned)
    }

    /// The same, as 1.29 has it.
    pub(super) fn image_name_of_old(&self, project: &str, service: &str) -> String {
        let named = self.image.as_deref().filter(|name| !name.is_empty());
        let own = || format!("{}_{service}", project.trim_start_matches(['-', '_']));
        named.map_or_else(own, str::to_owned)
    }

    /// Services whose containers this one's refer to by id.
    pub(super) fn parents(&self) -> Vec<String> {
        let modes = [&self.network_mode, &self.ipc, &self.pid];
        let shared = modes.into_iter().filter_map(|mode| mode.strip_prefix("service:"));
        let borrowed = self.volumes_from.iter().filter(|from| !from.starts_with("container:"));
        let borrowed = borrowed.filter_map(|from| from.split(':').next());
        shared.chain(borrowed).map(str::to_owned).collect()
    }

    fn of_kind(&self, kind: &str) -> impl Iterator<Item = &ServiceVolume> {
        self.volumes.iter().filter(move |volume| volume.kind == kind)
    }

    /// The keys of the model's volumes that are mounted.
    pub(super) fn named_volumes(&self) -> impl Iterator<Item = &String> {
        self.of_kind("volume").map(|volume| &volume.source).filter(|source| !source.is_empty())
    }

    pub(super) fn mounts_volume(&self, key: &str) -> bool {
        self.named_volumes().any(|name| name == key)
    }

    /// Destinations of volumes without a name.
    pub(super) fn anonymous_volumes(&self) -> impl Iterator<Item = String> {
        self.of_kind("volume").filter(|volume| volume.source.is_empty()).map(|volume| clean(&volume.target))
    }

    /// Destinations of volumes with a name, of folders of the host, of memory.
    pub(super) fn sourced_volumes(&self) -> impl Iterator<Item = String> {
        let sourced = |volume: &&ServiceVolume| volume.kind != "volume" || !volume.source.is_empty();
        self.volumes.iter().filter(sourced).map(|volume| clean(&volume.target))
    }

    pub(super) fn mounts_images(&self) -> bool {
        self.of_kind("image").next().is_some()
    }

    /// What a watch does to the containers, where it does more than copy files.
    pub(super) fn watched(&self) -> Option<&str> {
        let actions =
            self.develop.iter().flat_map(|develop| &develop.watch).map(|trigger| trigger.action.as_str());
        actions.filter(|action| *action != "sync").max()
    }
}

/// Compose writes some empty fields as `null`.
pub(super) fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A path as the engine writes destinations.
fn clean(path: &str) -> String {
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() { "/".to_owned() } else { trimmed.to_owned() }
}
