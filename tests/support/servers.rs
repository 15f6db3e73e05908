//! Servers that a test writes to while something happens to them: every write that they acknowledge is counted.

use std::{collections::HashSet, process::Child, thread::JoinHandle};

use super::Engine;

/// A server, and how to write to it and to read from it.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) image: &'static str,
    pub(crate) environment: &'static [(&'static str, &'static str)],
    pub(crate) command: &'static [&'static str],
    /// Where its data goes.
    pub(crate) folder: &'static str,
    /// Makes what the client writes to.
    pub(crate) prepare: &'static str,
    /// A client that writes until it is killed, and prints the number of each write once it is acknowledged.
    pub(crate) client: &'static str,
    /// Prints every number that is there.
    pub(crate) rows: &'static str,
}

pub(crate) const POSTGRES: Server = Server {
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

pub(crate) const MARIADB: Server = Server {
    name: "MariaDB",
    image: "mariadb:10.11",
    environment: &[("MARIADB_ROOT_PASSWORD", "secret"), ("MARIADB_DATABASE", "shop")],
    command: &["mariadbd"],
    folder: "/var/lib/mysql",
    prepare: "MYSQL_PWD=secret mariadb -h127.0.0.1 -uroot shop -e 'create table acks(id int auto_increment primary key)'",
    client: "while :; do echo 'insert into acks values (); select last_insert_id();'; done | MYSQL_PWD=secret mariadb -nN -h127.0.0.1 -uroot shop",
    rows: "MYSQL_PWD=secret mariadb -N -h127.0.0.1 -uroot shop -e 'select id from acks'",
};

pub(crate) const REDIS: Server = Server {
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

impl Server {
    /// Every number that is there.
    pub(crate) fn rows_of(&self, container: &str) -> HashSet<u64> {
        Engine::usual().wait_for(container, &["bash", "-c", self.rows]);
        let ran = Engine::usual().docker(&["exec", container, "bash", "-c", self.rows]).expect(0);
        ran.stdout.lines().filter_map(|line| line.trim().parse().ok()).collect()
    }

    /// Makes what the client writes to.
    pub(crate) fn prepare_in(&self, container: &str) {
        Engine::usual().wait_for(container, &["bash", "-c", self.prepare]);
    }

    /// Starts the client, and waits for its first write.
    pub(crate) fn write_to(&self, container: &str) -> Writer {
        let before = self.rows_of(container).len();
        let client: Child = Engine::usual().spawn(&["exec", container, "bash", "-c", self.client]);
        let client = std::thread::spawn(move || client.wait_with_output().unwrap());
        while self.rows_of(container).len() == before {}
        Writer { client }
    }
}

/// A client at work.
pub(crate) struct Writer {
    client: JoinHandle<std::process::Output>,
}

impl Writer {
    /// What was acknowledged until the server went away.
    pub(crate) fn acknowledged(self) -> Vec<u64> {
        let output = self.client.join().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let numbers: Vec<u64> = said.lines().filter_map(|line| line.trim().parse().ok()).collect();
        assert!(!numbers.is_empty(), "{output:?}");
        numbers
    }
}
