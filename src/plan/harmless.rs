//! Docker commands that are known to destroy nothing, and what is said of the rest.

use crate::model::operation::Operation;

const NOTHING: &str = "it removes no container and no volume, and stops nothing";

/// Docker's own commands without subcommands of their own.
const COMMANDS: &[&str] = &[
    "attach", "build", "commit", "cp", "create", "diff", "events", "exec", "export", "history", "images",
    "import", "info", "inspect", "load", "login", "logout", "logs", "pause", "port", "ps", "pull", "push",
    "rename", "rmi", "run", "save", "search", "start", "stats", "tag", "top", "unpause", "update", "version",
    "wait", "help",
];

/// Families of which nothing touches a container or volume.
const FAMILIES: &[&str] =
    &["builder", "buildx", "config", "context", "image", "manifest", "network", "secret", "trust", "dbsafe"];

/// Harmless members of families that have others.
const MEMBERS: &[(&str, &[&str])] = &[
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
pub(super) const COMPOSE: &[&str] = &[
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

/// What a docker command line that we do not judge is: harmless, or unknown. Never guessed.
pub(super) fn classify(arguments: &[String]) -> Operation {
    let word = |index: usize| arguments.get(index).map(String::as_str).unwrap_or_default();
    let (first, second) = (word(0), word(1));
    let asks_for_help = arguments.iter().take_while(|word| *word != "--").any(|word| word == "--help");
    let member = MEMBERS.iter().find(|(family, _)| *family == first);
    let harmless = first.is_empty()
        || COMMANDS.contains(&first)
        || FAMILIES.contains(&first)
        || member.is_some_and(|(_, members)| second.is_empty() || members.contains(&second))
        || asks_for_help;
    if harmless {
        return Operation::Harmless { why: NOTHING };
    }
    let command = match member {
        Some(_) => format!("{first} {second}"),
        None => first.to_owned(),
    };
    Operation::Unjudged {
        command,
        why: "it is not known to be harmless, and dbsafe cannot tell what it would destroy",
    }
}

/// A compose command that is not judged.
pub(super) fn classify_compose(command: &str) -> Operation {
    if command.is_empty() || COMPOSE.contains(&command) {
        return Operation::Harmless { why: NOTHING };
    }
    Operation::Unjudged {
        command: format!("compose {command}"),
        why: "it may remove or recreate containers, and dbsafe cannot yet tell which",
    }
}
