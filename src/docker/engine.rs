//! The engine's answers, reduced to `model`. Reading only.
//!
//! The JSON is parsed with structs of our own that name just the fields we judge by: bollard's generated
//! enums fail on a word that they do not know, and one odd mount must not blind the guard.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;
use tokio::sync::OnceCell;

use super::{
    dial::{self, EngineError, Transport},
    endpoint::Endpoint,
};
use crate::model::{
    container::{
        Container, ContainerSummary, Labels, Mount, MountKind, State, Told, Volume, is_engine_made, label,
    },
    setup::{Health, Logging, Port},
};

/// How long one request may take before we say that the engine does not answer. Archives have no limit.
const REQUEST_LIMIT: Duration = Duration::from_secs(60);
/// The engine walks a layer for its size. What holds millions of files is inspected without.
const SIZE_LIMIT: Duration = Duration::from_secs(20);

/// A connection to one Docker engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(super) transport: Transport,
    version: std::sync::Arc<OnceCell<Version>>,
}

/// Which engine answers.
#[derive(Debug, Clone, Deserialize)]
pub struct Version {
    /// Such as `28.5.2`.
    #[serde(rename = "Version", default)]
    pub server: String,
    /// The newest API that it speaks, such as `1.51`; requests without a version get this one.
    #[serde(rename = "ApiVersion", default)]
    pub api: String,
}

impl Engine {
    /// Prepares the connection; no call is made yet.
    ///
    /// # Errors
    /// Where the endpoint cannot be dialled at all (a malformed address).
    pub fn connect(endpoint: &Endpoint) -> Result<Self, EngineError> {
        Ok(Self { transport: dial::connect(endpoint, REQUEST_LIMIT)?, version: std::sync::Arc::default() })
    }

    /// bollard's client on the same connections.
    #[must_use]
    pub fn api(&self) -> &bollard::Docker {
        self.transport.api()
    }

    /// The engine's version; asked once.
    ///
    /// # Errors
    /// Where the engine does not answer.
    pub async fn version(&self) -> Result<&Version, EngineError> {
        self.version.get_or_try_init(|| self.transport.get_json("/version")).await
    }

    /// Every container, in every state.
    ///
    /// # Errors
    /// Where the engine does not answer, or not in JSON that we understand.
    pub async fn containers(&self) -> Result<Vec<ContainerSummary>, EngineError> {
        let listed: Vec<ListedContainer> = self.transport.get_json("/containers/json?all=1").await?;
        Ok(listed.into_iter().map(ListedContainer::reduce).collect())
    }

