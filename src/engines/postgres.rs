//! PostgreSQL: what its files say, and what to ask its server.

use jiff::Timestamp;

use super::answer::Answer;
use crate::model::evidence::DatabaseContents;

/// OIDs and file numbers from here on are given to users' objects (PostgreSQL's `FirstNormalObjectId`).
pub(super) const FIRST_USER_NUMBER: u64 = 16384;

/// What `global/pg_control` says. Layout: PostgreSQL's `catalog/pg_control.h`, little-endian machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Control {
    /// Made once by initdb: tells this cluster from every other.
    pub system_identifier: u64,
    /// Whether the server was shut down in order.
    pub stopped: bool,
    /// Whether it had then written everything to its files. A standby leaves what it has replayed since its last
    /// checkpoint to be replayed again.
    pub clean: bool,
    /// When the file was last written: at every checkpoint.
    pub written: Option<Timestamp>,
    /// The next number for an object, as of the last checkpoint (PostgreSQL 12 and later).
    next_number: u32,
}

/// Reads the beginning of `global/pg_control`; `None` where it is no control file.
#[must_use]
pub fn parse_control(bytes: &[u8]) -> Option<Control> {
    let system_identifier = u64::from_le_bytes(bytes.get(..8)?.try_into().ok()?);
    let version = u32::from_le_bytes(bytes.get(8..12)?.try_into().ok()?);
    let state = u32::from_le_bytes(bytes.get(16..20)?.try_into().ok()?);
    let next_number = u32::from_le_bytes(bytes.get(72..76)?.try_into().ok()?);
    let written = i64::from_le_bytes(bytes.get(24..32)?.try_into().ok()?);
    let plausible = (900..10_000).contains(&version) && state <= 6 && system_identifier != 0;
    plausible.then(|| Control {
        system_identifier,
        stopped: state == 1 || state == 2,
        clean: state == 1,
        written: Timestamp::from_second(written).ok(),
        next_number: if version >= 1201 { next_number } else { u32::MAX },
    })
}

impl Control {
    /// Whether a cluster that was shut down in order has never given a number to a user's object.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        self.clean && u64::from(self.next_number) <= FIRST_USER_NUMBER
    }
}

/// `pg_largeobject`: the only table of the system's that holds what users stored.
const LARGE_OBJECTS: u64 = 2613;

/// Whether a file of `size` bytes in the data directory is there only because a user made a table, an index, a
/// tablespace or a large object. A fresh cluster has file numbers below 16384 alone, and no large object.
#[must_use]
pub fn is_user_data(path: &str, size: u64) -> bool {
    let mut parts = path.split('/');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some("base"), Some(database), Some(file), None) => {
            let number = file.split(['.', '_']).next().unwrap_or_default();
            database.bytes().all(|byte| byte.is_ascii_digit())
                && !file.starts_with('t')
                && number.parse::<u64>().is_ok_and(|number| {
                    number >= FIRST_USER_NUMBER
                        || number == LARGE_OBJECTS && number.to_string() == file && size > 0
                })
        }
        (Some("pg_tblspc"), Some(name), ..) => !name.is_empty(),
        _ => false,
    }
}

/// Port and socket folder from `postmaster.pid` (lines 4 and 5).
#[must_use]
pub fn parse_postmaster_pid(bytes: &[u8]) -> Option<(u16, String)> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut lines = text.lines().skip(3);
    let port = lines.next()?.trim().parse().ok()?;
    Some((port, lines.next().unwrap_or_default().trim().to_owned()))
}

/// Asks a running server, with the container's own `psql`: a line `S|version|identifier|last write|databases` for
/// the server, then for each database `D|bytes|allows connections|name` and `T|tables|rows|exact|large objects`.
/// Secrets are read inside the container.
///
/// Rows are counted where a table is small, and taken from the statistics where it is large or locked.
pub const QUESTION: &str = r#"
read_file() { [ -n "$1" ] && [ -r "$1" ] && cat "$1"; }
U="${POSTGRES_USER:-$(read_file "$POSTGRES_USER_FILE")}"; U="${U:-${POSTGRESQL_USERNAME:-postgres}}"
PGPASSWORD="${POSTGRES_PASSWORD:-$(read_file "$POSTGRES_PASSWORD_FILE")}"
export PGPASSWORD="${PGPASSWORD:-${POSTGRESQL_PASSWORD:-$POSTGRESQL_POSTGRES_PASSWORD}}" PGCONNECT_TIMEOUT=2
export PGOPTIONS='-c statement_timeout=1500 -c lock_timeout=200 -c default_transaction_read_only=on'
export PGAPPNAME=dbsafe PGCLIENTENCODING=UTF8
psql() { command psql -XAtq -w -v ON_ERROR_STOP=1 -F '|' -U "$U" "$@"; }
ask() { PGDATABASE="$1" psql -c "$2" 2>/dev/null; }
server="select 'S', current_setting('server_version'), (select system_identifier from pg_control_system()),
  case when pg_is_in_recovery() then null else extract(epoch from (pg_stat_file('pg_wal/' || pg_walfile_name(pg_current_wal_lsn()))).modification)::bigint end,
  (select count(*) from pg_database where datname <> 'template0')"
