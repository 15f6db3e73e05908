//! MySQL and MariaDB: what their files say, and what to ask their servers.

use super::answer::Answer;
use crate::model::evidence::DatabaseContents;

/// Schemas that every server has.
const SYSTEM_SCHEMAS: &[&str] = &["mysql", "sys", "performance_schema", "information_schema"];

/// Endings of files that exist for each table (or view) of a schema.
const TABLE_FILES: &[&str] = &["ibd", "frm", "MYD", "MYI", "MAD", "MAI", "sdi", "isl", "CSV", "ARZ", "par"];

/// Whether a path in a data directory is there only because a user made a table.
#[must_use]
pub fn is_user_data(path: &str) -> bool {
    let Some((schema, file)) = path.split_once('/') else { return false };
    is_user_schema(schema) && file.rsplit_once('.').is_some_and(|(_, ending)| TABLE_FILES.contains(&ending))
}

/// The schema's folder and the table that a file in a data directory is of; `None` where it is of a view, of a
/// full-text index, or no user's. `head` is the beginning of the file. A table may have no file of its own.
#[must_use]
pub fn table_of<'a>(path: &'a str, head: &[u8]) -> Option<(&'a str, &'a str)> {
    let (schema, file) = path.split_once('/').filter(|_| is_user_data(path))?;
    let is_none = head.starts_with(b"TYPE=VIEW") || file.starts_with("fts_");
    let stem = file.split(['.', '#']).next().filter(|stem| !stem.is_empty() && !is_none)?;
    Some((schema, stem))
}

/// Whether a folder in a MySQL data directory is a user's schema. Since 8.0 a table in the system tablespace
/// leaves no file of its own, so a schema may hold tables though its folder is empty. (MariaDB writes a
/// `.frm` for every table.)
#[must_use]
pub fn is_user_folder(path: &str) -> bool {
    !path.contains('/') && is_user_schema(path)
}

/// The schema that a folder of the data directory holds: what is no letter, digit or underscore stands in its name
/// as `@` and four hexadecimal digits (MySQL's "Mapping of Identifiers to File Names"). What it writes in other
/// ways stays as it is.
#[must_use]
pub fn schema_of_folder(folder: &str) -> String {
    let mut parts = folder.split('@');
    let mut name = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..4).filter(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let letter = code.and_then(|code| u32::from_str_radix(code, 16).ok()).and_then(char::from_u32);
        match letter {
            Some(letter) => {
                name.push(letter);
                name.push_str(&part[4..]);
            }
            None => {
                name.push('@');
                name.push_str(part);
            }
        }
    }
    name
}

/// `#innodb_redo`, `#innodb_temp` and their like are the server's own.
fn is_user_schema(name: &str) -> bool {
    !name.is_empty() && !name.starts_with(['#', '.']) && !SYSTEM_SCHEMAS.contains(&name)
}

/// The UUID in MySQL's `auto.cnf`, made once per data directory.
#[must_use]
pub fn parse_auto_cnf(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let uuid = text.lines().find_map(|line| line.trim().strip_prefix("server-uuid="))?.trim();
    (uuid.len() == 36).then(|| uuid.to_owned())
}

/// Asks a running server, with the container's own client. Lines, tab-separated: `S`, version, UUID, all
/// schemas seen, last write; then for each schema `D`, bytes, tables, rows, exact, name.
///
/// Secrets are read inside the container and travel in the client's environment. Rows are counted where the
/// tables together are small, and taken from the statistics where they are large.
pub const QUESTION: &str = r#"
read_file() { [ -n "$1" ] && [ -r "$1" ] && cat "$1"; }
client=$(command -v mariadb || command -v mysql) || { echo 'no client in the container' >&2; exit 4; }
limit=$(command -v timeout) && limit="$limit 3"
ask() { $limit "$client" "$user" --connect-timeout=2 -NB -e "$1" 2>/dev/null; }
try() { user="-u$1"; export MYSQL_PWD="$2"; ask 'select 1' >/dev/null; }
try root "${MARIADB_ROOT_PASSWORD:-$MYSQL_ROOT_PASSWORD}" ||
try root "$(read_file "${MARIADB_ROOT_PASSWORD_FILE:-$MYSQL_ROOT_PASSWORD_FILE}")" ||
try root '' || try mysql '' ||
try "${MARIADB_USER:-$MYSQL_USER}" "${MARIADB_PASSWORD:-${MYSQL_PASSWORD:-$(read_file "${MARIADB_PASSWORD_FILE:-$MYSQL_PASSWORD_FILE}")}}" ||
{ "$client" -uroot --connect-timeout=2 -NB -e 'select 1' 2>&1 | head -c 400 >&2; exit 3; }
system="'mysql','sys','performance_schema','information_schema'"
tables="from information_schema.tables where table_type <> 'VIEW' and table_schema not in ($system)"
uuid=$(ask 'select @@server_uuid')
everything=$(ask "select count(*) from information_schema.user_privileges where privilege_type = 'SELECT' and replace(grantee, '''', '') in (current_user(), concat(substring_index(current_user(), '@', 1), '@', substring_index(current_user(), '@', -1)))")
printf 'S\t%s\t%s\t%s\t%s\n' "$(ask 'select version()')" "$uuid" "$everything" "$(ask "select coalesce(unix_timestamp(max(update_time)), '') $tables")"
bytes=$(ask "select coalesce(sum(data_length + index_length), 0) $tables")
counted=
if [ "${bytes:-999999999}" -le 67108864 ]; then
  sql=$(ask "set session group_concat_max_len = 1000000; select coalesce(group_concat(concat('select ', quote(table_schema), ' s, ', data_length + index_length, ' b, count(*) c from \`', replace(table_schema, '\`', '\`\`'), '\`.\`', replace(table_name, '\`', '\`\`'), '\`') separator ' union all '), '') $tables" | sed 's/\\\\/\\/g')
  [ -n "$sql" ] && counted=$(ask "select 'D', sum(b), count(*), sum(c), 1, s from ($sql) counted group by s order by 2 desc")
