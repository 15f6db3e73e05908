//! `guard --check` and the journal on a real engine: what an agent or CI is told before a command runs.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use support::{
    Engine, Stack,
    home::{Home, postgres},
};

/// Hands a text to `guard --check …` and reads its JSON, `Null` where it says nothing; and the exit status.
fn ask(folder: &Path, home: &Home<'_>, arguments: &[&str], input: &str) -> (i32, Value) {
    let engine = Engine::usual();
    let mut command = Command::new(env!("CARGO_BIN_EXE_docker-dbsafe"));
    command.args(["guard", "--check"]).args(arguments).current_dir(folder);
    command.env_clear().env("PATH", engine.path()).env("HOME", home.path());
    command.env("DOCKER_HOST", &engine.host).env("DOCKER_CONFIG", &engine.config);
    command.env("DBSAFE_HOME", home.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap_or_default())
}

#[test]
fn a_line_is_judged_as_the_worst_that_it_does_and_nothing_is_run() {
    let (home, container) = (Home::new(), postgres());
    let name = &container.name;
    let before = container.state();
    for (line, status) in [
        (format!("docker rm -f {name}"), 10),
        (format!("echo ok && sudo docker rm -fv {name} || true"), 10),
        (format!("bash -c 'docker rm -f {name}'"), 10),
        // A stopped one could be removed without force.
        (format!("docker stop {name}; docker rm {name}"), 10),
        (format!("docker rm {name}"), 0),
        (format!("docker ps -q | xargs docker rm -f; docker inspect {name}"), 11),
        ("docker rm -f $(docker ps -aq)".to_owned(), 11),
        ("docker logs \"$C\" | grep docker".to_owned(), 0),
        ("cd /nowhere && docker compose down".to_owned(), 11),
        ("ls -la; git status".to_owned(), 0),
        (format!("docker dbsafe rm -f {name}"), 0),
        (format!("DOCKER_HOST=unix:///no/such.sock docker rm -f {name}"), 11),
    ] {
        let (found, answer) = ask(home.path(), &home, &["--stdin"], &line);
        assert_eq!(found, status, "{line}: {answer:#}");
        assert_eq!(answer["exit"]["status"], status, "{line}");
        assert_eq!(answer["message"].as_str().unwrap().is_empty(), status == 0, "{answer:#}");
    }
    assert_eq!((container.state(), container.sum()), (before, "350".to_owned()));
}

#[test]
fn a_line_is_judged_in_the_folder_that_it_goes_to() {
    let (engine, home) = (Engine::usual(), Home::new());
    let stack = Stack::up(
        engine,
        "services: { db: { image: 'postgres:15', network_mode: none, environment: { PGDATA: /srv/pg, POSTGRES_HOST_AUTH_METHOD: trust } } }",
    );
    engine.fill_payments(&stack.container("db"));
    let line = format!("cd {} && docker compose down", stack.folder.display());
    let (status, answer) = ask(home.path(), &home, &["--stdin"], &line);
    assert_eq!(status, 10, "{answer:#}");
    let schema: Value = serde_json::from_str(include_str!("../docs/guard.schema.json")).unwrap();
    assert!(jsonschema::is_valid(&schema, &answer["commands"][0]), "{answer:#}");
    let (status, answer) = ask(&stack.folder, &home, &["--", "compose", "down"], "");
    assert_eq!((status, &answer["verdict"]), (10, &json!("block")));
    assert!(jsonschema::is_valid(&schema, &answer));
    let (status, answer) = ask(&stack.folder, &home, &["--", "compose", "ps"], "");
    assert_eq!((status, &answer["verdict"]), (0, &json!("allow")));
    assert!(jsonschema::is_valid(&schema, &answer));
}

#[test]
fn agents_are_answered_in_their_own_form() {
    let (home, container) = (Home::new(), postgres());
    let line = format!("docker rm -f {}", container.name);
    let cwd = home.path().to_str().unwrap();
    let claude = json!({"tool_name": "Bash", "tool_input": {"command": line}, "cwd": cwd}).to_string();
    let (status, answer) = ask(home.path(), &home, &["--hook", "claude-code"], &claude);
    assert_eq!((status, &answer["hookSpecificOutput"]["permissionDecision"]), (0, &json!("deny")));
    let reason = answer["hookSpecificOutput"]["permissionDecisionReason"].as_str().unwrap();
    assert!(
        reason.contains(&format!("docker dbsafe guard --snapshot -- rm -f {}", container.name)),
        "{reason}"
    );
    let harmless =
        json!({"tool_name": "Bash", "tool_input": {"command": "docker ps"}, "cwd": cwd}).to_string();
    assert_eq!(ask(home.path(), &home, &["--hook", "claude-code"], &harmless), (0, Value::Null));
    let other = json!({"tool_name": "Read", "tool_input": {"file_path": "/x"}}).to_string();
    assert_eq!(ask(home.path(), &home, &["--hook", "claude-code"], &other), (0, Value::Null));
    let cursor = json!({"command": line, "cwd": cwd}).to_string();
    assert_eq!(ask(home.path(), &home, &["--hook", "cursor"], &cursor).1["permission"], "deny");
    let gemini =
        json!({"tool_name": "run_shell_command", "tool_input": {"command": line}, "cwd": cwd}).to_string();
    assert_eq!(ask(home.path(), &home, &["--hook", "gemini-cli"], &gemini).1["decision"], "deny");
    assert_ne!(ask(home.path(), &home, &["--hook", "claude-code"], "no json").0, 0);
}

#[test]
fn the_journal_tells_what_was_judged_let_go_saved_and_handed_over() {
    let (home, container) = (Home::new(), postgres());
    home.run(&["rm", "-f", &container.name]).expect(10);
    container.save_and_remove(&home).expect(0);
    home.run(&["undo"]).expect(0);
    home.run(&["rm", "-f", &container.name, "--accept-loss", &container.name]).expect(0);
    let ran = home.run(&["journal", "--format", "json"]).expect(0);
    let schema: Value = serde_json::from_str(include_str!("../docs/journal.schema.json")).unwrap();
    assert!(jsonschema::is_valid(&schema, &ran.json()), "{ran:?}");
    let document = ran.json();
    let entries = document["entries"].as_array().unwrap();
    let told: Vec<(&str, &str)> = entries
        .iter()
        .map(|entry| (entry["event"].as_str().unwrap(), entry["outcome"].as_str().unwrap()))
        .collect();
    let id = told[2].1;
    let expected = [
        ("verdict", "block"),
        ("verdict", "block"),
        ("snapshot", id),
        ("hand-over", "exit status 0"),
        ("undo", id),
        // The snapshot of a moment ago is a recent backup of what is there.
        ("verdict", "allow"),
        ("hand-over", "exit status 0"),
    ];
    assert_eq!(told, expected);
    assert_eq!(entries[0]["targets"], json!([container.name]));
    assert_eq!(home.run(&["journal", "--since", "1h"]).expect(0).stdout.lines().count(), 8);
    home.run(&["journal", "--since", "yesterday"]).expect(2);
}
