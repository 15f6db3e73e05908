//! Parsed docker commands: what a person asked for, before anything was looked up.

/// One docker command, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// `docker compose down`.
    ComposeDown(ComposeDown),
    /// `docker compose rm`.
    ComposeRm(ComposeRm),
    /// `docker compose stop`, `kill`, `restart`.
    ComposeStop(ComposeStop),
    /// `docker compose up`, `create`, `scale`, `run`, `watch`.
    ComposeUp(ComposeUp),
    /// `docker rm`, `docker container rm`.
    ContainerRm(ContainerRm),
    /// `docker stop`, `kill`, `restart` and the same of `docker container`.
    ContainerStop(ContainerStop),
    /// `docker volume rm`.
    VolumeRm(VolumeRm),
    /// `docker stack rm`, `service rm`, `swarm leave`, and what replaces tasks.
    SwarmRm(SwarmRm),
    /// `docker container prune`, `volume prune`, `system prune`.
    Prune(Prune),
    /// It may destroy something, and we cannot tell what. The reason is a clause for the message.
    Unjudged { command: String, why: &'static str },
    /// Known to destroy nothing: handed over without a look at the engine. The reason is for `--plan`.
    Harmless { why: &'static str },
}

impl Operation {
    /// The command's name, for messages.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::ComposeDown(_) => "down",
            Self::ComposeRm(_) => "compose rm",
            Self::ComposeStop(stop) => match stop.how {
                StopKind::Stop => "compose stop",
                StopKind::Kill => "compose kill",
                StopKind::Restart => "compose restart",
            },
            Self::ComposeUp(up) => match up.how {
                UpKind::Up => "compose up",
                UpKind::Create => "compose create",
                UpKind::Scale => "compose scale",
                UpKind::Run => "compose run",
                UpKind::Watch => "compose watch",
            },
            Self::ContainerRm(_) => "rm",
            Self::ContainerStop(stop) => match stop.how {
                StopKind::Stop => "stop",
                StopKind::Kill => "kill",
                StopKind::Restart => "restart",
            },
            Self::VolumeRm(_) => "volume rm",
            Self::SwarmRm(swarm) => match swarm.what {
                SwarmScope::Stacks => "stack rm",
                SwarmScope::Services => "service rm",
                SwarmScope::Node => "swarm leave",
                SwarmScope::Change(command) => command,
                SwarmScope::Deploy => "stack deploy",
            },
            Self::Prune(prune) => match prune.scope {
                PruneScope::Containers => "container prune",
                PruneScope::Volumes => "volume prune",
                PruneScope::System => "system prune",
            },
            Self::Unjudged { command, .. } => command,
            Self::Harmless { .. } => "docker",
        }
    }
}

/// Compose's globals, as far as they decide which project and which model a command means.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ComposeGlobals {
    /// The globals exactly as typed, to be handed to `docker compose … config`.
    pub arguments: Vec<String>,
    pub project_name: Option<String>,
    pub files: Vec<String>,
    pub profiles: Vec<String>,
    /// `--dry-run`, which destroys nothing itself but runs provider plugins.
    pub dry_run: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ComposeDown {
    pub globals: ComposeGlobals,
    pub services: Vec<String>,
    pub volumes: bool,
    /// `None` leaves it to `COMPOSE_REMOVE_ORPHANS`.
    pub remove_orphans: Option<bool>,
    /// `-t`: seconds of grace; `None` leaves it to the containers.
    pub timeout: Option<i64>,
    /// The files only tell the project's name; what is in it, the labels do: `wait --down-project`.
    pub by_labels: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ComposeRm {
    pub globals: ComposeGlobals,
    pub services: Vec<String>,
    pub force: bool,
    pub stop: bool,
    pub volumes: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComposeStop {
    pub globals: ComposeGlobals,
    pub services: Vec<String>,
    pub how: StopKind,
    pub timeout: Option<i64>,
    /// `kill -s`: the signal, where one was given.
    pub signal: Option<String>,
    /// `kill --remove-orphans`; `None` leaves it to `COMPOSE_REMOVE_ORPHANS`.
    pub remove_orphans: Option<bool>,
    /// `restart --no-deps`.
    pub no_deps: bool,
}

/// Which of compose's commands makes the containers match the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpKind {
    Up,
    Create,
    Scale,
    /// Only what its service depends on.
    Run,
    Watch,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComposeUp {
    pub globals: ComposeGlobals,
    pub how: UpKind,
    /// Of `run`, the one service.
    pub services: Vec<String>,
    pub force_recreate: bool,
    pub no_recreate: bool,
    pub always_recreate_deps: bool,
    /// `-V`: anonymous volumes are not taken over.
    pub renew_volumes: bool,
    pub no_deps: bool,
    /// `None` leaves it to `COMPOSE_REMOVE_ORPHANS`, for `up` alone.
    pub remove_orphans: Option<bool>,
    /// Containers wanted of each service, where the command says so.
    pub scale: Vec<(String, usize)>,
    pub timeout: Option<i64>,
    pub build: bool,
    /// `--pull`.
    pub pull: Option<String>,
    /// `-y`: every question of compose is answered with yes.
    pub assume_yes: bool,
    /// Sources are watched, and services rebuilt.
    pub watch: bool,
    /// Once one container has ended, all are stopped: `--abort-on-container-exit` and its kin.
    pub ends_together: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerRm {
    /// As typed: IDs, names, prefixes of IDs.
    pub references: Vec<String>,
    pub force: bool,
    pub volumes: bool,
    pub link: bool,
}

/// How processes are ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopKind {
    Stop,
    Kill,
    Restart,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerStop {
    pub references: Vec<String>,
    pub how: StopKind,
    pub timeout: Option<i64>,
    /// `-s`, `--signal`.
    pub signal: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VolumeRm {
    pub names: Vec<String>,
    pub force: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SwarmScope {
    Stacks,
    Services,
    /// All tasks of this node.
    Node,
    /// `service update`, `scale`, `rollback`: tasks of services may be replaced.
    Change(&'static str),
    /// `stack deploy`: tasks of a stack may be replaced, or removed.
    Deploy,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwarmRm {
    pub what: SwarmScope,
    /// Stacks by name; services by name, id or prefix of an id. Of a change, every word that may be one.
    pub references: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PruneScope {
    Containers,
    Volumes,
    System,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prune {
    pub scope: PruneScope,
    /// `volume prune --all`: named volumes too.
    pub all: bool,
    /// `system prune --volumes`.
    pub volumes: bool,
    /// Without docker's question.
    pub force: bool,
    pub filters: Vec<String>,
}
