//! From the words after `docker dbsafe` to an operation, and to what docker gets.

pub use super::parse_compose::docker_globals;
use super::{
    harmless,
    parse_compose::{self, COMPOSE_GLOBALS},
    pflag::{self, Flag, FlagError, Read, Takes, flag, own},
};
use crate::model::operation::{
    ContainerRm, ContainerStop, Operation, Prune, PruneScope, StopKind, SwarmRm, SwarmScope, VolumeRm,
};

/// A command line, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    pub operation: Operation,
    /// What docker gets, without its globals: every word as typed, but for our own flags.
    pub docker_arguments: Vec<String>,
    /// The same as typed after `docker dbsafe`, for hints.
    pub typed: Vec<String>,
    /// It came through `guard --`.
    pub is_guard_door: bool,
    pub own: OwnFlags,
}

/// Our flags on a guarded command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnFlags {
    pub snapshot: bool,
    pub accept_loss: Vec<String>,
    /// A person's one-time yes.
    pub code: Option<String>,
    pub plan: bool,
    pub format: Format,
    pub verify: Verify,
    /// The line is one of the program `docker-compose`, and goes to it. Only at the guard's door.
    pub docker_compose: bool,
}

impl OwnFlags {
    /// Ours may stand before a subcommand and after it; the later ones win.
    pub(super) fn and(mut self, mut after: Self) -> Self {
        self.accept_loss.append(&mut after.accept_loss);
        Self {
            docker_compose: self.docker_compose || after.docker_compose,
            snapshot: self.snapshot || after.snapshot,
            plan: self.plan || after.plan,
            format: if after.format == Format::default() { self.format } else { after.format },
            verify: if after.verify == Verify::default() { self.verify } else { after.verify },
            accept_loss: self.accept_loss,
            code: after.code.or(self.code),
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    #[default]
    Text,
    Json,
}

/// How a snapshot is proved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Verify {
    #[default]
    Restore,
    Checksum,
}

/// Why a command line is not guarded, and so not run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    #[error("{command}: {error}")]
    Flag { command: String, error: FlagError },
    #[error("the flag --{flag} takes {takes}, not {value:?}")]
    OwnValue { flag: &'static str, takes: &'static str, value: String },
    #[error("dbsafe does not stand in front of `docker {0}`")]
    NotGuarded(String),
    #[error("compose's flags stand before `down`, or after `compose`")]
    StrayGlobals,
    #[error("no command is named")]
    Nothing,
    #[error("`docker {0}` takes no names")]
    Names(String),
}

impl ParseError {
    /// What to type instead.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Flag { .. } | Self::Names(_) => "see the flags with --help; nothing was run",
            Self::OwnValue { .. } | Self::Nothing => "docker dbsafe --help",
            Self::NotGuarded(_) => "run it with docker itself, or as: docker dbsafe guard -- COMMAND",
            Self::StrayGlobals => "docker dbsafe -f compose.yaml down",
        }
    }
}

/// `guard --docker-compose`: the line is one of the program of that name.
pub const DOCKER_COMPOSE: &str = "docker-compose";

/// Our flags, in every guarded command's table.
pub(super) const OWN: [Flag; 6] = [
    own("snapshot", Takes::Bool),
    own("accept-loss", Takes::Text),
    own("code", Takes::Text),
    own("plan", Takes::Bool),
    own("format", Takes::Text),
    own("verify", Takes::Text),
];

const RM: &[Flag] = &[
    flag("force", Some('f'), Takes::Bool),
    flag("volumes", Some('v'), Takes::Bool),
    flag("link", Some('l'), Takes::Bool),
];
const VOLUME_RM: &[Flag] = &[flag("force", Some('f'), Takes::Bool)];
const STOP: &[Flag] = &[
    flag("timeout", Some('t'), Takes::Int),
    Flag { name: "timeout", long: "time", short: None, takes: Takes::Int, ours: false },
    flag("signal", Some('s'), Takes::Text),
];
const KILL: &[Flag] = &[flag("signal", Some('s'), Takes::Text)];
const CHECKPOINT: &[Flag] =
    &[flag("leave-running", None, Takes::Bool), flag("checkpoint-dir", None, Takes::Text)];
