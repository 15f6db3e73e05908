//! PostgreSQL: what its files say, and what to ask its server.

use jiff::Timestamp;

use super::answer::Answer;
use crate::model::evidence::DatabaseContents;

/// OIDs and file numbers from here on are given to users' objects (PostgreSQL's `FirstNormalObjectId`).
const FIRST_USER_NUMBER: u64 = 16384;

/// What `global/pg_control` says. Layout: PostgreSQL's `catalog/pg_control.h`, little-endian machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Control {
    /// Made once by initdb: tells this cluster from every other.
    pub system_identifier: u64,
    /// Whether the server was shut down in order.
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
        clean: state == 1 || state == 2,
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

/// The heap of `pg_database`, unless it was rewritten since initdb.
pub const CATALOGUE: &str = "global/1262";
const PAGE_BYTES: usize = 8192;
const NAME_BYTES: usize = 64;

/// A row of `pg_database`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DatabaseRow {
    pub name: String,
    /// The name of its folder in `base`; `None` before PostgreSQL 12, whose rows do not hold it.
    pub number: Option<u32>,
}

impl DatabaseRow {
    /// Whether it is one of the two templates that every cluster has.
    #[must_use]
    pub fn is_template(&self) -> bool {
        TEMPLATES.contains(&self.name.as_str())
    }
}

const TEMPLATES: [&str; 2] = ["template0", "template1"];

/// The rows in the heap of `pg_database`, in the order of their names. Layout: PostgreSQL's `storage/bufpage.h` and
/// `access/htup_details.h`, little-endian machines; since 12, a row begins with the database's number. What was
/// dropped and is still on the page is left out where the page says so.
#[must_use]
pub fn database_rows(heap: &[u8]) -> Vec<DatabaseRow> {
    let mut rows: Vec<DatabaseRow> = heap.chunks_exact(PAGE_BYTES).flat_map(page_rows).collect();
    rows.sort();
    rows.dedup();
    rows
}

/// Whether these are all rows of a cluster that was shut down in order: those that every cluster has are among
/// them, and each tells its folder.
#[must_use]
pub fn is_whole_catalogue(rows: &[DatabaseRow]) -> bool {
    let is_there = |name: &&str| rows.iter().any(|row| row.name == **name);
    TEMPLATES.iter().all(is_there) && rows.iter().all(|row| row.number.is_some())
}

fn page_rows(page: &[u8]) -> Vec<DatabaseRow> {
    let word =
        |at: usize| page.get(at..at + 2).map(|bytes| usize::from(u16::from_le_bytes([bytes[0], bytes[1]])));
    let long = |at: usize| page.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
    let end = word(12).unwrap_or(0).min(PAGE_BYTES);
    let mut rows = Vec::new();
    for item in (24..end.saturating_sub(3)).step_by(4) {
        let Some(pointer) = long(item) else { break };
        let (offset, flags) = ((pointer & 0x7fff) as usize, pointer >> 15 & 3);
        if flags != 1 {
            continue;
        }
        let (Some(deleter), Some(mask), Some(&data)) =
            (long(offset + 4), word(offset + 20), page.get(offset + 22))
        else {
            continue;
        };
        // A deleter that is not known to have failed has deleted it.
        if deleter != 0 && mask & 0x0800 == 0 {
            continue;
        }
        let start = offset + usize::from(data);
        let named = |at: usize, number| {
            let name = name_at(page.get(at..at + NAME_BYTES)?)?;
            Some(DatabaseRow { name, number })
        };
        // Before 12, the name comes first.
        rows.extend(named(start + 4, long(start)).or_else(|| named(start, None)));
    }
    rows
}

/// A name, filled up with zeros.
fn name_at(bytes: &[u8]) -> Option<String> {
    let length = bytes.iter().position(|&byte| byte == 0)?;
    let (name, rest) = bytes.split_at(length);
    let plain = length > 0 && rest.iter().all(|&byte| byte == 0);
    std::str::from_utf8(name)
        .ok()
        .filter(|name| plain && !name.chars().any(char::is_control))
        .map(str::to_owned)
}

/// Whether a path in the data directory is there only because a user made a table, an index, a tablespace
/// or a large object. A fresh cluster has file numbers below 16384 alone.
#[must_use]
pub fn is_user_data(path: &str) -> bool {
    let mut parts = path.split('/');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some("base"), Some(database), Some(file), None) => {
            let number = file.split(['.', '_']).next().unwrap_or_default();
            database.bytes().all(|byte| byte.is_ascii_digit())
                && !file.starts_with('t')
                && number.parse::<u64>().is_ok_and(|number| number >= FIRST_USER_NUMBER)
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
told=$(PGDATABASE=postgres psql -c "$server" -c "$(databases 'pg_database_size(oid)')" -c "$exact" 2>/dev/null) || told=
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
                database.tables = tables.parse().ok();
                database.rows = rows.parse().ok();
                database.rows_exact = exact == "t";
                let large: u64 = large.parse().unwrap_or(1);
                answer.complete &= database.tables.is_some();
                answer.objects += database.tables.unwrap_or(0) + large;
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
    answer.contents.databases.retain(|database| !every(&database.name) || database.tables != Some(0));
    introduced.then_some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_databases_stand_in_their_catalogue() {
        let mut page = vec![0_u8; PAGE_BYTES];
        let rows: [(&str, u32, u16); 4] =
            [("template1", 0, 0x0900), ("shop", 0, 0x0900), ("gone", 77, 0x0100), ("postgres", 0, 0x0900)];
        for (index, (name, deleter, mask)) in rows.iter().enumerate() {
            let offset = 8192 - 128 * (index + 1);
            let pointer = u32::try_from(offset).unwrap() | 1 << 15 | 120 << 17;
            page[24 + 4 * index..28 + 4 * index].copy_from_slice(&pointer.to_le_bytes());
            page[offset + 4..offset + 8].copy_from_slice(&deleter.to_le_bytes());
            page[offset + 20..offset + 22].copy_from_slice(&mask.to_le_bytes());
            page[offset + 22] = 32;
            page[offset + 32..offset + 36].copy_from_slice(&16384_u32.to_le_bytes());
            page[offset + 36..offset + 36 + name.len()].copy_from_slice(name.as_bytes());
        }
        page[12..14].copy_from_slice(&(24_u16 + 16).to_le_bytes());
        let row = |name: &str| DatabaseRow { name: name.to_owned(), number: Some(16384) };
        let rows = database_rows(&page);
        assert_eq!(rows, [row("postgres"), row("shop"), row("template1")]);
        assert!(!is_whole_catalogue(&rows), "template0 is missing");
        assert!(is_whole_catalogue(&[row("template0"), row("template1")]));
        assert!(database_rows(&[0xff; 8192]).is_empty());
        assert!(database_rows(b"short").is_empty());
    }

    #[test]
    fn only_a_users_files_are_user_data() {
        for path in ["base/16384/16385", "base/5/24576.1", "base/5/16400_fsm", "pg_tblspc/16390"] {
            assert!(is_user_data(path), "{path}");
        }
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
            assert!(!is_user_data(path), "{path}");
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
