//! Containers and volumes as the engine reports them, reduced to what we judge by.

use std::collections::BTreeMap;

use serde::Serialize;

use super::setup::{Health, Logging, Port};

/// Labels by name.
pub type Labels = BTreeMap<String, String>;

/// The state of a container, as `State.Status` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Created,
    Running,
    Paused,
    Restarting,
    Removing,
    Exited,
    Dead,
    /// A state that a newer engine may know and we do not: treated as if processes ran.
    Unknown,
}

impl State {
    /// Reads the engine's word; one that we do not know is `Unknown`, never an error.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        match word {
            "created" => Self::Created,
            "running" => Self::Running,
            "paused" => Self::Paused,
            "restarting" => Self::Restarting,
            "removing" => Self::Removing,
            "exited" => Self::Exited,
            "dead" => Self::Dead,
            _ => Self::Unknown,
        }
    }

    /// Whether the container has processes, and so RAM and tmpfs that a stop would lose.
    #[must_use]
    pub fn has_processes(self) -> bool {
        matches!(self, Self::Running | Self::Paused | Self::Restarting | Self::Unknown)
    }

    /// Whether the engine refuses `rm` without `-f` (moby `daemon/delete.go`: running, paused, restarting).
    #[must_use]
    pub fn refuses_removal(self) -> bool {
        matches!(self, Self::Running | Self::Paused | Self::Restarting)
    }
}

/// What `GET /containers/json?all=1` says of a container: cheap, and got for all of them at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerSummary {
    pub id: String,
    /// Without the leading slash; the engine's first name where links give it several.
    pub name: String,
    pub image: String,
    pub state: State,
    pub labels: Labels,
    /// Names of the volumes that it has mounted, anonymous ones included.
    pub volumes: Vec<String>,
}

/// What kind of storage a mount is, and so who decides whether it outlives the container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MountKind {
    /// A folder of the host: outlives everything docker removes.
    Bind,
    /// A volume somebody named: outlives the container.
    NamedVolume,
    /// A volume that the engine named, removed by `v=1`: its mount has no source in the container's spec.
    AnonymousVolume,
    /// Memory: gone on stop.
    Tmpfs,
    /// An image, a cluster volume, a named pipe: nothing that we know how to look into.
    Other,
}

/// One mount of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    pub kind: MountKind,
    /// Where it is in the container: an absolute path.
    pub destination: String,
    /// The volume's name, for volumes.
    pub volume: Option<String>,
    /// The host's path, for binds.
    pub source: Option<String>,
    pub writable: bool,
    /// The folder of the volume that is mounted, where it is not the whole volume.
    pub part: Option<String>,
}

/// A container with everything that planning and inspecting need, from one inspect call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    pub id: String,
    pub name: String,
    /// The reference it was created from, such as `postgres:15`.
    pub image: String,
    /// The image's ID (`sha256:…`).
    pub image_id: String,
    pub state: State,
    pub labels: Labels,
    /// `NAME=value` pairs. Secret: never printed, never stored but in `env.secret`.
    pub environment: Vec<String>,
    /// `Entrypoint` and `Cmd`, in order.
    pub command: Vec<String>,
    pub working_dir: String,
    pub user: String,
    pub mounts: Vec<Mount>,
    /// Paths that the image or the container declares as VOLUME.
    pub declared_volumes: Vec<String>,
    /// Bytes in the writable layer; `None` where it was not asked for or the engine could not say.
    pub size_rw: Option<u64>,
    /// The writable layer's folder on the engine's host (overlay2 only).
    pub upper_dir: Option<String>,
    /// `--rm`: the engine removes it, and its anonymous volumes, when it stops.
    pub auto_remove: bool,
    /// Seconds between the stop signal and SIGKILL, where the container sets them.
    pub stop_timeout: Option<i64>,
    pub stop_signal: Option<String>,
    /// When the container was created, RFC 3339 as the engine wrote it.
    pub created: String,
    /// When its process started, RFC 3339; empty where it never did.
    pub started: String,
    /// When its process ended last, RFC 3339; the year 1 where it never did.
    pub finished: String,
    /// Bytes of the memory limit; 0 is none.
    pub memory_limit: i64,
    pub read_only_root: bool,
    /// Ids or names of the containers whose volumes it has too (`--volumes-from`).
    pub lenders: Vec<String>,
    /// How it is set up beside all that.
    pub told: Told,
}

/// What only the checks of the set-up ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    pub health: Health,
    pub restart: Option<String>,
    pub logging: Logging,
    pub ports: Vec<Port>,
    /// Bytes.
    pub shm_size: Option<u64>,
}

impl Container {
    /// The compose project's name, if compose made this container.
    #[must_use]
    pub fn project(&self) -> Option<&str> {
        self.labels.get(label::PROJECT).map(String::as_str)
    }

    /// The compose service's name, if compose made this container.
    #[must_use]
    pub fn service(&self) -> Option<&str> {
        self.labels.get(label::SERVICE).map(String::as_str)
    }

