//! What makes the guard an everyday thing: `doctor`, completion, hooks; on a real engine, by the real client.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::{fs, os::unix::fs::PermissionsExt as _};

use support::{Engine, Ran, Stack};

/// The state and the remedy of one of doctor's checks.
fn check(ran: &Ran, name: &str) -> (String, Option<String>) {
    let document = ran.json();
    let checks = document["checks"].as_array().unwrap().clone();
    let found = checks.into_iter().find(|check| check["name"] == name).unwrap();
    (found["state"].as_str().unwrap().to_owned(), found["remedy"].as_str().map(str::to_owned))
}

fn state(ran: &Ran, name: &str) -> String {
    check(ran, name).0
}

#[test]
fn the_doctor_finds_what_is_not_in_order_and_says_what_mends_it() {
    let engine = Engine::usual();
    let folder = tempfile::tempdir().unwrap();
    let doctor = |environment: &[(&str, &str)]| {
        engine.docker_in(folder.path(), &["dbsafe", "doctor", "--format", "json"], environment)
    };
    let good = doctor(&[("DBSAFE_SHELL", "zsh")]).expect(0);
    let schema: serde_json::Value = serde_json::from_str(include_str!("../docs/doctor.schema.json")).unwrap();
    assert!(jsonschema::is_valid(&schema, &good.json()), "{good:?}");
    for name in ["docker", "plugin", "shell", "engine", "compose", "store", "settings"] {
        assert_eq!(state(&good, name), "ok", "{name}: {good:?}");
    }
    assert_eq!(state(&good, "remote"), "note", "there is none");
    assert_eq!(check(&good, "hooks"), ("note".to_owned(), Some("docker dbsafe hooks on".to_owned())));

    let gone = doctor(&[("DOCKER_HOST", "unix:///no/such.sock")]).expect(1);
    assert_eq!((state(&gone, "engine").as_str(), state(&gone, "compose").as_str()), ("bad", "ok"));
    assert_eq!(state(&doctor(&[("DOCKER_HOST", ""), ("DOCKER_CONTEXT", "none")]).expect(1), "engine"), "bad");

    let open = folder.path().join("home");
    fs::create_dir_all(open.join("snapshots")).unwrap();
    fs::set_permissions(open.join("snapshots"), fs::Permissions::from_mode(0o755)).unwrap();
    let (state_of_it, remedy) = check(&doctor(&[("DBSAFE_HOME", open.to_str().unwrap())]).expect(1), "store");
    assert_eq!(state_of_it, "bad");
    assert!(remedy.unwrap().starts_with("chmod 700 "));

    fs::write(folder.path().join(".dbsafe.toml"), "[policy]\nmax_backup_agee = \"1h\"\n").unwrap();
    assert_eq!(state(&doctor(&[]).expect(1), "settings"), "bad");
    fs::write(folder.path().join(".dbsafe.toml"), "[policy]\nmode = \"disposable\"\n").unwrap();
    let untrusted = check(&doctor(&[]).expect(0), "settings");
    assert_eq!(untrusted, ("note".to_owned(), Some("docker dbsafe config trust".to_owned())));
}

/// The candidates that docker offers.
fn offered(engine: &Engine, words: &[&str]) -> Vec<String> {
    let ran = engine.docker(&[&["__complete"], words].concat()).expect(0);
    let mut lines: Vec<String> = ran.stdout.lines().map(str::to_owned).collect();
    assert!(lines.pop().unwrap().starts_with(':'), "{ran:?}");
    lines.into_iter().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
}

