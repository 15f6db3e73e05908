//! How the servers of databases want to be run as a service: where their images keep data, what asks them
//! whether they are well, who may do everything. Kinds that are no server of a database have none.

use super::Kind;

/// The habits of one kind.
#[derive(Debug)]
pub struct Habits {
    pub kind: &'static str,
    /// Repositories of images that keep to `directory`.
    pub images: &'static [&'static str],
    /// Where those images keep the data.
    pub directory: &'static str,
    /// The path that those images declare as VOLUME; `None` where they declare none.
    pub declared: Option<&'static str>,
    /// Where the server listens.
    pub port: u16,
    /// Programs that ask the server itself, and not only whether something listens.
    pub askers: &'static [&'static str],
    /// A health check for a compose file; empty where the images have no client.
    pub test: &'static str,
    /// The user that may do everything, as applications would name it.
    pub superuser: &'static str,
}

const NOBODY: &str = "";

/// What we know of each.
pub static HABITS: &[Habits] = &[
    Habits {
        kind: "postgres",
        images: &[
            "postgres",
            "postgis/postgis",
            "pgvector/pgvector",
            "imresamu/postgis",
            "citusdata/citus",
            "timescale/timescaledb",
        ],
        directory: "/var/lib/postgresql/data",
        declared: Some("/var/lib/postgresql/data"),
        port: 5432,
        askers: &["pg_isready", "psql"],
        test: "pg_isready -U \"$${POSTGRES_USER:-postgres}\" -d \"$${POSTGRES_DB:-postgres}\"",
        superuser: "postgres",
    },
    Habits {
        kind: "mariadb",
        images: &["mariadb"],
        directory: "/var/lib/mysql",
        declared: Some("/var/lib/mysql"),
        port: 3306,
        askers: &["healthcheck.sh", "mariadb-admin", "mysqladmin", "mariadb", "mysql"],
        test: "healthcheck.sh --connect --innodb_initialized",
        superuser: "root",
    },
    Habits {
        kind: "mysql",
        images: &["mysql", "percona", "mysql/mysql-server", "percona/percona-server"],
        directory: "/var/lib/mysql",
        declared: Some("/var/lib/mysql"),
        port: 3306,
        askers: &["mysqladmin", "mysql", "mysqlsh", "mariadb-admin"],
        test: "mysqladmin ping -h 127.0.0.1 --silent",
        superuser: "root",
    },
    Habits {
        kind: "redis",
        images: &["redis", "eqalpha/keydb"],
        directory: "/data",
        declared: Some("/data"),
        port: 6379,
        askers: &["redis-cli", "keydb-cli", "valkey-cli"],
        test: "redis-cli ping | grep -q PONG",
        superuser: NOBODY,
    },
    Habits {
        kind: "valkey",
        images: &["valkey/valkey"],
        directory: "/data",
        declared: Some("/data"),
        port: 6379,
        askers: &["valkey-cli", "redis-cli"],
        test: "valkey-cli ping | grep -q PONG",
        superuser: NOBODY,
    },
    Habits {
        kind: "mongodb",
        images: &["mongo"],
        directory: "/data/db",
        declared: Some("/data/db"),
        port: 27017,
        askers: &["mongosh", "mongo"],
        test: "mongosh --quiet --eval 'db.adminCommand(\"ping\").ok' | grep -q 1",
        superuser: "root",
    },
    Habits {
        kind: "mssql",
        images: &["mcr.microsoft.com/mssql/server"],
        directory: "/var/opt/mssql",
        declared: None,
        port: 1433,
        askers: &["sqlcmd"],
        test: "",
        superuser: "sa",
    },
    Habits {
        kind: "cockroachdb",
        images: &["cockroachdb/cockroach"],
        directory: "/cockroach/cockroach-data",
        declared: None,
        port: 26257,
        askers: &["cockroach", "curl"],
        test: "curl -fsS 'http://127.0.0.1:8080/health?ready=1'",
        superuser: "root",
    },
    Habits {
        kind: "dragonfly",
        images: &["docker.dragonflydb.io/dragonflydb/dragonfly"],
        directory: "/data",
        declared: None,
        port: 6379,
        askers: &["redis-cli", "healthcheck.sh"],
        test: "redis-cli ping | grep -q PONG",
        superuser: NOBODY,
    },
    Habits {
        kind: "couchdb",
        images: &["couchdb"],
        directory: "/opt/couchdb/data",
        declared: Some("/opt/couchdb/data"),
        port: 5984,
        askers: &["curl", "wget"],
        test: "curl -fsS http://127.0.0.1:5984/_up",
        superuser: NOBODY,
    },
    Habits {
        kind: "elasticsearch",
        images: &["elasticsearch", "docker.elastic.co/elasticsearch/elasticsearch"],
        directory: "/usr/share/elasticsearch/data",
        declared: None,
        port: 9200,
        askers: &["curl", "wget"],
        test: "curl -fsS http://127.0.0.1:9200/_cluster/health",
        superuser: NOBODY,
    },
    Habits {
        kind: "opensearch",
        images: &["opensearchproject/opensearch"],
        directory: "/usr/share/opensearch/data",
        declared: None,
        port: 9200,
        askers: &["curl", "wget"],
        test: "curl -fsS http://127.0.0.1:9200/_cluster/health",
        superuser: NOBODY,
    },
    Habits {
        kind: "clickhouse",
        images: &["clickhouse", "clickhouse/clickhouse-server", "yandex/clickhouse-server"],
        directory: "/var/lib/clickhouse",
        declared: Some("/var/lib/clickhouse"),
        port: 9000,
        askers: &["clickhouse-client", "clickhouse", "wget", "curl"],
        test: "clickhouse-client --query 'SELECT 1'",
        superuser: NOBODY,
    },
    Habits {
        kind: "cassandra",
        images: &["cassandra"],
        directory: "/var/lib/cassandra",
        declared: Some("/var/lib/cassandra"),
        port: 9042,
        askers: &["nodetool", "cqlsh"],
        test: "nodetool status | grep -q '^UN'",
        superuser: "cassandra",
    },
    Habits {
        kind: "neo4j",
        images: &["neo4j"],
        directory: "/data",
        declared: Some("/data"),
        port: 7687,
        askers: &["cypher-shell", "wget", "curl", "neo4j"],
        test: "wget -qO /dev/null http://127.0.0.1:7474",
        superuser: NOBODY,
    },
    Habits {
        kind: "influxdb",
        images: &["influxdb"],
        directory: "/var/lib/influxdb2",
        declared: Some("/var/lib/influxdb2"),
        port: 8086,
        askers: &["influx", "curl", "wget"],
        test: "influx ping",
        superuser: NOBODY,
    },
];

