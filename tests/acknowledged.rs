//! No acknowledged write is lost: a client commits one row after another while a guarded command saves the
//! data and removes it; after `undo` every row is there that the server acknowledged.
//!
//! One round each by default; `DBSAFE_TEST_ROUNDS=20 tests/run --test acknowledged --no-capture` does more and
//! prints how many writes were acknowledged.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test stops at what it did not expect, and counts"
)]

mod support;

use std::{collections::HashSet, path::Path};

use support::{Container, Engine, Ran, Stack};

/// A server, and how to write to it and to read from it.
struct Server {
    name: &'static str,
    image: &'static str,
    environment: &'static [(&'static str, &'static str)],
    command: &'static [&'static str],
    /// Where its data goes.
    folder: &'static str,
    /// Makes what the client writes to.
    prepare: &'static str,
    /// A client that writes until it is killed, and prints the number of each write once it is acknowledged.
    client: &'static str,
    /// Prints every number that is there.
    rows: &'static str,
}

const POSTGRES: Server = Server {
    name: "PostgreSQL",
    image: "postgres:15",
    // In the writable layer, but where a volume is mounted on it.
    environment: &[("POSTGRES_HOST_AUTH_METHOD", "trust"), ("PGDATA", "/srv/pg")],
    command: &["postgres"],
    folder: "/srv/pg",
    prepare: "psql -XAtqh127.0.0.1 -U postgres -c 'create table acks(id serial primary key)'",
    client: "while :; do echo 'insert into acks default values returning id;'; done | psql -XAtq -U postgres",
    rows: "psql -XAtqh127.0.0.1 -U postgres -c 'select id from acks'",
};

const MARIADB: Server = Server {
    name: "MariaDB",
    image: "mariadb:10.11",
    environment: &[("MARIADB_ROOT_PASSWORD", "secret"), ("MARIADB_DATABASE", "shop")],
    command: &["mariadbd"],
    folder: "/var/lib/mysql",
    prepare: "MYSQL_PWD=secret mariadb -h127.0.0.1 -uroot shop -e 'create table acks(id int auto_increment primary key)'",
    client: "while :; do echo 'insert into acks values (); select last_insert_id();'; done | MYSQL_PWD=secret mariadb -nN -h127.0.0.1 -uroot shop",
    rows: "MYSQL_PWD=secret mariadb -N -h127.0.0.1 -uroot shop -e 'select id from acks'",
};

const REDIS: Server = Server {
    name: "Redis",
    image: "redis:7",
    environment: &[],
    command: &["redis-server", "--appendonly", "yes", "--appendfsync", "always"],
    folder: "/data",
    prepare: "redis-cli ping | grep PONG",
    client: "n=$(redis-cli llen acks); exec 3<>/dev/tcp/127.0.0.1/6379
        while :; do n=$((n + 1)); printf 'RPUSH acks %s\\r\\n' $n >&3; read -r -u3 reply || exit
        case $reply in :*) echo $n;; *) exit;; esac; done",
    rows: "redis-cli lrange acks 0 -1",
};

fn rounds() -> u32 {
    std::env::var("DBSAFE_TEST_ROUNDS").ok().and_then(|count| count.parse().ok()).unwrap_or(1)
}

impl Server {
    fn rows(&self, container: &str) -> HashSet<u64> {
        Engine::usual().wait_for(container, &["bash", "-c", self.rows]);
        let ran = Engine::usual().docker(&["exec", container, "bash", "-c", self.rows]).expect(0);
        ran.stdout.lines().filter_map(|line| line.trim().parse().ok()).collect()
    }