const STACK_RM: &[Flag] = &[flag("detach", Some('d'), Takes::Bool)];
const CONTAINER_PRUNE: &[Flag] = &[flag("force", Some('f'), Takes::Bool), flag("filter", None, Takes::Text)];
const VOLUME_PRUNE: &[Flag] = &[
    flag("force", Some('f'), Takes::Bool),
    flag("all", Some('a'), Takes::Bool),
    flag("filter", None, Takes::Text),
];
const SYSTEM_PRUNE: &[Flag] = &[
    flag("force", Some('f'), Takes::Bool),
    flag("all", Some('a'), Takes::Bool),
    flag("volumes", None, Takes::Bool),
    flag("filter", None, Takes::Text),
];

/// Understands the words after `docker dbsafe`.
///
/// # Errors
/// Where docker would refuse them, or where it is not clear what they mean.
pub fn parse(arguments: &[String]) -> Result<Parsed, ParseError> {
    let mut parsed = parse_words(arguments)?;
    parsed.typed = typed(arguments, &parsed.own);
    Ok(parsed)
}

/// What was typed, without our own flags: the forwarded words, under the name that was used.
fn typed(arguments: &[String], own: &OwnFlags) -> Vec<String> {
    if *own == OwnFlags::default() { arguments.to_vec() } else { without_own_flags(arguments) }
}

/// The words that are not our own flags, nor their values.
#[must_use]
pub fn without_own_flags(arguments: &[String]) -> Vec<String> {
    let mut rest = arguments.iter().peekable();
    let mut kept = Vec::new();
    let mut ended = false;
    while let Some(word) = rest.next() {
        ended |= word == "--" && kept.first().is_none_or(|first| first != "guard");
        let name = word.strip_prefix("--").map(|name| name.split_once('=').map_or(name, |(name, _)| name));
        match OWN.iter().find(|flag| !ended && name == Some(flag.long)) {
            Some(flag) if flag.takes != Takes::Bool && !word.contains('=') => {
                rest.next();
            }
            Some(_) => {}
            None => kept.push(word.clone()),
        }
    }
    kept
}

fn parse_words(arguments: &[String]) -> Result<Parsed, ParseError> {
    let first = arguments.first().ok_or(ParseError::Nothing)?;
    if first == "guard" {
        return guard_door(&arguments[1..]);
    }
    if first.starts_with('-') || first == "down" {
        // `[compose globals] down`.
        let table: Vec<Flag> = COMPOSE_GLOBALS.iter().chain(&OWN).copied().collect();
        let globals = read("down", &table, arguments, false)?;
        if arguments.get(globals.read).map(String::as_str) != Some("down") {
            return Err(if globals.help { ParseError::Nothing } else { ParseError::StrayGlobals });
        }
        return parse_compose::parse(arguments, "down");
    }
    docker(arguments)
}

/// `guard [our flags] -- ARGS…`: any docker command line, docker's own globals in front already taken off.
fn guard_door(arguments: &[String]) -> Result<Parsed, ParseError> {
    let dashes = arguments.iter().position(|word| word == "--");
    let table: Vec<Flag> = OWN.into_iter().chain([own(DOCKER_COMPOSE, Takes::Bool)]).collect();
    let own_read = read("guard", &table, &arguments[..dashes.unwrap_or(arguments.len())], false)?;
    let rest = &arguments[dashes.map_or(own_read.read, |index| index + 1)..];
    let own_flags = OwnFlags { docker_compose: own_read.is_on(DOCKER_COMPOSE), ..own_flags(&own_read)? };
    if own_flags.docker_compose {
        let parsed = parse_compose::parse(rest, DOCKER_COMPOSE)?;
        return Ok(Parsed { own: own_flags.and(parsed.own), is_guard_door: true, ..parsed });
    }
    let parsed = match docker(rest) {
        Ok(parsed) => parsed,
        Err(ParseError::NotGuarded(_) | ParseError::Nothing) => Parsed {
            operation: harmless::classify(rest),
            docker_arguments: rest.to_vec(),
            typed: Vec::new(),
            is_guard_door: true,
            own: OwnFlags::default(),
        },
        Err(error) => return Err(error),
    };
    let own = own_flags.and(parsed.own);
    Ok(Parsed { own, is_guard_door: true, ..parsed })
}

/// Docker's families of commands of which some destroy.
const FAMILIES: &[&str] = &["container", "volume", "system", "stack", "service", "swarm", "checkpoint"];

