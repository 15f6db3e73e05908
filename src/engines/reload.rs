//! How dumps of each form are loaded into a server that was made for it and holds nothing: described as data, executed
//! by `act`. Also what a server's complaint about a dump means for whoever wants it restored.

/// Succeeds where the server itself is the container's first process, and not the one for the set-up that the usual
/// images start before it. Ends with 2 where the first process is one that starts others, so that this says nothing.
pub const IS_FIRST: &str = r#"
read -r name </proc/1/comm || exit 1
case "$name" in
  postgres|postmaster|mysqld|mariadbd|redis-server|valkey-server|keydb-server) exit 0;;
  s6-svscan|supervisord|runsvdir|systemd|tini|dumb-init|catatonit|docker-init) exit 2;;
esac
exit 1
"#;

/// Starts a Redis server, whatever its name, with the options that follow.
pub const REDIS_SERVER: &str =
    r#"exec "$(command -v valkey-server || command -v redis-server || command -v keydb-server)" "$@""#;

/// What a Redis server must be told so that it serves the file `/NAME` and writes nothing.
#[must_use]
pub fn redis_options(name: &str) -> Vec<String> {
    ["--dir", "/", "--dbfilename", name, "--appendonly", "no", "--save", "", "--daemonize", "no"]
        .map(str::to_owned)
        .into()
}

/// Loads a dump of `pg_dump -Fc` with its owners and rights, as a restore for good and not for a look does.
pub const WHOLE_DATABASE: &str = super::postgres_snapshot::RELOAD_WHOLE;

/// A dump, as what loads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `pg_dump -Fc`, of one database.
    PgCustom,
    /// SQL of one database.
    PgPlain,
    /// SQL that makes its databases itself.
    PgCluster,
    /// SQL of `mysqldump`; of one database where one is named, else it names its own.
    MySql,
    /// Roles or accounts: those that are there already are no fault.
    PgGlobals,
    MySqlGlobals,
}

impl Form {
    /// Loads the file `DBSAFE_FILE`. Environment as for the scripts of a recipe; `["E"]` at a good end.
    #[must_use]
    pub fn script(self) -> &'static str {
        use super::{mysql_snapshot as mysql, postgres_snapshot as postgres};
        match self {
            Self::PgCustom => postgres::RELOAD_CUSTOM,
            Self::PgPlain => postgres::RELOAD_PLAIN,
            Self::PgCluster => postgres::RELOAD_CLUSTER,
            Self::MySql => mysql::RELOAD,
            Self::PgGlobals => postgres::RELOAD_GLOBALS,
            Self::MySqlGlobals => mysql::RELOAD_GLOBALS,
        }
    }
}

/// A server, by its kind and version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Server<'a> {
    /// The engine's id.
    pub kind: &'a str,
    pub version: &'a str,
}

/// Why what one server dumped is not to be loaded into another, and what to do instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// One sentence.
    pub why: String,
    pub remedy: String,
}

/// Whether a logical dump of one server may go into another; `None` where it may. An RDB file's version says so
/// itself, when it is read.
#[must_use]
pub fn obstacle(from: Server<'_>, to: Server<'_>) -> Option<Obstacle> {
    let name = |server: Server<'_>| {
        let name = super::kind(server.kind).map_or(server.kind, |kind| kind.name);
        format!("{name} {}", server.version).trim_end().to_owned()
    };
    if family(from.kind) != family(to.kind) {
        return Some(Obstacle {
            why: format!("a dump of {} does not load into {}", name(from), name(to)),
            remedy: format!("take an image of {}", name(Server { version: "", ..from })),
        });
    }
    // MariaDB and MySQL went ways of their own: sandbox marks, collations, system tables.
    if matches!(family(from.kind), "mysql") && from.kind != to.kind {
        return Some(Obstacle {
            why: format!("a dump of {} does not load into {} as it is", name(from), name(to)),
            remedy: format!(
                "take an image of {}, or move the tables with a tool made for that",
                name(Server { version: "", ..from })
            ),
        });
    }
    let parts = if family(from.kind) == "postgres" { 1 } else { 2 };
    let (Some(old), Some(new)) = (release(from.version, parts), release(to.version, parts)) else {
        return None;
    };
    (old > new && family(from.kind) != "redis").then(|| Obstacle {
        why: format!("a dump of {} does not load into the older {}", name(from), name(to)),
        remedy: format!("take an image of {} or newer", name(from)),
    })
}

