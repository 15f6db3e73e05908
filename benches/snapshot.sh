#!/usr/bin/env bash
# Measures snapshots and restores beside what a person would run instead, in one run, on a private engine:
#   benches/snapshot.sh            prints the tables of docs/performance.md
#   SIZE_MIB=100 benches/snapshot.sh   with less data
# Needs what tests/run needs, hyperfine, busybox-static, zstd; restic and borgbackup where they are installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export DBSAFE_LAB=${DBSAFE_LAB:-$PWD/target/lab}
for program in hyperfine busybox zstd; do
  command -v "$program" >/dev/null || { echo "$program is missing: apt-get install hyperfine busybox-static zstd" >&2; exit 1; }
done
size=${SIZE_MIB:-1024}
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
mkdir -p "$DOCKER_CONFIG/cli-plugins" "$work/out"
ln -s "$PWD/target/release/docker-dbsafe" "$DOCKER_CONFIG/cli-plugins/docker-dbsafe"
cd "$work"

table() { # table TITLE: hyperfine's JSON as a table of ours
  python3 - "$1" "$work/out.json" <<'PYTHON'
import json, sys
title, path = sys.argv[1:]
print(f"\n### {title}\n\n| command | median | fastest | slowest | runs |\n|---|---|---|---|---|")
for result in json.load(open(path))["results"]:
    seconds = [f"{result[key]:.2f} s" for key in ("median", "min", "max")]
    print(f"| {result['command']} | {' | '.join(seconds)} | {len(result['times'])} |")
PYTHON
}
quiet() { hyperfine --style none --export-json "$work/out.json" "$@" >/dev/null 2>"$work/err" || { cat "$work/err" >&2; exit 1; }; }

# An image with busybox in it.
mkdir -p image/bin && cp "$(command -v busybox)" image/bin/busybox
for word in sh tar gzip; do ln -s busybox "image/bin/$word"; done
tar -C image -c . | docker import - busybox >/dev/null

# Pages as databases have them: half of each is random, half is text.
docker volume create data >/dev/null
mount=$(docker volume inspect -f '{{.Mountpoint}}' data)
python3 - "$mount" "$size" <<'PYTHON'
import os, sys
folder, mebibytes = sys.argv[1], int(sys.argv[2])
text = b"a row of a table, as it stands in a page; " * 98
for number in range(16):
    with open(f"{folder}/{16384 + number}", "wb") as file:
        for _ in range(mebibytes * 128 // 16):
            file.write(os.urandom(4096) + text[:4096])
PYTHON
sync
docker create --name beside -v data:/v busybox sh >/dev/null

# shellcheck disable=SC2016 # for the shell that hyperfine starts
commands=(
  -n 'docker run busybox tar czf' "docker run --rm --network none -v data:/v -v $work/out:/b busybox tar czf /b/v.tgz /v"
  -n 'docker cp, piped into zstd -1' "docker cp beside:/v - | zstd -1 -q -f -o out/v.tar.zst && sync out/v.tar.zst"
  -n 'docker dbsafe snapshot' "docker dbsafe snapshot --checksum data"
)
if command -v restic >/dev/null; then
  export RESTIC_PASSWORD=bench
  commands+=(-n 'restic init; restic backup' "rm -rf out/restic; restic -q -r out/restic init >/dev/null; restic -q -r out/restic backup $mount")
fi
if command -v borg >/dev/null; then
  export BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes BORG_BASE_DIR=$work/borg
  commands+=(-n 'borg init; borg create' "rm -rf out/borg; borg init -e none out/borg; borg create out/borg::a $mount")
fi
quiet --runs 3 "${commands[@]}"
table "A volume of $size MiB: saving it"

snapshot=$(docker dbsafe snapshots ls | awk 'NR == 2 { print $1 }')
quiet --runs 3 --prepare 'docker volume rm -f restored >/dev/null; sync' \
  -n 'docker run busybox tar xzf' "docker run --rm --network none -v restored:/v -v $work/out:/b busybox tar xzf /b/v.tgz -C /" \
  -n 'docker dbsafe restore' "docker dbsafe restore $snapshot --to volume:restored"
table "A volume of $size MiB: restoring it"
docker rm beside >/dev/null

docker run -d --name db --network none -e POSTGRES_HOST_AUTH_METHOD=trust -v pgdata:/var/lib/postgresql/data postgres:15 >/dev/null
until docker exec db pg_isready -q -h 127.0.0.1; do :; done
docker exec db psql -qU postgres -c "create table t as select g as id, md5(g::text) as a, repeat(md5(random()::text), 3) as b from generate_series(1, $((size * 2048))) g" -c checkpoint
quiet --runs 3 \
  -n 'docker exec pg_dump -Fc' 'docker exec db pg_dump -Fc -U postgres postgres > out/db.dump' \
  -n 'docker dbsafe snapshot --checksum: dump and copy' 'docker dbsafe snapshot --checksum db' \
  -n 'docker dbsafe snapshot: dump, copy, started and compared' 'docker dbsafe snapshot db'
table "A PostgreSQL of $(docker exec db psql -XAtqU postgres -c "select pg_size_pretty(pg_database_size('postgres'))"): saving it"
echo
echo "Of the last row, as \`docker dbsafe snapshots show\` tells:"
echo
docker dbsafe snapshots show latest | awk '/made in/ { sub(/^ +/, ""); print "- " $0 }'