databases() { printf %s "select 'D', $1, datallowconn, datname from pg_database where datname <> 'template0' order by 2 desc limit 100"; }
relations="from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r','m','p')
  and n.nspname not in ('pg_catalog','information_schema') and n.nspname !~ '^pg_(toast|temp)'
  and not exists (select 1 from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')"
large="(select count(*) from pg_largeobject_metadata)"
exact="select 'T', count(*), coalesce(sum(case when c.relkind = 'p' then 0 when pg_relation_size(c.oid) <= 8388608 then
  (xpath('/row/c/text()', query_to_xml(format('select count(*) as c from %I.%I', n.nspname, c.relname), false, true, '')))[1]::text::bigint
  else greatest(c.reltuples, 0)::bigint end), 0), coalesce(bool_and(pg_relation_size(c.oid) <= 8388608), true), $large $relations"
rough="select 'T', count(*), coalesce(sum(greatest(c.reltuples, 0)) filter (where c.relkind <> 'p'), 0)::bigint, false, $large $relations"
newline='
'
# Most in one session: to connect costs more than to ask. Where it fails, step by step, as much as there is.
told=$(PGDATABASE=postgres psql -c "$server" -c "$(databases 'pg_database_size(oid)')" -c "$exact" -c '\connect template1' -c "$exact" 2>/dev/null) || told=
own1="${told##*"$newline"}" told="${told%"$newline"*}"
own="${told##*"$newline"}" told="${told%"$newline"*}"
if [ -z "$told" ]; then
  first=$(ask postgres "$server") || { export PGHOST=127.0.0.1; first=$(ask postgres "$server"); } && [ -n "$first" ] || { PGDATABASE=postgres psql -c 'select 1' 2>&1 | head -c 400 >&2; exit 3; }
  told="$first$newline$(ask postgres "$(databases 'pg_database_size(oid)')" || ask postgres "$(databases null)")"
fi
printf '%s\n' "$told" | while IFS= read -r line; do
  printf '%s\n' "$line"
  name="${line#*|*|*|}"
  case "$line" in
    S*) ;;
    *'|t|'*)
      if [ "$name" = postgres ] && [ -n "$own" ]; then printf '%s\n' "$own"
      elif [ "$name" = template1 ] && [ -n "$own1" ]; then printf '%s\n' "$own1"
      else ask "$name" "$exact" || ask "$name" "$rough" || printf 'T|?\n'; fi;;
    *) printf 'T|?\n';;
  esac
done
"#;

