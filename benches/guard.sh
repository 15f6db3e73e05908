#!/usr/bin/env bash
# Measures what the guard costs, against docker itself, in one run, on a private engine of the test lab:
#   benches/guard.sh            prints the tables of docs/performance.md
# Needs what tests/run needs, and hyperfine.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export DBSAFE_LAB=${DBSAFE_LAB:-$PWD/target/lab}
command -v hyperfine >/dev/null || { echo 'hyperfine is missing: apt-get install hyperfine' >&2; exit 1; }
cargo build --release --quiet
work=$(mktemp -d)
root=$PWD
cleanup() {
  "$root/tests/lab/engine" wipe 28-bench || true
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM
DOCKER_HOST=$(tests/lab/engine images 28-bench)
PATH=$(dirname "$(tests/lab/engine client)"):$PATH
export DOCKER_HOST DOCKER_CONFIG=$work/config DBSAFE_HOME=$work/home
mkdir -p "$DOCKER_CONFIG/cli-plugins"
ln -s "$PWD/target/release/docker-dbsafe" "$DOCKER_CONFIG/cli-plugins/docker-dbsafe"
ln -s "$(tests/lab/engine compose 5.6)" "$DOCKER_CONFIG/cli-plugins/docker-compose"

mkdir -p "$work/safe" "$work/story"
{
  echo 'services:'
  for number in 1 2 3 4 5 6 7 8; do echo "  web$number: { image: 'stateless:1', network_mode: none }"; done
} >"$work/safe/compose.yaml"
cat >"$work/story/compose.yaml" <<'YAML'
services:
  db:
    image: postgres:15
    network_mode: none
    environment: { PGDATA: /srv/pg, POSTGRES_HOST_AUTH_METHOD: trust }
  web: { image: 'stateless:1', network_mode: none }
YAML

table() { # table TITLE FILE: hyperfine's JSON as a table of ours
  python3 - "$1" "$2" <<'PYTHON'
import json, sys
title, path = sys.argv[1:]
print(f"\n### {title}\n\n| command | median | fastest | slowest | runs |\n|---|---|---|---|---|")
for result in json.load(open(path))["results"]:
    milliseconds = [f"{result[key] * 1000:.1f} ms" for key in ("median", "min", "max")]
    print(f"| {result['command']} | {' | '.join(milliseconds)} | {len(result['times'])} |")
PYTHON
}
quiet() { hyperfine --style none --export-json "$work/out.json" "$@" >/dev/null 2>"$work/err" || { cat "$work/err" >&2; exit 1; }; }

cd "$work/safe"
# shellcheck disable=SC2016 # for the shell that hyperfine starts
up='docker compose up -d >/dev/null 2>&1; for i in 1 2 3 4 5 6 7 8; do until docker exec safe-web$i-1 test -s /var/log/app.log; do :; done; done'
quiet --runs 15 --prepare "$up" -n 'docker compose down' 'docker compose down' -n 'docker dbsafe down' 'docker dbsafe down'
table 'A safe stack of 8 services, each with a log and a cache in its writable layer' "$work/out.json"

cd "$work/story"
docker compose up -d >/dev/null 2>&1
until docker exec story-db-1 pg_isready -q -h 127.0.0.1; do :; done
docker exec story-db-1 psql -qU postgres -c 'create table payments(id int); insert into payments values (1), (2)'
quiet --runs 30 -i -n 'docker dbsafe down (blocked)' 'docker dbsafe down' -n 'docker compose ps' 'docker compose ps'
table 'The decision on a stack with Postgres in the writable layer' "$work/out.json"

quiet --runs 200 --shell none -n 'docker-dbsafe docker-cli-plugin-metadata' \
  "$DOCKER_CONFIG/cli-plugins/docker-dbsafe docker-cli-plugin-metadata"
table "The metadata call, before every use of the plugin" "$work/out.json"
