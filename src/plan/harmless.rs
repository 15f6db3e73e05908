//! Docker commands that are known to destroy nothing, and what is said of the rest. The shell functions of
//! `shell-init` are made from the same tables, so that the two cannot disagree.

use super::{
    parse_compose::COMPOSE_GLOBALS,
    pflag::{Flag, Takes},
};
use crate::model::operation::Operation;

const NOTHING: &str = "it removes no container and no volume, and stops nothing";
const IMAGES: &str = "it may remove images and what builds left behind, and no container and no volume";
const INSIDE: &str =
    "it removes and stops nothing that is there; what it does or writes inside a container is not looked at";

/// Commands of which it is known that nobody can tell from here what they take, and why. The second field is a flag
/// without which the command is harmless; empty where it never is.
const UNKNOWN: &[(&str, &str, &str)] = &[
    ("node rm", "", "what ran on that node is given up, and cannot be looked into from here"),
    ("node remove", "", "what ran on that node is given up, and cannot be looked into from here"),
    (
        "node update",
        "--availability",
        "the node's tasks may be stopped and started elsewhere, without what they wrote",
    ),
    ("swarm init", "--force-new-cluster", "the tasks of all other nodes are given up"),
    ("swarm update", "--task-history-limit", "containers of tasks that have ended may be removed"),
    ("plugin disable", "", "volumes that this plugin makes are out of reach without it"),
    ("plugin rm", "", "volumes that this plugin makes go or are out of reach"),
    ("plugin remove", "", "volumes that this plugin makes go or are out of reach"),
    ("plugin upgrade", "", "a volume plugin may keep data in the files that are replaced"),
    ("checkpoint rm", "", "the saved memory of a container goes"),
    ("checkpoint remove", "", "the saved memory of a container goes"),
    ("volume update", "--availability", "the tasks that use the volume may be stopped"),
    ("desktop stop", "", "it stops every container"),
    ("desktop restart", "", "it stops every container"),
    ("desktop update", "", "it stops every container"),
    ("model uninstall-runner", "", "it removes the runner's container, and its volume where told so"),
    ("extension rm", "", "an extension's containers and volumes go"),
    ("extension update", "", "an extension's containers are replaced"),
];

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
    ("volume", &["create", "inspect", "list", "ls"]),
    ("system", &["df", "dial-stdio", "events", "info"]),
    ("stack", &["config", "ls", "list", "ps", "services"]),
    ("service", &["create", "inspect", "list", "logs", "ls", "ps"]),
    ("swarm", &["ca", "join", "join-token", "unlock", "unlock-key"]),
    ("node", &["demote", "inspect", "ls", "list", "promote", "ps"]),
    ("plugin", &["create", "inspect", "install", "list", "ls", "push", "set", "enable"]),
    ("checkpoint", &["ls", "list"]),
    ("desktop", &["diagnose", "logs", "status", "version"]),
    (
        "model",
        &["df", "inspect", "list", "ls", "logs", "ps", "pull", "push", "run", "status", "tag", "version"],
    ),
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
        return Operation::Harmless { why: why(first, second) };
    }
    let path = format!("{first} {second}");
    let unknown = UNKNOWN.iter().find(|(known, ..)| *known == path);
    if let Some((_, flag, why)) = unknown {
        let is_asked = |word: &String| {
            word.strip_prefix(flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        };
        let is_harmless = !flag.is_empty() && !arguments.iter().any(is_asked);
        return match is_harmless {
            true => Operation::Harmless { why: NOTHING },
            false => Operation::Unjudged { command: path, why },
        };
    }
    match member {
        Some(_) => unjudged(&path),
        None => unjudged(first),
    }
}

/// Why a command is harmless, for `--plan`.
fn why(first: &str, second: &str) -> &'static str {
    match (first, second) {
        ("exec" | "cp" | "run" | "create" | "container", "exec" | "cp" | "run" | "create")
        | ("exec" | "cp" | "run", _) => INSIDE,
        ("rmi", _) | ("image", "rm" | "remove" | "prune") | ("builder" | "buildx", _) => IMAGES,
        _ => NOTHING,
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
    let word = |index: usize| rest.get(index).map(String::as_str).unwrap_or_default();
    let asks_for_help = word(0) == "--help" || word(0) == "-h";
    // With `--down-project` it is judged before it comes here.
    let waits = command == "wait";
    let drawing = command == "alpha" && ["viz", "publish", "generate", ""].contains(&word(0));
    if command.is_empty() || COMPOSE.contains(&command) || drawing || waits || asks_for_help {
        return Operation::Harmless { why: why(command, "") };
    }
    if command == "alpha" {
        let why = "what is tried out there may remove or recreate containers";
        return Operation::Unjudged { command: "compose alpha".to_owned(), why };
    }
    unjudged(&format!("compose {command}"))
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
    fn what_a_flag_makes_harmful_is_harmless_without() {
        assert!(is_harmless("node update --label-add a=b n") && is_harmless("swarm update --autolock"));
        assert!(
            !is_harmless("node update --availability drain n")
                && !is_harmless("node update --availability=drain n")
        );
        assert!(!is_harmless("swarm init --force-new-cluster") && !is_harmless("node rm n"));
    }

    #[test]
    fn what_is_harmless_says_why() {
        let why = |line: &str| {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            match classify(&words) {
                Operation::Harmless { why } => why,
                _ => "",
            }
        };
        assert_eq!(why("cp a db:/b"), INSIDE);
        assert_eq!(why("container exec db sh"), INSIDE);
        assert_eq!(why("image prune -a"), IMAGES);
        assert_eq!(why("ps"), NOTHING);
    }
}
