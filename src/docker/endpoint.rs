//! Which engine docker would talk to, given the same flags, environment and files.
//!
//! After docker/cli `cli/command/cli.go` (`resolveContextName`, `resolveDefaultDockerEndpoint`),
//! `cli/flags/options.go` (TLS) and `opts/hosts.go` (`ParseHost`). Pure: files are read by a function that the
//! caller gives.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};

use super::{environment::Environment, globals::DockerGlobals};

/// The context that stands for flags, DOCKER_HOST and the platform's socket.
pub const DEFAULT_CONTEXT: &str = "default";

#[cfg(not(windows))]
const PLATFORM_HOST: &str = "unix:///var/run/docker.sock";
#[cfg(windows)]
const PLATFORM_HOST: &str = "npipe:////./pipe/docker_engine";
const TLS_HOST: &str = "tcp://localhost:2376";
const TCP_HOST: &str = "localhost";
const TCP_PORT: &str = "2375";

/// The engine that docker would talk to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its address, for people: `unix:///var/run/docker.sock`.
    pub host: String,
    /// The context's name, `default` included.
    pub context: String,
    pub kind: EndpointKind,
    /// Docker's globals as typed: with them a nested docker reaches the same engine.
    pub globals: Vec<OsString>,
    /// Headers that docker's configuration adds to every request.
    pub headers: BTreeMap<String, String>,
}

/// How to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndpointKind {
    /// A socket of this machine. A path that begins with `@` is an abstract one.
    Unix { path: PathBuf },
    /// Plain TCP.
    Tcp { host: String, port: u16, prefix: String },
    /// TLS, SSH, named pipes: `docker system dial-stdio` makes the connection.
    Docker { prefix: String },
}

/// Why it is not clear which engine is meant.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EndpointError {
    #[error("--host and --context exclude each other")]
    HostAndContext,
    #[error("--host may be given only once")]
    SeveralHosts,
    #[error("the context {name:?} does not exist")]
    NoContext { name: String },
    #[error("the context {name:?} names no Docker engine")]
    NoEngine { name: String },
    #[error("{path} cannot be read: {cause}", path = .path.display())]
    Unreadable { path: PathBuf, cause: String },
    #[error("{host:?} is no address of a Docker engine")]
    Malformed { host: String },
    #[error("docker's configuration folder is unknown, as there is no home folder")]
    NoHome,
}

impl EndpointError {
    /// The command that mends it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::HostAndContext | Self::SeveralHosts => "leave one of them out",
            Self::NoContext { .. } | Self::NoEngine { .. } => {
                "see which contexts there are: docker context ls"
            }
            Self::Unreadable { .. } => "mend the file, or name another folder with: docker --config FOLDER",
            Self::Malformed { .. } => {
                "give one such as unix:///var/run/docker.sock, tcp://HOST:2375 or ssh://USER@HOST"
            }
            Self::NoHome => "name the folder with: docker --config FOLDER",
        }
    }
}

/// Docker's own configuration, as far as it matters here.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct DockerConfig {
    #[serde(rename = "currentContext")]
    pub current_context: Option<String>,
    /// Sent with every request.
    #[serde(rename = "HttpHeaders")]
    pub http_headers: Option<BTreeMap<String, String>>,
    /// Folders of CLI plugins that come before all others.
    #[serde(rename = "cliPluginsExtraDirs")]
    pub plugin_folders: Option<Vec<PathBuf>>,
    /// Filters that docker merges into every prune, as `label=value`.
    #[serde(rename = "pruneFilters")]
    pub prune_filters: Option<Vec<String>>,
    /// What is set for each plugin, its hooks among it. Odd values are docker's to refuse.
    pub plugins: serde_json::Value,
    /// What docker does only where it was turned on.
    pub features: serde_json::Value,
}

/// Reads a file; an error of kind `NotFound` says that there is none.
pub type ReadFile<'a> = &'a dyn Fn(&Path) -> io::Result<Vec<u8>>;

#[derive(Deserialize)]
struct ContextMeta {
    #[serde(rename = "Endpoints", default)]
    endpoints: BTreeMap<String, ContextEndpoint>,
}

