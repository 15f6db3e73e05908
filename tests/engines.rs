//! The smaller part of the guard's tests on every other engine and Compose that we know.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use support::{Engine, Stack};

/// The story, in the three places where data goes with a container, and what must pass.
fn the_story_on(name: &str, compose: &str) {
    let engine = &Engine::start(name, compose);
    in_the_writable_layer(engine);
    in_an_anonymous_volume(engine);
    in_memory(engine);
    in_an_application(engine);
    a_safe_stack(engine);
}

fn in_the_writable_layer(engine: &Engine) {
    let stack = Stack::up(
        engine,
        "
services:
  db:
    image: postgres:15
    network_mode: none
    environment: { PGDATA: /srv/pg, POSTGRES_HOST_AUTH_METHOD: trust }
",
    );
    let name = stack.container("db");
    engine.fill_payments(&name);
    let ran = stack.dbsafe(&["down"]).expect(10);
    assert!(ran.says("1 table, 2 rows"), "{}", ran.stderr);
    engine.dbsafe(&["-p", &stack.name, "down"]).expect(10);
    engine.dbsafe(&["rm", "-f", &name]).expect(10);
    engine.docker(&["stop", &name]).expect(0);
    stack.dbsafe(&["down"]).expect(10);
    engine.dbsafe(&["rm", &name]).expect(10);
    assert_eq!(engine.dbsafe(&["audit", &name, "--fail-on", "critical"]).status, 14);
    engine.docker(&["start", &name]).expect(0);
    engine.wait_for_postgres(&name);
    assert_eq!(engine.psql(&name, "select sum(amount) from payments"), "350");
    stack.dbsafe(&["down", "--accept-loss", "db"]).expect(0);
}

fn in_an_anonymous_volume(engine: &Engine) {
    let db = engine.container(&["-e", "POSTGRES_HOST_AUTH_METHOD=trust", "postgres:15"]);
    engine.fill_payments(&db.name);
    let json = engine.dbsafe(&["rm", "-f", &db.name, "--format", "json"]).expect(10).json();
    assert_eq!(json["findings"][0]["severity"], "high");
    let json = engine.dbsafe(&["rm", "-fv", &db.name, "--format", "json"]).expect(10).json();
    assert_eq!(json["findings"][0]["severity"], "critical");
    let volume = json["evidence"][0]["volume"].as_str().unwrap().to_owned();
    engine.docker(&["rm", "-f", &db.name]).expect(0);
    let ran = engine.dbsafe(&["volume", "rm", &volume]).expect(10);
    assert!(ran.says("PostgreSQL 15"), "{}", ran.stderr);
    engine.docker(&["volume", "rm", &volume]).expect(0);
}

fn in_memory(engine: &Engine) {
    let redis = engine.container(&["redis:7", "--save", "", "--appendonly", "no"]);
    engine.wait_for(&redis.name, &["redis-cli", "set", "k", "v"]);
    engine.dbsafe(&["rm", "-fv", &redis.name]).expect(10);
    let arguments =
        ["--tmpfs", "/var/lib/postgresql/data", "-e", "POSTGRES_HOST_AUTH_METHOD=trust", "postgres:15"];
    let db = engine.container(&arguments);
    engine.fill_payments(&db.name);
    engine.dbsafe(&["rm", "-f", &db.name]).expect(10);
}

fn in_an_application(engine: &Engine) {
    let app = engine.container(&["sqlite-app:1"]);
    engine.wait_for(&app.name, &["test", "-s", "/app/data/app.db"]);
    let ran = engine.dbsafe(&["rm", "-f", &app.name]).expect(10);
    assert!(ran.stderr.contains("/app/data/app.db"), "{}", ran.stderr);
}

fn a_safe_stack(engine: &Engine) {
    let stack = Stack::up(
        engine,
        "
services:
  web: { image: 'stateless:1', network_mode: none, volumes: [ '/cache', 'named:/named' ] }
  cache: { image: 'redis:7', network_mode: none }
volumes: { named: {} }
",
    );
    engine.wait_for(&stack.container("web"), &["test", "-s", "/var/log/app.log"]);
    engine.wait_for(&stack.container("cache"), &["redis-cli", "ping"]);
    let ran = stack.dbsafe(&["down", "-v", "-t", "1"]).expect(0);
    assert!(!ran.stderr.contains("dbsafe:"), "{}", ran.stderr);
    assert!(stack.containers().is_empty());
}

#[test]
fn engine_20_10() {
    the_story_on("20", "5.6");
}

#[test]
fn engine_26_1() {
    the_story_on("26", "5.6");
}

#[test]
fn engine_28_5_with_the_containerd_image_store() {
    the_story_on("28c", "5.6");
}

#[test]
fn compose_2_26() {
    the_story_on("28", "2.26");
}