/// The habits of a kind's servers.
#[must_use]
pub fn habits(kind: &str) -> Option<&'static Habits> {
    HABITS.iter().find(|habits| habits.kind == kind)
}

/// Words in an image's name that make it a tool for a database, and not its server.
const TOOLS: &[&str] = &[
    "admin",
    "adminer",
    "backup",
    "backups",
    "browser",
    "cli",
    "client",
    "cloudbeaver",
    "commander",
    "compass",
    "connect",
    "cron",
    "dbgate",
    "dump",
    "exporter",
    "express",
    "gui",
    "insight",
    "manager",
    "metrics",
    "migrate",
    "migrations",
    "operator",
    "pgadmin",
    "pgadmin4",
    "pgweb",
    "phpmyadmin",
    "proxy",
    "redisinsight",
    "restore",
    "router",
    "sentinel",
    "sqlpad",
    "tools",
    "ui",
    "web",
];

/// Programs that talk to a server of a database.
const CLIENTS: &[&str] = &[
    "backup.sh",
    "cron",
    "crond",
    "createdb",
    "go-cron",
    "mariadb",
    "mariadb-backup",
    "mariadb-dump",
    "mongo",
    "mongodump",
    "mongorestore",
    "mongosh",
    "mysql",
    "mysqladmin",
    "mysqldump",
    "pg_basebackup",
    "pg_dump",
    "pg_dumpall",
    "pg_isready",
    "pg_restore",
    "psql",
    "redis-cli",
    "redis-sentinel",
    "sleep",
    "tail",
    "valkey-cli",
];

