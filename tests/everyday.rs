//! What makes the guard an everyday thing: `doctor`, completion, hooks; on a real engine, by the real client.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::{fs, os::unix::fs::PermissionsExt as _};

use support::{Engine, Ran};

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
