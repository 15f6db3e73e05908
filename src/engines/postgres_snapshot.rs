//! PostgreSQL: dumps and fingerprints pinned to one exported snapshot.

use super::recipe::{Dump, Recipe};
use crate::model::manifest::ArtifactKind;

/// Finds the server: its socket and port from `postmaster.pid`, who asks and with which password.
macro_rules! connect {
    ($script:expr) => {
        concat!(
            r#"
read_file() { [ -n "$1" ] && [ -r "$1" ] && cat "$1"; }
PGUSER="${POSTGRES_USER:-$(read_file "$POSTGRES_USER_FILE")}"; export PGUSER="${PGUSER:-${POSTGRESQL_USERNAME:-postgres}}"
PGPASSWORD="${POSTGRES_PASSWORD:-$(read_file "$POSTGRES_PASSWORD_FILE")}"
export PGPASSWORD="${PGPASSWORD:-${POSTGRESQL_PASSWORD:-$POSTGRESQL_POSTGRES_PASSWORD}}"
export PGOPTIONS='-c lock_timeout=60000 -c statement_timeout=0 -c idle_in_transaction_session_timeout=0' PGAPPNAME=dbsafe PGCLIENTENCODING=UTF8 PGCONNECT_TIMEOUT=5
unset PGHOST PGDATABASE PGSERVICE
pid="$DBSAFE_DATA/postmaster.pid"
if [ -r "$pid" ]; then
  port=$(sed -n 4p "$pid"); [ -z "$port" ] || export PGPORT="$port"
  socket=$(sed -n 5p "$pid"); [ -z "$socket" ] || export PGHOST="$socket"
fi
ask() { PGDATABASE="${1:-postgres}" psql -XAtq -w -v ON_ERROR_STOP=1 -f -; }
echo 'select 1' | ask postgres >/dev/null 2>&1 || export PGHOST=127.0.0.1
"#,
            $script
        )
    };
}

const DATABASES: &str = connect!(
    r#"echo 'select datname from pg_database where datallowconn and not datistemplate order by 1' | ask postgres
"#
);

/// Small tables get a digest of every row. One transaction counts, and lends its snapshot to pg_dump.
const DUMP: &str = connect!(
    r#"
export DBSAFE_DUMP
ask "$DBSAFE_DATABASE" <<'SQL' || exit 3
set datestyle = iso; set timezone = 'UTC'; set intervalstyle = postgres; set extra_float_digits = 3; set bytea_output = hex;
begin isolation level repeatable read read only;
\o | cat >&2
select json_build_array('P', txid_snapshot_xmax(txid_current_snapshot())::text);
select json_build_array('D', current_database());
select json_build_array('T', current_database(), 'pg_largeobject', (select count(*) from pg_largeobject_metadata)::text, null)
  where exists (select 1 from pg_largeobject_metadata);
select case when pg_relation_size(c.oid) <= 67108864
  then format('select json_build_array(''T'', current_database(), %L, count(*)::text, md5(coalesce(sum((''x'' || substr(md5(dbsafe_row.*::text), 1, 15))::bit(60)::bigint), 0)::text)) from only %I.%I as dbsafe_row', n.nspname || '.' || c.relname, n.nspname, c.relname)
  else format('select json_build_array(''T'', current_database(), %L, count(*)::text, null) from only %I.%I', n.nspname || '.' || c.relname, n.nspname, c.relname) end
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where (c.relkind = 'r' or c.relkind = 'm' and c.relispopulated) and c.relpersistence <> 't'
  and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)' \gexec
\o
select pg_export_snapshot() as dbsafe_snapshot \gset
\setenv DBSAFE_SNAPSHOT :dbsafe_snapshot
\! if [ -z "$DBSAFE_DUMP" ] || pg_dump -Fc -w --snapshot="$DBSAFE_SNAPSHOT" </dev/null; then echo '["E"]' >&2; fi
commit;
SQL
"#
);

const GLOBALS: &str = connect!(
    r#"PGDATABASE=postgres pg_dumpall --globals-only -w -l postgres </dev/null && echo '["E"]' >&2
"#
);