fi
if [ -n "$counted" ]; then printf '%s\n' "$counted"
else ask "select 'D', coalesce(sum(data_length + index_length), 0), count(*), coalesce(sum(table_rows), 0), 0, table_schema $tables group by table_schema order by 2 desc"; fi && printf 'E\n'
"#;

/// Reads the answer; `None` where the server did not introduce itself.
#[must_use]
pub fn parse_answer(text: &str) -> Option<Answer> {
    let mut answer = Answer::default();
    let mut introduced = false;
    let mut sees_everything = false;
    for line in text.lines() {
        let fields: Vec<&str> = line.splitn(6, '\t').collect();
        match fields.as_slice() {
            ["S", version, uuid, everything, last_write] => {
                introduced = !version.is_empty();
                answer.version = version.split('-').next().filter(|text| !text.is_empty()).map(str::to_owned);
                answer.identity = Some((*uuid).to_owned()).filter(|uuid| uuid.len() == 36);
                sees_everything = everything.parse::<u64>().is_ok_and(|count| count > 0);
                let seconds = last_write.split('.').next().and_then(|text| text.parse().ok());
                answer.last_write = seconds.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
            }
            ["D", bytes, tables, rows, exact, name] => {
                let tables = tables.parse().ok();
                answer.objects += tables.unwrap_or(1);
                answer.contents.databases.push(DatabaseContents {
                    name: (*name).to_owned(),
                    tables,
                    rows: rows.parse().ok(),
                    rows_exact: *exact == "1",
                    bytes: bytes.parse().ok(),
                    large_objects: None,
                });
            }
            ["E"] => answer.complete = sees_everything,
            _ => {}
        }
    }
    answer.contents.complete = answer.complete;
    introduced.then_some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_servers_files_are_no_users() {
        for path in [
            "mysql/user.frm",
            "sys/sys_config.ibd",
            "#innodb_redo/#ib_redo9",
            "ibdata1",
            "shop/db.opt",
            "performance_schema/x.frm",
        ] {
            assert!(!is_user_data(path), "{path}");
        }
        for path in ["shop/orders.ibd", "shop/orders.frm", "a@002db/t.MYD"] {
            assert!(is_user_data(path), "{path}");
        }
        assert!(is_user_folder("shop") && !is_user_folder("mysql") && !is_user_folder("#innodb_temp"));
    }

    #[test]
    fn an_answer_with_two_schemas() {
        let text = "S\t10.11.6-MariaDB-0\t\t1\t1700000000.000000\nD\t900\t3\t250\t1\tshop\nD\t10\t1\t0\t0\ttab\\tname\nE\n";
        let answer = parse_answer(text).unwrap();
        assert_eq!(answer.version.as_deref(), Some("10.11.6"));
        assert!(answer.complete);
        assert_eq!(answer.objects, 4);
        assert_eq!(answer.contents.databases[0].rows, Some(250));
    }

    #[test]
    fn a_user_who_sees_a_part_cannot_say_that_the_whole_is_empty() {
        assert!(!parse_answer("S\t8.0.36\t\t0\t\nE\n").unwrap().says_empty());
        assert!(!parse_answer("S\t8.0.36\t\t1\t\n").unwrap().says_empty());
        assert!(parse_answer("S\t8.0.36\t\t1\t\nE\n").unwrap().says_empty());
        assert_eq!(parse_answer("S\t\t\t\t\nE\n"), None);
    }

    #[test]
    fn a_file_tells_its_table() {
        assert_eq!(table_of("shop/orders.ibd", b""), Some(("shop", "orders")));
        assert_eq!(table_of("shop/orders#P#p0.ibd", b""), Some(("shop", "orders")));
        assert_eq!(table_of("shop/orders.frm", b"\xfe\x01"), Some(("shop", "orders")));
        let none: [(&str, &[u8]); 4] = [
            ("shop/all.frm", b"TYPE=VIEW\n"),
            ("shop/fts_0000000000000431_being_deleted.ibd", b""),
            ("mysql/user.frm", b""),
            ("shop/db.opt", b""),
        ];
        for (path, head) in none {
            assert_eq!(table_of(path, head), None, "{path}");
        }
    }

    #[test]
    fn a_folder_tells_its_schemas_name() {
        for (folder, name) in
            [("shop", "shop"), ("my@002dshop", "my-shop"), ("a@0020b@0040", "a b@"), ("@0g", "@0g")]
        {
            assert_eq!(schema_of_folder(folder), name);
        }
    }

    #[test]
    fn the_uuid_of_auto_cnf() {
        let text = b"[auto]\nserver-uuid=6ccd780c-baba-1026-9564-5b8c656024db\n";
        assert_eq!(parse_auto_cnf(text).as_deref(), Some("6ccd780c-baba-1026-9564-5b8c656024db"));
    }
}