    /// The value of an environment variable.
    #[must_use]
    pub fn env(&self, name: &str) -> Option<&str> {
        self.environment.iter().rev().find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }

    /// The mount that holds `path`: the one with the longest destination that is `path` or a parent of it.
    #[must_use]
    pub fn mount_of(&self, path: &str) -> Option<&Mount> {
        self.mounts
            .iter()
            .filter(|mount| is_within(path, &mount.destination))
            .max_by_key(|m| m.destination.len())
    }
}

/// Whether `path` is `folder` or lies below it. Both absolute, without `..`.
#[must_use]
pub fn is_within(path: &str, folder: &str) -> bool {
    let folder = folder.trim_end_matches('/');
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A volume of the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    pub name: String,
    pub driver: String,
    pub labels: Labels,
    /// Driver options, such as `type=nfs` or `o=bind`: with them, what a removal deletes is the driver's matter.
    pub options: Labels,
    /// RFC 3339, as the engine wrote it; with the name it tells a volume from a later namesake.
    pub created: String,
    /// Whether `created` stays as it is: until 23.0 an engine tells when the volume's folder changed last (moby #44719).
    pub keeps_created: bool,
    pub mountpoint: String,
}

impl Volume {
    /// Its name, and what tells it from a later namesake as long as it is used.
    #[must_use]
    pub fn identity(&self) -> String {
        format!("{} {}", self.name, if self.keeps_created { &self.created } else { "" })
    }

    /// Whether the engine marked it as anonymous (engines 23.0.2 and later do).
    #[must_use]
    pub fn labelled_anonymous(&self) -> bool {
        self.labels.contains_key(label::ANONYMOUS)
    }

    /// Whether nobody named it, as far as it shows: not every engine labels what it names.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.labelled_anonymous() || is_engine_made(&self.name)
    }
}

/// Whether a volume's name has the shape of those that the engine makes up: 64 hexadecimal digits.
#[must_use]
pub fn is_engine_made(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
impl Container {
    /// A running container of which a test sets what it is about.
    pub(crate) fn sample(id: &str, name: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            image: String::new(),
            image_id: String::new(),
            state: State::Running,
            labels: Labels::new(),
            environment: Vec::new(),
            command: Vec::new(),
            working_dir: String::new(),
            user: String::new(),
            mounts: Vec::new(),
            declared_volumes: Vec::new(),
            size_rw: None,
            upper_dir: None,
            auto_remove: false,
            stop_timeout: None,
            stop_signal: None,
            created: String::new(),
            started: String::new(),
            finished: String::new(),
            memory_limit: 0,
            read_only_root: false,
            lenders: Vec::new(),
            told: Told::default(),
        }
    }
}

/// Label names of docker, compose and our own.
pub mod label {
    pub const PROJECT: &str = "com.docker.compose.project";
    pub const SERVICE: &str = "com.docker.compose.service";
    pub const ONE_OFF: &str = "com.docker.compose.oneoff";
    pub const CONFIG_HASH: &str = "com.docker.compose.config-hash";
    pub const WORKING_DIR: &str = "com.docker.compose.project.working_dir";
    pub const CONFIG_FILES: &str = "com.docker.compose.project.config_files";
    pub const DEPENDS_ON: &str = "com.docker.compose.depends_on";
    pub const HOOK: &str = "com.docker.compose.hook";
    pub const VOLUME: &str = "com.docker.compose.volume";
    /// The stack that a swarm's service was deployed with.
    pub const STACK: &str = "com.docker.stack.namespace";
    pub const ANONYMOUS: &str = "com.docker.volume.anonymous";
    /// On every helper container, image and volume that we make; its value names the run.
    pub const HELPER: &str = "dbsafe.helper";
    /// `guard` or `disposable`.
    pub const PROTECT: &str = "dbsafe.protect";
    /// How a container's or volume's data is judged.
    pub const POLICY: &str = "dbsafe.policy";
    pub const MAX_BACKUP_AGE: &str = "dbsafe.max-backup-age";
    /// A glob of backup files, relative to the compose project's folder.
    pub const BACKUP: &str = "dbsafe.backup";
    /// With a check's id behind it: a reason to live with what that check finds.
    pub const ACCEPT: &str = "dbsafe.accept.";

    /// Whether it says how data is judged, and so makes a loss more likely to pass.
    #[must_use]
    pub fn is_said_by_a_person(name: &str) -> bool {
        [POLICY, MAX_BACKUP_AGE, BACKUP].contains(&name) || name.starts_with(ACCEPT)
    }
}

#[cfg(test)]
mod tests {
    use super::is_within;

    #[test]
    fn a_folder_holds_itself_and_what_is_below_but_not_its_namesakes() {
        assert!(is_within("/a/b", "/a"));
        assert!(is_within("/a", "/a"));
        assert!(is_within("/a", "/"));
        assert!(!is_within("/ab", "/a"));
    }
}
