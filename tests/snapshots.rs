//! Snapshots on a real engine: what a command removed comes back whole, and a failure changes nothing.

#![expect(clippy::unwrap_used, reason = "what a test cannot go on without ends it")]

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use support::{Container, Engine, Ran, Stack, unique};

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

/// A home folder of one test: no other test's snapshot waits for its lock.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.run_in(self.path(), arguments)
    }

    fn run_in(&self, folder: &Path, arguments: &[&str]) -> Ran {
        let home = self.path().to_str().unwrap();
        Engine::usual().docker_in(folder, &[&["dbsafe"], arguments].concat(), &[("DBSAFE_HOME", home)])
    }

    fn snapshots(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.path().join("snapshots")) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// The file of the only snapshot whose name has this part.
    fn file(&self, part: &str) -> PathBuf {
        let mut files = fs::read_dir(&self.snapshots()[0]).unwrap().map(|entry| entry.unwrap().path());
        files.find(|path| path.file_name().unwrap().to_string_lossy().contains(part)).unwrap()
    }
}

/// A Postgres whose data is in its writable layer, with the story's table.
fn postgres() -> Container<'static> {
    let engine = Engine::usual();
    let environment = ["-e", "PGDATA=/srv/pg", "-e", "POSTGRES_HOST_AUTH_METHOD=trust", "postgres:15"];
    let container = engine.container(&environment);
    engine.fill_payments(&container.name);
    container
}

fn id(name: &str) -> String {
    let ran = Engine::usual().docker(&["inspect", "-f", "{{.Id}} {{.State.Running}}", name]);
    ran.stdout.trim().to_owned()
}

fn sum(container: &str) -> String {
    Engine::usual().wait_for_postgres(container);
    Engine::usual().psql(container, "select sum(amount) from payments")
}

/// Asserts that a failed run changed nothing: the same container runs, its rows are there, no snapshot is.
#[track_caller]
fn nothing_happened(home: &Home, container: &Container<'_>, before: &str) {
    assert_eq!(id(&container.name), before);
    assert_eq!(sum(&container.name), "350");
    assert_eq!(home.snapshots(), Vec::<PathBuf>::new());
}

fn save_and_remove(home: &Home, container: &Container<'_>) -> Ran {
    home.run(&["rm", "-f", "-v", "--snapshot", &container.name])
}

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
    let ids = [&db, &cache, &ledger].map(|name| id(name));
    stack.compose(&["up", "-d"]).expect(0);
    assert_eq!(ids, [&db, &cache, &ledger].map(|name| id(name)), "compose made new containers");
    assert_eq!(sum(&db), "350");
    engine.wait_for(&ledger, &[&maria[..], &["select 1"]].concat());
    let count = engine.docker(&[&["exec", &ledger], &maria[..], &["select count(*) from t"]].concat());
    assert_eq!(count.stdout.trim(), "3");
    assert_eq!(engine.docker(&["exec", &cache, "redis-cli", "get", "key"]).stdout.trim(), "value");
    let again = home.run(&["undo"]);
    assert_eq!(again.status, 1, "{again:?}");
}

#[test]
fn a_server_that_refuses_the_dump_stops_everything() {
    let (engine, home, container) = (Engine::usual(), Home::new(), postgres());
    // A table whose file is not where the catalogue says: reading it fails.
    let sql = "set allow_system_table_mods = on; create table broken as select 1 as a;
        update pg_class set relfilenode = 999999 where relname = 'broken'";
    engine.psql(&container.name, sql);
    let before = id(&container.name);
    let ran = save_and_remove(&home, &container).expect(12);
    assert!(ran.stderr.contains("nothing was destroyed"), "{ran:?}");
    nothing_happened(&home, &container, &before);
}