/// The last part of an image's name, without tag and digest.
#[must_use]
pub fn image_name(image: &str) -> &str {
    repository(image).rsplit('/').next().unwrap_or_default()
}

/// An image's repository, without docker's own registry, tag and digest.
#[must_use]
pub fn repository(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or_default();
    let image = match image.rfind(':') {
        // A colon before a slash is a registry's port.
        Some(colon) if !image[colon..].contains('/') => &image[..colon],
        _ => image,
    };
    let image = image.strip_prefix("docker.io/").unwrap_or(image);
    image.strip_prefix("library/").unwrap_or(image)
}

/// An image's tag.
#[must_use]
pub fn tag(image: &str) -> Option<&str> {
    let image = image.split('@').next().unwrap_or_default();
    let colon = image.rfind(':')?;
    (!image[colon..].contains('/')).then(|| &image[colon + 1..])
}

/// Whether an image's name says that it is a tool for a database.
#[must_use]
pub fn is_tool(image: &str) -> bool {
    image_name(image).split(['-', '_', '.']).any(|word| TOOLS.contains(&word))
}

impl Kind {
    /// Whether an image's name is that of this kind's server.
    #[must_use]
    pub fn is_image(&self, image: &str) -> bool {
        let name = image_name(image);
        let mut words = name.split(['-', '_', '.']);
        let usual = || habits(self.id).is_some_and(|habits| habits.images.contains(&repository(image)));
        !is_tool(image)
            && (self.images.contains(&name) || words.any(|word| self.images.contains(&word)) || usual())
    }

    /// Whether these words start this kind's server.
    #[must_use]
    pub fn is_started_by(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.runs(word))
    }
}

/// Whether the words of a command are a client's, and start no server.
#[must_use]
pub fn is_client(words: &[&str]) -> bool {
    let base = |word: &&str| word.rsplit('/').next().unwrap_or_default().to_owned();
    let is_entrypoint = |word: &str| word.ends_with("entrypoint.sh") || word == "exec";
    let first = words.iter().find(|word| {
        let base = base(word);
        !is_entrypoint(&base)
            && !matches!(base.as_str(), "sh" | "bash" | "ash" | "sudo" | "gosu" | "env")
            && !word.starts_with('-')
    });
    first.is_some_and(|word| CLIENTS.contains(&base(word).as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_taken_apart() {
        for (image, repository_, tag_) in [
            ("postgres", "postgres", None),
            ("docker.io/library/postgres:15-alpine", "postgres", Some("15-alpine")),
            ("localhost:5000/db/pg", "localhost:5000/db/pg", None),
            ("localhost:5000/db/pg:1@sha256:ab", "localhost:5000/db/pg", Some("1")),
        ] {
            assert_eq!((repository(image), tag(image)), (repository_, tag_), "{image}");
        }
    }

    #[test]
    fn a_tools_image_is_no_server() {
        let postgres = crate::engines::kind("postgres").unwrap();
        assert!(postgres.is_image("pgvector/pgvector:pg16") && postgres.is_image("bitnami/postgresql"));
        for tool in ["prodrigestivill/postgres-backup-local", "postgres-exporter", "dpage/pgadmin4"] {
            assert!(!postgres.is_image(tool), "{tool}");
        }
    }

    #[test]
    fn a_client_in_a_servers_image_is_told_by_its_command() {
        assert!(is_client(&["sh", "-c", "pg_dump", "-h", "db", "-U", "postgres"]));
        assert!(is_client(&["docker-entrypoint.sh", "psql"]));
        assert!(!is_client(&["docker-entrypoint.sh", "postgres", "-c", "fsync=off"]));
        assert!(!is_client(&["-c", "shared_buffers=1GB"]) && !is_client(&[]));
    }

    #[test]
    fn every_habit_is_of_a_kind() {
        for habits in HABITS {
            assert!(crate::engines::kind(habits.kind).is_some(), "{}", habits.kind);
        }
    }
}
