//! How a service is set up: what its description says, whether a compose file's model or a container gives it.

use std::{fmt, time::Duration};

use jiff::Timestamp;

use super::container::{Labels, MountKind};

/// Who described it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Described {
    /// A compose file: what the image brings (its health check, its volumes, its user) is not known.
    ByFile,
    /// A container that exists: everything is known, and a value's origin is not.
    ByContainer,
}

/// One service of a compose file, or one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    pub described: Described,
    /// The container's ID; `None` for a file's service.
    pub id: Option<String>,
    /// The container's name, or the service's where no container is meant.
    pub name: String,
    pub project: Option<String>,
    pub service: Option<String>,
    /// The engine (`postgres`) whose server it seems to run, by image, command, mounts and environment.
    pub engine: Option<String>,
    pub image: Option<String>,
    /// Whether its image is built from sources of the project.
    pub builds: bool,
    pub environment: Vec<Variable>,
    pub entrypoint: Vec<String>,
    /// In a container, after the image's own; in a file, only what the file says.
    pub command: Vec<String>,
    /// The command as it stands in the compose file, where that is known. May hold secrets, as the command may.
    pub written_command: Vec<Hidden>,
    /// Whether it runs; a file's service is taken to.
    pub running: bool,
    /// When the newest of the scripts changed that are run once, on an empty data directory.
    pub scripts_changed: Option<Timestamp>,
    pub health: Health,
    /// `no`, `always`, `unless-stopped`, `on-failure[:N]`; `None` where nothing is said.
    pub restart: Option<String>,
    pub logging: Logging,
    /// Bytes.
    pub memory_limit: Option<u64>,
    pub ports: Vec<Port>,
    pub mounts: Vec<SetupMount>,
    pub depends_on: Vec<Dependency>,
    pub user: Option<String>,
    /// Between the stop signal and SIGKILL, where it is set.
    pub stop_grace: Option<Duration>,
    pub stop_signal: Option<String>,
    /// `--rm`.
    pub auto_remove: bool,
    /// A container of `compose run`.
    pub one_off: bool,
    /// Bytes.
    pub shm_size: Option<u64>,
    /// What its command or its health check names, as far as it could be read.
    pub files: Vec<NamedFile>,
    pub replicas: u64,
    pub labels: Labels,
}

impl Setup {
    /// A service of which nothing is known but its name.
    #[must_use]
    pub fn named(described: Described, name: &str) -> Self {
        Self {
            described,
            id: None,
            name: name.to_owned(),
            project: None,
            service: None,
            engine: None,
            image: None,
            builds: false,
            environment: Vec::new(),
            entrypoint: Vec::new(),
            command: Vec::new(),
            written_command: Vec::new(),
            running: true,
            scripts_changed: None,
            health: Health::default(),
            restart: None,
            logging: Logging::default(),
            memory_limit: None,
            ports: Vec::new(),
            mounts: Vec::new(),
            depends_on: Vec::new(),
            user: None,
            stop_grace: None,
            stop_signal: None,
            auto_remove: false,
            one_off: false,
            shm_size: None,
            files: Vec::new(),
            replicas: 1,
            labels: Labels::new(),
        }
    }

    /// What other services call it.
    #[must_use]
    pub fn service_name(&self) -> &str {
        self.service.as_deref().unwrap_or(&self.name)
    }

    #[must_use]
    pub fn is_by_file(&self) -> bool {
        self.described == Described::ByFile
    }

