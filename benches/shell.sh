#!/usr/bin/env bash
# Measures what the shell functions cost, against docker itself, in one run, on a private engine of the test lab:
#   benches/shell.sh            prints the table of docs/performance.md
# Needs what tests/run needs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export DBSAFE_LAB=${DBSAFE_LAB:-$PWD/target/lab}
cargo build --release --quiet
work=$(mktemp -d)
root=$PWD
cleanup() {
  "$root/tests/lab/engine" wipe 28-shell || true
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM
DOCKER_HOST=$(tests/lab/engine up 28-shell)
PATH=$(dirname "$(tests/lab/engine client)"):$PATH
export DOCKER_HOST DOCKER_CONFIG=$work/config HOME=$work
mkdir -p "$DOCKER_CONFIG/cli-plugins"
ln -s "$PWD/target/release/docker-dbsafe" "$DOCKER_CONFIG/cli-plugins/docker-dbsafe"

# `docker ps` by turns with and without the functions, so that a busy machine slows both; then the decision alone.
cat >"$work/measure" <<'BASH'
eval "$(command docker dbsafe shell-init bash)"
median() { sort -n | awk '{ all[NR] = $1 } END { printf "%.3f", all[int((NR + 1) / 2)] / 1000 }'; }
now() { printf -v "$1" %s "${EPOCHREALTIME/[.,]/}"; }
: >"$HOME/with"; : >"$HOME/without"
for ((i = 0; i < 200; i++)); do
  now a; docker ps >/dev/null; now b; command docker ps >/dev/null; now c
  echo $((b - a)) >>"$HOME/with"; echo $((c - b)) >>"$HOME/without"
done
now a; for ((i = 0; i < 10000; i++)); do __dbsafe_straight ps -a; done; now b
for ((i = 0; i < 10000; i++)); do __dbsafe_straight --context x compose -f a.yaml -p shop ps; done; now c
echo '| command in bash | median of 200 |'
echo '|---|---|'
echo "| docker ps, by the function | $(median <"$HOME/with") ms |"
echo "| command docker ps | $(median <"$HOME/without") ms |"
echo
echo '| the decision alone | mean of 10,000 |'
echo '|---|---|'
awk -v one=$((b - a)) -v two=$((c - b)) 'BEGIN {
  printf "| docker ps -a | %.4f ms |\n| docker --context x compose -f a.yaml -p shop ps | %.4f ms |\n", one / 1e7, two / 1e7 }'
BASH
bash --norc --noprofile -i "$work/measure" 2>/dev/null