    /// One container by ID, name or unique prefix; `None` where there is none (any more).
    ///
    /// # Errors
    /// Where the engine does not answer, the prefix is ambiguous, or the JSON is not understood.
    pub async fn container(&self, reference: &str) -> Result<Option<Container>, EngineError> {
        let path = format!("/containers/{}/json", encode(reference));
        let sized = self.transport.get_json_within(&format!("{path}?size=1"), SIZE_LIMIT).await;
        let found: Result<InspectedContainer, _> = match sized {
            Err(EngineError::TimedOut { .. }) => self.transport.get_json(&path).await,
            other => other,
        };
        match found {
            Ok(inspected) => {
                let mut container = inspected.reduce();
                if container.labels.keys().any(|name| label::is_said_by_a_person(name)) {
                    self.drop_labels_of_image(&mut container).await?;
                }
                Ok(Some(container))
            }
            Err(error) if error.status() == Some(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// How data is judged is for whoever ran the container to say: its labels count, not those that it has of its
    /// image, which somebody else made. Of an image that is gone nobody knows which they were.
    async fn drop_labels_of_image(&self, container: &mut Container) -> Result<(), EngineError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Inspected {
            #[serde(default)]
            config: Null<ImageConfig>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct ImageConfig {
            #[serde(default)]
            labels: Null<Labels>,
        }
        let path = format!("/images/{}/json", encode(&container.image_id));
        let of_image = match self.transport.get_json::<Inspected>(&path).await {
            Ok(found) => Some(found.config.and_then(|config| config.labels).unwrap_or_default()),
            Err(error) if error.status() == Some(404) => None,
            Err(error) => return Err(error),
        };
        let inherited = |name: &str, value: &String| {
            of_image.as_ref().is_none_or(|labels| labels.get(name) == Some(value))
        };
        container.labels.retain(|name, value| !(label::is_said_by_a_person(name) && inherited(name, value)));
        Ok(())
    }

    /// Whether a container has volumes of another one (`--volumes-from`).
    ///
    /// # Errors
    /// Where the engine does not answer, or not in JSON that we understand.
    pub async fn borrows_volumes(&self, id: &str) -> Result<bool, EngineError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Inspected {
            host_config: InspectedHostConfig,
        }
        let found: Result<Inspected, _> =
            self.transport.get_json(&format!("/containers/{}/json", encode(id))).await;
        match found {
            Ok(found) => Ok(found.host_config.volumes_from.is_some_and(|from| !from.is_empty())),
            Err(error) if error.status() == Some(404) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// An image by its name: its id and its VOLUME paths; `None` where it is not here.
    ///
    /// # Errors
    /// Where the engine does not answer, or not in JSON that we understand.
    pub async fn image(&self, name: &str) -> Result<Option<(String, Vec<String>)>, EngineError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Inspected {
            id: String,
            #[serde(default)]
            config: Null<ImageConfig>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct ImageConfig {
            #[serde(default)]
            volumes: Null<BTreeMap<String, serde_json::Value>>,
        }
        match self.transport.get_json::<Inspected>(&format!("/images/{}/json", encode(name))).await {
            Ok(found) => {
                let volumes = found.config.and_then(|config| config.volumes).unwrap_or_default();
                Ok(Some((found.id, volumes.into_keys().map(|path| clean(&path)).collect())))
            }
            Err(error) if error.status() == Some(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The names that an image has here, as `postgres:15`.
    ///
    /// # Errors
    /// Where the engine does not answer, or not in JSON that we understand.
    pub async fn image_tags(&self, id: &str) -> Result<Vec<String>, EngineError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Inspected {
            #[serde(default)]
            repo_tags: Null<Vec<String>>,
        }
        let found: Inspected = self.transport.get_json(&format!("/images/{}/json", encode(id))).await?;
        Ok(found.repo_tags.unwrap_or_default())
    }

    /// How many nodes the swarm has; `None` where this engine does not manage one.
    ///
    /// # Errors
    /// Where the engine does not answer, or not in JSON that we understand.
    pub async fn swarm_nodes(&self) -> Result<Option<usize>, EngineError> {
        match self.transport.get_json::<Vec<serde_json::Value>>("/nodes").await {
            Ok(nodes) => Ok(Some(nodes.len())),
            Err(error) if matches!(error.status(), Some(406 | 503)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The networks that compose made for a project: their names and labels.
    ///
    /// # Errors
    /// Where the engine does not answer, or not in JSON that we understand.
    pub async fn network_labels(&self, project: &str) -> Result<Vec<(String, Labels)>, EngineError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Listed {
            name: String,
            #[serde(default)]
            labels: Null<Labels>,
        }
        let filters = serde_json::json!({"label": [format!("{}={project}", label::PROJECT)]}).to_string();
        let listed: Vec<Listed> =
            self.transport.get_json(&format!("/networks?filters={}", encode(&filters))).await?;
        Ok(listed.into_iter().map(|network| (network.name, network.labels.unwrap_or_default())).collect())
    }

    /// Every volume.
    ///
    /// # Errors
    /// Where the engine does not answer, or not in JSON that we understand.
    pub async fn volumes(&self) -> Result<Vec<Volume>, EngineError> {
        let listed = self.transport.get_json::<ListedVolumes>("/volumes");
        let (listed, keeps) = tokio::try_join!(listed, self.keeps_created())?;
        Ok(listed.volumes.unwrap_or_default().into_iter().map(|found| found.reduce(keeps)).collect())
    }

    /// Whether the time at which a volume was made stays as it is (since 23.0, API 1.42).
    async fn keeps_created(&self) -> Result<bool, EngineError> {
        let api = &self.version().await?.api;
        let mut numbers = api.split('.').map(|part| part.parse().unwrap_or(0_u32));
        Ok((numbers.next(), numbers.next()) >= (Some(1), Some(42)))
    }

    /// One volume by its exact name; `None` where there is none.
    ///
    /// # Errors
    /// Where the engine does not answer, or not in JSON that we understand.
    pub async fn volume(&self, name: &str) -> Result<Option<Volume>, EngineError> {
        match self.transport.get_json::<InspectedVolume>(&format!("/volumes/{}", encode(name))).await {
            Ok(inspected) => Ok(Some(inspected.reduce(self.keeps_created().await?))),
            Err(error) if error.status() == Some(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// How many bytes are in a volume; `None` where its driver does not tell. The engine counts them file by file, in
    /// every volume.
    ///
    /// # Errors
    /// Where the engine does not answer, or not in JSON that we understand.
    pub async fn volume_bytes(&self, name: &str) -> Result<Option<u64>, EngineError> {
        Ok(self.volumes_bytes().await?.remove(name))
    }

    /// How many bytes are in every volume, by name, as far as their drivers tell.
    ///
    /// # Errors
    /// As `volume_bytes`.
    pub async fn volumes_bytes(&self) -> Result<BTreeMap<String, u64>, EngineError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct DiskUsage {
            volumes: Null<Vec<Measured>>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Measured {
            name: String,
            usage_data: Null<Usage>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Usage {
            size: i64,
        }
        let usage: DiskUsage = self.transport.get_json("/system/df?type=volume").await?;
        let measured = usage.volumes.unwrap_or_default().into_iter();
        Ok(measured
            .filter_map(|volume| Some((volume.name, u64::try_from(volume.usage_data?.size).ok()?)))
            .collect())
    }

    /// The command lines of a running container's processes, as the host's `ps` shows them.
    ///
    /// # Errors
    /// Where the container does not run, or the host has no `ps`.
    pub async fn processes(&self, id: &str) -> Result<Vec<String>, EngineError> {
        let path = format!("/containers/{}/top?ps_args=-eo%20pid,args", encode(id));
        let top: Top = self.transport.get_json(&path).await?;
        Ok(top.processes.unwrap_or_default().into_iter().filter_map(|mut row| row.pop()).collect())
    }

    /// The paths of a writable layer that differ from the image. Costs a second per container, as the engine
    /// walks the image for it.
    ///
    /// # Errors
    /// Where the container is gone or the engine does not answer.
    pub async fn changes(&self, id: &str) -> Result<Vec<String>, EngineError> {
        let changes: Option<Vec<Change>> =
            self.transport.get_json(&format!("/containers/{}/changes", encode(id))).await?;
        // Kind 2 is a deletion: nothing of it can be lost.
        Ok(changes.unwrap_or_default().into_iter().filter(|c| c.kind != 2).map(|c| c.path).collect())
    }
}

/// Percent-encodes everything that could end a path segment or start a query.
pub(super) fn encode(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

type Null<T> = Option<T>;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListedContainer {
    id: String,
    #[serde(default)]
    names: Null<Vec<String>>,
    #[serde(default)]
    image: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    labels: Null<Labels>,
    #[serde(default)]
    mounts: Null<Vec<InspectedMount>>,
}

impl ListedContainer {
    fn reduce(self) -> ContainerSummary {
        let names = self.names.unwrap_or_default();
        // A link adds names of the form /other/alias: the container's own has one slash.
        let own = names.iter().find(|name| name.matches('/').count() == 1).or(names.first());
        ContainerSummary {
            name: own.map_or_else(|| self.id.clone(), |name| name.trim_start_matches('/').to_owned()),
            id: self.id,
            image: self.image,
            state: State::parse(&self.state),
            labels: self.labels.unwrap_or_default(),
            volumes: self
                .mounts
                .unwrap_or_default()
                .into_iter()
                .filter(|mount| mount.kind == "volume")
                .map(|mount| mount.name)
                .collect(),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InspectedMount {
    #[serde(rename = "Type", default)]
    kind: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    source: String,
    #[serde(default)]
    destination: String,
    #[serde(rename = "RW", default)]
    writable: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InspectedContainer {
    id: String,
    name: String,
    #[serde(default)]
    created: String,
    image: String,
    state: InspectedState,
    config: InspectedConfig,
    host_config: InspectedHostConfig,
    #[serde(default)]
    graph_driver: Null<GraphDriver>,
    #[serde(default)]
    mounts: Null<Vec<InspectedMount>>,
    #[serde(default)]
    size_rw: Null<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InspectedState {
    status: String,
    #[serde(default)]
    started_at: String,
    #[serde(default)]
    finished_at: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InspectedConfig {
    #[serde(default)]
    image: String,
    #[serde(default)]
    user: String,
    #[serde(default)]
    env: Null<Vec<String>>,
    #[serde(default)]
    cmd: Null<Vec<String>>,
    #[serde(default)]
    entrypoint: Null<Vec<String>>,
    #[serde(default)]
    working_dir: String,
    #[serde(default)]
    labels: Null<Labels>,
    #[serde(default)]
    volumes: Null<BTreeMap<String, serde_json::Value>>,
    #[serde(default)]
    stop_timeout: Null<i64>,
    #[serde(default)]
    stop_signal: Null<String>,
    #[serde(default)]
    healthcheck: Null<InspectedHealth>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InspectedHealth {
    #[serde(default)]
    test: Null<Vec<String>>,
    /// Nanoseconds.
    #[serde(default)]
    interval: Null<i64>,
    #[serde(default)]
    start_period: Null<i64>,
}

impl InspectedHealth {
    fn reduce(self) -> Health {
        let span = |nanoseconds: Option<i64>| {
            let nanoseconds = nanoseconds.and_then(|nanoseconds| u64::try_from(nanoseconds).ok());
            nanoseconds.filter(|nanoseconds| *nanoseconds > 0).map(Duration::from_nanos)
        };
        let test = self.test.unwrap_or_default();
        let disabled = test.first().is_some_and(|word| word == "NONE");
        Health {
            disabled,
            test: Some(test).filter(|test| !test.is_empty() && !disabled),
            start_period: span(self.start_period),
            interval: span(self.interval),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InspectedHostConfig {
    #[serde(default)]
    binds: Null<Vec<String>>,
    #[serde(default)]
    mounts: Null<Vec<SpecMount>>,
    #[serde(default)]
    tmpfs: Null<BTreeMap<String, String>>,
    #[serde(default)]
    auto_remove: bool,
    #[serde(default)]
    volumes_from: Null<Vec<String>>,
    #[serde(default)]
    memory: i64,
    #[serde(default)]
    readonly_rootfs: bool,
    #[serde(default)]
    restart_policy: Null<RestartPolicy>,
    #[serde(default)]
    log_config: Null<LogConfig>,
    #[serde(default)]
    port_bindings: Null<BTreeMap<String, Null<Vec<PortBinding>>>>,
    #[serde(default)]
    shm_size: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RestartPolicy {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LogConfig {
    #[serde(rename = "Type", default)]
    driver: String,
    #[serde(default)]
    config: Null<Labels>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PortBinding {
    #[serde(default)]
    host_ip: String,
    #[serde(default)]
    host_port: String,
}

impl InspectedHostConfig {
    /// What only the checks of the set-up ask for; the health check stands elsewhere.
    fn told(&mut self) -> Told {
        let log = self.log_config.take();
        let port = |(target, bindings): (String, Option<Vec<PortBinding>>)| {
            // `5432/tcp`
            let target = target.split('/').next().and_then(|number| number.parse().ok());
            bindings.unwrap_or_default().into_iter().filter_map(move |binding| {
                let published = Some(binding.host_port).filter(|port| !port.is_empty());
                Some(Port { host_ip: binding.host_ip, published, target: target? })
            })
        };
        Told {
            health: Health::default(),
            restart: self.restart_policy.take().map(|policy| policy.name),
            logging: log.map_or_else(Logging::default, |log| Logging {
                driver: Some(log.driver),
                options: log.config.unwrap_or_default(),
            }),
            ports: self.port_bindings.take().unwrap_or_default().into_iter().flat_map(port).collect(),
            shm_size: u64::try_from(self.shm_size).ok().filter(|bytes| *bytes > 0),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SpecMount {
    #[serde(default)]
    source: Null<String>,
    #[serde(default)]
    target: String,
    #[serde(default)]
    volume_options: Null<SpecVolume>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SpecVolume {
    #[serde(default)]
    subpath: Null<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GraphDriver {
    #[serde(default)]
    data: Null<BTreeMap<String, Null<String>>>,
}

impl InspectedContainer {
    fn reduce(self) -> Container {
        let mut host = self.host_config;
        let told = Told {
            health: self.config.healthcheck.map(InspectedHealth::reduce).unwrap_or_default(),
            ..host.told()
        };
        let named = named_destinations(&host);
        // What VolumesFrom brings has its spec in the other container, so the name's shape has to do until that one
        // is asked: an engine-made name is 64 hexadecimal digits.
        let lenders = host.volumes_from.iter().flatten().filter_map(|from| from.split(':').next());
        let lenders: Vec<String> = lenders.map(str::to_owned).collect();
        let borrowed = !lenders.is_empty();
        let parts = parts(&host);
        let mut mounts: Vec<Mount> =
            self.mounts.unwrap_or_default().into_iter().map(|mount| mount.reduce(&named, borrowed)).collect();
        for mount in &mut mounts {
            mount.part = parts.get(&mount.destination).cloned();
        }
        for destination in host.tmpfs.unwrap_or_default().into_keys() {
            if !mounts.iter().any(|mount| mount.destination == destination) {
                let kind = MountKind::Tmpfs;
                mounts.push(Mount {
                    kind,
                    destination,
                    volume: None,
                    source: None,
                    writable: true,
                    part: None,
                });
            }
        }
        let mut command = self.config.entrypoint.unwrap_or_default();
        command.extend(self.config.cmd.unwrap_or_default());
        Container {
            id: self.id,
            name: self.name.trim_start_matches('/').to_owned(),
            image: self.config.image,
            image_id: self.image,
            state: State::parse(&self.state.status),
            labels: self.config.labels.unwrap_or_default(),
            environment: self.config.env.unwrap_or_default(),
            command,
            working_dir: self.config.working_dir,
            user: self.config.user,
            mounts,
            declared_volumes: self.config.volumes.unwrap_or_default().into_keys().collect(),
            size_rw: self.size_rw.and_then(|bytes| u64::try_from(bytes).ok()),
            upper_dir: self
                .graph_driver
                .and_then(|driver| driver.data)
                .and_then(|mut data| data.remove("UpperDir").flatten())
                .filter(|path| path.starts_with('/')),
            auto_remove: host.auto_remove,
            stop_timeout: self.config.stop_timeout,
            stop_signal: self.config.stop_signal.filter(|signal| !signal.is_empty()),
            created: self.created,
            started: self.state.started_at,
            finished: self.state.finished_at,
            memory_limit: host.memory,
            read_only_root: host.readonly_rootfs,
            lenders,
            told,
        }
    }
}

/// Destinations whose mount has a source in the container's own spec. The engine removes with `v=1` just
/// those volumes that are *not* among them (moby `daemon/mounts.go`: `Spec.Source` empty).
fn named_destinations(host: &InspectedHostConfig) -> Vec<String> {
    let binds = host.binds.iter().flatten().filter_map(|bind| {
        // SOURCE:DESTINATION[:OPTIONS]; a lone DESTINATION is an anonymous volume.
        let mut parts = bind.splitn(3, ':');
        let (_source, destination) = (parts.next()?, parts.next()?);
        Some(destination.to_owned())
    });
    let mounts = host
        .mounts
        .iter()
        .flatten()
        .filter(|mount| mount.source.as_ref().is_some_and(|source| !source.is_empty()))
        .map(|mount| mount.target.clone());
    binds.chain(mounts).map(|path| clean(&path)).collect()
}

/// Destinations that have only a folder of their volume, with that folder.
fn parts(host: &InspectedHostConfig) -> BTreeMap<String, String> {
    let part = |mount: &SpecMount| {
        let path = mount.volume_options.as_ref()?.subpath.clone().filter(|path| !path.is_empty())?;
        Some((clean(&mount.target), path))
    };
    host.mounts.iter().flatten().filter_map(part).collect()
}

/// A path without a trailing slash, as the engine cleans destinations.
fn clean(path: &str) -> String {
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() { "/".to_owned() } else { trimmed.to_owned() }
}

impl InspectedMount {
    fn reduce(self, named: &[String], borrowed: bool) -> Mount {
        let destination = clean(&self.destination);
        let kind = match self.kind.as_str() {
            "bind" => MountKind::Bind,
            "tmpfs" => MountKind::Tmpfs,
            "volume" if named.contains(&destination) => MountKind::NamedVolume,
            "volume" if borrowed && !is_engine_made(&self.name) => MountKind::NamedVolume,
            "volume" => MountKind::AnonymousVolume,
            _ => MountKind::Other,
        };
        Mount {
            kind,
            destination,
            volume: Some(self.name).filter(|name| !name.is_empty()),
            source: Some(self.source).filter(|source| !source.is_empty()),
            writable: self.writable,
            part: None,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListedVolumes {
    #[serde(default)]
    volumes: Null<Vec<InspectedVolume>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InspectedVolume {
    name: String,
    #[serde(default)]
    driver: String,
    #[serde(default)]
    labels: Null<Labels>,
    #[serde(default)]
    options: Null<Labels>,
    #[serde(default)]
    created_at: String,
    #[serde(default)]
    mountpoint: String,
}

impl InspectedVolume {
    fn reduce(self, keeps_created: bool) -> Volume {
        Volume {
            name: self.name,
            driver: self.driver,
            labels: self.labels.unwrap_or_default(),
            options: self.options.unwrap_or_default(),
            created: self.created_at,
            keeps_created,
            mountpoint: self.mountpoint,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Top {
    #[serde(default)]
    processes: Null<Vec<Vec<String>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Change {
    path: String,
    #[serde(default)]
    kind: u8,
}

/// Whether an object is a helper of ours, and so never a target.
#[must_use]
pub fn is_helper(labels: &Labels) -> bool {
    labels.get(label::HELPER).is_some_and(|token| super::scratch::is_of_this_machine(token))
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