#[test]
fn docker_completes_our_words_its_own_and_the_names_of_things() {
    let engine = Engine::usual();
    let container = engine.container(&["--label", "com.docker.compose.service=svc", "stateless:1"]);
    let has = |words: &[&str], candidate: &str| {
        let found = offered(engine, words);
        assert!(found.iter().any(|known| known == candidate), "{words:?}: {found:?}");
    };
    has(&["dbsafe", ""], "audit");
    has(&["dbsafe", ""], "down");
    has(&["dbsafe", "snapshots", ""], "verify");
    for word in [container.name.as_str(), "svc"] {
        has(&["dbsafe", "audit", ""], word);
        has(&["dbsafe", "down", "--accept-loss", ""], word);
    }
    // By docker itself, with our flags beside its own.
    has(&["dbsafe", "rm", "--force", ""], &container.name);
    has(&["dbsafe", "guard", "--", "stop", ""], &container.name);
    has(&["dbsafe", "rm", "--"], "--volumes");
    has(&["dbsafe", "rm", "--"], "--snapshot");
    has(&["dbsafe", "compose", "do"], "down");
    has(&["--host", &engine.host, "dbsafe", "kill", ""], &container.name);
    // An engine that is not there keeps no word away that needs none.
    has(&["--host", "unix:///no/such.sock", "dbsafe", "audit", "--"], "--fail-on");
    assert!(offered(engine, &["--host", "unix:///no/such.sock", "dbsafe", "kill", ""]).is_empty());
}

const IN_LAYER: [&str; 5] = ["-e", "PGDATA=/srv/pg", "-e", "POSTGRES_HOST_AUTH_METHOD=trust", "postgres:15"];

