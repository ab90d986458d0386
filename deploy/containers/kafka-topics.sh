#!/bin/bash
# Makes the topics that components/pubsub.yaml allows, those that are missing.
set -euo pipefail
allowed=$(sed -n '/name: allowedTopics/{n;s/.*value: *"\(.*\)".*/\1/p}' /components/pubsub.yaml)
[ -n "$allowed" ] || { echo "components/pubsub.yaml names no topics" >&2; exit 1; }
for topic in ${allowed//,/ }; do
  /opt/kafka/bin/kafka-topics.sh --bootstrap-server kafka:9092 --create --if-not-exists --topic "$topic" --partitions 6 --replication-factor 1
done
