//! Restores into another version of a server: PostgreSQL 15 and 17, Redis 7 and 8, SQLite of two images; each a real one.

#![cfg_attr(all(), allow(clippy::unwrap_used, reason = "a test stops at what it did not expect"))]

mod support;

use std::fs;

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

const NEWER_REDIS: &str = "dbsafe-lab/redis-8";

fn keys(container: &str, words: &[&str]) -> String {
    let all = [&["exec", container, "redis-cli"], words].concat();
    Engine::usual().docker(&all).expect(0).stdout.trim().to_owned()
}

#[test]
fn an_rdb_file_goes_into_a_newer_redis_and_not_into_an_older_one() {
    let (engine, home) = (Engine::usual_with("redis-8"), Home::new());
    let volume = unique("v");
    let mut volumes = Volumes(engine, vec![volume.clone()]);
    // A password and a file's name of its own are the new one's, too.
    let options = ["redis-server", "--requirepass", "secret", "--dbfilename", "cache.rdb"];
    let old = engine.container(&[&["-v", &format!("{volume}:/data"), "redis:7"], &options[..]].concat());
    let login = ["--no-auth-warning", "-a", "secret"];
    engine.wait_for(&old.name, &[&["redis-cli"], &login[..], &["mset", "a", "1", "b", "2"]].concat());
    home.run(&["snapshot", "--checksum", &old.name]).expect(0);
    let new = Container::to_come(engine);
    volumes.1.push(format!("{}-0", new.name));
    let to = format!("container:{}", new.name);
    let ran = home.run(&["restore", "latest", "--to", &to, "--image", NEWER_REDIS]).expect(0);
    assert!(ran.stdout.contains("2 keys, as they were saved"), "{ran:?}");
    assert!(keys(&new.name, &[&login[..], &["info", "server"]].concat()).contains("redis_version:8"));
    assert_eq!(keys(&new.name, &[&login[..], &["mget", "a", "b"]].concat()), "1\n2");
    assert!(keys(&new.name, &["ping"]).contains("NOAUTH"));
    // The keys are in the volume, and it starts again.
    engine.docker(&["restart", &new.name]).expect(0);
    engine.wait_for(&new.name, &[&["redis-cli"], &login[..], &["get", "a"]].concat());
    assert_eq!(keys(&new.name, &[&login[..], &["dbsize"]].concat()), "2");
    // And back: the older one cannot read what the newer one wrote; nothing is made to find that out.
    home.run(&["snapshot", "--checksum", &new.name]).expect(0);
    let back = Container::to_come(engine);
    let to = format!("container:{}", back.name);
    let ran = home.run(&["restore", "latest", "--to", &to, "--image", "redis:7"]).expect(12);
    assert!(ran.says("Can't handle RDB format version"), "{ran:?}");
    assert!(ran.says("restore it into that version or a newer one"), "{ran:?}");
    // Nor is another kind of server's image of any use.
    let ran = home.run(&["restore", "latest", "--to", &to, "--image", "postgres:15"]).expect(12);
    assert!(ran.says("postgres:15 does not serve what was saved"), "{ran:?}");
    assert!(!engine.exists(&back.name) && !engine.volume_exists(&format!("{}-0", back.name)));
}

#[test]
fn a_file_of_sqlites_is_copied_and_looked_at_by_the_other_image() {
    let (engine, home) = (Engine::usual(), Home::new());
    // In the writable layer: what else was changed there is the old image's, and stays behind.
    let old = engine.container(&["sqlite-app:1"]);
    engine.wait_for(&old.name, &["sqlite3", "/app/data/app.db", "select 1 from notes"]);
    engine.docker(&["exec", &old.name, "sh", "-c", "echo other > /etc/issue"]).expect(0);
    home.run(&["snapshot", "--checksum", &old.name]).expect(0);
    // The same programs under another command.
    let command = "CMD [\"sleep\", \"600\"]";
    let entry = "ENTRYPOINT []";
    let like = engine.container(&["--entrypoint", "true", "dbsafe-lab/servers"]);
    engine.docker(&["commit", "-p=false", "-c", entry, "-c", command, &like.name, "other-app:2"]).expect(0);
    let new = Container::to_come(engine);
    let to = format!("container:{}", new.name);
    let ran = home.run(&["restore", "latest", "--to", &to, "--image", "other-app:2"]).expect(0);
    assert!(ran.stdout.contains("/app/data/app.db, of which integrity_check says ok"), "{ran:?}");
    let copied = home.path().join("app.db");
    engine.docker(&["cp", &format!("{}:/app/data/app.db", new.name), copied.to_str().unwrap()]).expect(0);
    assert!(fs::read(&copied).unwrap().starts_with(b"SQLite format 3"));
    let issue = home.path().join("issue");
    engine.docker(&["cp", &format!("{}:/etc/issue", new.name), issue.to_str().unwrap()]).expect(0);
    assert!(fs::read_to_string(&issue).unwrap().contains("Debian"));
    assert_eq!(fs::read_dir(home.path().join("transient")).unwrap().count(), 0);
    // In a volume, into an image that has nothing to look with.
    let bare = engine.container(&["--entrypoint", "true", "debian:bookworm"]);
    engine.docker(&["commit", "-p=false", "-c", entry, "-c", command, &bare.name, "other-app:3"]).expect(0);
    let volume = unique("v");
    let mut volumes = Volumes(engine, vec![volume.clone()]);
    let old = engine.container(&["-v", &format!("{volume}:/app/data"), "sqlite-app:1"]);
    engine.wait_for(&old.name, &["sqlite3", "/app/data/app.db", "select 1 from notes"]);
    home.run(&["snapshot", "--checksum", &old.name]).expect(0);
    let new = Container::to_come(engine);
    volumes.1.push(format!("{}-0", new.name));
    let to = format!("container:{}", new.name);
    let ran = home.run(&["restore", "latest", "--to", &to, "--image", "other-app:3"]).expect(0);
    assert!(ran.stdout.contains("not checked: the image has nothing to check SQLite with"), "{ran:?}");
    assert!(engine.volume_exists(&format!("{}-0", new.name)));
}

#[test]
fn what_has_no_dump_keeps_its_image() {
    let (engine, home) = (Engine::usual(), Home::new());
    let refused = |words: &str| {
        let ran = home.run(&["restore", "latest", "--to", "container:x", "--image", "redis:7"]).expect(12);
        assert!(ran.says(words) && ran.says("leave --image away"), "{ran:?}");
    };
    let documents = engine.container(&["mongo:7"]);
    home.run(&["snapshot", "--checksum", &documents.name]).expect(0);
    refused("the snapshot has no dump of");
    // Its own log would win over the dump.
    let cache = engine.container(&["redis:7", "redis-server", "--appendonly", "yes"]);
    engine.wait_for(&cache.name, &["redis-cli", "set", "a", "1"]);
    home.run(&["snapshot", "--checksum", &cache.name]).expect(0);
    refused("keeps an append-only file");
}
