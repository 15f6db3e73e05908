//! Completion: docker asks us through `__complete`, as cobra's scripts do (spf13/cobra `completions.go`).
//!
//! Our own words come from clap's table. What stands in for a docker command is docker's to complete, with our
//! flags beside its own. Names come from the engine and the store, under a time limit; without them the words
//! that need none are still there.

use std::{collections::BTreeSet, ffi::OsString, time::Duration};

use clap::{ArgAction, Command, CommandFactory as _};

use crate::{
    checks,
    cli::{Cli, CompletionArgs, Shell},
    docker::{
        endpoint,
        engine::{Engine, is_helper},
        environment::Environment,
        globals::DockerGlobals,
        program::DockerProgram,
    },
    exit::Exit,
    model::container::{ContainerSummary, label},
    plan::{harmless, parse},
    plugin::{self, Directive},
    report::words::short,
    settings::place,
    store::Store,
    ui::Ui,
};

/// A person waits with a finger on the key.
const LIMIT: Duration = Duration::from_millis(1500);

/// A word and what it is.
type Candidate = (String, String);

/// Guarded commands, with what they are.
const GUARDED: &[(&str, &str)] = &[
    ("down", "docker compose down, guarded"),
    ("compose", "any compose command, guarded where it can destroy"),
    ("rm", "docker rm, guarded"),
    ("stop", "docker stop, guarded"),
    ("kill", "docker kill, guarded"),
    ("restart", "docker restart, guarded"),
    ("container", "docker container, guarded where it can destroy"),
    ("volume", "docker volume, guarded where it can destroy"),
    ("system", "docker system, guarded where it can destroy"),
    ("stack", "docker stack, guarded where it can destroy"),
    ("service", "docker service, guarded where it can destroy"),
    ("swarm", "docker swarm, guarded where it can destroy"),
    ("guard", "any docker command line, behind --"),
];

const FLAGS: &[(&str, &str)] = &[
    ("--plan", "say what would happen, and stop"),
    ("--snapshot", "save what is at risk, prove it, then go on"),
    ("--accept-loss", "let the data of this container or volume go"),
    ("--verify", "how a snapshot is proved: restore or checksum"),
    ("--format", "text or json"),
];

/// What to offer for the last word.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wanted {
    /// These.
    Words(Vec<Candidate>),
    /// Names of things that hold data.
    Targets,
    /// Ids of snapshots.
    Snapshots,
    /// What docker would say to these words, and our flags.
    Docker(Vec<String>),
    /// Files.
    Files,
}

/// The candidates for the last word, in cobra's format.
pub(super) async fn answer(
    environment: &Environment,
    globals: &DockerGlobals,
    words: &[OsString],
    descriptions: bool,
) -> String {
    let words: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let (last, before) =
        words.split_last().map_or(("", [].as_slice()), |(last, before)| (last.as_str(), before));
    let (found, directive) = match wanted(before, last) {
        Wanted::Words(words) => (words, Directive::NO_FILES),
        Wanted::Files => (Vec::new(), Directive::FILES),
        Wanted::Targets => (targets(environment, globals).await, Directive::NO_FILES),
        Wanted::Snapshots => (snapshots(environment), Directive::NO_FILES),
        Wanted::Docker(words) => from_docker(environment, globals, &words, last).await,
    };
    let fitting: Vec<&Candidate> = found.iter().filter(|(word, _)| word.starts_with(last)).collect();
    let fitting = fitting.iter().map(|(word, about)| (word.as_str(), about.as_str()));
    plugin::completions(fitting, descriptions, directive)
}

/// Pure: what fits behind these words.
fn wanted(before: &[String], last: &str) -> Wanted {
    let root = {
        let mut root = Cli::command();
        root.build();
        root
    };
    let Some(first) = before.first() else {
        let own = root.get_subcommands().filter(|command| !command.is_hide_set());
        return Wanted::Words(pairs(GUARDED).into_iter().chain(own.map(described)).collect());
    };
    match root.find_subcommand(first) {
        Some(command) => own(command, &before[1..], last),
        None => guarded(before, last),
    }
}