/// Whether the numbers in the versions are the same as far as a dump's contents may differ.
#[must_use]
pub fn same_release(from: Server<'_>, to: Server<'_>) -> bool {
    let parts = if family(from.kind) == "postgres" { 1 } else { 2 };
    from.kind == to.kind && release(from.version, parts) == release(to.version, parts)
}

/// Whether servers of both kinds read the same dumps, as far as kinds tell.
#[must_use]
pub fn is_kin(one: &str, other: &str) -> bool {
    family(one) == family(other)
}

fn family(kind: &str) -> &str {
    match kind {
        "mysql" | "mariadb" => "mysql",
        "redis" | "valkey" | "keydb" => "redis",
        kind => kind,
    }
}

/// The first numbers of a version.
fn release(version: &str, parts: usize) -> Option<Vec<u64>> {
    let mut numbers = Vec::new();
    for part in version.split('.').take(parts) {
        let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
        numbers.push(digits.parse().ok()?);
    }
    Some(numbers).filter(|numbers| !numbers.is_empty())
}

/// Complaints of servers, and what each means.
const MEANINGS: &[(&str, &str)] = &[
    (
        "in file header",
        "it was written by a newer pg_dump than this server's pg_restore can read: restore it into that version or a newer one",
    ),
    (
        "Can't handle RDB format version",
        "it was written by a newer server than this one can read: restore it into that version or a newer one",
    ),
    (
        "Wrong signature trying to load",
        "it is damaged, or written by a server whose format this one does not know",
    ),
    (
        "unrecognized configuration parameter",
        "it was written by a newer pg_dump than this server knows: restore it into that version or a newer one",
    ),
    ("Unknown collation: 'utf8mb4_0900", "it is a dump of MySQL, and this is MariaDB: restore it into MySQL"),
    (
        "Unknown collation: 'uca1400",
        "it is a dump of a newer MariaDB: restore it into that version or a newer one",
    ),
    ("Unknown command '\\-'", "it is a dump of MariaDB, and this is MySQL: restore it into MariaDB"),
    ("Unknown suffix", "it is a dump of another kind of server"),
];

/// A server's complaint about a dump, with its meaning where that is known.
#[must_use]
pub fn explained(complaint: &str) -> String {
    let meaning = MEANINGS.iter().find(|(words, _)| complaint.contains(words));
    meaning.map_or(complaint.to_owned(), |(_, meaning)| format!("{complaint}; {meaning}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_goes_into_the_same_or_a_newer_server_of_its_kind() {
        let refused = |from: (&'static str, &'static str), to: (&'static str, &'static str)| {
            let server = |(kind, version)| Server { kind, version };
            obstacle(server(from), server(to)).map(|obstacle| obstacle.why)
        };
        assert_eq!(refused(("postgres", "15.18"), ("postgres", "15.2 (Debian 15.2-1)")), None);
        assert_eq!(refused(("postgres", "15.18"), ("postgres", "18.1")), None);
        assert_eq!(
            refused(("postgres", "18.1"), ("postgres", "15.18")).as_deref(),
            Some("a dump of PostgreSQL 18.1 does not load into the older PostgreSQL 15.18")
        );
        assert_eq!(refused(("mariadb", "10.11.6"), ("mariadb", "11.4.2")), None);
        assert!(refused(("mariadb", "11.4.2"), ("mariadb", "10.11.6")).is_some());
        assert!(refused(("mariadb", "10.11.6"), ("mysql", "8.0.36")).is_some());
        assert!(refused(("mysql", "8.0.36"), ("mariadb", "11.4.2")).is_some());
        assert!(refused(("postgres", "15.18"), ("mysql", "8.0.36")).is_some());
        assert_eq!(refused(("redis", "7.4.0"), ("valkey", "7.2.5")), None, "the file itself says");
        assert_eq!(refused(("postgres", ""), ("postgres", "15")), None, "what is not known is tried");
    }

    #[test]
    fn a_complaint_is_told_with_its_meaning() {
        let told = explained("pg_restore: error: unsupported version (1.16) in file header");
        assert!(told.ends_with("restore it into that version or a newer one"), "{told}");
        assert_eq!(explained("ERROR: x"), "ERROR: x");
    }
}
