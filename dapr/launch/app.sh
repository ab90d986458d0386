#!/bin/bash
# Builds a service and runs it with the environment that `make infra` has written for it: app.sh order
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
mkdir -p bin/services
go build -o "bin/services/$1" "./services/$1"
. "${CARAVAN_DIR:-$root/.caravan}/run/env/$1.env"
exec "bin/services/$1"
