//! Drills on real servers: what can be restored is, what cannot is said to fail, and nothing is left behind.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use support::{Engine, Stack, fits_schema, home::Home};

/// Longer than any other test keeps a helper, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

const SHOP: &str = "
services:
  db:
    image: postgres:15
    network_mode: none
    environment: { POSTGRES_PASSWORD: secret, POSTGRES_USER: shop, POSTGRES_DB: payment_db }
    volumes: ['pg:/var/lib/postgresql/data']
  ledger:
    image: mariadb:10.11
    network_mode: none
    environment: { MARIADB_ROOT_PASSWORD: secret, MARIADB_DATABASE: shop }
    volumes: ['ledger:/var/lib/mysql']
  cache:
    image: redis:7
    network_mode: none
    volumes: ['cache:/data']
volumes: { pg: , ledger: , cache: }
";

const RULES: &str = "
[[backup]]
service = 'db'
files = 'backups/*.dump*'
[[backup]]
service = 'ledger'
files = 'backups/*.sql*'
[[backup]]
service = 'cache'
files = 'backups/*.rdb*'
";

fn fill(stack: &Stack<'_>) {
    let engine = stack.engine;
    let (db, ledger, cache) = (stack.container("db"), stack.container("ledger"), stack.container("cache"));
    engine.wait_for_postgres(&db);
    let sql = "create role app; create table payments(id int primary key, amount int); alter table payments owner to app;
        insert into payments select n, n from generate_series(1, 250) n";
    engine.docker(&["exec", &db, "psql", "-qU", "shop", "payment_db", "-c", sql]).expect(0);
    let maria = ["mariadb", "-h127.0.0.1", "-uroot", "-psecret", "shop", "-Ne"];
    engine.wait_for(&ledger, &[&maria[..], &["select 1"]].concat());
    let sql = "create table t(a int); insert into t values (1), (2), (3)";
    engine.docker(&[&["exec", &ledger], &maria[..], &[sql]].concat()).expect(0);
    engine.wait_for(&cache, &["redis-cli", "mset", "a", "1", "b", "2"]);
    engine.docker(&["exec", &cache, "redis-cli", "save"]).expect(0);
}

/// Runs a program in a service's container, and keeps what it writes in a file of the project's.
fn keep(stack: &Stack<'_>, service: &str, script: &str, file: &str) {
    let path = stack.folder.join("backups").join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let name = stack.container(service);
    let mut command = stack.engine.command(&stack.folder, &["exec", &name, "sh", "-c", script]);
    command.env("DOCKER_HOST", &stack.engine.host).env("DOCKER_CONFIG", &stack.engine.config);
    let ran = command.output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    fs::write(path, ran.stdout).unwrap();
}

/// Packs a file, and takes the plain one away.
fn packed(program: &[&str], path: &Path) {
    assert!(Command::new(program[0]).args(&program[1..]).arg(path).status().unwrap().success());
}

fn results(home: &Home<'_>, stack: &Stack<'_>, services: &[&str], status: i32) -> Vec<(String, String)> {
    let arguments = [&["drill", "--format", "json"], services].concat();
    let document = home.run_in(&stack.folder, &arguments).expect(status).json();
    fits_schema(&document, include_str!("../docs/drill.schema.json"));
    let drills = document["drills"].clone();
    let text = |drill: &serde_json::Value, key: &str| drill[key].as_str().unwrap_or_default().to_owned();
    drills.as_array().unwrap().iter().map(|drill| (text(drill, "result"), text(drill, "detail"))).collect()
}

/// What `backups` tells of a service; the audit says the same of what covers it.
fn told_by_backups(home: &Home<'_>, stack: &Stack<'_>, service: &str) -> serde_json::Value {
    let name = stack.container(service);
    let document =
        |command: &str| home.run_in(&stack.folder, &[command, "--format", "json", &name]).expect(0).json();
    let (told, audit) = (document("backups"), document("audit"));
    fits_schema(&told, include_str!("../docs/backups.schema.json"));
    fits_schema(&audit, include_str!("../docs/audit.schema.json"));
    let database = &told["databases"][0];
    let evidence = &audit["containers"][0]["evidence"][0];
    for key in ["status", "at", "source", "tested_at", "fault"] {
        assert_eq!(database["coverage"][key], evidence["coverage"][key], "{told:#}\n{audit:#}");
    }
    database.clone()
}

/// Whatever helpers there are now go: other tests' do by themselves, and one that was left would stay.
fn nothing_is_left(engine: &Engine) {
    let helpers = || engine.docker(&["ps", "-aq", "--filter", "label=dbsafe.helper"]).expect(0).stdout;
    let now = helpers();
    let stay = |left: &str| now.lines().any(|helper| left.lines().any(|other| other == helper));
    let start = Instant::now();
    while stay(&helpers()) {
        assert!(start.elapsed() < PATIENCE, "helpers are left: {now}");
        std::thread::yield_now();
    }
}

