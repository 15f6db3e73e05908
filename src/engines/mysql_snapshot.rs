//! MySQL and MariaDB: dumps in one transaction, rows counted in another.

use super::recipe::{Dump, Recipe};
use crate::model::manifest::ArtifactKind;

/// Finds the client and an account, the mightiest first.
macro_rules! connect {
    ($script:expr) => {
        concat!(
            r#"
read_file() { [ -n "$1" ] && [ -r "$1" ] && cat "$1"; }
client=$(command -v mariadb || command -v mysql) || { echo 'no client in the container' >&2; exit 4; }
dumper=$(command -v mariadb-dump || command -v mysqldump)
checker=$(command -v mariadb-check || command -v mysqlcheck)
ask() { "$client" "$user" --connect-timeout=5 --default-character-set=utf8mb4 -NBr "$@"; }
try() { user="-u$1"; export MYSQL_PWD="$2"; ask -e 'select 1' >/dev/null 2>&1; }
try root "${MARIADB_ROOT_PASSWORD:-$MYSQL_ROOT_PASSWORD}" ||
try root "$(read_file "${MARIADB_ROOT_PASSWORD_FILE:-$MYSQL_ROOT_PASSWORD_FILE}")" ||
try root '' || try mysql '' ||
try "${MARIADB_USER:-$MYSQL_USER}" "${MARIADB_PASSWORD:-${MYSQL_PASSWORD:-$(read_file "${MARIADB_PASSWORD_FILE:-$MYSQL_PASSWORD_FILE}")}}" ||
{ "$client" -uroot --connect-timeout=5 -NB -e 'select 1' 2>&1 | head -c 400 >&2; exit 3; }
system="'mysql','sys','performance_schema','information_schema'"
schemas() { ask -e "select schema_name from information_schema.schemata where schema_name not in ($system) order by 1"; }
"#,
            $script
        )
    };
}

/// The dump first: it takes longest, and the rows are then counted nearer to the stop.
const DUMP: &str = connect!(
    r#"
if [ -n "$DBSAFE_DUMP" ]; then
  set --
  while IFS= read -r name; do [ -z "$name" ] || set -- "$@" "$name"; done <<NAMES
$(schemas)
NAMES
  gtid=; "$dumper" --help 2>/dev/null | grep -q set-gtid-purged && gtid=--set-gtid-purged=OFF
  if [ $# -gt 0 ]; then
    "$dumper" "$user" --single-transaction --quick --routines --events --triggers --hex-blob --no-tablespaces --default-character-set=utf8mb4 $gtid --databases "$@" || exit 3
  else printf -- '-- no databases\n-- Dump completed\n'; fi
fi
{
  ask -e "show global status where variable_name in ('Com_insert','Com_update','Com_delete','Com_replace','Com_insert_select','Com_replace_select','Com_update_multi','Com_delete_multi','Com_load','Com_create_table','Com_drop_table','Com_alter_table','Com_truncate','Com_stmt_execute')" | { sum=0; while read -r _ n; do sum=$((sum + n)); done; printf '["P","%s"]\n' "$sum"; }
  { printf 'start transaction with consistent snapshot;\n'
    ask -e "set session group_concat_max_len = 16000000; select concat('select json_array(''D'', ', quote(schema_name), ');') from information_schema.schemata where schema_name not in ($system);
      select concat('select json_array(''T'', ', quote(t.table_schema), ', ', quote(t.table_name), ', count(*), ',
        if(coalesce(t.data_length, 0) <= 33554432, concat('coalesce(bit_xor(crc32(concat_ws(''|'', ', (select group_concat(concat('coalesce(\`', replace(c.column_name, '\`', '\`\`'), '\`, ''~'')') order by c.ordinal_position separator ', ') from information_schema.columns c where c.table_schema = t.table_schema and c.table_name = t.table_name), '))), 0)'), 'null'),
        ') from \`', replace(t.table_schema, '\`', '\`\`'), '\`.\`', replace(t.table_name, '\`', '\`\`'), '\`;')
      from information_schema.tables t where t.table_type in ('BASE TABLE', 'SYSTEM VERSIONED') and t.table_schema not in ($system)"
    printf 'commit;\n'
  } | ask && echo '["E"]'
} >&2
"#
);

/// Accounts, where the dumper knows how.
const ACCOUNTS: &str = connect!(
    r#"
if "$dumper" --help 2>/dev/null | grep -q -- '--system='; then
  "$dumper" "$user" --system=users,udfs,servers --default-character-set=utf8mb4 || exit 3
else printf -- '-- no accounts: this dumper cannot\n-- Dump completed\n'; fi
echo '["E"]' >&2
"#
);

const READY: &str = connect!("ask -e 'select 1' >/dev/null 2>&1");

const CHECK: &str = connect!(
    r#""$checker" "$user" --check --silent --all-databases 2>&1 | grep -iE '^(error|warning)|corrupt' | head -n 5; echo '["E"]' >&2
"#
);

const LOAD: &str = connect!(
    r#"
{ command -v zstd >/dev/null && zstd -dcq "$DBSAFE_FILE" || cat "$DBSAFE_FILE"; } | ask && echo '["E"]' >&2
"#
);

pub(super) const RELOAD: &str = connect!(
    r#"
if [ -n "$DBSAFE_DATABASE" ]; then
  name=$(printf %s "$DBSAFE_DATABASE" | sed 's/`/``/g')
  ask -e "drop database if exists \`$name\`; create database \`$name\`" || exit 3
  set -- --database="$DBSAFE_DATABASE"
else set --; fi
"$client" "$user" --connect-timeout=5 --default-character-set=utf8mb4 "$@" <"$DBSAFE_FILE" >/dev/null && echo '["E"]' >&2
"#
);

pub(super) const RELOAD_GLOBALS: &str = connect!(
    r#"
"$client" "$user" --connect-timeout=5 --default-character-set=utf8mb4 --force <"$DBSAFE_FILE" >/dev/null 2>&1; echo '["E"]' >&2
"#
);

pub(super) const VERSION: &str = connect!("ask -e 'select version()'\n");

/// How MySQL and MariaDB are saved.
pub(super) static RECIPE: Recipe = Recipe {
    databases: None,
    dump: Dump {
        script: DUMP,
        kind: ArtifactKind::LogicalDump,
        format: "sql.zst",
        ending: ".sql.zst",
        magic: &[b"--", b"/*"],
        trailer: Some(b"-- Dump completed"),
        extra: None,
    },
    globals: Some(Dump {
        script: ACCOUNTS,
        kind: ArtifactKind::Globals,
        format: "sql.zst",
        ending: ".sql.zst",
        magic: &[b"--", b"/*"],
        trailer: Some(b"-- Dump completed"),
        extra: None,
    }),
    hold: None,
    ready: READY,
    version: VERSION,
    check: Some(CHECK),
    load: Some(LOAD),
};
