//! Every call of a guarded command, and of a snapshot, goes wrong once in every way: cut before and after the engine
//! heard of it, cut midway, garbled, late. Nothing is destroyed that was not judged on complete evidence, a snapshot
//! that is listed is whole, and nothing is left behind.
//!
//! A run takes a few of all; `DBSAFE_FAULTS=all cargo test --test api_faults -- --nocapture` takes every one and prints
//! the lines of `docs/reliability.md`.

#![expect(clippy::print_stderr, reason = "it counts")]

mod support;

use std::collections::BTreeMap;

use support::{
    Engine, Ran, Stack,
    home::{Home, postgres_on},
    proxy::{FAULTS, Fault, Proxy},
};

/// How many of the possible faults a run of the tests takes.
const SAMPLE: usize = 24;

/// Spoils every call of a command in every way, or a few of them; returns how many faults met one.
///
/// `check` gets what the command came to, and what was spoiled.
fn spoil_every_call(what: &str, proxy: &Proxy, run: &dyn Fn() -> Ran, check: &dyn Fn(&Ran, &str)) {
    proxy.spoil(None);
    run();
    let (heads, _) = proxy.so_far();
    let calls = heads.len();
    assert!(calls > 3, "{what} asks the engine: {calls}");
    // Two calls more: a run that fails looks at other things.
    let all: Vec<(usize, Fault)> =
        (1..=calls + 2).flat_map(|call| FAULTS.iter().map(move |fault| (call, *fault))).collect();
    let step = if std::env::var("DBSAFE_FAULTS").is_ok_and(|wanted| wanted == "all") {
        1
    } else {
        // Odd, so that every kind of fault comes.
        (all.len() / SAMPLE) | 1
    };
    let mut statuses: BTreeMap<i32, usize> = BTreeMap::new();
    let mut met = 0;
    // What freezes a server and lets it go on is lost on its way each time.
    let is_lost = |fault| matches!(fault, Fault::Unheard | Fault::Belated | Fault::Unanswered);
    let freezes = |call: usize| heads.get(call - 1).is_some_and(|head| head.contains("pause HTTP"));
    let chosen = |(index, (call, fault))| {
        (index % step == 0 || freezes(call) && is_lost(fault)).then_some((call, fault))
    };
    for (call, fault) in all.into_iter().enumerate().filter_map(chosen) {
        proxy.spoil(Some((call, fault)));
        let ran = run();
        let (_, Some(hit)) = proxy.so_far() else { continue };
        met += 1;
        *statuses.entry(ran.status).or_default() += 1;
        check(&ran, &format!("{fault:?} at call {call}, {hit}"));
    }
    let statuses: Vec<String> = statuses.iter().map(|(status, times)| format!("{status}: {times}")).collect();
    eprintln!("{what}: {calls} calls, {met} faults, by exit status {}", statuses.join(", "));
}

/// `docker dbsafe …` through the proxy.
fn through(
    engine: &Engine,
    proxy: &Proxy,
    home: &Home<'_>,
    folder: &std::path::Path,
    arguments: &[&str],
) -> Ran {
    let environment = [("DOCKER_HOST", proxy.host()), ("DBSAFE_HOME", home.path().display().to_string())];
    let environment: Vec<(&str, &str)> =
        environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    engine.docker_in(folder, &[&["dbsafe"], arguments].concat(), &environment)
}

/// Helpers are gone, whatever happened. Each test has an engine of its own, or it would see the others' helpers.
fn nothing_is_left(engine: &Engine, what: &str) {
    for listing in [&["ps", "-aq"][..], &["volume", "ls", "-q"]] {
        let left = engine.docker(&[listing, &["--filter", "label=dbsafe.helper"]].concat()).stdout;
        assert_eq!(left, "", "helpers are left after {what}: {listing:?}");
    }
}