#[test]
fn dumps_of_other_tools_are_restored_or_said_to_fail() {
    let engine = Engine::usual();
    let home = Home::new();
    let stack = Stack::up(engine, SHOP);
    stack.write(".dbsafe.toml", RULES);
    fill(&stack);
    let backups = stack.folder.join("backups");
    keep(&stack, "db", "pg_dump -U shop -Fc payment_db", "payment_db_20260101.dump");
    keep(&stack, "ledger", "mariadb-dump -uroot -psecret shop", "ledger.sql");
    packed(&["gzip"], &backups.join("ledger.sql"));
    keep(&stack, "cache", "cat /data/dump.rdb", "cache.rdb");
    let told = results(&home, &stack, &["db", "ledger", "cache"], 0);
    let details: Vec<&str> = told.iter().map(|(_, detail)| detail.as_str()).collect();
    assert!(told.iter().all(|(result, _)| result == "proved"), "{told:?}");
    assert!(details.iter().any(|detail| detail.starts_with("1 tables, 250 rows")), "{details:?}");
    assert!(details.iter().any(|detail| detail.starts_with("1 tables, 3 rows")), "{details:?}");
    assert!(details.iter().any(|detail| detail.starts_with("2 keys")), "{details:?}");
    let audit = || home.run_in(&stack.folder, &["audit", "--all", &stack.name]).expect(0).stdout;
    assert_eq!(audit().matches("; restore tested").count(), 3, "{}", audit());
    let backups_shown = || home.run_in(&stack.folder, &["backups", &stack.name]).expect(0).stdout;
    assert_eq!(backups_shown().matches("  restore tested ").count(), 3, "{}", backups_shown());
    for service in ["db", "ledger", "cache"] {
        let told = told_by_backups(&home, &stack, service);
        assert_eq!(
            (&told["coverage"]["status"], &told["drill"]["result"]),
            (&"covered".into(), &"proved".into())
        );
    }
    // The same as SQL, of the database and of the whole server.
    keep(&stack, "db", "pg_dump -U shop payment_db", "newer.dump");
    packed(&["zstd", "-q", "--rm"], &backups.join("newer.dump"));
    assert_eq!(results(&home, &stack, &["db"], 0)[0].0, "proved");
    keep(&stack, "db", "pg_dumpall -U shop", "newest.dump");
    let told = results(&home, &stack, &["db"], 0);
    assert!(told[0].1.starts_with("1 tables, 250 rows"), "{told:?}");
    // What breaks in the middle of the restore, though it is whole.
    let sql = fs::read_to_string(backups.join("newest.dump")).unwrap();
    fs::write(backups.join("broken.dump"), sql.replace("\n17\t17\n", "\n17\tseventeen\n")).unwrap();
    let told = results(&home, &stack, &["db"], 12);
    assert!(told[0].0 == "failed" && told[0].1.contains("invalid input syntax"), "{told:?}");
    // What a drill could not restore lets nothing go.
    assert!(audit().replace(char::is_whitespace, " ").contains("a drill could not restore"), "{}", audit());
    let database = told_by_backups(&home, &stack, "db");
    assert_eq!(
        (&database["coverage"]["status"], &database["drill"]["result"]),
        (&"stale".into(), &"failed".into())
    );
    let mut rows = database["backups"].as_array().unwrap().iter();
    let row = rows.find(|row| row["source"].as_str().unwrap().ends_with("broken.dump")).unwrap();
    assert_eq!((&row["status"], &row["fault"]), (&"stale".into(), &"unproved".into()), "{row:#}");
    let shown = backups_shown().replace(char::is_whitespace, " ");
    assert!(shown.contains("could not restore") && shown.contains("no backup that counts:"), "{shown}");
    // What was cut off.
    let whole = fs::read(backups.join("payment_db_20260101.dump")).unwrap();
    fs::write(backups.join("cut.dump"), &whole[..whole.len() - 200]).unwrap();
    assert_eq!(results(&home, &stack, &["db"], 12)[0].0, "failed");
    // What is written in a format from the future.
    let mut rdb = fs::read(backups.join("cache.rdb")).unwrap();
    rdb[5..9].copy_from_slice(b"0099");
    let end = rdb.len() - 8;
    rdb[end..].fill(0);
    fs::write(backups.join("newer.rdb"), rdb).unwrap();
    let told = results(&home, &stack, &["cache"], 12);
    assert!(told[0].0 == "failed" && told[0].1.contains("written by a newer server"), "{told:?}");
    nothing_is_left(engine);
    let remembered = fs::read_to_string(home.path().join("drills.jsonl")).unwrap();
    assert_eq!(remembered.lines().count(), 8);
}

#[test]
fn a_snapshot_is_restored_and_a_damaged_one_fails() {
    let engine = Engine::usual();
    let home = Home::new();
    let container = support::home::postgres();
    assert_eq!(home.run(&["drill", &container.name]).status, 12, "there is nothing to restore");
    home.run(&["snapshot", "--checksum", &container.name]).expect(0);
    let ran = home.run(&["drill", &container.name]).expect(0);
    assert!(ran.stdout.contains("restored") && ran.stdout.contains("snapshot 2"), "{ran:?}");
    let file = home.file("-data-");
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    let ran = home.run(&["drill", &container.name]).expect(12);
    assert!(ran.stdout.contains("FAILED"), "{ran:?}");
    nothing_is_left(engine);
}