/// A docker command line that we stand in front of.
fn docker(arguments: &[String]) -> Result<Parsed, ParseError> {
    let family = arguments.first().filter(|word| FAMILIES.contains(&word.as_str()));
    let Some(family) = family.filter(|_| arguments.get(1).is_some_and(|word| word.starts_with("--"))) else {
        return docker_words(arguments);
    };
    // `container --plan rm …`: ours may stand between the words.
    let front = read(family, &OWN, &arguments[1..], false)?;
    let rest = &arguments[1 + front.read..];
    if front.ended || front.help {
        return Ok(passed(arguments, harmless::classify(arguments)));
    }
    let words: Vec<String> = std::iter::once(family.clone()).chain(rest.iter().cloned()).collect();
    let parsed = docker_words(&words)?;
    Ok(Parsed { own: own_flags(&front)?.and(parsed.own), ..parsed })
}

fn docker_words(arguments: &[String]) -> Result<Parsed, ParseError> {
    let word = |index: usize| arguments.get(index).map(String::as_str).unwrap_or_default();
    let (path, rest): (&str, &[String]) = match (word(0), word(1)) {
        ("compose", _) => return parse_compose::parse(&arguments[1..], "compose"),
        ("", _) => return Err(ParseError::Nothing),
        (one @ ("rm" | "stop" | "kill" | "restart"), _) => (one, &arguments[1..]),
        ("container", "rm" | "remove") => ("rm", &arguments[2..]),
        ("container", two @ ("stop" | "kill" | "restart")) => (two, &arguments[2..]),
        ("container", "prune") => ("container prune", &arguments[2..]),
        ("volume", "rm" | "remove") => ("volume rm", &arguments[2..]),
        ("volume", "prune") => ("volume prune", &arguments[2..]),
        ("system", "prune") => ("system prune", &arguments[2..]),
        ("stack", "rm" | "remove" | "down") => ("stack rm", &arguments[2..]),
        ("service", "rm" | "remove") => ("service rm", &arguments[2..]),
        ("swarm", "leave") => ("swarm leave", &arguments[2..]),
        ("service", "update") => return changing(arguments, SwarmScope::Change("service update")),
        ("service", "scale") => return changing(arguments, SwarmScope::Change("service scale")),
        ("service", "rollback") => return changing(arguments, SwarmScope::Change("service rollback")),
        ("stack", "deploy" | "up") => return changing(arguments, SwarmScope::Deploy),
        ("checkpoint", "create") => ("checkpoint create", &arguments[2..]),
        (family, _) if FAMILIES.contains(&family) => {
            return Ok(passed(arguments, harmless::classify(arguments)));
        }
        (other, _) => return Err(ParseError::NotGuarded(other.to_owned())),
    };
    let table: &[Flag] = match path {
        "rm" => RM,
        "volume rm" => VOLUME_RM,
        "stop" | "restart" => STOP,
        "kill" => KILL,
        "stack rm" => STACK_RM,
        "service rm" => &[],
        "swarm leave" => VOLUME_RM,
        "checkpoint create" => CHECKPOINT,
        "container prune" => CONTAINER_PRUNE,
        "volume prune" => VOLUME_PRUNE,
        _ => SYSTEM_PRUNE,
    };
    // `system prune --filter` and its kin have no --format of docker's own, so ours is not ambiguous.
    let table: Vec<Flag> = table.iter().chain(&OWN).copied().collect();
    let found = read(path, &table, rest, true)?;
    let operation = if found.help {
        Operation::Harmless { why: "it prints its help" }
    } else {
        match path {
            "rm" => Operation::ContainerRm(ContainerRm {
                references: found.words.clone(),
                force: found.is_on("force"),
                volumes: found.is_on("volumes"),
                link: found.is_on("link"),
            }),
            "volume rm" => {
                Operation::VolumeRm(VolumeRm { names: found.words.clone(), force: found.is_on("force") })
            }
            "stop" => stopping(&found, StopKind::Stop),
            "restart" => stopping(&found, StopKind::Restart),
            "kill" => stopping(&found, StopKind::Kill),
            "stack rm" => swarm(&found, SwarmScope::Stacks),
            "service rm" => swarm(&found, SwarmScope::Services),
            "swarm leave" => swarm(&found, SwarmScope::Node),
            "checkpoint create" if found.is_on("leave-running") => {
                Operation::Harmless { why: "the container goes on" }
            }
            // Its processes end as if killed; what it had in memory is in the checkpoint, which is no backup.
            "checkpoint create" => Operation::ContainerStop(ContainerStop {
                references: found.words.iter().take(1).cloned().collect(),
                how: StopKind::Kill,
                timeout: None,
                signal: None,
            }),
            "container prune" => prune(path, &found, PruneScope::Containers)?,
            "volume prune" => prune(path, &found, PruneScope::Volumes)?,
            _ => prune(path, &found, PruneScope::System)?,
        }
    };
    let used = arguments.len() - rest.len();
    let docker_arguments = arguments[..used].iter().cloned().chain(found.forwarded.iter().cloned()).collect();
    let own = own_flags(&found)?;
    Ok(Parsed { operation, docker_arguments, typed: Vec::new(), is_guard_door: false, own })
}

