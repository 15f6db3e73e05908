#!/bin/sh
# The official image's behaviour: flags alone mean redis-server, which runs as its own user.
set -eu
case ${1:-} in -* | *.conf) set -- redis-server "$@" ;; esac
if [ "${1:-}" = redis-server ] || [ "${1:-}" = valkey-server ]; then
  find . ! -user redis -exec chown redis '{}' +
  exec setpriv --reuid redis --regid redis --clear-groups "$@"
fi
exec "$@"
