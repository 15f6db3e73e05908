//! The program `docker-compose`, version 1 and later ones that stand by themselves, behind the guard; and compose
//! files from standard input.
#![expect(clippy::unwrap_used, reason = "what a test cannot go on without ends it")]

mod support;

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use support::{Engine, Ran, Stack};

const LAYER: &str = "
services:
  db:
    image: postgres:15
    network_mode: none
    environment: { PGDATA: /srv/pg, POSTGRES_HOST_AUTH_METHOD: trust }
";

const STATELESS: &str = "
services:
  web: { image: stateless:1, command: sleep infinity, network_mode: none }
";

/// `docker dbsafe guard --docker-compose …` in the stack's folder.
fn guard(stack: &Stack<'_>, own: &[&str], line: &[&str]) -> Ran {
    let words = [&["dbsafe", "guard", "--docker-compose"], own, &["--"], line].concat();
    stack.engine.docker_in(&stack.folder, &words, &[])
}

#[test]
fn docker_compose_1_29_is_guarded_and_then_does_its_work() {
    let engine = Engine::start("20", "1.29");
    let stack = Stack::new(&engine, LAYER);
    engine.program_in("docker-compose", &stack.folder, &["up", "-d"], &[]).expect(0);
    let name = format!("{}_db_1", stack.name);
    engine.fill_payments(&name);
    let blocked = guard(&stack, &[], &["down"]).expect(10);
    for text in ["2 rows", "docker dbsafe guard --snapshot --docker-compose -- down", "nothing was touched"] {
        assert!(blocked.says(text), "{text}: {}", blocked.stderr);
    }
    // It takes no flag with a value that it gives none, and what it knows is not asked twice.
    let listed = guard(&stack, &[], &["ps", "-q"]).expect(0);
    assert_eq!(listed.stdout.trim().len(), 64);
    assert_eq!(engine.psql(&name, "select sum(amount) from payments"), "350");
    guard(&stack, &["--accept-loss", &name], &["down"]).expect(0);
    assert!(!engine.exists(&name));
}

#[test]
fn a_later_docker_compose_takes_dockers_globals_among_its_own() {
    let engine = Engine::usual();
    let stack = Stack::up(engine, STATELESS);
    let line = ["-H", &engine.host, "-f", "compose.yaml", "down", "-t", "0"];
    let words = [&["dbsafe", "guard", "--docker-compose", "--"], line.as_slice()].concat();
    // Only the flag says which engine is meant.
    engine.docker_in(&stack.folder, &words, &[("DOCKER_HOST", "")]).expect(0);
    assert_eq!(stack.containers(), [""; 0]);
}

#[test]
fn without_the_program_nothing_is_run() {
    let engine = Engine::usual();
    let stack = Stack::new(engine, STATELESS);
    let docker = which(engine, "docker");
    let folder = std::path::Path::new(&docker).parent().unwrap().to_str().unwrap();
    let words = ["dbsafe", "guard", "--docker-compose", "--", "ps"];
    // A folder with docker alone.
    let alone = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(&docker, alone.path().join("docker")).unwrap();
    let path = alone.path().to_str().unwrap();
    assert_ne!(path, folder);
    let ran = engine.docker_in(&stack.folder, &words, &[("PATH", path)]).expect(1);
    assert!(ran.says("there is no docker-compose on the PATH"), "{}", ran.stderr);
}

fn which(engine: &Engine, program: &str) -> String {
    let line = format!("command -v {program}");
    engine.program_in("sh", &std::env::temp_dir(), &["-c", &line], &[]).expect(0).stdout.trim().to_owned()
}

/// Runs docker with a text on its standard input.
fn with_input(stack: &Stack<'_>, words: &[&str], input: &str) -> Ran {
    let engine = stack.engine;
    let mut command: Command = engine.command(&stack.folder, words);
    command.env_clear().env("PATH", engine.path()).env("HOME", &engine.home).env("DOCKER_HOST", &engine.host);
    command.env("DOCKER_CONFIG", &engine.config).env("DBSAFE_HOME", &engine.home);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    Ran::of(&child.wait_with_output().unwrap())
}

#[test]
fn a_compose_file_from_standard_input_is_read_once_for_both() {
    let stack = Stack::new(Engine::usual(), "services: {}");
    let yaml = format!("name: {}\n{STATELESS}", stack.name);
    with_input(&stack, &["compose", "-f", "-", "up", "-d"], &yaml).expect(0);
    let name = stack.container("web");
    assert!(stack.engine.exists(&name));
    let plan = ["dbsafe", "guard", "--plan", "--format", "json", "--", "compose", "-f", "-", "down"];
    let plan = with_input(&stack, &plan, &yaml).expect(0).json();
    assert_eq!(
        (&plan["plan"][0]["name"], &plan["plan"][0]["fate"]),
        (&name.as_str().into(), &"destroyed".into())
    );
    assert!(stack.engine.exists(&name));
    let down = ["dbsafe", "guard", "--", "compose", "-f", "-", "down", "-t", "0"];
    with_input(&stack, &down, &yaml).expect(0);
    assert!(!stack.engine.exists(&name));
}
