#!/bin/bash
# Runs a command beside a container engine of its own, with stand-ins for the official images: for a machine without an
# engine that reaches no registry of images. Debian, as root. The stand-ins are the programs of the native stack on a plain
# Debian, under names of their own (caravan-standin/...), so that nobody takes them for the official images. Kafka,
# Elasticsearch and the Mongo-wire server have none: they run natively. All of it is gone when the command has ended.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=deploy/containers

[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || { echo "a container engine of our own takes Debian and root" >&2; exit 1; }
missing=()
command -v dockerd >/dev/null || missing+=(docker.io)
command -v debootstrap >/dev/null || missing+=(debootstrap)
if [ ${#missing[@]} -gt 0 ]; then
  echo "installing ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

work=$(mktemp -d /var/tmp/caravan-engine-XXXXXX)
engine=
bridge=$(ls -d /sys/class/net/docker0 2>/dev/null || true) # of another engine
clean() {
  if [ -n "$engine" ]; then
    docker ps --quiet | xargs --no-run-if-empty docker kill >/dev/null 2>&1 || true
    kill "$engine" && wait "$engine" || true
  fi
  findmnt --raw --noheadings --output TARGET | grep "^$work/" | sort -r | xargs --no-run-if-empty umount --lazy || true
  rm -rf "$work"
  [ -n "$bridge" ] || ip link delete docker0 2>/dev/null || true
}
trap clean EXIT
trap 'exit 130' INT TERM

# The client that belongs to this dockerd, whatever else is installed.
mkdir "$work/bin"
ln -s "$(dirname "$(command -v dockerd | sed 's,/sbin/,/bin/,')")/docker" "$work/bin/docker"
export PATH=$work/bin:$PATH DOCKER_HOST=unix://$work/docker.sock
# No rules for packets: every container here shares the machine's network.
dockerd --data-root "$work/data" --exec-root "$work/exec" --pidfile "$work/pid" --host "$DOCKER_HOST" \
  --iptables=false --ip6tables=false >"$work/log" 2>&1 &
engine=$!
for _ in $(seq 100); do
  docker version >/dev/null 2>&1 && break
  kill -0 "$engine" 2>/dev/null || { tail -n 20 "$work/log" >&2; exit 1; }
  sleep 0.2
done
echo "container engine $(docker version --format '{{.Server.Version}}') at $DOCKER_HOST"

. "$here/standins.sh"
"$@"
