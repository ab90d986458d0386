#!/bin/sh
# Entrypoint of the stand-in for postgres:16: the part of the official one's contract that Caravan uses. That is
# POSTGRES_PASSWORD, POSTGRES_INITDB_ARGS, scripts in /docker-entrypoint-initdb.d on an empty volume, and arguments for the
# server, which runs as the user postgres.
set -eu
: "${PGDATA:=/var/lib/postgresql/data}" "${POSTGRES_USER:=postgres}"
export PGDATA POSTGRES_USER
if [ "$(id -u)" = 0 ]; then
  mkdir -p "$PGDATA" /run/postgresql
  chown -R postgres:postgres "$PGDATA" /run/postgresql
  chmod 0700 "$PGDATA"
  exec setpriv --reuid=postgres --regid=postgres --clear-groups "$0" "$@"
fi
[ "${1-}" != postgres ] || shift
sockets=unix_socket_directories=/run/postgresql

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  printf '%s\n' "${POSTGRES_PASSWORD:?is missing}" >/tmp/password
  # shellcheck disable=SC2086 # several arguments
  initdb -D "$PGDATA" -U "$POSTGRES_USER" --pwfile=/tmp/password --auth-local=trust ${POSTGRES_INITDB_ARGS-}
  rm /tmp/password
  echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
  postgres -c listen_addresses= -c "$sockets" & server=$!
  export PGHOST=/run/postgresql
  until pg_isready --quiet --username "$POSTGRES_USER"; do kill -0 "$server"; sleep 0.1; done
  for script in /docker-entrypoint-initdb.d/*.sh; do
    [ ! -e "$script" ] || bash "$script"
  done
  unset PGHOST
  kill -INT "$server"
  wait "$server" || true
fi
exec postgres -c "listen_addresses=*" -c "$sockets" "$@"
