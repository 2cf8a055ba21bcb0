#!/bin/sh
# soak.sh TIME: 10,000 WebSockets and 1000 messages per second for TIME against
# a node of its own; fails when a message is lost or doubled. A generator that
# was late on a busy machine is said, but is no failure. Reports go to bin/.
set -eu
cd "$(dirname "$0")/.."
FLAGS=--allow-invalid FOR=${1:-30m} exec scripts/bench-conns.sh 10000
