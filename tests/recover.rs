//! Volumes that no container uses any more: found, told whose they were, and given back to their service.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::process::{Command, Stdio};

use serde_json::Value;
use support::{Engine, Ran, Stack, home::Home};

/// The postgres image keeps its data in an anonymous volume where nobody names one.
const SHOP: &str = "
services:
  db:
    image: postgres:15
    network_mode: none
    environment: { POSTGRES_HOST_AUTH_METHOD: trust, POSTGRES_DB: shop }
";

fn in_shop(stack: &Stack<'_>, sql: &str) -> String {
    let container = stack.container("db");
    stack.engine.wait_for_postgres(&container);
    let psql = ["exec", &container, "psql", "-XAtq", "-U", "postgres", "-d", "shop", "-c", sql];
    stack.engine.docker(&psql).expect(0).stdout.trim().to_owned()
}

/// The volume that a service's only mount is.
fn volume_of(stack: &Stack<'_>) -> String {
    let format = "{{range .Mounts}}{{.Name}}{{end}}";
    let ran = stack.engine.docker(&["inspect", "-f", format, &stack.container("db")]).expect(0);
    ran.stdout.trim().to_owned()
}

fn state(stack: &Stack<'_>) -> String {
    let format = "{{.Id}} {{.State.Running}}";
    stack.engine.docker(&["inspect", "-f", format, &stack.container("db")]).stdout.trim().to_owned()
}

#[track_caller]
fn found<'d>(document: &'d Value, volume: &str) -> &'d Value {
    let volumes = document["volumes"].as_array().unwrap();
    volumes.iter().find(|found| found["name"] == volume).unwrap_or_else(|| panic!("{document:#}"))
}

/// Runs in the stack's folder, with a store of its own.
fn dbsafe(stack: &Stack<'_>, home: &Home<'_>, arguments: &[&str]) -> Ran {
    home.run_in(&stack.folder, arguments)
}

#[test]
fn data_that_vanished_after_up_is_found_and_given_back() {
    // Others' projects, made at the same moment, would be clues too.
    let engine = &Engine::start("28-recover", "5.6");
    let home = Home::on(engine);
    let stack = Stack::up(engine, SHOP);
    in_shop(&stack, "create table payments(amount int); insert into payments values (100), (250)");
    let lost = volume_of(&stack);
    stack.compose(&["down"]).expect(0);
    stack.compose(&["up", "-d"]).expect(0);
    in_shop(&stack, "select 1");
    let fresh = volume_of(&stack);
    assert_ne!(lost, fresh);

    let document = dbsafe(&stack, &home, &["recover", "--format", "json"]).expect(0).json();
    fits(&document);
    let it = found(&document, &lost);
    assert_eq!((&it["database"], &it["anonymous"]), (&Value::from("postgres"), &Value::from(true)));
    assert_eq!(it["evidence"][0]["contents"]["databases"][0]["name"], "shop");
    assert!(it["size_bytes"].as_u64().unwrap() > 1_000_000 && it["last_write"].is_string(), "{it:#}");
    let origin = &it["origins"][0];
    assert_eq!((&origin["project"], &origin["service"]), (&Value::from(&*stack.name), &Value::from("db")));
    // The engine may have forgotten who had it: it remembers 256 events.
    assert_ne!(origin["certainty"], "possible");
    let because = origin["because"].as_array().unwrap();
    let says = |text: &str| because.iter().any(|clause| clause.as_str().unwrap().contains(text));
    assert!(says("wants a database shop, which is in it"), "{origin:#}");
    assert_eq!(it["to"], stack.container("db"));
    let text = dbsafe(&stack, &home, &["recover", &lost[..12]]).expect(0).stdout;
    let command = format!("docker dbsafe recover {} --to {}", &lost[..12], stack.container("db"));
    assert!(text.contains(&command) && text.contains("PostgreSQL 15   shop: 1 table, "), "{text}");

    let before = state(&stack);
    let plan = dbsafe(&stack, &home, &["recover", &lost[..12], "--to", "db", "--plan"]).expect(0);
    assert!(plan.stdout.contains("holds no data now"), "{plan:?}");
    assert_eq!(state(&stack), before);
    // What is there now comes back, too.
    in_shop(&stack, "create table since(a int)");
    let given = dbsafe(&stack, &home, &["recover", &lost[..12], "--to", "db"]).expect(0);
    assert_eq!(in_shop(&stack, "select sum(amount) from payments"), "350");
    assert_eq!(volume_of(&stack), fresh);
    assert!(engine.volume_exists(&lost));
    let up = stack.compose(&["up", "-d"]).expect(0);
    assert!(up.says("Running") && !up.stderr.contains("warn"), "{up:?}");
    assert_eq!(in_shop(&stack, "select sum(amount) from payments"), "350");
    let back = given.stdout.lines().last().unwrap().split("docker dbsafe ").nth(1).unwrap();
    dbsafe(&stack, &home, &back.split(' ').collect::<Vec<_>>()).expect(0);
    assert_eq!(in_shop(&stack, "select count(*) from since"), "0");

    let used = dbsafe(&stack, &home, &["recover", &fresh]).expect(0);
    assert!(used.says("is not lost"), "{used:?}");
    engine.docker(&["volume", "rm", &lost]).expect(0);
}

