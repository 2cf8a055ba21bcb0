#!/bin/sh
# bench-conns.sh N: one node with N WebSockets from this machine, which then get
# 1000 messages per second for FOR (30s). Beyond the descriptor limit the node
# gives each loop a file table of its own. Reports go to bin/.
set -eu
cd "$(dirname "$0")/.."
conns=${1:-200000}
for=${FOR:-30s}

# A table holds the limit less what the process itself needs. One for all is
# cheaper, so more are made only when one does not do.
room=$(($(ulimit -n) - 600))
loops=$(nproc)
unshare=
if [ "$conns" -gt "$room" ]; then
	unshare=--unshare-files
	loops=$(((conns + conns / 20) / room + 1))
	[ "$loops" -lt "$(nproc)" ] && loops=$(nproc)
fi

# About 5.5 KB per connection on each side, nearly all of it in the kernel.
need=$((conns / 1000 * 11 / 1000))
free=$(awk '/MemAvailable/ { print int($2 / 1024 / 1024) }' /proc/meminfo)
if [ "$free" -lt "$need" ]; then
	echo "bench: $conns connections need about $need GB, $free GB are free; give a smaller number" >&2
	exit 1
fi

dir=$(mktemp -d)
node=
stop() {
	trap - INT TERM EXIT
	[ -n "$node" ] && kill "$node" 2>/dev/null && wait "$node"
	rm -rf "$dir"
}
trap stop INT TERM EXIT

bin/pushd --auth none --listen 127.0.0.1:17400 --private 127.0.0.1:17401 \
	--admin-socket "$dir/admin.sock" --state-dir "$dir" --keeper off --log-level warn \
	--loops "$loops" $unshare --knob conns.max="$((conns + 1000))" &
node=$!
tries=0
until bin/pushctl --node "$dir/admin.sock" stats >/dev/null 2>&1; do
	tries=$((tries + 1))
	kill -0 "$node" 2>/dev/null && [ $tries -lt 100 ] || exit 1
	sleep 0.1
done
echo "bench: $conns connections, $loops loops, $(ulimit -n) descriptors per table"
bin/pushctl --node "$dir/admin.sock" bench soak --addr 127.0.0.1:17400 \
	--conns "$conns" ${FLAGS:-} --ramp "${RAMP:-10000/s}" --rate "${RATE:-1000/s}" --for "$for" --report "bin/conns-$conns"