    /// The value of an environment variable, where it has one.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        let variable = self.environment.iter().rev().find(|variable| variable.name == name)?;
        variable.value.as_ref().map(Hidden::reveal)
    }

    /// What the file at a path of the container says, where it was read.
    #[must_use]
    pub fn text_of(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|file| file.path == path).map(|file| file.text.reveal())
    }

    /// The words of entrypoint and command, those of a shell's line one by one.
    #[must_use]
    pub fn words(&self) -> Vec<&str> {
        let lines = self.entrypoint.iter().chain(&self.command);
        lines.flat_map(|line| if line.is_empty() { vec![""] } else { split(line) }).collect()
    }

    /// The mount that holds a path of the container.
    #[must_use]
    pub fn mount_of(&self, path: &str) -> Option<&SetupMount> {
        let holds = |mount: &&SetupMount| super::container::is_within(path, &mount.target);
        self.mounts.iter().filter(holds).max_by_key(|mount| mount.target.len())
    }

    /// Where a key of it stands in a compose file: `services.db.healthcheck`.
    #[must_use]
    pub fn field(&self, keys: &[&str]) -> Vec<String> {
        let service = ["services", self.service_name()];
        service.iter().chain(keys).map(|&key| key.to_owned()).collect()
    }
}

/// A shell line's words, without their quotes. Empty quotes are a word.
fn split(line: &str) -> Vec<&str> {
    line.split([' ', '\t', '\n', ';', '&', '|', '(', ')'])
        .filter(|word| !word.is_empty())
        .map(|word| word.trim_matches(['"', '\'']))
        .collect()
}

/// A value that may be secret: looked at, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(String);

impl Hidden {
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("…")
    }
}

/// A small text file of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedFile {
    /// In the container.
    pub path: String,
    /// May hold secrets.
    pub text: Hidden,
}

/// An environment variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    pub name: String,
    pub value: Option<Hidden>,
    /// As it stands in the compose file, its own variables not replaced; `None` where it stands elsewhere, or
    /// that is not known.
    pub written: Option<Hidden>,
}

impl Variable {
    /// The value, where it stands in the compose file itself.
    #[must_use]
    pub fn literal(&self) -> Option<&str> {
        self.written.as_ref().map(Hidden::reveal).filter(|text| is_literal(text))
    }
}

/// Whether a text of a compose file is a value by itself, and names no variable.
#[must_use]
pub fn is_literal(text: &str) -> bool {
    !text.replace("$$", "").contains('$')
}

/// The health check, as far as it is described.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// `CMD pg_isready`, `CMD-SHELL …`; `None` where nothing is said.
    pub test: Option<Vec<String>>,
    pub disabled: bool,
    pub start_period: Option<Duration>,
    pub interval: Option<Duration>,
}

impl Health {
    /// Whether something tells healthy from not.
    #[must_use]
    pub fn checks(&self) -> bool {
        !self.disabled && self.test.is_some()
    }
}

/// Where the container's output goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Logging {
    /// `None`: the engine's default.
    pub driver: Option<String>,
    pub options: Labels,
}

/// A port that the host publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Where on the host; empty is everywhere.
    pub host_ip: String,
    /// A number or a range; `None` where the engine picks one.
    pub published: Option<String>,
    pub target: u16,
}

/// A mount, as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetupMount {
    pub kind: MountKind,
    /// A volume's name on the engine, or a path of the host.
    pub source: Option<String>,
    pub target: String,
    pub read_only: bool,
    /// The volume's driver and its options, where it has any.
    pub driver: Option<String>,
    pub options: Labels,
}

/// A service that has to be there first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    pub service: String,
    /// `service_started`, `service_healthy`, `service_completed_successfully`.
    pub condition: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shells_line_is_read_word_by_word_and_an_empty_argument_stays_one() {
        let mut setup = Setup::named(Described::ByFile, "cache");
        setup.command = ["redis-server", "--save", ""].map(str::to_owned).into();
        assert_eq!(setup.words(), ["redis-server", "--save", ""]);
        setup.command = vec!["sh -c 'exec redis-server --save \"\" --maxmemory 1gb'".to_owned()];
        assert_eq!(setup.words(), ["sh", "-c", "exec", "redis-server", "--save", "", "--maxmemory", "1gb"]);
    }

    #[test]
    fn a_hidden_value_is_never_shown() {
        assert_eq!(format!("{:?}", Hidden::new("hunter2")), "…");
    }
}
