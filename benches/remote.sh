#!/usr/bin/env bash
# Measures a push to S3 beside rclone's, in one run, to moto on loopback:
#   benches/remote.sh              prints the table of docs/performance.md
#   SIZE_MIB=100 benches/remote.sh     with less data
# Needs what tests/run needs, and rclone and GNU time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
for program in rclone /usr/bin/time; do
  command -v "$program" >/dev/null || { echo "$program is missing: apt-get install rclone time" >&2; exit 1; }
done
size=${SIZE_MIB:-1024} runs=${RUNS:-3}
cargo build --release --quiet
work=$(mktemp -d)
python=$(tests/lab/engine cloud)
PATH=$(dirname "$(tests/lab/engine client)"):$PATH
trap 'kill $moto 2>/dev/null || true; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=us-east-1 DBSAFE_HOME=$work/home
export DOCKER_HOST=unix:///nowhere.sock
# Loopback has no TLS, and rclone does not start with one set.
unset AWS_CA_BUNDLE

# A snapshot as the store has it, of one file that no compressor makes smaller.
id=20260101T000000Z-0a1b2c3d folder=$work/home/snapshots/20260101T000000Z-0a1b2c3d
mkdir -p "$folder"
chmod 700 "$work/home" "$work/home/snapshots" "$folder"
head -c "${size}M" /dev/urandom >"$folder/data.tar.zst"
python3 - "$folder" "$id" <<'PYTHON'
import hashlib, json, os, sys
folder, name = sys.argv[1:]
with open(f"{folder}/data.tar.zst", "rb") as file:
    digest = hashlib.file_digest(file, "sha256").hexdigest()
size = os.path.getsize(f"{folder}/data.tar.zst")
artifact = {"file": "data.tar.zst", "kind": "physical-copy", "format": "tar.zst", "bytes": size, "content_bytes": size,
            "sha256": digest}
item = {"target": {"kind": "volume", "id": "v", "name": "v", "project": None, "service": None}, "engine": None,
        "engine_version": None, "location": "named-volume", "path": "/", "volume": "v", "identity": None,
        "contents": {"databases": []}, "fingerprint": None, "consistency": "stopped", "artifacts": [artifact], "not_kept": []}
manifest = {"format_version": 1, "id": name, "created": "2026-01-01T00:00:00Z", "dbsafe": "bench", "command": [],
            "engine": {"host": "", "version": ""}, "projects": [], "items": [item], "containers": [], "volumes": [],
            "networks": [], "verification": {"result": "proved", "how": "checksum", "at": None, "detail": ""}}
json.dump(manifest, open(f"{folder}/manifest.json", "w"))
PYTHON

# A server of its own for each run: it keeps everything in memory.
start() {
  "$python" - >"$work/port" 2>/dev/null <<'PYTHON' &
import signal
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
import boto3
port = server.get_host_and_port()[1]
boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1").create_bucket(Bucket="bucket")
print(port, flush=True)
signal.pause()
PYTHON
  moto=$!
  until [ -s "$work/port" ]; do kill -0 $moto; done
  AWS_ENDPOINT_URL=http://127.0.0.1:$(cat "$work/port")
  export AWS_ENDPOINT_URL
}
stop() { kill $moto; wait $moto 2>/dev/null || true; rm -f "$work/port"; }
measure() { # measure NAME COMMAND...: adds 'NAME seconds kilobytes' to the results, once all of it is there
  local name=$1; shift
  start
  RCLONE_CONFIG_S3_ENDPOINT=$AWS_ENDPOINT_URL /usr/bin/time -f "$name %e %M" -a -o "$work/results" "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
  "$python" - "$folder/data.tar.zst" "p/" <<'PYTHON'
import os, sys
import boto3
path, prefix = sys.argv[1:]
s3 = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"], region_name="us-east-1")
sizes = [entry["Size"] for entry in s3.list_objects_v2(Bucket="bucket", Prefix=prefix).get("Contents", [])]
assert os.path.getsize(path) in sizes, sizes
PYTHON
  stop
}
export RCLONE_CONFIG_S3_TYPE=s3 RCLONE_CONFIG_S3_PROVIDER=Other RCLONE_CONFIG_S3_ENV_AUTH=true RCLONE_CONFIG_S3_REGION=us-east-1
for _ in $(seq "$runs"); do
  rm -rf "$work/home/uploads" "$folder/copies.json"
  measure dbsafe target/release/docker-dbsafe dbsafe snapshots push "--remote=s3://bucket/p"
  measure rclone rclone --config /dev/null copy "$folder" s3:bucket/p
done
echo "### A snapshot of $size MiB to S3"
echo
echo "| command | median | fastest | slowest | peak memory | runs |"
echo "|---|---|---|---|---|---|"
python3 - "$work/results" <<'PYTHON'
import statistics, sys
rows = [line.split() for line in open(sys.argv[1])]
for name, shown in (("dbsafe", "docker dbsafe snapshots push"), ("rclone", "rclone copy")):
    own = [(float(seconds), int(kilobytes)) for who, seconds, kilobytes in rows if who == name]
    times = [seconds for seconds, _ in own]
    print(f"| {shown} | {statistics.median(times):.2f} s | {min(times):.2f} s | {max(times):.2f} s "
          f"| {max(kilobytes for _, kilobytes in own) // 1024} MB | {len(own)} |")
PYTHON
