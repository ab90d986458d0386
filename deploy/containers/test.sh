#!/bin/bash
# The whole-stack tests on a stack in containers, started through testcontainers-go. Arguments go to `go test`. Where that
# cannot be done it says so and ends with 77: skipped is not passed.
set -euo pipefail
cd "$(dirname "$0")/../.."

skip() {
  echo "SKIPPED: nothing was tested in containers: $1. \`make test-stack\` runs the same tests natively." >&2
  exit 77
}

[ "$(uname)" = Linux ] || skip "the containers share the machine's network and processes, which takes Linux"
[ "$(id -u)" = 0 ] || skip "the tests kill and freeze what runs in the containers, which takes root on the engine's machine"
command -v docker >/dev/null || skip "there is no docker command"
docker version >/dev/null 2>&1 || skip "no container engine answers"

go build -o bin/caravan ./deploy/local/cmd/caravan
go -C deploy/containers/teststack build -o ../../../bin/teststack .
bases=$(sed -n 's/^ARG [A-Z]*_IMAGE=//p' deploy/containers/Dockerfile dapr/runtime/Dockerfile | sort --unique)
[ -z "${CARAVAN_IMAGE_GO-}" ] || bases="$CARAVAN_IMAGE_GO $CARAVAN_IMAGE_BASE"
for image in $(bin/teststack images) $bases; do
  docker image inspect "$image" >/dev/null 2>&1 || docker pull --quiet "$image" || skip "the image $image cannot be pulled"
done

export CARAVAN_TAG=test
deploy/containers/images.sh "$CARAVAN_TAG" crashpoints

# The contract of the Mongo server, with the sidecar of the image.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sidecar=$(docker create "${CARAVAN_IMAGE_DAPRD:-caravan/daprd:$CARAVAN_TAG}" /daprd)
docker cp "$sidecar:/daprd" "$work/daprd"
docker rm "$sidecar" >/dev/null
CARAVAN_TEST_DAPRD=$work/daprd bin/teststack testdb go test -count=1 ./services/cart/internal/daprstate

CARAVAN_BIN=$PWD/bin/caravan CARAVAN_CONTAINERS=$PWD/bin/teststack go test -count=1 -timeout 60m "$@" ./tests/
