//! The checks of backups on real containers and real backups of them: bad, good, and where there is nothing to say.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::collections::BTreeMap;

use serde_json::Value;
use support::{
    Engine, Stack,
    home::{Home, postgres},
};

/// What an audit finds of one container: id, and what mends it.
fn found(home: &Home<'_>, container: &str) -> BTreeMap<String, String> {
    let audit = home.run(&["audit", "--format", "json", container]).expect(0).json();
    let rows = audit["containers"].as_array().unwrap();
    let row = rows.iter().find(|row| row["name"] == container).unwrap_or_else(|| panic!("{audit:#}"));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let findings = row["findings"].as_array().unwrap();
    findings.iter().map(|finding| (text(&finding["id"]), text(&finding["remedy"]))).collect()
}

/// Runs what a finding says.
#[track_caller]
fn paste(home: &Home<'_>, remedy: &str) -> support::Ran {
    let words: Vec<&str> = remedy.strip_prefix("docker dbsafe ").unwrap().split(' ').collect();
    home.run(&words)
}

#[test]
fn a_snapshot_by_hand_on_this_host_alone_is_said_to_be_that() {
    let (home, container) = (Home::new(), postgres());
    let (here, hand) = ("backup-only-on-this-host", "backup-not-scheduled");
    // Without any backup there is nothing to say of where it is.
    let none = found(&home, &container.name);
    assert!(!none.contains_key(here) && !none.contains_key(hand), "{none:?}");
    paste(&home, &none["data-in-writable-layer"]).expect(0);
    let once = found(&home, &container.name);
    assert_eq!(once["data-in-writable-layer"], "", "it is covered: {once:?}");
    // Where no other place is set, the remedy says how to set one.
    let ran = paste(&home, &once[here]).expect(2);
    assert!(ran.says("[remote] url"), "{ran:?}");
    assert_eq!(once[hand], format!("docker dbsafe schedule {} --every 24h", container.name));
    // A folder on the same disk is lost with it; one elsewhere is not.
    let beside = home.path().join("beside");
    std::fs::create_dir(&beside).unwrap();
    let push = |folder: &std::path::Path| {
        let remote = format!("--remote=file://{}", folder.display());
        home.run(&["snapshots", "push", &remote]).expect(0);
    };
    push(&beside);
    assert!(found(&home, &container.name).contains_key(here));
    let elsewhere = tempfile::tempdir_in("/dev/shm").unwrap();
    push(elsewhere.path());
    let pushed = found(&home, &container.name);
    assert!(!pushed.contains_key(here) && pushed.contains_key(hand), "{pushed:?}");
    // Whoever takes several may have a timer that nobody knows of.
    home.run(&["snapshot", &container.name]).expect(0);
    let twice = found(&home, &container.name);
    assert!(twice.contains_key(here) && !twice.contains_key(hand), "{twice:?}");
}

const KEEPERS: &str = "
services:
  db:
    image: postgres:15
    network_mode: none
    environment: { POSTGRES_DB: shop, POSTGRES_HOST_AUTH_METHOD: trust }
    volumes: [ 'pg:/var/lib/postgresql/data' ]
  quiet:
    image: postgres:15
    network_mode: none
    environment: { POSTGRES_DB: bank, POSTGRES_HOST_AUTH_METHOD: trust }
    labels: { docker-volume-backup.stop-during-backup: 'true' }
    volumes: [ 'quiet:/var/lib/postgresql/data' ]
  archives:
    image: offen/docker-volume-backup:v2
    network_mode: none
    command: sleep infinity
    volumes: [ 'pg:/backup/pg:ro', 'archive:/archive' ]
  others:
    image: offen/docker-volume-backup:v2
    network_mode: none
    command: sleep infinity
    volumes: [ 'quiet:/backup/quiet:ro', 'others:/archive' ]
volumes: { pg: {}, quiet: {}, archive: {}, others: {} }
";

#[test]
fn a_tool_that_copies_a_running_servers_files_or_does_not_run_is_named() {
    let engine = Engine::usual();
    engine.docker(&["tag", "stateless:1", "offen/docker-volume-backup:v2"]).expect(0);
    let (stack, home) = (Stack::up(engine, KEEPERS), Home::new());
    let (db, quiet) = (stack.container("db"), stack.container("quiet"));
    let (archives, others) = (stack.container("archives"), stack.container("others"));
    for name in [&db, &quiet] {
        engine.fill_payments(name);
    }
    let (copy, hand) = ("file-copy-of-a-running-database", "backup-not-scheduled");
    // How the project is set up: the one tool copies what runs, the other stops it before.
    let all = |container: &str| found(&home, container);
    let sees = |id: &str| {
        let audit = home.run(&["audit", "--format", "json", &stack.name]).expect(0).json();
        let rows = audit["containers"].as_array().unwrap();
        let has = |row: &&Value| row["findings"].as_array().unwrap().iter().any(|one| one["id"] == id);
        let names: Vec<String> =
            rows.iter().filter(has).map(|row| row["name"].as_str().unwrap().to_owned()).collect();
        names
    };
    assert_eq!(sees(copy), std::slice::from_ref(&archives));
    assert!(!all(&db).contains_key(hand), "where there is no backup, none is missed");
    // What the tool made: a copy of files that were written meanwhile is no backup, and is said to be none.
    let tar = |container: &str, what: &str| {
        let script = format!("tar -czf /archive/backup-{what}.tar.gz /backup");
        engine.docker(&["exec", container, "sh", "-ec", &script]).expect(0);
    };
    tar(&archives, "1");
    assert!(all(&db).contains_key(copy), "{:?}", all(&db));
    engine.docker(&["stop", &quiet]).expect(0);
    tar(&others, "1");
    engine.docker(&["start", &quiet]).expect(0);
    engine.wait_for_postgres(&quiet);
    let good = all(&quiet);
    assert!(good.contains_key("restore-not-tested") && good["no-recent-backup"].is_empty(), "{good:?}");
    assert!(!good.contains_key(copy) && !good.contains_key(hand), "{good:?}");
    // The tool makes no more.
    engine.docker(&["stop", "-t", "0", &others]).expect(0);
    let stopped = all(&quiet);
    assert!(stopped.contains_key(hand) && stopped["no-recent-backup"].is_empty(), "{stopped:?}");
}