fn pairs(known: &[(&str, &str)]) -> Vec<Candidate> {
    known.iter().map(|(word, about)| ((*word).to_owned(), (*about).to_owned())).collect()
}

fn described(command: &Command) -> Candidate {
    (command.get_name().to_owned(), command.get_about().map(ToString::to_string).unwrap_or_default())
}

/// One of our own commands.
fn own(mut command: &Command, before: &[String], last: &str) -> Wanted {
    let mut value_of = None;
    for word in before {
        if value_of.take().is_some() {
            continue;
        }
        if let Some(name) = word.strip_prefix("--").filter(|name| !name.contains('=')) {
            value_of = command.get_arguments().find(|arg| {
                arg.get_long() == Some(name) && matches!(arg.get_action(), ArgAction::Set | ArgAction::Append)
            });
        } else if let Some(below) = command.find_subcommand(word) {
            command = below;
        }
    }
    if let Some(arg) = value_of {
        return values(arg);
    }
    if last.starts_with('-') {
        let flag = |arg: &clap::Arg| {
            let about = arg.get_help().map(ToString::to_string).unwrap_or_default();
            arg.get_long().filter(|_| !arg.is_hide_set()).map(|long| (format!("--{long}"), about))
        };
        return Wanted::Words(command.get_arguments().filter_map(flag).collect());
    }
    let below: Vec<Candidate> =
        command.get_subcommands().filter(|below| below.get_name() != "help").map(described).collect();
    if !below.is_empty() {
        return Wanted::Words(below);
    }
    command.get_positionals().next().map_or(Wanted::Words(Vec::new()), values)
}

/// What an argument takes.
fn values(arg: &clap::Arg) -> Wanted {
    let possible = arg.get_possible_values();
    if !possible.is_empty() {
        let about = |value: &clap::builder::PossibleValue| {
            (value.get_name().to_owned(), value.get_help().map(ToString::to_string).unwrap_or_default())
        };
        return Wanted::Words(possible.iter().map(about).collect());
    }
    let name = arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
    match (arg.get_id().as_str(), name.unwrap_or_default().as_str()) {
        ("snapshot", _) | (_, "SNAPSHOT") => Wanted::Snapshots,
        (_, "TARGET" | "NAME" | "CONTAINER" | "SERVICE" | "VOLUME") => Wanted::Targets,
        (_, "CHECK") => {
            let known = checks::ALL.iter().map(|check| (check.id, check.title));
            Wanted::Words(pairs(&known.collect::<Vec<_>>()))
        }
        (_, "FILE" | "PATH" | "FOLDER") => Wanted::Files,
        _ => Wanted::Words(Vec::new()),
    }
}

/// A command line that docker knows, by whichever door.
fn guarded(before: &[String], last: &str) -> Wanted {
    match before.last().map(String::as_str) {
        Some("--accept-loss") => return Wanted::Targets,
        Some("--verify") => return Wanted::Words(pairs(&[("restore", ""), ("checksum", "")])),
        Some("--format") => return Wanted::Words(pairs(&[("text", ""), ("json", "")])),
        _ => {}
    }
    if before[0] == "guard" {
        let Some(dashes) = before.iter().position(|word| word == "--") else {
            let mut words = pairs(FLAGS);
            words.push(("--".to_owned(), "then docker's command line".to_owned()));
            return Wanted::Words(words);
        };
        return Wanted::Docker(before[dashes + 1..].to_vec());
    }
    let mut words = parse::without_own_flags(before);
    // Compose's `down` stands for itself, with compose's globals in front.
    if words.first().is_some_and(|first| first == "down" || first.starts_with('-')) {
        if !words.iter().any(|word| word == "down") && !last.starts_with('-') && !takes_next(&words) {
            return Wanted::Words(pairs(&GUARDED[..1]));
        }
        words.insert(0, "compose".to_owned());
    }
    Wanted::Docker(words)
}

