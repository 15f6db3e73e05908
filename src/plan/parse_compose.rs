//! Compose's command lines. Tables after `docker compose --help` of 2.26 to 5.6 and its hidden flags.

use super::{
    harmless,
    parse::{DOCKER_COMPOSE, OWN, OwnFlags, ParseError, Parsed, own_flags, read},
    parse_up,
    pflag::{Flag, Read, Takes, flag},
};
use crate::model::operation::{
    ComposeDown, ComposeGlobals, ComposeRm, ComposeStop, Operation, StopKind, UpKind,
};

/// Flags before compose's subcommand.
pub(super) const COMPOSE_GLOBALS: &[Flag] = &[
    flag("file", Some('f'), Takes::Text),
    flag("project-name", Some('p'), Takes::Text),
    flag("profile", None, Takes::Text),
    flag("env-file", None, Takes::Text),
    flag("project-directory", None, Takes::Text),
    flag("workdir", None, Takes::Text),
    flag("parallel", None, Takes::Int),
    flag("progress", None, Takes::Text),
    flag("ansi", None, Takes::Text),
    flag("insecure-registry", None, Takes::Text),
    flag("all-resources", None, Takes::Bool),
    flag("compatibility", None, Takes::Bool),
    DRY_RUN,
    flag("verbose", None, Takes::Bool),
    flag("no-ansi", None, Takes::Bool),
    flag("version", Some('v'), Takes::Bool),
];

/// Those that only the program of old knows (1.29), beside docker's own.
const OLD_GLOBALS: &[Flag] =
    &[flag("log-level", None, Takes::Text), flag("skip-hostname-check", None, Takes::Bool)];

/// Docker's globals that `docker-compose` takes among its own.
const DOCKER_GLOBALS: &[Flag] = &[
    flag("host", Some('H'), Takes::Text),
    flag("context", Some('c'), Takes::Text),
    flag("tls", None, Takes::Bool),
    flag("tlsverify", None, Takes::Bool),
    flag("tlscacert", None, Takes::Text),
    flag("tlscert", None, Takes::Text),
    flag("tlskey", None, Takes::Text),
];

pub(super) const DRY_RUN: Flag = flag("dry-run", None, Takes::Bool);

const DOWN: &[Flag] = &[
    flag("volumes", Some('v'), Takes::Bool),
    Flag { name: "volumes", long: "volume", short: None, takes: Takes::Bool, ours: false },
    flag("timeout", Some('t'), Takes::Int),
    flag("rmi", None, Takes::Text),
    flag("remove-orphans", None, Takes::Bool),
    DRY_RUN,
];
const RM: &[Flag] = &[
    flag("force", Some('f'), Takes::Bool),
    flag("stop", Some('s'), Takes::Bool),
    flag("volumes", Some('v'), Takes::Bool),
    flag("all", Some('a'), Takes::Bool),
    DRY_RUN,
];
const STOP: &[Flag] = &[flag("timeout", Some('t'), Takes::Int), DRY_RUN];
const RESTART: &[Flag] =
    &[flag("timeout", Some('t'), Takes::Int), flag("no-deps", None, Takes::Bool), DRY_RUN];
const KILL: &[Flag] =
    &[flag("signal", Some('s'), Takes::Text), flag("remove-orphans", None, Takes::Bool), DRY_RUN];

/// With `--down-project`, everything of the project goes once the first container has ended.
const WAIT: &[Flag] = &[flag("down-project", None, Takes::Bool), DRY_RUN];

/// Takes docker's globals out of a line of `docker-compose`: those, and the rest.
///
/// # Errors
/// Where the flags before the command cannot be read.
pub fn docker_globals(arguments: &[String]) -> Result<(Vec<String>, Vec<String>), ParseError> {
    let own_and_compose = || COMPOSE_GLOBALS.iter().chain(OLD_GLOBALS).chain(&OWN);
    let all: Vec<Flag> = own_and_compose().chain(DOCKER_GLOBALS).copied().collect();
    let read_to = read(DOCKER_COMPOSE, &all, arguments, false)?.read;
    let (mut docker, mut rest) = (Vec::new(), Vec::new());
    let mut index = 0;
    while index < read_to {
        // One flag with its value at a time; which of the tables knows it tells whose it is.
        let mut used = 1;
        let ours = |words: &[String]| read(DOCKER_COMPOSE, DOCKER_GLOBALS, words, false).is_ok();
        let whole = |words: &[String]| read(DOCKER_COMPOSE, &all, words, false).is_ok();
        while !whole(&arguments[index..index + used]) && index + used < read_to {
            used += 1;
        }
        let words = &arguments[index..index + used];
        if ours(words) && words[0] != "--" && words[0] != "--help" && words[0] != "-h" {
            docker.extend_from_slice(words);
        } else {
            rest.extend_from_slice(words);
        }
        index += used;
    }
    rest.extend_from_slice(&arguments[read_to..]);
    Ok((docker, rest))
}