#[derive(Deserialize)]
struct ContextEndpoint {
    #[serde(rename = "Host", default)]
    host: String,
    #[serde(rename = "SkipTLSVerify", default)]
    skip_verify: bool,
}

/// The folder of docker's configuration: `--config`, DOCKER_CONFIG, `~/.docker`.
///
/// # Errors
/// Where there is not even a home folder.
pub fn config_folder(globals: &DockerGlobals, environment: &Environment) -> Result<PathBuf, EndpointError> {
    let named = globals.config.as_deref().filter(|folder| !folder.is_empty());
    match named.or_else(|| environment.get("DOCKER_CONFIG")) {
        Some(folder) => Ok(PathBuf::from(folder)),
        None => environment.home().map(|home| home.join(".docker")).ok_or(EndpointError::NoHome),
    }
}

/// Reads docker's `config.json`; one that is not there is an empty one.
///
/// # Errors
/// Where it is there and cannot be read. Docker warns and goes on with an empty one, which may mean another
/// engine; we do not guess.
pub fn read_config(folder: &Path, read: ReadFile<'_>) -> Result<DockerConfig, EndpointError> {
    Ok(read_json(&folder.join("config.json"), read)?.unwrap_or_default())
}

/// The engine that docker would talk to.
///
/// # Errors
/// Where docker would fail as well, and where its files cannot be read.
pub fn resolve(
    globals: &DockerGlobals,
    environment: &Environment,
    read: ReadFile<'_>,
) -> Result<Endpoint, EndpointError> {
    let asked = globals.context.as_deref().filter(|name| !name.is_empty());
    if globals.hosts.len() > 1 {
        return Err(EndpointError::SeveralHosts);
    }
    if asked.is_some() && !globals.hosts.is_empty() {
        return Err(EndpointError::HostAndContext);
    }
    let folder = config_folder(globals, environment)?;
    let config = read_config(&folder, read)?;
    let context = if let Some(name) = asked {
        name.to_owned()
    } else if !globals.hosts.is_empty() || environment.get("DOCKER_HOST").is_some() {
        DEFAULT_CONTEXT.to_owned()
    } else {
        let configured = config.current_context.filter(|name| !name.is_empty());
        environment.text("DOCKER_CONTEXT").or(configured).unwrap_or_else(|| DEFAULT_CONTEXT.to_owned())
    };
    let (host, tls) = if context == DEFAULT_CONTEXT {
        default_host(globals, environment)?
    } else {
        context_host(&folder, &context, read)?
    };
    let kind = kind_of(&host, tls)?;
    let globals = globals.arguments.clone();
    Ok(Endpoint { host, context, kind, globals, headers: config.http_headers.unwrap_or_default() })
}

/// `resolve` with the process's own files.
///
/// # Errors
/// As `resolve`.
pub fn resolve_here(globals: &DockerGlobals, environment: &Environment) -> Result<Endpoint, EndpointError> {
    resolve(globals, environment, &|path| std::fs::read(path))
}

/// The default context's address, and whether TLS is spoken there.
fn default_host(globals: &DockerGlobals, environment: &Environment) -> Result<(String, bool), EndpointError> {
    let set = |name| environment.get(name).is_some();
    let verify = globals.tls_verify.is_some() || set("DOCKER_TLS_VERIFY");
    let tls = verify || globals.tls.unwrap_or_else(|| set("DOCKER_TLS"));
    let given =
        globals.hosts.first().cloned().or_else(|| environment.text("DOCKER_HOST")).unwrap_or_default();
    let host = match given.trim() {
        "" if tls => TLS_HOST.to_owned(),
        "" => PLATFORM_HOST.to_owned(),
        given => normalised(given)?,
    };
    Ok((host, tls))
}