#[test]
fn a_copy_that_does_not_start_is_no_proof() {
    let (engine, home) = (Engine::usual(), Home::new());
    let network = unique("n");
    engine.docker(&["network", "create", &network]).expect(0);
    let name = unique("c");
    let script = "getent hosts $NAME || exit 9; exec docker-entrypoint.sh postgres";
    let (as_name, alias) = (format!("NAME={name}"), format!("--name={name}"));
    let mut arguments =
        vec!["run", "-d", "--network", &network, &alias, "-e", &as_name, "-e", "PGDATA=/srv/pg"];
    arguments.extend([
        "-e",
        "POSTGRES_HOST_AUTH_METHOD=trust",
        "--entrypoint",
        "sh",
        "postgres:15",
        "-c",
        script,
    ]);
    engine.docker(&arguments).expect(0);
    let container = Container { engine, name };
    engine.fill_payments(&container.name);
    let before = id(&container.name);
    let ran = save_and_remove(&home, &container).expect(12);
    assert!(ran.stderr.contains("does not come up on the copy"), "{ran:?}");
    nothing_happened(&home, &container, &before);
    drop(container);
    engine.docker(&["network", "rm", &network]);
}

#[test]
fn the_second_dbsafe_is_told_of_the_first() {
    let (home, container) = (Home::new(), postgres());
    let lock = fs::File::create(home.path().join("lock")).unwrap();
    lock.lock().unwrap();
    let before = id(&container.name);
    let ran = save_and_remove(&home, &container).expect(12);
    assert!(ran.stderr.contains("in use by"), "{ran:?}");
    nothing_happened(&home, &container, &before);
}

#[test]
fn a_full_disk_stops_everything() {
    let (home, container) = (Home::new(), postgres());
    let small = home.path().join("small");
    fs::create_dir(&small).unwrap();
    let mount = |arguments: &[&str]| std::process::Command::new("mount").args(arguments).status().unwrap();
    assert!(mount(&["-t", "tmpfs", "-o", "size=2m", "none", small.to_str().unwrap()]).success());
    let before = id(&container.name);
    let arguments = ["dbsafe", "rm", "-f", "--snapshot", &container.name];
    let environment = [("DBSAFE_HOME", small.to_str().unwrap())];
    let ran = Engine::usual().docker_in(home.path(), &arguments, &environment);
    let left = fs::read_dir(small.join("snapshots")).unwrap().count();
    std::process::Command::new("umount").arg(&small).status().unwrap();
    ran.expect(12);
    assert_eq!(left, 0);
    nothing_happened(&home, &container, &before);
}

/// Starts a removal, and calls back once the container has stopped for the copy.
fn interrupted(home: &Home, container: &Container<'_>, signal: &str) -> i32 {
    let engine = Engine::usual();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_docker-dbsafe"));
    command.args(["rm", "-f", "--snapshot", &container.name]);
    command.env_clear().env("PATH", std::env::var("PATH").unwrap()).env("HOME", home.path());
    command.env("DOCKER_HOST", &engine.host).env("DOCKER_CONFIG", &engine.config);
    command.env("DBSAFE_HOME", home.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    while id(&container.name).ends_with("true") {
        assert_eq!(child.try_wait().unwrap(), None, "it ended before it was interrupted");
    }
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args([signal, &id]).status().unwrap().success());
    child.wait().unwrap().code().unwrap_or(-1)
}

#[test]
fn after_a_ctrl_c_everything_runs_again() {
    let (home, container) = (Home::new(), postgres());
    let before = id(&container.name);
    assert_eq!(interrupted(&home, &container, "-INT"), 130);
    nothing_happened(&home, &container, &before);
}

#[test]
fn after_a_kill_everything_runs_again() {
    let (engine, home, container) = (Engine::usual(), Home::new(), postgres());
    let before = id(&container.name);
    interrupted(&home, &container, "-KILL");
    engine.wait_for_postgres(&container.name);
    // The keeper sweeps up last of all.
    while !home.snapshots().is_empty() {
        std::thread::yield_now();
    }
    nothing_happened(&home, &container, &before);
}

#[test]
fn a_flipped_byte_is_not_restored() {
    let (engine, home, container) = (Engine::usual(), Home::new(), postgres());
    save_and_remove(&home, &container).expect(0);
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
    assert_eq!(sum(&container.name), "350");
}

