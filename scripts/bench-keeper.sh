#!/bin/sh
# bench-keeper.sh: three keepers on loopback with 1, 100, 1000 and 4000 nodes;
# with etcd-server installed, three members of etcd take turns. Then what a
# leader that is killed, and one that is stopped, cost (ROUNDS, 10 each).
# WATCHERS and SETS change the crowds.
set -eu
cd "$(dirname "$0")/.."
watchers=${WATCHERS:-1,100,1000,4000}
sets=${SETS:-100}
rounds=${ROUNDS:-10}
dir=$(mktemp -d)
pids=
stop() {
	trap - INT TERM EXIT
	for p in $pids; do kill -9 "$p" 2>/dev/null || true; done
	for i in 1 2 3; do [ -f "$dir/k$i.pid" ] && kill -9 "$(cat "$dir/k$i.pid")" 2>/dev/null || true; done
	rm -rf "$dir"
}
trap stop EXIT
trap 'stop; exit 1' INT TERM

raft=127.0.0.1:17431,127.0.0.1:17432,127.0.0.1:17433
api=127.0.0.1:17421,127.0.0.1:17422,127.0.0.1:17423
keeper() {
	bin/keeper --config /dev/null --id "k$1" --raft "127.0.0.1:1743$1" --api "127.0.0.1:1742$1" --socket "$dir/k$1.sock" \
		--state-dir "$dir/k$1" --join $raft --bootstrap-expect 3 --log-level error &
	echo $! >"$dir/k$1.pid"
}
for i in 1 2 3; do keeper $i; done
ctl() { bin/pushctl --keeper $api "$@"; }
leader() { ctl keeper status -o json | sed -n 's/.*"leader_id": *"\([^"]*\)".*/\1/p' | head -n 1; }
wait_leader() {
	for _ in $(seq 100); do
		[ -n "$(leader 2>/dev/null)" ] && return
		sleep 0.1
	done
	echo "bench: the keepers found no leader" >&2
	exit 1
}
wait_leader

etcd=
if command -v etcd >/dev/null 2>&1; then
	all=e1=http://127.0.0.1:17441,e2=http://127.0.0.1:17442,e3=http://127.0.0.1:17443
	for i in 1 2 3; do
		etcd --name e$i --data-dir "$dir/e$i" --listen-client-urls "http://127.0.0.1:1745$i" --advertise-client-urls "http://127.0.0.1:1745$i" \
			--listen-peer-urls "http://127.0.0.1:1744$i" --initial-advertise-peer-urls "http://127.0.0.1:1744$i" \
			--initial-cluster $all --initial-cluster-state new --log-level error >/dev/null 2>&1 &
		pids="$pids $!"
		etcd="$etcd --etcd http://127.0.0.1:1745$i"
	done
	sleep 3
else
	echo "bench: no etcd here (apt-get install etcd-server), the keepers run alone"
fi

# $etcd is a list.
ctl bench keeper --watchers "$watchers" --sets "$sets" --writers 64 --for 10s $etcd

for how in KILL TERM; do
	echo "leader gets SIG$how, longest gap between two commits of 4 writers:"
	for _ in $(seq "$rounds"); do
		wait_leader
		victim=$(leader)
		ctl bench keeper --watchers 1 --sets 1 --writers 4 --for 5s -o json >"$dir/gap.json" &
		run=$!
		sleep 2
		kill -$how "$(cat "$dir/$victim.pid")"
		wait $run || echo "  the run did not end well"
		sed -n 's/.*"gap_seconds": *\([0-9.e-]*\).*/  \1 s/p' "$dir/gap.json"
		keeper "${victim#k}"
		sleep 1
	done
done