/// A context's address, and whether TLS is spoken there.
fn context_host(folder: &Path, name: &str, read: ReadFile<'_>) -> Result<(String, bool), EndpointError> {
    let id = context_id(name);
    let contexts = folder.join("contexts");
    let meta: ContextMeta = read_json(&contexts.join("meta").join(&id).join("meta.json"), read)?
        .ok_or_else(|| EndpointError::NoContext { name: name.to_owned() })?;
    let endpoint =
        meta.endpoints.get("docker").ok_or_else(|| EndpointError::NoEngine { name: name.to_owned() })?;
    let folder = contexts.join("tls").join(&id).join("docker");
    // What cannot be read is there as well, and docker will say what is wrong with it.
    let is_there = |file: &str| !matches!(read(&folder.join(file)), Err(error) if error.kind() == io::ErrorKind::NotFound);
    let tls = endpoint.skip_verify || ["ca.pem", "cert.pem", "key.pem"].into_iter().any(is_there);
    let host = if endpoint.host.is_empty() { PLATFORM_HOST.to_owned() } else { endpoint.host.clone() };
    Ok((host, tls))
}

/// The folder's name of a context: the SHA-256 of the context's.
#[must_use]
pub fn context_id(name: &str) -> String {
    Sha256::digest(name.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read_json<T: DeserializeOwned>(path: &Path, read: ReadFile<'_>) -> Result<Option<T>, EndpointError> {
    let unreadable = |cause: String| EndpointError::Unreadable { path: path.to_owned(), cause };
    let bytes = match read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(super::error::in_words(&error))),
    };
    // By way of an object, as a derived reader would also take an empty list for it.
    serde_json::from_slice::<serde_json::Map<_, _>>(&bytes)
        .and_then(|object| serde_json::from_value(object.into()))
        .map(Some)
        .map_err(|error| unreadable(format!("it is not the JSON expected: {error}")))
}

/// What `-H` and DOCKER_HOST become: a missing scheme is tcp, missing parts get docker's defaults.
fn normalised(given: &str) -> Result<String, EndpointError> {
    let malformed = || EndpointError::Malformed { host: given.to_owned() };
    let (scheme, address) = given.split_once("://").unwrap_or(("tcp", given));
    if address.contains("://") {
        return Err(malformed());
    }
    match (scheme, address) {
        ("unix", "") => Ok("unix:///var/run/docker.sock".to_owned()),
        ("npipe", "") => Ok("npipe:////./pipe/docker_engine".to_owned()),
        ("unix" | "npipe" | "ssh" | "fd", _) => Ok(given.to_owned()),
        ("tcp", address) => {
            let (host, port, prefix) = tcp_parts(address).ok_or_else(malformed)?;
            let host = if host.contains(':') { format!("[{host}]") } else { host };
            Ok(format!("tcp://{host}:{port}{prefix}"))
        }
        _ => Err(malformed()),
    }
}

/// Host, port and path of what follows `tcp://`.
fn tcp_parts(address: &str) -> Option<(String, u16, String)> {
    let (authority, prefix) = match address.find('/') {
        Some(slash) => address.split_at(slash),
        None => (address, ""),
    };
    let (host, port) = if let Some(bracketed) = authority.strip_prefix('[') {
        let (host, rest) = bracketed.split_once(']')?;
        // Docker takes `[::1]:`, and `[::1]` for malformed.
        (host, rest.strip_prefix(':')?)
    } else {
        match authority.split_once(':') {
            Some((_host, port)) if port.contains(':') => return None,
            Some(parts) => parts,
            None => (authority, ""),
        }
    };
    let host = if host.is_empty() { TCP_HOST } else { host };
    let port = if port.is_empty() { TCP_PORT } else { port };
    Some((host.to_owned(), port.parse().ok()?, prefix.trim_end_matches('/').to_owned()))
}

fn kind_of(host: &str, tls: bool) -> Result<EndpointKind, EndpointError> {
    let malformed = || EndpointError::Malformed { host: host.to_owned() };
    let (scheme, address) = host.split_once("://").ok_or_else(malformed)?;
    match scheme {
        "unix" if cfg!(unix) => Ok(EndpointKind::Unix { path: PathBuf::from(address) }),
        "tcp" => {
            let (host, port, prefix) = tcp_parts(address).ok_or_else(malformed)?;
            Ok(if tls { EndpointKind::Docker { prefix } } else { EndpointKind::Tcp { host, port, prefix } })
        }
        _ => Ok(EndpointKind::Docker { prefix: String::new() }),
    }
}

#[cfg(test)]
#[path = "endpoint_tests.rs"]
mod tests;