/// What we answer to docker's hook.
fn hook(engine: &Engine, folder: &std::path::Path, command: &str, flags: &str) -> String {
    let request = format!(r#"{{"RootCmd":"{command}","Flags":{flags},"CommandError":""}}"#);
    engine.docker_in(folder, &["dbsafe", "docker-cli-plugin-hooks", &request], &[]).expect(0).stdout
}

#[test]
fn a_database_in_the_writable_layer_is_worth_a_hint_and_nothing_else_is() {
    // The newest container is what a hook after `run` is about: an engine of its own.
    let engine = Engine::start("28-hooks", "5.6");
    let here = std::env::temp_dir();
    let detached = r#"{"detach":"true"}"#;
    assert_eq!(hook(&engine, &here, "run", detached), "", "there is no container");
    let bare = engine.container(&IN_LAYER);
    let answer: serde_json::Value = serde_json::from_str(&hook(&engine, &here, "run", detached)).unwrap();
    assert_eq!(answer["Type"], 0);
    let text = answer["Template"].as_str().unwrap();
    assert!(text.starts_with(&format!("{}: the PostgreSQL data in /srv/pg goes", bare.name)), "{text}");
    assert!(text.ends_with("-v NAME:/srv/pg"), "{text}");
    // It was removed when it ended, so the newest is another's.
    assert_eq!(hook(&engine, &here, "run", r#"{"rm":"true"}"#), "");
    assert_eq!(hook(&engine, &here, "pull", "{}"), "");
    let disposable = engine.container(&[&["--label", "dbsafe.policy=disposable"], &IN_LAYER[..]].concat());
    assert_eq!(hook(&engine, &here, "run", detached), "");
    let _volume = engine.container(&[&["-v", "/srv/pg"], &IN_LAYER[..]].concat());
    assert_eq!(hook(&engine, &here, "run", detached), "");
    let _web = engine.container(&["stateless:1"]);
    assert_eq!(hook(&engine, &here, "run", detached), "");
    drop(disposable);
    the_real_client_shows_the_hint_once_hooks_are_on(&engine);
}

#[test]
fn a_down_that_leaves_data_in_an_anonymous_volume_is_worth_a_hint() {
    let engine = Engine::usual();
    let stack = Stack::up(
        engine,
        "
services:
  db:
    image: postgres:15
    network_mode: none
    environment: { POSTGRES_HOST_AUTH_METHOD: trust }
  layer:
    image: postgres:15
    network_mode: none
    environment: { POSTGRES_HOST_AUTH_METHOD: trust, PGDATA: /srv/pg }
",
    );
    let up = hook(engine, &stack.folder, "compose up", r#"{"d":""}"#);
    assert!(up.contains(&format!("{}: the PostgreSQL data", stack.container("layer"))), "{up}");
    assert!(!up.contains(&stack.container("db")), "{up}");
    let elsewhere = tempfile::tempdir().unwrap();
    assert_eq!(hook(engine, elsewhere.path(), "compose up", r#"{"d":""}"#), "");
    engine.fill_payments(&stack.container("db"));
    let mounts = "{{range .Mounts}}{{.Name}}{{end}}";
    let volume = engine.docker(&["inspect", "-f", mounts, &stack.container("db")]).expect(0).stdout;
    let volume = volume.trim();
    stack.compose(&["down", "-t", "0"]).expect(0);
    let down = hook(engine, &stack.folder, "compose down", "{}");
    assert!(down.contains("left PostgreSQL data in an anonymous volume"), "{down}");
    assert!(down.contains(&format!("docker dbsafe snapshot {volume}")), "{down}");
    assert_eq!(hook(engine, elsewhere.path(), "compose down", "{}"), "");
    engine.docker(&["volume", "rm", volume]).expect(0);
    assert_eq!(hook(engine, &stack.folder, "compose down", "{}"), "");
}

fn the_real_client_shows_the_hint_once_hooks_are_on(engine: &Engine) {
    if std::process::Command::new("script").arg("--version").output().is_err() {
        return;
    }
    let name = support::unique("hinted");
    // Docker asks for hints on a terminal only.
    let run = |more: &str| {
        let line = format!("docker run -d --network none --name {name}{more} {}", IN_LAYER.join(" "));
        let environment = [("PATH", engine.path()), ("HOME", engine.home.display().to_string())];
        let output = std::process::Command::new("script")
            .args(["-qec", &line, "/dev/null"])
            .env_clear()
            .envs(environment)
            .env("DOCKER_HOST", &engine.host)
            .env("DOCKER_CONFIG", &engine.config)
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let off = run("a");
    engine.dbsafe(&["hooks", "on"]).expect(0);
    let on = run("b");
    engine.dbsafe(&["hooks", "off"]).expect(0);
    for ending in ["a", "b"] {
        engine.docker(&["rm", "-fv", &format!("{name}{ending}")]);
    }
    assert!(!off.contains("What's next"), "{off}");
    assert!(on.contains("What's next") && on.contains(&format!("{name}b: the PostgreSQL data")), "{on}");
    assert_eq!(fs::read_to_string(engine.config.join("config.json")).unwrap(), "{}");
}

#[test]
fn what_a_block_suggests_is_what_was_typed_and_does_what_it_says() {
    let engine = Engine::usual();
    let container = engine.container(&IN_LAYER);
    engine.fill_payments(&container.name);
    let here = std::env::temp_dir();
    let by_shell = |words: &[&str]| {
        engine.docker_in(&here, &[&["dbsafe", "guard", "--"], words].concat(), &[("DBSAFE_SHELL", "bash")])
    };
    let name = container.name.as_str();
    let blocked = by_shell(&["-D", "rm", "-f", name]).expect(10);
    assert!(blocked.says(&format!("docker -D rm -f {name} --plan")), "{blocked:?}");
    assert!(blocked.says(&format!("docker -D rm -f {name} --accept-loss {name}")), "{blocked:?}");
    let plan = by_shell(&["rm", "-f", name, "--plan"]).expect(0);
    assert!(plan.stdout.contains("it would be blocked"), "{plan:?}");
    let door = engine.dbsafe(&["guard", "--", "-D", "rm", "-f", name]).expect(10);
    assert!(door.says(&format!("docker -D dbsafe guard --plan -- rm -f {name}")), "{door:?}");
    let unknown = by_shell(&["frobnicate", "x"]).expect(11);
    assert!(unknown.says("command docker frobnicate x"), "{unknown:?}");
    assert!(unknown.says("docker dbsafe guard --plan -- frobnicate x"), "{unknown:?}");
    let without = engine.dbsafe(&["guard", "--", "frobnicate"]).expect(11);
    assert!(without.says("go around dbsafe docker frobnicate"), "{without:?}");
    by_shell(&["rm", "-f", name, "--accept-loss", name]).expect(0);
    assert!(!engine.exists(name));
}