fn stopping(found: &Read, how: StopKind) -> Operation {
    Operation::ContainerStop(ContainerStop {
        references: found.words.clone(),
        how,
        timeout: found.int("timeout"),
        signal: found.text("signal").map(str::to_owned),
    })
}

/// Commands with a hundred flags, of which only what they are about matters: every word that may name it.
fn changing(arguments: &[String], what: SwarmScope) -> Result<Parsed, ParseError> {
    let (mut forwarded, mut ours) = (Vec::new(), Vec::new());
    let mut rest = arguments.iter().peekable();
    while let Some(word) = rest.next() {
        let name = word.strip_prefix("--").map(|name| name.split_once('=').map_or(name, |(name, _)| name));
        match OWN.iter().find(|flag| name == Some(flag.long)) {
            Some(flag) => {
                ours.push(word.clone());
                let takes_next = flag.takes != Takes::Bool && !word.contains('=');
                ours.extend(rest.next_if(|_| takes_next).cloned());
            }
            None => forwarded.push(word.clone()),
        }
    }
    let names = forwarded.iter().skip(2).filter(|word| !word.starts_with('-'));
    let names = names.map(|word| word.split_once('=').map_or(word.as_str(), |(name, _)| name).to_owned());
    let operation = match forwarded.iter().any(|word| word == "--help" || word == "-h") {
        // It may be another flag's value.
        true => harmless::classify(&forwarded),
        false => Operation::SwarmRm(SwarmRm { what, references: names.collect() }),
    };
    let own = own_flags(&read("docker", &OWN, &ours, false)?)?;
    Ok(Parsed { own, ..passed(&forwarded, operation) })
}

fn swarm(found: &Read, what: SwarmScope) -> Operation {
    Operation::SwarmRm(SwarmRm { what, references: found.words.clone() })
}

/// A prune is carried out by us: what docker would refuse must not get through.
fn prune(command: &str, found: &Read, scope: PruneScope) -> Result<Operation, ParseError> {
    if !found.words.is_empty() {
        return Err(ParseError::Names(command.to_owned()));
    }
    let filters = found.texts("filter");
    if let Some(value) = filters.iter().find(|filter| !filter.contains('=')) {
        let error =
            FlagError::WrongValue { flag: "--filter".to_owned(), what: "NAME=VALUE", value: value.clone() };
        return Err(ParseError::Flag { command: command.to_owned(), error });
    }
    Ok(Operation::Prune(Prune {
        scope,
        all: found.is_on("all"),
        volumes: found.is_on("volumes"),
        force: found.is_on("force"),
        filters,
    }))
}

/// A command that is handed over, or refused, as it is.
fn passed(arguments: &[String], operation: Operation) -> Parsed {
    Parsed {
        operation,
        docker_arguments: arguments.to_vec(),
        typed: Vec::new(),
        is_guard_door: false,
        own: OwnFlags::default(),
    }
}

/// Reads flags, naming the command where they are refused.
pub(super) fn read(
    command: &str,
    table: &[Flag],
    arguments: &[String],
    mix: bool,
) -> Result<Read, ParseError> {
    pflag::read(table, arguments, mix)
        .map_err(|error| ParseError::Flag { command: command.to_owned(), error })
}

