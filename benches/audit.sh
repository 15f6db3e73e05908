#!/usr/bin/env bash
# Measures `audit` against the loop that a person would run instead, in one run, on a private engine:
#   benches/audit.sh            prints the tables of docs/performance.md
#   KEEP=1 benches/audit.sh     leaves the engine 28-bench with the 50 containers, to look into
# Needs what tests/run needs, hyperfine and GNU time.
#
# The 50 containers all run: 40 with a log and a cache in their writable layers, 6 with a PostgreSQL and 4 with a
# SQLite file in theirs. Of the 10, 100 and 500, one in ten runs and the others were never started, as so many
# processes would measure this machine; each has a log and a cache, and one in ten a SQLite file, put into its layer.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export DBSAFE_LAB=${DBSAFE_LAB:-$PWD/target/lab}
command -v hyperfine >/dev/null || { echo 'hyperfine is missing: apt-get install hyperfine' >&2; exit 1; }
[ -x /usr/bin/time ] || { echo 'GNU time is missing: apt-get install time' >&2; exit 1; }
cargo build --release --quiet
work=$(mktemp -d)
root=$PWD
cleanup() {
  [ -n "${KEEP:-}" ] || "$root/tests/lab/engine" wipe 28-bench || true
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM
DOCKER_HOST=$(tests/lab/engine images 28-bench)
PATH=$(dirname "$(tests/lab/engine client)"):$PATH
export DOCKER_HOST DOCKER_CONFIG=$work/config DBSAFE_HOME=$work/home
mkdir -p "$DOCKER_CONFIG/cli-plugins"
ln -s "$PWD/target/release/docker-dbsafe" "$DOCKER_CONFIG/cli-plugins/docker-dbsafe"
cd "$work"

cat >stacks.py <<'PYTHON'
import http.client, io, json, os, socket, sqlite3, sys, tarfile, tempfile, time

class Engine(http.client.HTTPConnection):
    def __init__(self):
        super().__init__("docker")
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(os.environ["DOCKER_HOST"].removeprefix("unix://"))
    def call(self, method, path, body=None, kind="application/json"):
        body = json.dumps(body) if isinstance(body, dict) else body
        self.request(method, path, body, {"Content-Type": kind} if body else {})
        answer = self.getresponse()
        text = answer.read()
        if answer.status >= 400:
            sys.exit(f"{method} {path}: {text.decode()}")
        return json.loads(text) if text else None

engine = Engine()

def create(name, image, command=None, environment=(), project="bench"):
    body = {"Image": image, "Env": list(environment), "HostConfig": {"NetworkMode": "none", "Init": False},
            "StopSignal": "SIGKILL", "Labels": {"com.docker.compose.project": project, "com.docker.compose.service": name}}
    if command:
        body["Cmd"] = command
    return engine.call("POST", f"/containers/create?name={name}", body)["Id"]

def start(container):
    engine.call("POST", f"/containers/{container}/start")

def put(container, files):
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(data), int(time.time())
            tar.addfile(entry, io.BytesIO(data))
    engine.call("PUT", f"/containers/{container}/archive?path=/", archive.getvalue(), "application/x-tar")

def small_layer():
    return {"var/log/app.log": b"a line of a log\n" * 500, "root/.cache/pip/http/wheel": os.urandom(100_000)}

def database():
    with tempfile.NamedTemporaryFile() as file:
        connection = sqlite3.connect(file.name)
        connection.execute("create table notes(id integer primary key, text)")
        connection.execute("insert into notes(text) values ('one'), ('two')")
        connection.commit()
        connection.close()
        return open(file.name, "rb").read()

def fifty():
    for number in range(40):
        container = create(f"web{number}", "stateless:1", ["sleep", "infinity"])
        put(container, small_layer())
        start(container)
    for number in range(4):
        container = create(f"app{number}", "stateless:1", ["sleep", "infinity"])
        put(container, {**small_layer(), "app/data/app.db": database()})
        start(container)
    for number in range(6):
        start(create(f"pg{number}", "postgres:15", environment=["PGDATA=/srv/pg", "POSTGRES_HOST_AUTH_METHOD=trust"]))

def many(first, last):
    data = database()
    for number in range(first, last):
        container = create(f"c{number}", "stateless:1", ["sleep", "infinity"], project=f"project{number // 10}")
        put(container, {**small_layer(), "app/data/app.db": data} if number % 10 == 5 else small_layer())
        if number % 10 == 0:
            start(container)

if sys.argv[1] == "fifty":
    fifty()
else:
    many(int(sys.argv[1]), int(sys.argv[2]))
PYTHON

table() { # table TITLE: hyperfine's JSON as a table of ours
  python3 - "$1" "$work/out.json" <<'PYTHON'
import json, sys
title, path = sys.argv[1:]
print(f"\n### {title}\n\n| command | median | fastest | slowest | runs |\n|---|---|---|---|---|")
results = json.load(open(path))["results"]
for result in results:
    seconds = [f"{result[key]:.2f} s" for key in ("median", "min", "max")]
    print(f"| {result['command'].replace('|', '&#124;')} | {' | '.join(seconds)} | {len(result['times'])} |")
PYTHON
}
quiet() { hyperfine --style none --export-json "$work/out.json" "$@" >/dev/null 2>"$work/err" || { cat "$work/err" >&2; exit 1; }; }

python3 stacks.py fifty
for number in 0 1 2 3 4 5; do
  until docker exec "pg$number" pg_isready -q -h 127.0.0.1; do :; done
  docker exec "pg$number" psql -qU postgres -c 'create table payments(id int); insert into payments values (1), (2)' -c checkpoint
done
sync
# shellcheck disable=SC2016 # for the shell that hyperfine starts
loop='for c in $(docker ps -q); do docker diff $c; done'
quiet --runs 10 --warmup 1 -n 'docker dbsafe audit' 'docker dbsafe audit'
mv out.json audit.json
quiet --runs 3 -n "$loop" "$loop"
python3 - <<'PYTHON'
import json
audit, loop = (json.load(open(name)) for name in ("audit.json", "out.json"))
json.dump({"results": audit["results"] + loop["results"]}, open("out.json", "w"))
PYTHON
table '50 running containers: 40 stateless, 6 PostgreSQL and 4 SQLite in their writable layers'
found=$(docker dbsafe audit --format json | python3 -c 'import json, sys; print(json.load(sys.stdin)["summary"]["critical"])')
python3 -c "
import json
audit, loop = (result['median'] for result in json.load(open('out.json'))['results'])
print(f'\n\`audit\` is {loop / audit:.0f} times as fast (asked: 40), and finds $found of the 10 databases.')"
[ -z "${KEEP:-}" ] || exit 0

docker ps -aq | xargs docker rm -fv >/dev/null
printf '\n### More containers\n\n| containers | docker diff of each, once | docker dbsafe audit | fastest | slowest | runs | more for each container | peak memory | databases found |\n|---|---|---|---|---|---|---|---|---|\n'
made=0
first=
for count in 10 100 500; do
  python3 stacks.py "$made" "$count"
  made=$count
  started=$(date +%s.%N)
  for container in $(docker ps -aq); do docker diff "$container" >/dev/null; done
  by_hand=$(python3 -c "import time; print(time.time() - $started)")
  quiet --runs 5 --warmup 1 -n "$count" 'docker dbsafe audit'
  /usr/bin/time -f %M -o memory "$DOCKER_CONFIG/cli-plugins/docker-dbsafe" dbsafe audit --format json >found.json
  first=${first:-$count $(python3 -c 'import json; print(json.load(open("out.json"))["results"][0]["median"])')}
  # shellcheck disable=SC2086 # two words
  python3 - "$count" "$by_hand" $first <<'PYTHON'
import json, sys
count, by_hand, count1, median1 = map(float, sys.argv[1:])
result = json.load(open("out.json"))["results"][0]
seconds = [f"{result[key]:.2f} s" for key in ("median", "min", "max")]
found = json.load(open("found.json"))["summary"]["critical"]
more = f"{(result['median'] - median1) * 1000 / (count - count1):.1f} ms" if count > count1 else ""
print(f"| {count:.0f} | {by_hand:.1f} s | {' | '.join(seconds)} | {len(result['times'])} | {more} | {int(open('memory').read()) // 1000} MB | {found} |")
PYTHON
done
