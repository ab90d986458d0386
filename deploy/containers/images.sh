#!/bin/bash
# Builds the image of each of our nine programs, all from one compilation, and daprd's: images.sh TAG [BUILD_TAGS].
# CARAVAN_IMAGE_GO and CARAVAN_IMAGE_BASE replace the images that they start from; CARAVAN_IMAGE_DAPRD is one that is there.
set -euo pipefail
cd "$(dirname "$0")/../.."
options=()
[ -z "${CARAVAN_IMAGE_GO-}" ] || options+=(--build-arg "GO_IMAGE=$CARAVAN_IMAGE_GO")
[ -z "${CARAVAN_IMAGE_BASE-}" ] || options+=(--build-arg "BASE_IMAGE=$CARAVAN_IMAGE_BASE")
build() { # IMAGE ARGUMENTS...
  echo "building $1"
  DOCKER_BUILDKIT=1 docker build --quiet "${options[@]}" --tag "$@" >/dev/null
}
for program in user product cart order payment notification edge mailbox sandbox; do
  build "caravan/$program:$1" --file deploy/containers/Dockerfile --build-arg "TAGS=${2-}" --build-arg "PROGRAM=$program" .
done
[ -n "${CARAVAN_IMAGE_DAPRD-}" ] || build "caravan/daprd:$1" dapr/runtime
