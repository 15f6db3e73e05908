//! Snapshots on a real engine: what a command removed comes back whole.

mod support;

use std::fs;

use support::{
    Engine, Stack,
    home::{Home, postgres},
};

const SHOP: &str = "
services:
  db:
    image: postgres:15
    networks: [back]
    environment: { PGDATA: /srv/pg, POSTGRES_HOST_AUTH_METHOD: trust }
  cache:
    image: redis:7
    networks: [back]
    command: [redis-server, --save, '']
  ledger:
    image: mariadb:10.11
    networks: [back]
    environment: { MARIADB_ROOT_PASSWORD: secret, MARIADB_DATABASE: shop }
    volumes: [ledger:/var/lib/mysql]
networks: { back: }
volumes: { ledger: }
";

#[test]
fn a_project_comes_back_as_compose_knows_it() {
    let (engine, home) = (Engine::usual(), Home::new());
    let stack = Stack::up(engine, SHOP);
    let (db, cache, ledger) = (stack.container("db"), stack.container("cache"), stack.container("ledger"));
    engine.fill_payments(&db);
    let maria = ["mariadb", "-h127.0.0.1", "-uroot", "-psecret", "shop", "-Ne"];
    engine.wait_for(&ledger, &[&maria[..], &["select 1"]].concat());
    let sql = "create table t(a int); insert into t values (1), (2), (3)";
    engine.docker(&[&["exec", &ledger], &maria[..], &[sql]].concat()).expect(0);
    engine.wait_for(&cache, &["redis-cli", "set", "key", "value"]);
    let ran = home.run_in(&stack.folder, &["down", "-v", "--snapshot"]).expect(0);
    assert!(ran.stderr.contains("proved"), "{ran:?}");
    assert_eq!(stack.containers(), Vec::<String>::new());
    assert!(!engine.volume_exists(&format!("{}_ledger", stack.name)));
    home.run_in(&stack.folder, &["undo"]).expect(0);
    let id = |name: &String| engine.docker(&["inspect", "-f", "{{.Id}} {{.State.Running}}", name]).stdout;
    let ids = [&db, &cache, &ledger].map(id);
    stack.compose(&["up", "-d"]).expect(0);
    assert_eq!(ids, [&db, &cache, &ledger].map(id), "compose made new containers");
    engine.wait_for_postgres(&db);
    assert_eq!(engine.psql(&db, "select sum(amount) from payments"), "350");
    engine.wait_for(&ledger, &[&maria[..], &["select 1"]].concat());
    let count = engine.docker(&[&["exec", &ledger], &maria[..], &["select count(*) from t"]].concat());
    assert_eq!(count.stdout.trim(), "3");
    assert_eq!(engine.docker(&["exec", &cache, "redis-cli", "get", "key"]).stdout.trim(), "value");
    let again = home.run(&["undo"]);
    assert_eq!(again.status, 1, "{again:?}");
}

#[test]
fn a_flipped_byte_is_not_restored() {
    let (engine, home, container) = (Engine::usual(), Home::new(), postgres());
    container.save_and_remove(&home).expect(0);
    let file = home.file("-data-");
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, &bytes).unwrap();
    let ran = home.run(&["undo"]).expect(12);
    assert!(ran.stderr.contains("its checksum differs"), "{ran:?}");
    assert!(!engine.exists(&container.name));
    home.run(&["snapshots", "verify", "latest", "--checksum"]).expect(12);
    bytes[middle] ^= 1;
    fs::write(&file, &bytes).unwrap();
    home.run(&["undo"]).expect(0);
    assert_eq!(container.sum(), "350");
}

#[test]
fn a_fresh_snapshot_is_a_backup_of_its_own_data_only() {
    let (home, container, other) = (Home::new(), postgres(), postgres());
    home.run(&["snapshot", &container.name]).expect(0);
    home.run(&["rm", "-f", &other.name]).expect(10);
    assert_eq!(container.sum(), "350");
    home.run(&["rm", "-f", &container.name]).expect(0);
}
