#!/bin/bash
# Builds the manifests and checks them without a cluster and without the network, once its tools are in the cache.
set -euo pipefail
cd "$(dirname "$0")/../.."
KUSTOMIZE=v5.8.1
VALIDATE=1.37.0
venv=${CARAVAN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/caravan}/kubernetes-validate-$VALIDATE
if [ ! -x "$venv/bin/kubernetes-validate" ]; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install -q "kubernetes-validate==$VALIDATE"
fi
(cd dapr/runtime && GOWORK=off go mod download github.com/dapr/dapr)
definitions=$(cd dapr/runtime && GOWORK=off go list -m -f '{{.Dir}}' github.com/dapr/dapr)/charts/dapr/crds
go run "sigs.k8s.io/kustomize/kustomize/v5@$KUSTOMIZE" build --load-restrictor LoadRestrictionsNone deploy/kubernetes |
  "$venv/bin/python" deploy/kubernetes/validate.py "$definitions"
