#!/bin/sh
# soak.sh TIME: 10,000 WebSockets and 1000 messages per second for TIME against
# a node of its own; fails when a message is lost or doubled. Reports go to bin/.
set -eu
cd "$(dirname "$0")/.."
FOR=${1:-10m} exec scripts/bench-conns.sh 10000
