#!/usr/bin/env bash
# Measures how cost grows with the work, beside what a person would run instead, in one run, on a private engine:
#   benches/cost.sh                       prints the tables of docs/performance.md
#   SIZES_MIB='100 1024' benches/cost.sh  with less data; SERVICES='1 8' with fewer services
#   DATABASES='1 4'               with fewer servers
# Needs what tests/run needs, hyperfine and zstd, and four times the largest size of disk.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export DBSAFE_LAB=${DBSAFE_LAB:-$PWD/target/lab}
for program in hyperfine zstd; do
  command -v "$program" >/dev/null || { echo "$program is missing: apt-get install hyperfine zstd" >&2; exit 1; }
done
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
ln -s "$root/target/release/docker-dbsafe" "$DOCKER_CONFIG/cli-plugins/docker-dbsafe"
ln -s "$(tests/lab/engine compose 5.6)" "$DOCKER_CONFIG/cli-plugins/docker-compose"
quiet() { hyperfine --style none --export-json "$work/out.json" "$@" >/dev/null 2>"$work/err" || { cat "$work/err" >&2; exit 1; }; }
medians() { python3 -c 'import json, sys; print(*("%.4f" % r["median"] for r in json.load(open(sys.argv[1]))["results"]))' "$work/out.json"; }

printf '\n### Start-up\n\n| command | median |\n|---|---|\n'
quiet --runs 100 --shell none -n metadata "$root/target/release/docker-dbsafe docker-cli-plugin-metadata" \
  -n version 'docker dbsafe --version' -n docker 'docker compose version'
read -r metadata version compose < <(medians)
printf '| the metadata call | %s s |\n| docker dbsafe --version | %s s |\n| docker compose version | %s s |\n' "$metadata" "$version" "$compose"

printf '\n### A safe stack, as it grows\n\n| services | docker compose down | docker dbsafe down | more | more for each service |\n|---|---|---|---|---|\n'
for services in ${SERVICES:-1 8 50}; do
  mkdir -p "$work/s$services"
  cd "$work/s$services"
  {
    echo 'services:'
    for number in $(seq "$services"); do echo "  web$number: { image: 'stateless:1', network_mode: none }"; done
  } >compose.yaml
  # shellcheck disable=SC2016 # for the shell that hyperfine starts
  up='docker compose up -d >/dev/null 2>&1; for c in $(docker ps -q); do until docker exec $c test -s /var/log/app.log; do :; done; done'
  quiet --runs 7 --prepare "$up" -n compose 'docker compose down -t 1' -n dbsafe 'docker dbsafe down -t 1'
  read -r plain guarded < <(medians)
  python3 -c 'import sys; n, a, b = int(sys.argv[1]), *map(float, sys.argv[2:]); print(f"| {n} | {a:.3f} s | {b:.3f} s | {(b - a) * 1000:.0f} ms | {(b - a) * 1000 / n:.1f} ms |")' "$services" "$plain" "$guarded"
done

printf '\n### The decision, as databases in writable layers grow more\n\n| PostgreSQL servers | docker compose ps | docker diff of each | docker dbsafe down (blocked) | more for each server |\n|---|---|---|---|---|\n'
first=
for servers in ${DATABASES:-1 4 8}; do
  mkdir -p "$work/d$servers"
  cd "$work/d$servers"
  {
    echo 'services:'
    for number in $(seq "$servers"); do
      echo "  db$number: { image: 'postgres:15', network_mode: none, environment: { PGDATA: /srv/pg, POSTGRES_HOST_AUTH_METHOD: trust } }"
    done
  } >compose.yaml
  docker compose up -d >/dev/null 2>&1
  for container in $(docker ps -q); do
    until docker exec "$container" pg_isready -q -h 127.0.0.1; do sleep 0.1; done
    docker exec "$container" psql -qU postgres -c 'create table payments(id int); insert into payments values (1), (2)' -c checkpoint
  done
  # shellcheck disable=SC2016 # for the shell that hyperfine starts
  quiet --runs 7 --warmup 1 -i -n ps 'docker compose ps' -n diff 'for c in $(docker ps -q); do docker diff $c; done' -n dbsafe 'docker dbsafe down'
  read -r ps diff blocked < <(medians)
  first=${first:-$servers $blocked}
  # shellcheck disable=SC2086 # two words
  python3 -c 'import sys; n, a, b, c, n1, c1 = map(float, sys.argv[1:]); more = f"{(c - c1) * 1000 / (n - n1):.0f} ms" if n > n1 else ""; print(f"| {n:.0f} | {a:.3f} s | {b:.3f} s | {c:.3f} s | {more} |")' "$servers" "$ps" "$diff" "$blocked" $first
  docker compose down -v -t 1 >/dev/null 2>&1
done

# measure COMMAND...: its seconds, and the most memory that any of its processes had, in MiB
measure() {
  python3 - "$@" <<'PYTHON'
import resource, subprocess, sys, time
start = time.monotonic()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(f"{time.monotonic() - start:.2f} {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.0f}")
PYTHON
}

printf '\n### A volume, as it grows\n\n| MiB | docker cp, piped into zstd -1 | docker dbsafe snapshot | MiB/s | most memory | zstd -d, piped into docker cp | docker dbsafe restore | MiB/s | most memory |\n|---|---|---|---|---|---|---|---|---|\n'
cd "$work"
for size in ${SIZES_MIB:-100 1024 8192}; do
  docker volume create data >/dev/null
  # Pages as databases have them: half of each is random, half is text.
  python3 - "$(docker volume inspect -f '{{.Mountpoint}}' data)" "$size" <<'PYTHON'
import os, sys
folder, mebibytes = sys.argv[1], int(sys.argv[2])
text = b"a row of a table, as it stands in a page; " * 98
for number in range(16):
    with open(f"{folder}/{16384 + number}", "wb") as file:
        for _ in range(mebibytes * 128 // 16):
            file.write(os.urandom(4096) + text[:4096])
PYTHON
  sync
  docker create --name beside -v data:/v stateless:1 >/dev/null
  read -r by_hand _ < <(measure sh -c 'docker cp beside:/v - | zstd -1 -q -f -o v.tar.zst && sync v.tar.zst')
  docker rm beside >/dev/null
  read -r saved memory < <(measure docker dbsafe snapshot --checksum data)
  docker volume rm data >/dev/null
  docker create --name beside -v data:/v stateless:1 >/dev/null
  read -r back _ < <(measure sh -c 'zstd -dcq v.tar.zst | docker cp - beside:/')
  docker rm beside >/dev/null
  docker volume rm data >/dev/null
  rm v.tar.zst
  read -r restored more < <(measure docker dbsafe restore latest --to volume:data)
  python3 -c 'import sys
size = int(sys.argv[1]); hand, saved, back, restored = map(float, sys.argv[2:6])
print(f"| {size} | {hand:.2f} s | {saved:.2f} s | {size / saved:.0f} | {sys.argv[6]} MiB | {back:.2f} s | {restored:.2f} s | {size / restored:.0f} | {sys.argv[7]} MiB |")' \
    "$size" "$by_hand" "$saved" "$back" "$restored" "$memory" "$more"
  docker volume rm data >/dev/null
  docker dbsafe snapshots rm latest --force >/dev/null
done