/// Reads the answer; `None` where the server did not introduce itself.
#[must_use]
pub fn parse_answer(text: &str) -> Option<Answer> {
    let mut answer = Answer { complete: true, ..Answer::default() };
    let mut introduced = false;
    let mut pending: Option<DatabaseContents> = None;
    let mut expected = None;
    for line in text.lines() {
        let fields: Vec<&str> = line.splitn(4, '|').collect();
        match fields.as_slice() {
            ["S", version, identity, rest] => {
                introduced = true;
                let (last_write, databases) = rest.split_once('|').unwrap_or((rest, ""));
                expected = databases.parse::<usize>().ok();
                answer.version = version.split_whitespace().next().map(str::to_owned);
                answer.identity = Some((*identity).to_owned()).filter(|id| !id.is_empty());
                answer.last_write = last_write.parse().ok().and_then(|s| Timestamp::from_second(s).ok());
            }
            ["D", bytes, _allowed, name] => {
                answer.complete &= pending.is_none();
                answer.contents.databases.extend(pending.take());
                pending = Some(DatabaseContents {
                    name: (*name).to_owned(),
                    bytes: bytes.parse().ok(),
                    ..DatabaseContents::default()
                });
            }
            ["T", tables, rows, rest] => {
                let Some(mut database) = pending.take() else { continue };
                let (exact, large) = rest.split_once('|').unwrap_or((rest, "0"));
                let (tables, large) = (tables.parse().ok(), large.parse().unwrap_or(1));
                answer.complete &= tables.is_some();
                answer.objects += tables.unwrap_or(0) + large;
                database.tables = tables;
                database.large_objects = Some(large).filter(|&count| count > 0);
                database.rows = rows.parse().ok();
                database.rows_exact = exact == "t";
                answer.contents.databases.push(database);
            }
            ["T", "?"] => {
                answer.complete = false;
                answer.contents.databases.extend(pending.take());
            }
            _ => answer.complete = false,
        }
    }
    answer.complete &= pending.is_none();
    answer.contents.databases.extend(pending);
    // A list that broke off must not look like that of a small server.
    answer.contents.complete = expected == Some(answer.contents.databases.len());
    answer.complete &= answer.contents.complete;
    // The databases of every cluster are no news unless something is in them.
    let every = |name: &str| name == "postgres" || name == "template1";
    answer.contents.databases.retain(|database| !every(&database.name) || database.may_hold_something());
    introduced.then_some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_users_files_are_user_data() {
        for path in ["base/16384/16385", "base/5/24576.1", "base/5/16400_fsm", "pg_tblspc/16390"] {
            assert!(is_user_data(path, 0), "{path}");
        }
        assert!(is_user_data("base/5/2613", 8192) && !is_user_data("base/5/2613", 0), "large objects");
        for path in [
            "base/1/1259",
            "base/16384/1259",
            "base/5/2619_vm",
            "base/5/PG_VERSION",
            "base/5/t3_16390",
            "pg_wal/000000010000000000000001",
            "base/16384",
            "pg_tblspc",
        ] {
            assert!(!is_user_data(path, 8192), "{path}");
        }
    }

    #[test]
    fn the_control_file_gives_the_clusters_identity() {
        let mut bytes = vec![0; 8192];
        bytes[..8].copy_from_slice(&7_412_345_678_901_234_567_u64.to_le_bytes());
        bytes[8..12].copy_from_slice(&1300_u32.to_le_bytes());
        bytes[16..20].copy_from_slice(&6_u32.to_le_bytes());
        bytes[24..32].copy_from_slice(&1_700_000_000_i64.to_le_bytes());
        let control = parse_control(&bytes).unwrap();
        assert_eq!(control.system_identifier, 7_412_345_678_901_234_567);
        assert!(!control.clean && !control.is_untouched());
        bytes[16] = 1;
        bytes[72..76].copy_from_slice(&16384_u32.to_le_bytes());
        assert!(parse_control(&bytes).unwrap().is_untouched());
        bytes[16] = 2;
        let standby = parse_control(&bytes).unwrap();
        assert!(standby.stopped && !standby.clean && !standby.is_untouched());
        bytes[16] = 1;
        bytes[72..76].copy_from_slice(&16385_u32.to_le_bytes());
        assert!(!parse_control(&bytes).unwrap().is_untouched());
        assert_eq!(parse_control(&[0; 8192]), None);
        assert_eq!(parse_control(b"short"), None);
    }

    #[test]
    fn an_answer_with_two_databases() {
        let answer = parse_answer(
            "S|15.6 (Debian)|7412|1700000000|2\nD|900|t|shop|odd\nT|3|250|t|0\nD|800|t|postgres\nT|0|0|t|0\n",
        )
        .unwrap();
        assert!(answer.complete);
        assert_eq!((answer.version.as_deref(), answer.identity.as_deref()), (Some("15.6"), Some("7412")));
        let [shop] = answer.contents.databases.as_slice() else { panic!("{answer:?}") };
        assert_eq!(
            (shop.name.as_str(), shop.tables, shop.rows, shop.rows_exact),
            ("shop|odd", Some(3), Some(250), true)
        );
        assert_eq!(answer.objects, 3);
    }

    #[test]
    fn a_database_of_large_objects_is_not_one_without_tables() {
        let answer = parse_answer("S|15|1||1\nD|9|t|postgres\nT|0|0|t|2\n").unwrap();
        assert!(answer.complete && answer.contents.complete && answer.objects == 2);
        let [database] = answer.contents.databases.as_slice() else { panic!("{answer:?}") };
        assert!(database.large_objects == Some(2) && database.may_hold_something());
    }

    #[test]
    fn a_database_that_could_not_be_counted_leaves_the_answer_incomplete() {
        for text in [
            "S|15|1||1\nD|9|f|locked\nT|?\n",
            "S|15|1||1\nD|9|t|a\n",
            "S|15|1||1\nD|9|t|name\nwith a line break\nT|0|0|t|0\n",
            "S|15|1||1\n",
            "S|15|1||2\nD|9|t|a\nT|0|0|t|0\n",
            "S|15|1|\nD|9|t|a\nT|0|0|t|0\n",
        ] {
            assert!(!parse_answer(text).unwrap().complete, "{text}");
        }
        assert!(parse_answer("S|15|1||1\nD|9|t|a\nT|0|0|t|0\n").unwrap().says_empty());
        let locked = parse_answer("S|15|1||1\nD|9|f|locked\nT|?\n").unwrap();
        assert!(locked.contents.complete, "its name is known");
        assert_eq!(parse_answer("psql: error"), None);
    }
}