#[test]
fn what_cannot_be_proved_or_is_stopped_leaves_the_service_as_it_was() {
    let (engine, home) = (Engine::usual(), Home::new());
    let stack = Stack::up(engine, SHOP);
    in_shop(&stack, "create table kept(a int)");
    let container = stack.container("db");
    let copy = support::unique("v");
    let (mount, from) = (format!("{copy}:/to"), container.clone());
    engine.docker(&["stop", &container]).expect(0);
    let copying =
        ["run", "--rm", "--network", "none", "--volumes-from", &from, "-v", &mount, "--entrypoint", "sh"];
    let shell = |script: &str| {
        engine.docker(&[&copying[..], &["postgres:15", "-c", script]].concat()).expect(0);
    };
    shell("cp -a /var/lib/postgresql/data/. /to/");
    engine.docker(&["start", &container]).expect(0);
    in_shop(&stack, "select 1");
    let before = state(&stack);

    // Cancelled while the service is stopped for it.
    let mut command = Command::new(env!("CARGO_BIN_EXE_docker-dbsafe"));
    command.args(["recover", &copy, "--to", &container]).current_dir(&stack.folder);
    command.env_clear().env("PATH", engine.path()).env("HOME", home.path());
    command.env("DOCKER_HOST", &engine.host).env("DOCKER_CONFIG", &engine.config);
    command.env("DBSAFE_HOME", home.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    while state(&stack).ends_with("true") {
        assert_eq!(child.try_wait().unwrap(), None, "it ended before it was interrupted");
    }
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(state(&stack), before);
    assert_eq!(in_shop(&stack, "select count(*) from kept"), "0");
    assert!(home.snapshots().is_empty());

    // A cluster without its log does not start.
    shell("rm /to/pg_wal/0*");
    let ran = dbsafe(&stack, &home, &["recover", &copy, "--to", "db"]).expect(12);
    assert!(ran.says("nothing was attached") && ran.says("does not come up on the copy"), "{ran:?}");
    assert_eq!(state(&stack), before);
    assert_eq!(in_shop(&stack, "select count(*) from kept"), "0");
    assert!(home.snapshots().is_empty());

    // What is at work is not lost, and what is no database of the service's is not put there.
    let own = volume_of(&stack);
    dbsafe(&stack, &home, &["recover", &own, "--to", "db"]).expect(2);
    shell("rm -rf /to/* && mkdir /to/pg && cp -a /var/lib/postgresql/data/. /to/pg/");
    let ran = dbsafe(&stack, &home, &["recover", &copy, "--to", "db"]).expect(1);
    assert!(ran.says("looks for it at / of its volume, and it is at /pg"), "{ran:?}");
    assert_eq!(state(&stack), before);
    engine.docker(&["volume", "rm", &copy]).expect(0);
}

#[track_caller]
fn fits(document: &Value) {
    let schema: Value = serde_json::from_str(include_str!("../docs/recover.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{}\n{document:#}", errors.join("\n"));
}