/// Whether the last of these words is a flag of compose's whose value comes next.
fn takes_next(words: &[String]) -> bool {
    let Some(last) = words.last() else { return false };
    harmless::compose_globals().filter(|flag| flag.takes_value).any(|flag| {
        last.strip_prefix("--") == Some(flag.long)
            || flag.short.is_some_and(|letter| *last == format!("-{letter}"))
    })
}

/// Docker's own candidates, with our flags where a flag is begun.
async fn from_docker(
    environment: &Environment,
    globals: &DockerGlobals,
    words: &[String],
    last: &str,
) -> (Vec<Candidate>, Directive) {
    let ours = if last.starts_with('-') { pairs(FLAGS) } else { Vec::new() };
    let Ok(docker) = DockerProgram::find(globals, environment) else { return (ours, Directive::NO_FILES) };
    // The globals come behind `__complete`, as words of the command line that is completed.
    let globals = globals.arguments.iter().map(|word| word.to_string_lossy().into_owned());
    let mut arguments: Vec<String> = std::iter::once("__complete".to_owned()).chain(globals).collect();
    arguments.extend(words.iter().cloned());
    arguments.push(last.to_owned());
    let docker = docker.without_globals();
    let Ok(output) = docker.output(&arguments, LIMIT).await else { return (ours, Directive::NO_FILES) };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (mut found, directive) = read(&text);
    let is_new = |(word, _): &Candidate| !found.iter().any(|(known, _)| known == word);
    let ours: Vec<Candidate> = ours.into_iter().filter(is_new).collect();
    found.extend(ours);
    (found, directive)
}

/// Reads what cobra writes.
fn read(text: &str) -> (Vec<Candidate>, Directive) {
    let mut found = Vec::new();
    let mut directive = Directive::NO_FILES;
    for line in text.lines() {
        if let Some(number) = line.strip_prefix(':').and_then(|number| number.parse().ok()) {
            directive = Directive(number);
        } else {
            let (word, about) = line.split_once('\t').unwrap_or((line, ""));
            found.push((word.to_owned(), about.to_owned()));
        }
    }
    // An error of docker's is none of ours.
    if directive.0 & 1 == 1 { (Vec::new(), Directive::NO_FILES) } else { (found, directive) }
}

/// Containers, services, projects and volumes.
async fn targets(environment: &Environment, globals: &DockerGlobals) -> Vec<Candidate> {
    let Ok(endpoint) = endpoint::resolve_here(globals, environment) else { return Vec::new() };
    let Ok(engine) = Engine::connect(&endpoint) else { return Vec::new() };
    let asked = async { tokio::try_join!(engine.containers(), engine.volumes()) };
    let Ok(Ok((mut containers, volumes))) = tokio::time::timeout(LIMIT, asked).await else {
        return Vec::new();
    };
    containers.retain(|container| !is_helper(&container.labels));
    let mut found = named(&containers);
    // A name of 64 digits is nobody's to type.
    found.extend(
        volumes
            .into_iter()
            .filter(|volume| short(&volume.name) == volume.name)
            .map(|volume| (volume.name, "volume".to_owned())),
    );
    found
}

fn named(containers: &[ContainerSummary]) -> Vec<Candidate> {
    let of = |name: &str| -> BTreeSet<&str> {
        containers.iter().filter_map(|container| container.labels.get(name)).map(String::as_str).collect()
    };
    let all = |names: BTreeSet<&str>, what: &'static str| {
        names.into_iter().map(|name| (name.to_owned(), what.to_owned())).collect::<Vec<_>>()
    };
    let mut found: Vec<Candidate> =
        containers.iter().map(|container| (container.name.clone(), container.image.clone())).collect();
    found.extend(all(of(label::SERVICE), "service"));
    found.extend(all(of(label::PROJECT), "project"));
    found
}