    /// Writes while `remove` is at work; every acknowledged write must be there once `undo` has run.
    fn rounds(&self, container: &str, remove: &dyn Fn() -> Ran, undo: &dyn Fn() -> Ran, what: &str) {
        let engine = Engine::usual();
        engine.wait_for(container, &["bash", "-c", self.prepare]);
        for round in 1..=rounds() {
            let before = self.rows(container).len();
            let client = engine.spawn(&["exec", container, "bash", "-c", self.client]);
            let client = std::thread::spawn(move || client.wait_with_output().unwrap());
            while self.rows(container).len() == before {}
            remove().expect(0);
            let output = client.join().unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            let acknowledged: Vec<u64> = said.lines().filter_map(|line| line.trim().parse().ok()).collect();
            assert!(!acknowledged.is_empty(), "{output:?}");
            assert!(!engine.exists(container), "{container} was not removed");
            undo().expect(0);
            let rows = self.rows(container);
            let lost = acknowledged.iter().filter(|number| !rows.contains(number)).count();
            eprintln!(
                "{} {what}, round {round}: {} acknowledged, {lost} lost",
                self.name,
                acknowledged.len()
            );
            assert_eq!(lost, 0, "of {}", acknowledged.len());
        }
    }

    fn yaml(&self, volume: Option<&str>) -> String {
        let command = serde_json::to_string(self.command).unwrap();
        let environment: Vec<String> =
            self.environment.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        let (mount, volumes) = match volume {
            Some(name) => (format!("volumes: ['{name}:{}']", self.folder), format!("volumes: {{ {name}: }}")),
            None => Default::default(),
        };
        format!(
            "services:\n  db:\n    image: {}\n    network_mode: none\n    command: {command}\n    environment: {{ {} }}\n    {mount}\n{volumes}\n",
            self.image,
            environment.join(", ")
        )
    }

    /// A project that is taken down and comes back.
    fn survives_down(&self, volume: Option<&str>, down: &[&str]) {
        let (engine, home) = (Engine::usual(), tempfile::tempdir().unwrap());
        let stack = Stack::up(engine, &self.yaml(volume));
        let run = |arguments: &[&str]| dbsafe(&stack.folder, home.path(), arguments);
        let remove = || run(down);
        self.rounds(&stack.container("db"), &remove, &|| run(&["undo"]), &down.join(" "));
    }

    /// A container that is removed by force and comes back.
    fn survives_removal(&self) {
        let home = tempfile::tempdir().unwrap();
        let environment: Vec<String> =
            self.environment.iter().map(|(name, value)| format!("--env={name}={value}")).collect();
        let mut arguments: Vec<&str> = environment.iter().map(String::as_str).collect();
        arguments.push(self.image);
        arguments.extend(self.command);
        let container: Container<'_> = Engine::usual().container(&arguments);
        let remove = || dbsafe(home.path(), home.path(), &["rm", "-fv", "--snapshot", &container.name]);
        self.rounds(&container.name, &remove, &|| dbsafe(home.path(), home.path(), &["undo"]), "rm -fv");
    }
}

fn dbsafe(folder: &Path, home: &Path, arguments: &[&str]) -> Ran {
    let home = [("DBSAFE_HOME", home.to_str().unwrap())];
    Engine::usual().docker_in(folder, &[&["dbsafe"], arguments].concat(), &home)
}

#[test]
fn postgres_keeps_what_it_acknowledged_through_down() {
    POSTGRES.survives_down(None, &["down", "--snapshot"]);
}

#[test]
fn postgres_keeps_what_it_acknowledged_through_down_with_volumes() {
    POSTGRES.survives_down(Some("data"), &["down", "-v", "--snapshot"]);
}

#[test]
fn postgres_keeps_what_it_acknowledged_through_rm() {
    POSTGRES.survives_removal();
}

#[test]
fn mariadb_keeps_what_it_acknowledged_through_down() {
    MARIADB.survives_down(None, &["down", "--snapshot"]);
}

#[test]
fn mariadb_keeps_what_it_acknowledged_through_down_with_volumes() {
    MARIADB.survives_down(Some("data"), &["down", "-v", "--snapshot"]);
}

#[test]
fn mariadb_keeps_what_it_acknowledged_through_rm() {
    MARIADB.survives_removal();
}

#[test]
fn redis_keeps_what_it_acknowledged_through_down() {
    REDIS.survives_down(None, &["down", "--snapshot"]);
}

#[test]
fn redis_keeps_what_it_acknowledged_through_down_with_volumes() {
    REDIS.survives_down(Some("data"), &["down", "-v", "--snapshot"]);
}

#[test]
fn redis_keeps_what_it_acknowledged_through_rm() {
    REDIS.survives_removal();
}
