//! Every command that docker and compose have is known: harmless, judged, or said to be unknown. The lists come
//! from the programs' own help, old and new.
#![expect(clippy::unwrap_used, reason = "what a test cannot go on without ends it")]

mod support;

use std::{collections::BTreeMap, fmt::Write as _, process::Command};

use dbsafe::{model::operation::Operation, plan::parse::parse};
use support::{client, compose_program};

/// What is said of a command that nobody has thought of.
const NOT_THOUGHT_OF: &str = "it is not known to be harmless, and dbsafe cannot tell what it would destroy";

/// Commands by name, with an example of each that is meant as it stands.
fn example(path: &str) -> String {
    let arguments = match path {
        "service scale" | "compose scale" => "db=1",
        "service update" | "service rollback" | "compose run" => "db",
        "stack deploy" => "-c compose.yaml shop",
        "checkpoint create" => "db one",
        _ => "",
    };
    format!("{path} {arguments}").trim().to_owned()
}

enum Known {
    Harmless,
    Judged,
    Unknown(&'static str),
}

fn known(line: &str, old: bool) -> Known {
    let mut words: Vec<&str> = vec!["guard", "--"];
    if old {
        words.insert(1, "--docker-compose");
    }
    words.extend(line.split_whitespace().skip(usize::from(old)));
    let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
    match parse(&words).unwrap_or_else(|error| panic!("{line}: {error}")).operation {
        Operation::Harmless { .. } => Known::Harmless,
        Operation::Unjudged { why, .. } => Known::Unknown(why),
        _ => Known::Judged,
    }
}

/// What a program's help says are its commands: lines of two words or more behind a heading with `Commands:` in it.
fn commands_in(help: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut listing = false;
    for line in help.lines() {
        if !line.starts_with(' ') {
            listing = line.trim_end().ends_with("Commands:");
            continue;
        }
        let name = line.split_whitespace().next().unwrap_or_default().trim_end_matches('*');
        let is_name = line.starts_with("  ") && !line.starts_with("   ") && !name.starts_with('-');
        if listing && is_name && !name.is_empty() {
            commands.push(name.to_owned());
        }
    }
    commands
}

fn help(program: &str, path: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(program);
    // No plugins of this machine, and no engine.
    command.args(path).arg("--help").env("DOCKER_CONFIG", folder.path()).env("HOME", folder.path());
    let output = command.env("DOCKER_HOST", "unix:///nowhere").output().unwrap();
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Every command of a program that has no commands of its own, by its words.
fn leaves(program: &str, path: &mut Vec<String>, found: &mut Vec<String>) {
    let words: Vec<&str> = path.iter().map(String::as_str).collect();
    let own = commands_in(&help(program, &words));
    if own.is_empty() {
        found.push(path.join(" "));
    }
    assert!(path.len() < 5, "{path:?}");
    for name in own {
        // A program that takes any word for itself prints the same help again.
        if path.last() == Some(&name) {
            continue;
        }
        path.push(name);
        leaves(program, path, found);
        path.pop();
    }
}

#[track_caller]
fn all_are_known(what: &str, commands: &[String], old: bool) -> String {
    let mut wrong = Vec::new();
    let mut table = BTreeMap::new();
    for path in commands {
        let line = example(path);
        match known(&line, old) {
            Known::Harmless => table.insert(path, "harmless".to_owned()),
            Known::Judged => table.insert(path, "judged".to_owned()),
            Known::Unknown(why) if why == NOT_THOUGHT_OF => {
                wrong.push(path.clone());
                None
            }
            Known::Unknown(why) => table.insert(path, format!("unknown: {why}")),
        };
    }
    assert!(wrong.is_empty(), "{what}: nobody has thought of {wrong:?}");
    let mut text = String::new();
    for (path, known) in table {
        let _ = writeln!(text, "{path}: {known}");
    }
    text
}

#[test]
fn every_command_of_docker_is_known() {
    for (version, least) in [("20", 130), ("26", 130), ("28", 130)] {
        let program = client(version);
        let mut found = Vec::new();
        leaves(&program, &mut Vec::new(), &mut found);
        assert!(found.len() >= least, "{version}: {found:?}");
        let table = all_are_known(version, &found, false);
        for line in ["container rm: judged", "system prune: judged", "service update: judged", "ps: harmless"]
        {
            assert!(table.contains(line), "{version}: {line}");
        }
    }
}

#[test]
fn every_command_of_compose_is_known() {
    for (version, least) in [("1.29", 20), ("2.26", 25), ("2.40", 30), ("5.6", 30)] {
        let program = compose_program(version);
        let old = version == "1.29";
        let mut found = Vec::new();
        for name in commands_in(&help(&program, &[])) {
            let mut path = vec![name];
            // The old one takes the first word for the command and has none below it.
            if old { found.push(path[0].clone()) } else { leaves(&program, &mut path, &mut found) }
        }
        assert!(found.len() >= least, "{version}: {found:?}");
        let found: Vec<String> = found.iter().map(|path| format!("compose {path}")).collect();
        let table = all_are_known(version, &found, old);
        for line in ["compose down: judged", "compose up: judged", "compose ps: harmless"] {
            assert!(table.contains(line), "{version}: {line}");
        }
    }
}

#[test]
fn a_command_that_nobody_has_thought_of_is_told() {
    assert!(matches!(known("frobnicate", false), Known::Unknown(why) if why == NOT_THOUGHT_OF));
}
