//! Restores into another version of a server: PostgreSQL 15 and 17, each a real one.

#![cfg_attr(all(), allow(clippy::unwrap_used, reason = "a test stops at what it did not expect"))]

mod support;

use support::{Container, Engine, home::Home, lab, unique};

const SHOP: [&str; 6] =
    ["-e", "POSTGRES_USER=shop", "-e", "POSTGRES_DB=payment_db", "-e", "POSTGRES_PASSWORD=secret"];

/// The engine, with both versions.
fn engine() -> &'static Engine {
    let engine = Engine::usual();
    lab(&["newer", "28"]);
    engine
}

/// Named volumes of a test, which go with it.
struct Volumes(&'static Engine, Vec<String>);

impl Drop for Volumes {
    fn drop(&mut self) {
        for volume in &self.1 {
            self.0.docker(&["volume", "rm", "-f", volume]);
        }
    }
}

fn ask(container: &str, database: &str, sql: &str) -> String {
    let words = ["exec", container, "psql", "-XAtq", "-U", "shop", "-d", database, "-c", sql];
    Engine::usual().docker(&words).expect(0).stdout.trim().to_owned()
}

fn fill(container: &Container<'_>) {
    Engine::usual().wait_for_postgres(&container.name);
    let sql = "create role app login password 'app'; create table payments(id int primary key, amount int);
        alter table payments owner to app; grant select on payments to pg_monitor;
        insert into payments select n, n * 3 from generate_series(1, 250) n; create database other";
    for part in sql.split(';') {
        ask(&container.name, "payment_db", part);
    }
    ask(&container.name, "other", "create table notes as select 1 as n");
}

const DIGEST: &str = "select count(*), md5(string_agg(p::text, ',' order by id)) from payments p";

#[test]
fn a_dump_goes_into_a_newer_server_with_its_owners_and_rights() {
    let (engine, home) = (engine(), Home::new());
    let volume = unique("v");
    // They go last.
    let mut volumes = Volumes(engine, vec![volume.clone()]);
    let old = engine.container(
        &[&["-v", &format!("{volume}:/var/lib/postgresql/data")], &SHOP[..], &["postgres:15"]].concat(),
    );
    let new = Container::to_come(engine);
    volumes.1.push(format!("{}-0", new.name));
    fill(&old);
    let before = ask(&old.name, "payment_db", DIGEST);
    home.run(&["snapshot", "--checksum", &old.name]).expect(0);
    let to = format!("container:{}", new.name);
    // An image that is not here is not pulled.
    let ran = home.run(&["restore", "latest", "--to", &to, "--image", "postgres:99"]).expect(12);
    assert!(ran.says("there is no image postgres:99 on this engine: docker pull postgres:99"), "{ran:?}");
    let ran = home.run(&["restore", "latest", "--to", &to, "--image", "postgres:17"]).expect(0);
    assert!(ran.stdout.contains("2 tables, 251 rows, as they were saved"), "{ran:?}");
    assert!(ask(&new.name, "payment_db", "show server_version").starts_with("17"));
    assert_eq!(ask(&new.name, "payment_db", DIGEST), before);
    assert_eq!(ask(&new.name, "other", "select n from notes"), "1");
    let owner = "select tableowner from pg_tables where tablename = 'payments'";
    assert_eq!(ask(&new.name, "payment_db", owner), "app");
    let right = "select has_table_privilege('pg_monitor', 'payments', 'select')";
    assert_eq!(ask(&new.name, "payment_db", right), "t");
    // The role's password came along, and the data is in the named volume.
    let login = [
        "exec",
        "-e",
        "PGPASSWORD=app",
        &new.name,
        "psql",
        "-XAtq",
        "-h",
        "127.0.0.1",
        "-U",
        "app",
        "payment_db",
        "-c",
        "select sum(amount) from payments",
    ];
    assert_eq!(engine.docker(&login).expect(0).stdout.trim(), "94125");
    let mounts =
        engine.docker(&["inspect", "-f", "{{range .Mounts}}{{.Name}} {{.Destination}}{{end}}", &new.name]);
    assert_eq!(mounts.stdout.trim(), format!("{}-0 /var/lib/postgresql/data", new.name));
    // It starts again.
    engine.docker(&["restart", &new.name]).expect(0);
    engine.wait_for_postgres(&new.name);
    assert_eq!(ask(&new.name, "payment_db", DIGEST), before);
}

#[test]
fn an_older_server_is_refused_and_nothing_is_left() {
    let (engine, home) = (engine(), Home::new());
    let newer = engine.container(&[&SHOP[..], &["postgres:17"]].concat());
    fill(&newer);
    home.run(&["snapshot", "--checksum", &newer.name]).expect(0);
    let back = Container::to_come(engine);
    let to = format!("container:{}", back.name);
    let ran = home.run(&["restore", "latest", "--to", &to, "--image", "postgres:15"]).expect(12);
    assert!(ran.says("does not load into the older PostgreSQL 15"), "{ran:?}");
    assert!(ran.says("take an image of PostgreSQL 17"), "{ran:?}");
    // Nor does another kind of server take it.
    let ran = home.run(&["restore", "latest", "--to", &to, "--image", "redis:7"]).expect(12);
    assert!(ran.says("redis:7 does not serve what was saved: it runs redis-server"), "{ran:?}");
    assert!(!engine.exists(&back.name) && !engine.volume_exists(&format!("{}-0", back.name)));
}

#[test]
fn what_has_no_dump_keeps_its_image() {
    let (engine, home) = (Engine::usual(), Home::new());
    let cache = engine.container(&["redis:7"]);
    engine.wait_for(&cache.name, &["redis-cli", "set", "a", "1"]);
    home.run(&["snapshot", "--checksum", &cache.name]).expect(0);
    let ran = home.run(&["restore", "latest", "--to", "container:x", "--image", "valkey:8"]).expect(12);
    assert!(ran.says("leave --image away"), "{ran:?}");
}
