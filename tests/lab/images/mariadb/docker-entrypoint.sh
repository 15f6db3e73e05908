#!/bin/sh
# The official images' behaviour, as far as the tests need it, under MARIADB_ and MYSQL_ names alike.
set -eu

value() { # value SUFFIX: the first of MARIADB_SUFFIX, MARIADB_SUFFIX_FILE, MYSQL_SUFFIX, MYSQL_SUFFIX_FILE
  for prefix in MARIADB MYSQL; do
    eval "v=\${${prefix}_$1:-}; f=\${${prefix}_$1_FILE:-}"
    if [ -n "$v" ]; then printf %s "$v"; return; fi
    if [ -n "$f" ]; then cat "$f"; return; fi
  done
}
quote() { printf '%s' "$1" | sed "s/'/''/g"; }

case ${1:-} in
  mariadbd | mysqld) shift; set -- mariadbd --user=mysql "$@" ;;
  *) exec "$@" ;;
esac
data=/var/lib/mysql
for word in "$@"; do case $word in --datadir=*) data=${word#*=} ;; esac; done
mkdir -p "$data" /run/mysqld
chown -R mysql:mysql "$data" /run/mysqld
if [ ! -d "$data/mysql" ]; then
  root=$(value ROOT_PASSWORD)
  database=$(value DATABASE)
  user=$(value USER)
  password=$(value PASSWORD)
  if [ -z "$root" ] && [ -z "$(value ALLOW_EMPTY_ROOT_PASSWORD)$(value ALLOW_EMPTY_PASSWORD)" ]; then
    echo 'Database is uninitialized and password option is not specified' >&2
    exit 1
  fi
  mariadb-install-db --user=mysql --datadir="$data" --skip-test-db --auth-root-authentication-method=normal >/dev/null
  "$@" --skip-networking --socket=/run/mysqld/mysqld.sock &
  server=$!
  until mariadb-admin --socket=/run/mysqld/mysqld.sock ping >/dev/null 2>&1; do sleep 0.1; done
  {
    [ -z "$database" ] || echo "CREATE DATABASE IF NOT EXISTS \`$database\`;"
    if [ -n "$user" ]; then
      echo "CREATE USER '$(quote "$user")'@'%' IDENTIFIED BY '$(quote "$password")';"
      [ -z "$database" ] || echo "GRANT ALL ON \`$database\`.* TO '$(quote "$user")'@'%';"
    fi
    echo "CREATE USER IF NOT EXISTS 'root'@'%' IDENTIFIED BY '$(quote "$root")'; GRANT ALL ON *.* TO 'root'@'%' WITH GRANT OPTION;"
    echo "ALTER USER 'root'@'localhost' IDENTIFIED BY '$(quote "$root")';"
  } | mariadb -uroot
  export MYSQL_PWD="$root"
  for script in /docker-entrypoint-initdb.d/*; do
    case $script in
      *.sh) . "$script" ;;
      *.sql) mariadb -uroot ${database:+"$database"} <"$script" ;;
    esac
  done
  mariadb-admin -uroot shutdown
  wait "$server"
  unset MYSQL_PWD
fi
exec "$@"
