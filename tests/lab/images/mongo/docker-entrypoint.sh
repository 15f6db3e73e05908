#!/bin/sh
# Lays out a data directory of the WiredTiger engine in --dbpath (/data/db), then waits to be stopped.
set -eu
[ "${1:-}" = mongod ] || exec "$@"
data=/data/db
while [ $# -gt 0 ]; do
  case $1 in --dbpath) data=$2; shift ;; --dbpath=*) data=${1#*=} ;; esac
  shift
done
table() { # table FILE KILOBYTES: a block file, with WiredTiger's magic, version and allocation size
  { printf 'A\330\001\000\001\000\000\000'; head -c "$(($2 * 1024 - 8))" /dev/zero; } >"$data/$1"
}
mkdir -p "$data/journal" "$data/diagnostic.data"
if ! [ -e "$data/WiredTiger" ]; then
  printf 'WiredTiger\nWiredTiger 11.2.0: (November 15, 2023)\n' >"$data/WiredTiger"
  printf 'WiredTiger version string\nWiredTiger 11.2.0: (November 15, 2023)\n' >"$data/WiredTiger.turtle"
  for file in WiredTiger.wt WiredTigerHS.wt _mdb_catalog.wt sizeStorer.wt collection-0-7341.wt index-1-7341.wt; do
    table "$file" 36
  done
  table collection-2-7341.wt 512
fi
echo 1 >"$data/mongod.lock"
chown -R mongodb:mongodb "$data"
trap ': >"$data/mongod.lock"; exit 0' TERM INT
while :; do sleep 86400 & wait $!; done