#[test]
fn no_fault_lets_a_down_take_a_database() {
    let engine = Engine::start("28-api-down", "5.6");
    let (proxy, home) = (Proxy::before(&engine.host), Home::on(&engine));
    let stack = Stack::up(
        &engine,
        "services:
  db: { image: 'postgres:15', network_mode: none, environment: { PGDATA: /srv/pg, POSTGRES_HOST_AUTH_METHOD: trust } }
  web: { image: 'stateless:1', network_mode: none, command: sleep infinity }
",
    );
    let container = stack.container("db");
    engine.fill_payments(&container);
    let state = || engine.docker(&["inspect", "-f", "{{.Id}} {{.State.StartedAt}}", &container]).stdout;
    let before = state();
    let run = || through(&engine, &proxy, &home, &stack.folder, &["down"]);
    spoil_every_call("down", &proxy, &run, &|ran, what| {
        assert_ne!(ran.status, 0, "{what}: {ran:?}");
        assert_eq!(state(), before, "{what}: {ran:?}");
        nothing_is_left(&engine, what);
    });
    let run = || through(&engine, &proxy, &home, &stack.folder, &["rm", "-f", &container]);
    spoil_every_call("rm -f", &proxy, &run, &|ran, what| {
        assert_ne!(ran.status, 0, "{what}: {ran:?}");
        assert_eq!(state(), before, "{what}: {ran:?}");
        nothing_is_left(&engine, what);
    });
}

#[test]
fn no_fault_lets_a_prune_or_a_removal_take_a_volume_with_a_database() {
    let engine = Engine::start("28-api-volume", "5.6");
    let (proxy, home) = (Proxy::before(&engine.host), Home::on(&engine));
    let volume = support::unique("v");
    let mount = format!("{volume}:/var/lib/postgresql/data");
    let container = engine.container(&["-e", "POSTGRES_HOST_AUTH_METHOD=trust", "-v", &mount, "postgres:15"]);
    engine.fill_payments(&container.name);
    engine.docker(&["stop", &container.name]).expect(0);
    drop(container);
    for arguments in [&["volume", "rm", &volume][..], &["volume", "prune", "-af"]] {
        let run = || through(&engine, &proxy, &home, home.path(), arguments);
        spoil_every_call(&arguments[..2].join(" "), &proxy, &run, &|ran, what| {
            assert!(engine.volume_exists(&volume), "{what}: {ran:?}");
            assert_ne!(ran.status, 0, "{what}: {ran:?}");
            nothing_is_left(&engine, what);
        });
    }
    engine.docker(&["volume", "rm", &volume]).expect(0);
}

#[test]
fn no_fault_makes_a_snapshot_that_is_listed_and_not_whole() {
    let engine = Engine::start("28-api-snapshot", "5.6");
    let proxy = Proxy::before(&engine.host);
    let container = postgres_on(&engine);
    let before = container.state();
    let home = Home::on(&engine);
    let run = || through(&engine, &proxy, &home, home.path(), &["snapshot", &container.name]);
    spoil_every_call("snapshot", &proxy, &run, &|ran, what| {
        assert_eq!(container.state(), before, "{what}: {ran:?}");
        assert_eq!(container.sum(), "350", "{what}: {ran:?}");
        nothing_is_left(&engine, what);
        let listed = home.run(&["snapshots", "ls", "--json"]).expect(0);
        let listed = serde_json::from_str::<serde_json::Value>(&listed.stdout).unwrap();
        for snapshot in listed.as_array().into_iter().flatten() {
            let id = snapshot["id"].as_str().unwrap();
            home.run(&["snapshots", "verify", "--checksum", id]).expect(0);
            home.run(&["snapshots", "rm", id, "--force"]).expect(0);
        }
    });
}

/// Docker has the command, and then the engine is gone: who stopped the server for the snapshot starts it again.
#[test]
fn an_engine_that_is_gone_before_the_removal_gets_its_server_started_once_it_is_back() {
    let engine = Engine::start("28-api-gone", "5.6");
    let proxy = Proxy::before(&engine.host);
    let container = postgres_on(&engine);
    let home = Home::on(&engine);
    proxy.end_before("DELETE /v1.");
    let ran = through(&engine, &proxy, &home, home.path(), &["rm", "-f", "--snapshot", &container.name]);
    assert_ne!(ran.status, 0, "{ran:?}");
    assert!(ran.says("it is started again in the background"), "{ran:?}");
    proxy.spoil(None);
    assert_eq!(container.sum(), "350");
    assert_eq!(home.snapshots().len(), 1);
}
