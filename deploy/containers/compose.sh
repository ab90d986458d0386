#!/bin/bash
# docker compose: the machine's own, or one of a fixed version, built from the Go module once in some minutes and kept in
# the cache. It validates docker-compose.yml without an engine.
set -euo pipefail
if docker compose version >/dev/null 2>&1; then
  exec docker compose "$@"
fi
VERSION=v2.40.3
cache=${CARAVAN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/caravan}
compose=$cache/compose-$VERSION/docker-compose
if [ ! -x "$compose" ]; then
  echo "building docker compose $VERSION, once" >&2
  mkdir -p "$(dirname "$compose")"
  module=$(GOFLAGS=-mod=mod go mod download -json "github.com/docker/compose/v2@$VERSION" | sed -n 's/^\t"Dir": "\(.*\)",*$/\1/p')
  (cd "$module" && GOFLAGS=-mod=mod GOWORK=off go build -trimpath -ldflags "-s -w -X github.com/docker/compose/v2/internal.Version=$VERSION" -o "$compose.new" ./cmd)
  mv "$compose.new" "$compose"
fi
exec "$compose" "$@"
