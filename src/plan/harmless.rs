//! Docker commands that are known to destroy nothing, and what is said of the rest. The shell functions of
//! `shell-init` are made from the same tables, so that the two cannot disagree.

use super::{
    parse_compose::COMPOSE_GLOBALS,
    pflag::{Flag, Takes},
};
use crate::model::operation::Operation;

const NOTHING: &str = "it removes no container and no volume, and stops nothing";

/// Docker's own commands without subcommands of their own.
pub const COMMANDS: &[&str] = &[
    "attach",
    "bake",
    "build",
    "commit",
    "completion",
    "cp",
    "create",
    "diff",
    "events",
    "exec",
    "export",
    "history",
    "images",
    "import",
    "info",
    "init",
    "inspect",
    "load",
    "login",
    "logout",
    "logs",
    "pause",
    "port",
    "ps",
    "pull",
    "push",
    "rename",
    "rmi",
    "run",
    "save",
    "sbom",
    "scan",
    "scout",
    "search",
    "start",
    "stats",
    "tag",
    "top",
    "unpause",
    "update",
    "version",
    "wait",
    "help",
    // Asked by every shell's completion; plugins complete too, and run nothing.
    "__complete",
    "__completeNoDesc",
];

/// Families of which nothing touches a container or volume.
pub const FAMILIES: &[&str] =
    &["builder", "buildx", "config", "context", "image", "manifest", "network", "secret", "trust", "dbsafe"];

/// Harmless members of families that have others.
pub const MEMBERS: &[(&str, &[&str])] = &[
    (
        "container",
        &[
            "attach", "commit", "cp", "create", "diff", "exec", "export", "inspect", "list", "logs", "ls",
            "pause", "port", "ps", "rename", "run", "start", "stats", "top", "unpause", "update", "wait",
        ],
    ),
    ("volume", &["create", "inspect", "list", "ls", "update"]),
    ("system", &["df", "dial-stdio", "events", "info"]),
    ("stack", &["config", "ls", "list", "ps", "services"]),
    ("service", &["create", "inspect", "list", "logs", "ls", "ps"]),
    ("swarm", &["ca", "init", "join", "join-token", "unlock", "unlock-key", "update"]),
    ("node", &["demote", "inspect", "ls", "list", "promote", "ps"]),
    ("plugin", &["create", "inspect", "install", "list", "ls", "push", "set", "enable", "upgrade"]),
    ("checkpoint", &["ls", "list"]),
];

/// Compose commands that are harmless.
pub const COMPOSE: &[&str] = &[
    "attach",
    "bridge",
    "build",
    "commit",
    "config",
    "convert",
    "cp",
    "events",
    "exec",
    "export",
    "images",
    "logs",
    "ls",
    "list",
    "pause",
    "port",
    "ps",
    "publish",
    "pull",
    "push",
    "start",
    "stats",
    "top",
    "unpause",
    "version",
    "volumes",
    "help",
    "completion",
];

/// A flag as the shell functions have to know it: how it is spelled, and whether its value may be the next word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spelling {
    pub long: &'static str,
    pub short: Option<char>,
    pub takes_value: bool,
}

/// The flags that may stand between `compose` and its command.
pub fn compose_globals() -> impl Iterator<Item = Spelling> {
    let spelling =
        |flag: &Flag| Spelling { long: flag.long, short: flag.short, takes_value: flag.takes != Takes::Bool };
    COMPOSE_GLOBALS.iter().map(spelling)
}

/// What a docker command line that we do not judge is: harmless, or unknown. Never guessed.
pub(super) fn classify(arguments: &[String]) -> Operation {
    let word = |index: usize| arguments.get(index).map(String::as_str).unwrap_or_default();
    let (first, second) = (word(0), word(1));
    let member = MEMBERS.iter().find(|(family, _)| *family == first);
    // Only where it can be nothing else: behind another flag it may be that one's value.
    let after = if member.is_some() { 2 } else { 1 };
    let asks_for_help = [first, second, word(after)].contains(&"--help");
    let harmless = first.is_empty()
        || COMMANDS.contains(&first)
        || FAMILIES.contains(&first)
        || member.is_some_and(|(_, members)| second.is_empty() || members.contains(&second))
        || asks_for_help;
    if harmless {
        return Operation::Harmless { why: NOTHING };
    }
    match member {
        Some(_) => unjudged(&format!("{first} {second}")),
        None => unjudged(first),
    }
}

/// A command of which nobody knows what it would destroy.
pub(super) fn unjudged(command: &str) -> Operation {
    Operation::Unjudged {
        command: command.to_owned(),
        why: "it is not known to be harmless, and dbsafe cannot tell what it would destroy",
    }
}

/// A compose command that is not judged, and what follows it.
pub(super) fn classify_compose(command: &str, rest: &[String]) -> Operation {
    // `wait --down-project` goes down in the end.
    let waits = command == "wait" && !rest.iter().any(|word| word.starts_with("--down-project"));
    let asks_for_help = rest.first().is_some_and(|word| word == "--help" || word == "-h");
    if command.is_empty() || COMPOSE.contains(&command) || waits || asks_for_help {
        return Operation::Harmless { why: NOTHING };
    }
    Operation::Unjudged {
        command: format!("compose {command}"),
        why: "it may remove or recreate containers, and dbsafe cannot yet tell which",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_harmless(line: &str) -> bool {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        matches!(classify(&words), Operation::Harmless { .. })
    }

    #[test]
    fn help_is_harmless_only_where_it_is_asked_for() {
        assert!(is_harmless("service rm --help") && is_harmless("swarm --help") && is_harmless("new --help"));
        // Here it is a label.
        assert!(!is_harmless("service update --label-add --help db"));
    }

    #[test]
    fn members_of_a_family_are_told_apart() {
        assert!(is_harmless("volume ls") && is_harmless("swarm init") && is_harmless("container"));
        assert!(
            !is_harmless("swarm leave") && !is_harmless("stack rm x") && !is_harmless("plugin disable x")
        );
    }

    #[test]
    fn a_wait_that_ends_in_down_is_not_harmless() {
        let wait = |rest: &[&str]| {
            let rest: Vec<String> = rest.iter().map(|&word| word.to_owned()).collect();
            matches!(classify_compose("wait", &rest), Operation::Harmless { .. })
        };
        assert!(wait(&["db"]));
        assert!(!wait(&["db", "--down-project"]) && !wait(&["--down-project=true", "db"]));
    }
}
