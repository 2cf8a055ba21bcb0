#!/bin/sh
# One node on loopback with a little traffic: fast, slow and stalled readers.
# Ends with ctrl-C and leaves nothing behind. "make run" builds first.
set -u
cd "$(dirname "$0")/.."

pids=
state=$(mktemp -d)
stop() {
	trap - INT TERM EXIT
	[ -n "$pids" ] && kill $pids 2>/dev/null
	wait
	rm -rf "$state"
	exit 0
}
trap stop INT TERM EXIT

# What was tried last time is not in the way of this time.
bin/pushd --auth none --node-name demo --state-dir "$state" &
node=$!
pids=$node

tries=0
until bin/pushctl stats >/dev/null 2>&1; do
	tries=$((tries + 1))
	if ! kill -0 $node 2>/dev/null || [ $tries -gt 50 ]; then
		echo "the node does not answer; is another one running? (ss -ltn | grep 740)" >&2
		exit 1
	fi
	sleep 0.1
done

bin/pushctl bench demo >/dev/null &
pids="$pids $!"

cat <<'HINTS'

A node serves on 127.0.0.1:7400 (clients) and 127.0.0.1:7401 (server API); a
keeper inside it on 127.0.0.1:7410. In another terminal:

  bin/pushctl stats -w                  the node at a glance
  bin/pushctl top --by wait             who is slow
  bin/pushctl conn ID                   one of them (ID from top)
  sudo bin/pushctl why ID               who holds it back, with evidence
  bin/pushctl knob set queue.messages_max 256 --for 1m
                                        turn a knob; it goes back by itself
  bin/pushctl knob explain queue.messages_max
                                        who set it, and until when
  bin/pushctl keeper status             the keeper inside, which keeps knobs
  bin/pushctl rec show --from -1m       what happened, second by second
  bin/pushctl listen alice              be a client, and in a third terminal:
  bin/pushctl send alice '{"hello":1}'  push to it

  curl -N '127.0.0.1:7400/connect?user=alice'
  curl 127.0.0.1:7401/v1/send -d '{"user":"alice","data":{"hello":1}}'

ctrl-C stops everything.
HINTS
wait $node