/// Understands what follows `docker compose`; `door` is how it was called: as `down`, `compose` or
/// `docker-compose`.
pub(super) fn parse(arguments: &[String], door: &str) -> Result<Parsed, ParseError> {
    let old = if door == DOCKER_COMPOSE { OLD_GLOBALS } else { &[] };
    let table: Vec<Flag> = COMPOSE_GLOBALS.iter().chain(old).chain(&OWN).copied().collect();
    let globals = read(door, &table, arguments, false)?;
    let command = arguments.get(globals.read).map(String::as_str).unwrap_or_default();
    let rest = arguments.get(globals.read + 1..).unwrap_or_default();
    if globals.ended {
        // Cobra looks for the command behind the dashes, too: `compose -- x down` goes down.
        return Ok(passed(arguments, harmless::unjudged("compose --")));
    }
    let flags: &[Flag] = match command {
        "down" => DOWN,
        "rm" => RM,
        "stop" => STOP,
        "restart" => RESTART,
        "kill" => KILL,
        "wait" if rest.iter().any(|word| word.starts_with("--down-project")) => WAIT,
        _ if parse_up::table(command).is_some() => return up(arguments, command, &globals),
        _ => {
            // `--version` before a command does not keep it from running.
            let operation = if globals.help {
                Operation::Harmless { why: "it prints its help" }
            } else {
                harmless::classify_compose(command, rest)
            };
            let forwarded =
                globals.forwarded.iter().chain(&arguments[globals.read..]).cloned().collect::<Vec<_>>();
            return Ok(Parsed { own: own_flags(&globals)?, ..passed(&forwarded, operation) });
        }
    };
    let name = format!("compose {command}");
    let table: Vec<Flag> = flags.iter().chain(&OWN).copied().collect();
    let found = read(&name, &table, rest, true)?;
    let docker_arguments: Vec<String> = std::iter::once("compose".to_owned())
        .chain(globals.forwarded.iter().cloned())
        .chain(std::iter::once(command.to_owned()))
        .chain(found.forwarded.iter().cloned())
        .collect();
    let own = own_flags(&globals)?.and(own_flags(&found)?);
    let operation = operation(command, &globals, &found);
    Ok(Parsed { operation, docker_arguments, typed: Vec::new(), is_guard_door: false, own })
}

/// `up` and its kin.
fn up(arguments: &[String], command: &str, globals: &Read) -> Result<Parsed, ParseError> {
    let Some((how, flags)) = parse_up::table(command) else {
        return Ok(passed(arguments, harmless::unjudged(command)));
    };
    let rest = &arguments[globals.read + 1..];
    let table: Vec<Flag> = flags.iter().chain(&OWN).copied().collect();
    // What `run` runs has flags of its own.
    let found = read(&format!("compose {command}"), &table, rest, how != UpKind::Run)?;
    let behind = rest.get(found.read..).unwrap_or_default();
    let words = [found.words.as_slice(), behind].concat();
    let docker_arguments: Vec<String> = std::iter::once("compose".to_owned())
        .chain(globals.forwarded.iter().cloned())
        .chain(std::iter::once(command.to_owned()))
        .chain(found.forwarded.iter().chain(behind).cloned())
        .collect();
    let own = own_flags(globals)?.and(own_flags(&found)?);
    let operation = if found.help || globals.help {
        Operation::Harmless { why: "it prints its help" }
    } else {
        Operation::ComposeUp(parse_up::operation(how, project(globals, &found), &found, &words)?)
    };
    Ok(Parsed { operation, docker_arguments, typed: Vec::new(), is_guard_door: false, own })
}

fn project(globals: &Read, found: &Read) -> ComposeGlobals {
    ComposeGlobals {
        arguments: globals.forwarded.clone(),
        project_name: globals.text("project-name").filter(|name| !name.is_empty()).map(str::to_owned),
        files: globals.texts("file"),
        profiles: globals.texts("profile"),
        dry_run: globals.is_on("dry-run") || found.is_on("dry-run"),
    }
}

fn operation(command: &str, globals: &Read, found: &Read) -> Operation {
    if found.help || globals.help {
        return Operation::Harmless { why: "it prints its help" };
    }
    let globals = project(globals, found);
    let services = found.words.clone();
    let timeout = found.int("timeout");
    match command {
        "down" => Operation::ComposeDown(ComposeDown {
            globals,
            services,
            volumes: found.is_on("volumes"),
            remove_orphans: found.given("remove-orphans"),
            timeout,
            by_labels: false,
        }),
        "wait" if !found.is_on("down-project") => {
            Operation::Harmless { why: "it waits, and removes nothing" }
        }
        // The files are read for the project's name alone (compose `pkg/compose/wait.go`).
        "wait" => Operation::ComposeDown(ComposeDown {
            globals,
            remove_orphans: Some(true),
            by_labels: true,
            ..ComposeDown::default()
        }),
        "rm" => Operation::ComposeRm(ComposeRm {
            globals,
            services,
            force: found.is_on("force"),
            stop: found.is_on("stop"),
            volumes: found.is_on("volumes"),
        }),
        _ => Operation::ComposeStop(ComposeStop {
            globals,
            services,
            how: match command {
                "stop" => StopKind::Stop,
                "kill" => StopKind::Kill,
                _ => StopKind::Restart,
            },
            timeout,
            signal: found.text("signal").map(str::to_owned),
            remove_orphans: found.given("remove-orphans"),
            no_deps: found.is_on("no-deps"),
        }),
    }
}

