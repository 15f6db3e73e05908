#!/bin/sh
# The official image's behaviour, as far as the tests need it: variables and their _FILE forms, one
# initialisation with init scripts and a temporary server on the socket alone, then the server as PID 1.
set -eu

value() { # value NAME DEFAULT: $NAME, or the file that $NAME_FILE names
  eval "v=\${$1:-}; f=\${$1_FILE:-}"
  if [ -n "$v" ]; then printf %s "$v"; elif [ -n "$f" ]; then cat "$f"; else printf %s "${2:-}"; fi
}
as_postgres() { setpriv --reuid postgres --regid postgres --init-groups "$@"; }

[ "${1:-}" = postgres ] || exec "$@"
mkdir -p "$PGDATA" /var/run/postgresql
chown -R postgres:postgres "$PGDATA" /var/run/postgresql
chmod 700 "$PGDATA"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  user=$(value POSTGRES_USER postgres)
  password=$(value POSTGRES_PASSWORD)
  database=$(value POSTGRES_DB "$user")
  method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
  if [ -z "$password" ] && [ "$method" != trust ]; then
    echo 'Error: Database is uninitialized and superuser password is not specified.' >&2
    exit 1
  fi
  printf '%s\n' "$password" >/tmp/pw
  chown postgres /tmp/pw
  # shellcheck disable=SC2086
  as_postgres initdb -D "$PGDATA" --username="$user" ${password:+--pwfile=/tmp/pw} ${POSTGRES_INITDB_ARGS:-} >/dev/null
  rm /tmp/pw
  echo "host all all all $method" >>"$PGDATA/pg_hba.conf"
  export PGPASSWORD="$password"
  as_postgres pg_ctl -D "$PGDATA" -o "-c listen_addresses=''" -w start >/dev/null
  run() { as_postgres psql -v ON_ERROR_STOP=1 --no-psqlrc -U "$user" -d "$1" -q; }
  if [ "$database" != postgres ]; then echo "CREATE DATABASE \"$database\";" | run postgres; fi
  for script in /docker-entrypoint-initdb.d/*; do
    case $script in
      *.sh) . "$script" ;;
      *.sql) run "$database" <"$script" ;;
    esac
  done
  as_postgres pg_ctl -D "$PGDATA" -m fast -w stop >/dev/null
  unset PGPASSWORD
fi
exec setpriv --reuid postgres --regid postgres --init-groups "$@"