const READY: &str = connect!(r#"[ "$(echo 'select not pg_is_in_recovery()' | ask postgres)" = t ]"#);

const LOAD: &str = connect!(
    r#"
echo 'select 1' | PGDATABASE=postgres psql -XAtq -w -v ON_ERROR_STOP=1 -v name="$DBSAFE_DATABASE" -f - >/dev/null || exit 3
[ "$DBSAFE_DATABASE" = postgres ] || createdb -w -T template0 -- "$DBSAFE_DATABASE" || exit 3
pg_restore -w --exit-on-error --no-owner --no-acl -d "$DBSAFE_DATABASE" "$DBSAFE_FILE" && echo '["E"]' >&2
"#
);

/// A database that is there is made anew, from the template that nobody writes to. `faults` reads what psql complains
/// of, and tells the first thing that is wrong with the dump: not a role that a dump of one database does not carry,
/// nor what was to be dropped and is not there.
macro_rules! reload {
    ($script:expr) => {
        connect!(concat!(
            r#"
export PGOPTIONS="$PGOPTIONS -c lc_messages=C"
anew() {
  printf '%s\n' 'drop database if exists :"name";' 'create database :"name" template template0;' |
    PGDATABASE=template1 psql -Xq -w -v ON_ERROR_STOP=1 -v name="$1" -f - >/dev/null
}
load() { { PGDATABASE="$1" psql -Xqb -w -f "$DBSAFE_FILE" >/dev/null; status=$?; [ $status = 0 ] || echo "psql: error: it ended with status $status"; } 2>&1 | faults; }
faults() {
  worst= pending=
  settle() { [ -n "$worst" ] || worst=$pending; pending=; }
  while IFS= read -r line; do
    case "$line" in
      *'STATEMENT:  DROP '*|*'STATEMENT:  ALTER '*' DROP '*) case "$pending" in *' does not exist') pending=;; esac;;
      *'ERROR:  role "'*'" does not exist'|*'ERROR:  role "'*'" already exists') ;;
      *'ERROR:  '*|*'FATAL:  '*|*'PANIC:  '*|*'psql: error'*|*'invalid command'*) settle; pending=${line#psql:*: };;
    esac
  done
  settle
  [ -z "$worst" ] || { printf '%s\n' "$worst" >&2; return 1; }
}
"#,
            $script
        ))
    };
}

pub(super) const RELOAD_CUSTOM: &str = reload!(
    r#"
anew "$DBSAFE_DATABASE" || exit 3
pg_restore -w --exit-on-error --no-owner --no-acl -d "$DBSAFE_DATABASE" "$DBSAFE_FILE" && echo '["E"]' >&2
"#
);

/// With owners and rights: its roles are there by then.
pub(super) const RELOAD_WHOLE: &str = reload!(
    r#"
anew "$DBSAFE_DATABASE" || exit 3
pg_restore -w --exit-on-error -d "$DBSAFE_DATABASE" "$DBSAFE_FILE" && echo '["E"]' >&2
"#
);

pub(super) const RELOAD_PLAIN: &str = reload!(
    r#"
anew "$DBSAFE_DATABASE" && load "$DBSAFE_DATABASE" && echo '["E"]' >&2
"#
);

pub(super) const RELOAD_CLUSTER: &str = reload!(
    r#"
echo 'select datname from pg_database where not datistemplate' | PGDATABASE=template1 psql -XAtq -w -f - |
while IFS= read -r name; do
  echo 'drop database :"name";' | PGDATABASE=template1 psql -Xq -w -v ON_ERROR_STOP=1 -v name="$name" -f - || exit 3
done
anew postgres && load postgres && echo '["E"]' >&2
"#
);

pub(super) const RELOAD_GLOBALS: &str = reload!("load postgres && echo '[\"E\"]' >&2\n");

pub(super) const VERSION: &str = connect!("echo 'show server_version' | ask postgres\n");

/// How PostgreSQL is saved.
pub(super) static RECIPE: Recipe = Recipe {
    databases: Some(DATABASES),
    dump: Dump {
        script: DUMP,
        kind: ArtifactKind::LogicalDump,
        format: "pg_dump custom",
        ending: ".dump",
        magic: &[b"PGDMP"],
        trailer: None,
        extra: None,
    },
    globals: Some(Dump {
        script: GLOBALS,
        kind: ArtifactKind::Globals,
        format: "sql.zst",
        ending: ".sql.zst",
        magic: &[b"--"],
        trailer: Some(b"PostgreSQL database cluster dump complete"),
        extra: None,
    }),
    hold: None,
    ready: READY,
    version: VERSION,
    check: None,
    load: Some(LOAD),
};
