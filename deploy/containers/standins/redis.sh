#!/bin/sh
# Entrypoint of the stand-in for redis:7: drops root for the server, as the official one does.
set -eu
if [ "${1-}" = redis-server ] && [ "$(id -u)" = 0 ]; then
  chown -R redis:redis /data
  exec setpriv --reuid=redis --regid=redis --clear-groups "$@" --protected-mode no
fi
exec "$@"
