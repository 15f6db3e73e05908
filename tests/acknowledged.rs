//! No acknowledged write is lost: a client commits one row after another while a guarded command saves the
//! data and removes it; after `undo` every row is there that the server acknowledged.
//!
//! One round each by default; `DBSAFE_TEST_ROUNDS=20 tests/run --test acknowledged --no-capture` does more and
//! prints how many writes were acknowledged.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test stops at what it did not expect, and counts"
)]

mod support;

use std::path::Path;

use support::{
    Container, Engine, Ran, Stack,
    servers::{MARIADB, POSTGRES, REDIS, Server},
};

fn rounds() -> u32 {
    std::env::var("DBSAFE_TEST_ROUNDS").ok().and_then(|count| count.parse().ok()).unwrap_or(1)
}

/// Writes while `remove` is at work; every acknowledged write must be there once `undo` has run.
fn survives(server: &Server, container: &str, remove: &dyn Fn() -> Ran, undo: &dyn Fn() -> Ran, what: &str) {
    let engine = Engine::usual();
    server.prepare_in(container);
    for round in 1..=rounds() {
        let writer = server.write_to(container);
        remove().expect(0);
        let acknowledged = writer.acknowledged();
        assert!(!engine.exists(container), "{container} was not removed");
        undo().expect(0);
        let rows = server.rows_of(container);
        let lost = acknowledged.iter().filter(|number| !rows.contains(number)).count();
        eprintln!("{} {what}, round {round}: {} acknowledged, {lost} lost", server.name, acknowledged.len());
        assert_eq!(lost, 0, "of {}", acknowledged.len());
    }
}

fn yaml(server: &Server, volume: Option<&str>) -> String {
    let command = serde_json::to_string(server.command).unwrap();
    let environment: Vec<String> =
        server.environment.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let (mount, volumes) = match volume {
        Some(name) => (format!("volumes: ['{name}:{}']", server.folder), format!("volumes: {{ {name}: }}")),
        None => Default::default(),
    };
    format!(
        "services:\n  db:\n    image: {}\n    network_mode: none\n    command: {command}\n    environment: {{ {} }}\n    {mount}\n{volumes}\n",
        server.image,
        environment.join(", ")
    )
}

/// A project that is taken down and comes back.
fn survives_down(server: &Server, volume: Option<&str>, down: &[&str]) {
    let (engine, home) = (Engine::usual(), tempfile::tempdir().unwrap());
    let stack = Stack::up(engine, &yaml(server, volume));
    let run = |arguments: &[&str]| dbsafe(&stack.folder, home.path(), arguments);
    let remove = || run(down);
    survives(server, &stack.container("db"), &remove, &|| run(&["undo"]), &down.join(" "));
}

/// A container that is removed by force and comes back.
fn survives_removal(server: &Server) {
    let home = tempfile::tempdir().unwrap();
    let environment: Vec<String> =
        server.environment.iter().map(|(name, value)| format!("--env={name}={value}")).collect();
    let mut arguments: Vec<&str> = environment.iter().map(String::as_str).collect();
    arguments.push(server.image);
    arguments.extend(server.command);
    let container: Container<'_> = Engine::usual().container(&arguments);
    let remove = || dbsafe(home.path(), home.path(), &["rm", "-fv", "--snapshot", &container.name]);
    survives(server, &container.name, &remove, &|| dbsafe(home.path(), home.path(), &["undo"]), "rm -fv");
}

fn dbsafe(folder: &Path, home: &Path, arguments: &[&str]) -> Ran {
    let home = [("DBSAFE_HOME", home.to_str().unwrap())];
    Engine::usual().docker_in(folder, &[&["dbsafe"], arguments].concat(), &home)
}

#[test]
fn postgres_keeps_what_it_acknowledged_through_down() {
    survives_down(&POSTGRES, None, &["down", "--snapshot"]);
}

#[test]
fn postgres_keeps_what_it_acknowledged_through_down_with_volumes() {
    survives_down(&POSTGRES, Some("data"), &["down", "-v", "--snapshot"]);
}

#[test]
fn postgres_keeps_what_it_acknowledged_through_rm() {
    survives_removal(&POSTGRES);
}

#[test]
fn mariadb_keeps_what_it_acknowledged_through_down() {
    survives_down(&MARIADB, None, &["down", "--snapshot"]);
}

#[test]
fn mariadb_keeps_what_it_acknowledged_through_down_with_volumes() {
    survives_down(&MARIADB, Some("data"), &["down", "-v", "--snapshot"]);
}

#[test]
fn mariadb_keeps_what_it_acknowledged_through_rm() {
    survives_removal(&MARIADB);
}

#[test]
fn redis_keeps_what_it_acknowledged_through_down() {
    survives_down(&REDIS, None, &["down", "--snapshot"]);
}

#[test]
fn redis_keeps_what_it_acknowledged_through_down_with_volumes() {
    survives_down(&REDIS, Some("data"), &["down", "-v", "--snapshot"]);
}

#[test]
fn redis_keeps_what_it_acknowledged_through_rm() {
    survives_removal(&REDIS);
}