#[test]
fn a_fresh_snapshot_is_a_backup_of_its_own_data_only() {
    let (home, container, other) = (Home::new(), postgres(), postgres());
    home.run(&["snapshot", &container.name]).expect(0);
    home.run(&["rm", "-f", &other.name]).expect(10);
    assert_eq!(sum(&container.name), "350");
    home.run(&["rm", "-f", &container.name]).expect(0);
}

#[test]
fn a_database_is_loaded_out_of_a_dump_beside_the_old_one() {
    let (engine, home, container) = (Engine::usual(), Home::new(), postgres());
    home.run(&["snapshot", &container.name]).expect(0);
    engine.psql(&container.name, "delete from payments");
    let arguments = ["restore", "latest", "--database", "postgres", "--as", "back"];
    home.run(&arguments).expect(0);
    let sql = [
        "exec",
        &container.name,
        "psql",
        "-XAtqU",
        "postgres",
        "back",
        "-c",
        "select sum(amount) from payments",
    ];
    assert_eq!(engine.docker(&sql).expect(0).stdout.trim(), "350");
    home.run(&arguments).expect(12);
}

#[test]
fn odd_files_of_a_volume_come_back_as_they_were() {
    let (engine, home) = (Engine::usual(), Home::new());
    let (volume, copy) = (unique("v"), unique("v"));
    let mount = format!("{volume}:/v");
    let make = r#"cd /v && mkdir -p d/e && chmod 2750 d && chown 70:71 d/e && chmod 000 d/e
        echo one > 'odd "name'; ln 'odd "name' hard; ln -s /etc/passwd soft; ln -s ../../.. up; mkfifo pipe
        printf x > "$(printf 'line\nbreak')"; echo y > "$(printf 'byte\377')"; : > empty; chmod 4755 empty
        long=$(printf 'n%.0s' $(seq 200)); mkdir -p $long/$long; echo deep > $long/$long/$long
        truncate -s 3M sparse; printf end >> sparse; touch -d '2001-02-03 04:05:06' hard; chown 999:1000 sparse"#;
    engine
        .docker(&[
            "run",
            "--rm",
            "--network",
            "none",
            "-v",
            &mount,
            "--entrypoint",
            "sh",
            "debian:bookworm",
            "-c",
            make,
        ])
        .expect(0);
    home.run(&["snapshot", &volume]).expect(0);
    home.run(&["restore", "latest", "--to", &format!("volume:{copy}")]).expect(0);
    let list = "cd /v && find . -printf '%P %y %m %U:%G %n %s %l %T@\\n' | sed 's/\\.[0-9]*$//' | sort; find . -type f -exec cksum {} + | sort";
    let listed = |name: &str| {
        let mount = format!("{name}:/v");
        let run = [
            "run",
            "--rm",
            "--network",
            "none",
            "-v",
            &mount,
            "--entrypoint",
            "sh",
            "debian:bookworm",
            "-c",
            list,
        ];
        engine.docker(&run).expect(0).stdout
    };
    assert_eq!(listed(&volume), listed(&copy));
    // What exists is not written to.
    home.run(&["restore", "latest", "--to", &format!("volume:{copy}")]).expect(12);
    engine.docker(&["volume", "rm", &volume, &copy]);
}

#[test]
fn a_snapshot_is_readable_by_hand() {
    let (home, container) = (Home::new(), postgres());
    home.run(&["snapshot", &container.name]).expect(0);
    let folder = &home.snapshots()[0];
    let shell = |script: &str| {
        let ran = std::process::Command::new("sh").args(["-c", script]).current_dir(folder).output().unwrap();
        assert!(ran.status.success(), "{script}: {}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8_lossy(&ran.stdout).into_owned()
    };
    shell("sha256sum -c --quiet SHA256SUMS");
    assert!(shell("zstd -dc *-data-*.tar.zst | tar -t").contains("pg/PG_VERSION"));
    assert!(shell("head -c 5 *.dump").contains("PGDMP"));
    assert!(!shell("cat manifest.json").contains("POSTGRES_HOST_AUTH_METHOD=trust"));
}