/// Our flags among those read.
pub(super) fn own_flags(found: &Read) -> Result<OwnFlags, ParseError> {
    let choose = |flag: &'static str, takes: &'static str, known: &[&str]| match found.text(flag) {
        None => Ok(0),
        Some(value) => known.iter().position(|word| *word == value).ok_or_else(|| ParseError::OwnValue {
            flag,
            takes,
            value: value.to_owned(),
        }),
    };
    let format = choose("format", "text or json", &["text", "json"])?;
    let verify = choose("verify", "restore or checksum", &["restore", "checksum"])?;
    Ok(OwnFlags {
        snapshot: found.is_on("snapshot"),
        accept_loss: found.texts("accept-loss"),
        code: found.text("code").map(str::to_owned),
        plan: found.is_on("plan"),
        format: if format == 1 { Format::Json } else { Format::Text },
        verify: if verify == 1 { Verify::Checksum } else { Verify::Restore },
        docker_compose: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    fn ok(line: &str) -> Parsed {
        parse(&words(line)).unwrap()
    }

    #[test]
    fn rm_in_all_its_forms() {
        for line in
            ["rm -fv db", "container rm -f --volumes db", "container remove db -vf", "guard -- rm -fv db"]
        {
            let Operation::ContainerRm(rm) = ok(line).operation else { panic!("{line}") };
            assert_eq!((rm.references, rm.force, rm.volumes), (words("db"), true, true), "{line}");
        }
    }

    #[test]
    fn our_flags_never_reach_docker_and_theirs_always_do() {
        let parsed = ok("rm --plan -f db --accept-loss db --format=json -- --plan");
        assert_eq!(parsed.docker_arguments, words("rm -f db -- --plan"));
        assert_eq!(parsed.typed, words("rm -f db -- --plan"));
        assert_eq!(parsed.own.accept_loss, words("db"));
        assert_eq!((parsed.own.plan, parsed.own.format), (true, Format::Json));
        let down = ok("-f a.yaml down -v --plan api");
        assert_eq!(down.docker_arguments, words("compose -f a.yaml down -v api"));
        assert_eq!(down.typed, words("-f a.yaml down -v api"));
        let guarded = ok("guard --plan -- compose down -v");
        assert_eq!((guarded.docker_arguments, guarded.own.plan), (words("compose down -v"), true));
        assert_eq!(guarded.typed, words("guard -- compose down -v"));
        let between = ok("container --plan --accept-loss db rm db");
        assert_eq!((between.docker_arguments, between.own.plan), (words("container rm db"), true));
        let both = ok("guard --verify checksum -- compose --accept-loss a down --accept-loss b");
        assert_eq!((both.own.accept_loss, both.own.verify), (words("a b"), Verify::Checksum));
    }

    #[test]
    fn changes_of_services_name_all_that_may_be_meant() {
        let change = |line: &str| match ok(line).operation {
            Operation::SwarmRm(swarm) => (swarm.what, swarm.references),
            other => panic!("{line}: {other:?}"),
        };
        let update = change("service update --plan --image pg:16 --force db");
        assert_eq!(update, (SwarmScope::Change("service update"), words("pg:16 db")));
        assert_eq!(change("guard -- service scale web=2 db=0").1, words("web db"));
        assert_eq!(change("stack deploy -c a.yaml shop"), (SwarmScope::Deploy, words("a.yaml shop")));
        assert_eq!(
            ok("service scale --plan --format json db=0").docker_arguments,
            words("service scale db=0")
        );
        let help = ok("service update --label-add --help db");
        assert!(matches!(help.operation, Operation::Unjudged { .. }));
    }

    #[test]
    fn a_checkpoint_ends_the_container_unless_told() {
        let made = |line: &str| ok(line).operation;
        assert!(
            matches!(made("checkpoint create db one"), Operation::ContainerStop(stop) if stop.references == words("db"))
        );
        assert!(matches!(made("checkpoint create --leave-running db one"), Operation::Harmless { .. }));
    }

    #[test]
    fn what_is_not_ours_is_not_run_but_through_the_guards_door() {
        assert!(matches!(parse(&words("ps -a")), Err(ParseError::NotGuarded(_))));
        let through = ok("guard -- ps -a --format json");
        assert!(matches!(through.operation, Operation::Harmless { .. }));
        assert_eq!(through.docker_arguments, words("ps -a --format json"));
        assert!(matches!(ok("guard -- frobnicate db").operation, Operation::Unjudged { .. }));
    }

    #[test]
    fn what_docker_refuses_is_refused() {
        for line in [
            "rm --force=maybe x",
            "rm -x",
            "volume rm --all x",
            "-f a.yaml",
            "-f a.yaml up",
            "rm --format yaml x",
        ] {
            assert!(parse(&words(line)).is_err(), "{line}");
        }
    }

    #[test]
    fn help_is_dockers_to_print() {
        assert!(matches!(ok("rm --help").operation, Operation::Harmless { .. }));
        assert!(matches!(ok("down -h").operation, Operation::Harmless { .. }));
    }
}