/// The snapshots of the store, without creating one.
fn snapshots(environment: &Environment) -> Vec<Candidate> {
    let latest = ("latest".to_owned(), "the newest snapshot".to_owned());
    let home = place::home(environment).filter(|home| home.is_dir());
    let listing = home.and_then(|home| Store::open(&home).ok()).and_then(|store| store.list().ok());
    let stored = listing.map(|listing| listing.snapshots).unwrap_or_default();
    let about = |stored: &crate::store::Stored| (stored.manifest.id.clone(), super::snapshots::names(stored));
    stored.iter().map(about).chain((!stored.is_empty()).then_some(latest)).collect()
}

/// `docker dbsafe completion SHELL`: docker's own script completes its plugins, dbsafe among them.
#[must_use]
pub(super) fn run(ui: &Ui, arguments: &CompletionArgs) -> Exit {
    let line = match arguments.shell {
        Shell::Bash => "source <(command docker completion bash)",
        Shell::Zsh => "source <(command docker completion zsh)",
        Shell::Fish => "command docker completion fish | source",
        Shell::Powershell => {
            "& (Get-Command docker -CommandType Application)[0] completion powershell | Out-String | Invoke-Expression"
        }
    };
    ui.print(&format!("# docker completes its plugins, dbsafe among them\n{line}\n"));
    Exit::Done
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(line: &str) -> Wanted {
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let last = words.pop().unwrap();
        wanted(&words, &last)
    }

    fn words_at(line: &str) -> Vec<String> {
        match at(line) {
            Wanted::Words(words) => words.into_iter().map(|(word, _)| word).collect(),
            other => panic!("{line}: {other:?}"),
        }
    }

    fn docker(words: &str) -> Wanted {
        Wanted::Docker(words.split_whitespace().map(str::to_owned).collect())
    }

    #[test]
    fn our_own_words_come_from_the_table_of_commands() {
        let all = words_at("");
        for word in ["down", "audit", "snapshots", "doctor", "shell-init", "guard"] {
            assert!(all.iter().any(|known| known == word), "{word}: {all:?}");
        }
        assert!(words_at("snapshots ").contains(&"verify".to_owned()));
        assert!(!words_at("snapshots ").contains(&"help".to_owned()));
        assert!(words_at("audit --").contains(&"--fail-on".to_owned()));
        assert_eq!(words_at("audit --fail-on "), ["critical", "high", "medium", "low"]);
        assert_eq!(words_at("shell-init "), ["bash", "zsh", "fish", "powershell"]);
    }

    #[test]
    fn names_are_offered_where_they_are_meant() {
        assert_eq!(at("audit "), Wanted::Targets);
        assert_eq!(at("audit --format json sh"), Wanted::Targets);
        assert_eq!(at("snapshots show "), Wanted::Snapshots);
        assert_eq!(at("restore "), Wanted::Snapshots);
        assert_eq!(at("restore 2026 --of "), Wanted::Targets);
        assert_eq!(at("down --accept-loss "), Wanted::Targets);
    }

    #[test]
    fn what_stands_for_docker_is_dockers_to_complete() {
        assert_eq!(at("rm "), docker("rm"));
        assert_eq!(at("rm --snapshot -f "), docker("rm -f"));
        assert_eq!(at("down --accept-loss x "), docker("compose down"));
        assert_eq!(at("-p shop down "), docker("compose -p shop down"));
        assert_eq!(at("compose -f a.yaml "), docker("compose -f a.yaml"));
        assert_eq!(at("guard -- volume r"), docker("volume"));
        assert_eq!(words_at("-p shop "), ["down"]);
        assert_eq!(at("-p shop -f "), docker("compose -p shop -f"));
        assert!(words_at("guard ").contains(&"--".to_owned()));
    }

    #[test]
    fn what_cobra_writes_is_read() {
        let (found, directive) = read("a\tone\nb\n:4\n");
        assert_eq!(found, pairs(&[("a", "one"), ("b", "")]));
        assert_eq!(directive, Directive::NO_FILES);
        assert!(read("a\n:1\n").0.is_empty());
    }
}
