//! Parsed docker commands: what a person asked for, before anything was looked up.

/// One docker command, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// `docker compose down`.
    ComposeDown(ComposeDown),
    /// `docker compose rm`.
    ComposeRm(ComposeRm),
    /// `docker rm`, `docker container rm`.
    ContainerRm(ContainerRm),
    /// `docker volume rm`.
    VolumeRm(VolumeRm),
    /// Known to destroy nothing: handed over without a look at the engine. The reason is for `--plan`.
    Harmless { why: &'static str },
}

/// Compose's globals, as far as they decide which project and which model a command means.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ComposeGlobals {
    /// The globals exactly as typed, to be handed to `docker compose … config`.
    pub arguments: Vec<String>,
    pub project_name: Option<String>,
    pub files: Vec<String>,
    pub project_directory: Option<String>,
    pub profiles: Vec<String>,
    pub env_files: Vec<String>,
    /// `--dry-run`, which destroys nothing itself but runs provider plugins.
    pub dry_run: bool,
    /// `--all-resources`.
    pub all_resources: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ComposeDown {
    pub globals: ComposeGlobals,
    pub services: Vec<String>,
    pub volumes: bool,
    pub remove_orphans: bool,
    /// `-t`: seconds of grace; `None` leaves it to the containers.
    pub timeout: Option<i64>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ComposeRm {
    pub globals: ComposeGlobals,
    pub services: Vec<String>,
    pub force: bool,
    pub stop: bool,
    pub volumes: bool,
    /// The hidden `-a`: one-offs too.
    pub all: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerRm {
    /// As typed: IDs, names, prefixes of IDs.
    pub references: Vec<String>,
    pub force: bool,
    pub volumes: bool,
    pub link: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VolumeRm {
    pub names: Vec<String>,
    pub force: bool,
}