fn passed(arguments: &[String], operation: Operation) -> Parsed {
    let docker_arguments = std::iter::once("compose".to_owned()).chain(arguments.iter().cloned()).collect();
    Parsed { operation, docker_arguments, typed: Vec::new(), is_guard_door: false, own: OwnFlags::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::parse::parse as parse_all;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    fn down(line: &str) -> ComposeDown {
        match parse_all(&words(line)).unwrap().operation {
            Operation::ComposeDown(down) => down,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn down_by_both_doors() {
        for line in ["-p shop -f a.yaml down -vt5 db", "compose -pshop --file=a.yaml down db --volumes -t 5"]
        {
            let found = down(line);
            assert_eq!(found.globals.project_name.as_deref(), Some("shop"), "{line}");
            assert_eq!(found.globals.files, words("a.yaml"), "{line}");
            assert_eq!(
                (found.volumes, found.timeout, found.services),
                (true, Some(5), words("db")),
                "{line}"
            );
        }
    }

    #[test]
    fn docker_compose_has_dockers_globals_among_its_own() {
        let split = |line: &str| {
            let (docker, rest) = docker_globals(&words(line)).unwrap();
            (docker.join(" "), rest.join(" "))
        };
        let of = |docker: &str, rest: &str| (docker.to_owned(), rest.to_owned());
        assert_eq!(split("-f a.yml -H tcp://h:1 -p x down -v"), of("-H tcp://h:1", "-f a.yml -p x down -v"));
        assert_eq!(
            split("--tls --host=h --log-level DEBUG stop"),
            of("--tls --host=h", "--log-level DEBUG stop")
        );
        // Behind the command it is none of theirs.
        assert_eq!(split("run web -H x"), of("", "run web -H x"));
        assert_eq!(split("-f -H down"), of("", "-f -H down"));
        assert!(docker_globals(&words("--frob down")).is_err());
        let parsed =
            parse_all(&words("guard --docker-compose --plan -- --verbose down -v --snapshot")).unwrap();
        assert!(parsed.own.docker_compose && parsed.own.plan && parsed.own.snapshot);
        assert_eq!(parsed.docker_arguments, words("compose --verbose down -v"));
        assert_eq!(parsed.typed, words("guard --docker-compose -- --verbose down -v"));
        assert!(parse_all(&words("guard -- compose --log-level DEBUG down")).is_err());
    }

    #[test]
    fn the_last_word_on_volumes_wins() {
        assert!(!down("down -v --volumes=false").volumes);
        assert!(down("down --volume").volumes);
        assert_eq!(down("down --remove-orphans=0").remove_orphans, Some(false));
        assert_eq!(down("down").remove_orphans, None);
    }

    #[test]
    fn a_wait_that_ends_in_down_is_one() {
        let found = down("compose wait db --down-project");
        assert!(found.by_labels && found.services.is_empty() && found.remove_orphans == Some(true));
        for line in ["compose wait db", "compose wait --down-project=false db"] {
            let parsed = parse_all(&words(line)).unwrap();
            assert!(matches!(parsed.operation, Operation::Harmless { .. }), "{line}");
        }
    }

    #[test]
    fn unknown_compose_commands_are_not_taken_for_harmless() {
        let unknown = parse_all(&words("compose frobnicate")).unwrap();
        assert!(matches!(unknown.operation, Operation::Unjudged { .. }));
        let harmless = parse_all(&words("compose -f a.yaml ps --format json")).unwrap();
        assert!(matches!(harmless.operation, Operation::Harmless { .. }));
        assert_eq!(harmless.docker_arguments, words("compose -f a.yaml ps --format json"));
    }

    // Both were seen to go down: docker/compose leaves the search for the command to cobra.
    #[test]
    fn a_command_hidden_behind_dashes_or_version_is_not_harmless() {
        for line in ["compose -- x down", "compose -v frob", "compose -f a.yaml -- down"] {
            let parsed = parse_all(&words(line)).unwrap();
            assert!(matches!(parsed.operation, Operation::Unjudged { .. }), "{line}");
        }
        let down = parse_all(&words("compose --version down")).unwrap();
        assert!(matches!(down.operation, Operation::ComposeDown(_)));
        let version = parse_all(&words("compose --version")).unwrap();
        assert!(matches!(version.operation, Operation::Harmless { .. }));
    }
}
