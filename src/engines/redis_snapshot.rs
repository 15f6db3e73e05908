//! Redis, Valkey and KeyDB: writing is held up, then the server sends its RDB file.

use super::recipe::{Dump, Recipe};
use crate::model::manifest::ArtifactKind;

/// Finds the client, the port, and a password, as `redis::QUESTION` does.
macro_rules! connect {
    ($script:expr) => {
        concat!(
            r#"
read_file() { [ -n "$1" ] && [ -r "$1" ] && cat "$1"; }
cli=$(command -v valkey-cli || command -v redis-cli || command -v keydb-cli) || { echo 'no client in the container' >&2; exit 4; }
port=6379 socket= password= conf= previous=
set -f
for word in $DBSAFE_ARGUMENTS; do
  case "$previous" in --port) port=$word;; --unixsocket) socket=$word;; --requirepass) password=$word;; esac
  case "$word" in *.conf) conf=$word;; esac
  previous=$word
done
setting() { [ -n "$conf" ] && [ -r "$conf" ] && sed -n "s/^[[:space:]]*$1[[:space:]]\{1,\}\"\{0,1\}\([^\"]*\)\"\{0,1\}[[:space:]]*\$/\1/p" "$conf" | tail -n 1; }
[ -n "$password" ] || password=$(setting requirepass)
[ "$port" != 6379 ] || { p=$(setting port); port=${p:-6379}; }
[ -n "$socket" ] || socket=$(setting unixsocket)
password="${password:-${REDIS_PASSWORD:-${VALKEY_PASSWORD:-$(read_file "${REDIS_PASSWORD_FILE:-$VALKEY_PASSWORD_FILE}")}}}"
[ -z "$password" ] || export REDISCLI_AUTH="$password" VALKEYCLI_AUTH="$password"
if [ "$port" = 0 ] && [ -n "$socket" ]; then ask() { "$cli" -s "$socket" "$@"; }
else ask() { "$cli" -p "$port" "$@"; }; fi
config() { ask CONFIG GET "$1" 2>/dev/null | sed -n 2p; }
quoted() { printf '"%s"' "$(printf %s "$1" | sed 's/[\\"]/\\&/g')"; }
"#,
            $script
        )
    };
}

/// A server waits five seconds before it sends its file, for other replicas that might want it too.
const DUMP: &str = connect!(
    r#"
if [ -n "$DBSAFE_DUMP" ]; then
  delay=$(config repl-diskless-sync-delay)
  [ -z "$delay" ] || ask CONFIG SET repl-diskless-sync-delay 0 >/dev/null
  ask --rdb -; status=$?
  [ -z "$delay" ] || ask CONFIG SET repl-diskless-sync-delay "$delay" >/dev/null
  [ $status = 0 ] || exit 3
fi
{
  printf '["S",%s,%s,%s]\n' "$(quoted "$(config dir)")" "$(quoted "$(config dbfilename)")" "$(quoted "$(config appendonly)")"
  info=$(ask INFO keyspace) || exit 3
  case "$info" in *'# Keyspace'*) ;; *) printf '%s\n' "$info"; exit 3;; esac
  printf '%s\n' "$info" | tr -d '\r' | sed -n 's/^\(db[0-9]*\):keys=\([0-9]*\),expires=\([0-9]*\).*/["T","\1","keys",\2,null,\3]/p'
  echo '["E"]'
} >&2
"#
);

/// An hour is more than any dump takes; nothing else ends it but our own word. Before 6.2 there is no pausing
/// of writes alone, and a server that asks for a replica which nobody has refuses them all the same.
const HOLD: &str = connect!(
    r#"
[ "$(ask CLIENT PAUSE 3600000 WRITE)" = OK ] && exit 0
before=$(config min-slaves-to-write)
[ "$before" = 0 ] && [ "$(ask CONFIG SET min-slaves-to-write 1)" = OK ]
"#
);

const RELEASE: &str = connect!(
    r#"
ask CLIENT UNPAUSE >/dev/null 2>&1
[ "$(ask INFO server | tr -d '\r' | sed -n 's/^redis_version:\([0-9]*\).*/\1/p')" -ge 7 ] 2>/dev/null || ask CONFIG SET min-slaves-to-write 0 >/dev/null
exit 0
"#
);

const READY: &str = connect!(r#"[ "$(ask PING)" = PONG ]"#);

const VERSION: &str = connect!(
    r#"ask INFO server | tr -d '\r' | sed -n 's/^\(redis\|valkey\)_version:\(.*\)/\2/p' | tail -n 1
"#
);

/// How Redis and its kin are saved.
pub(super) static RECIPE: Recipe = Recipe {
    databases: None,
    dump: Dump {
        script: DUMP,
        kind: ArtifactKind::Rdb,
        format: "rdb",
        ending: ".rdb",
        magic: &[b"REDIS", b"VALKEY"],
        trailer: None,
        // A mark ends the transfer, and goes to a pipe with the rest.
        extra: Some(("until EOF marker", 40)),
    },
    globals: None,
    hold: Some((HOLD, RELEASE)),
    ready: READY,
    version: VERSION,
    check: None,
    load: None,
};
