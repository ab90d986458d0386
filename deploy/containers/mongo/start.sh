#!/bin/bash
# A replica set of one member needs a key file that only mongod's user reads; the mounted one is readable by all.
set -euo pipefail
install -m 0400 -o mongodb -g mongodb /run/secrets/mongo_key /tmp/key
exec docker-entrypoint.sh mongod --bind_ip_all --replSet rs0 --keyFile /tmp/key
