#!/bin/sh
# Entrypoint of the stand-in for redis:7: drops root for the server, as the official one does.
set -eu
if [ "${1-}" = redis-server ] && [ "$(id -u)" = 0 ]; then
  chown -R 999:999 /data
  exec setpriv --reuid=999 --regid=999 --clear-groups "$@" --protected-mode no
fi
exec "$@"
