#!/bin/sh
# What probes cost the process that they watch: a node with 2,000 connections,
# at 1,000 messages a second and as fast as it can, without a probe and with each
# one in turn. All of them take a turn in every round, in another order each
# time; each figure is against the windows without a probe of the same round, and
# "none, again" shows how far those are apart by themselves. Prints a table in
# Markdown. Needs root.
#
#   scripts/bench-probes.sh [ROUNDS]       5 if left out: about 6 minutes
set -eu
rounds=${1:-5}
window=${WINDOW:-3} # seconds of each measurement
conns=${CONNS:-2000}
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "bench-probes: probes need root: sudo scripts/bench-probes.sh" >&2; exit 1; }

dir=$(mktemp -d)
pids=
stop() {
	trap - INT TERM EXIT
	for p in $pids; do kill "$p" 2>/dev/null || true; done
	wait
	rm -rf "$dir"
}
trap stop INT TERM EXIT
if [ -n "${BIN:-}" ]; then
	cp "$BIN/pushd" "$BIN/pushctl" "$dir/"
else
	"${GO:-go}" build -o "$dir/" ./pushd ./pushctl
fi
ctl() { "$dir/pushctl" --node "$dir/admin.sock" "$@"; }

"$dir/pushd" --auth none --listen 127.0.0.1:17500 --private 127.0.0.1:17501 --admin-socket "$dir/admin.sock" \
	--state-dir "$dir" --keeper off --log-level warn &
node=$!
pids=$node
tries=0
until ctl stats >/dev/null 2>&1; do
	tries=$((tries + 1))
	kill -0 "$node" 2>/dev/null && [ $tries -lt 100 ] || exit 1
	sleep 0.1
done

# look: microseconds of CPU and messages delivered, since the node began. A node
# at its limit may not answer for all of its loops, and then leaves them out.
look() {
	seen=
	tries=0
	until [ -n "$seen" ]; do
		tries=$((tries + 1))
		[ "$tries" -lt 50 ] || { echo "bench-probes: the node does not say how much it delivered" >&2; exit 1; }
		seen=$(ctl stats -o json | tr -d ' ' | awk -F'[:,]' '
			/^"delivered":[0-9]/ { n = $2 }
			/^"cpu_(user|system)_seconds"/ { cpu += $2 }
			/^"silent_loops"/ { n = "" }
			END { if (n != "") printf "%.0f %s", cpu * 1e6, n }')
	done
	echo "$seen"
}
# figure NAME FILE: the first number of that name in a report.
figure() { tr ',{' '\n\n' <"$2" | sed -n "s/^ *\"$1\": *\([0-9.e+-]*\).*/\1/p" | head -n 1; }

# measure JOB ROUND NAME: a line with CPU and messages of one window, beside a
# probe or none.
measure() {
	probe=
	case $3 in
	none*) ;;
	*)
		"$dir/pushctl" probe $3 --pid "$node" -d $((window * 1000 + 1500))ms --max-cpu 0 -o json >"$dir/probe" &
		probe=$!
		pids="$pids $probe"
		;;
	esac
	sleep 0.5 # its breakpoints are in place
	before=$(look)
	sleep "$window"
	after=$(look)
	kill -0 "$load" || { cat "$dir/load" >&2; exit 1; }
	hits=0 cost=0 seconds=1
	if [ -n "$probe" ]; then
		wait "$probe"
		pids=$(echo "$pids" | sed "s/ $probe\$//")
		hits=$(figure hits "$dir/probe") cost=$(figure cost_cpu "$dir/probe") seconds=$(figure seconds "$dir/probe")
	fi
	echo "$1|$2|$3|$((${after% *} - ${before% *}))|$((${after#* } - ${before#* }))|$hits|$cost|$seconds" >>"$dir/results"
}

# turns ROUND: the names, begun at another one each round.
turns() {
	printf '%s\n' none gc 'lock --go' 'lock --both' 'none, again' sched cpu net |
		awk -v r="$1" '{ n[NR] = $0 } END { for (i = 0; i < NR; i++) print n[(i + 3 * r) % NR + 1] }'
}

# job RATE: all rounds under one load.
job() {
	"$dir/pushctl" --node "$dir/admin.sock" bench soak --addr 127.0.0.1:17500 --conns "$conns" --ramp 2000/s --rate "$1" --for 1h --report '' --allow-invalid >"$dir/load" 2>&1 &
	load=$!
	pids="$pids $load"
	sleep $((conns / 2000 + 3)) # connected, and at its rate
	kill -0 "$load" 2>/dev/null || { cat "$dir/load" >&2; exit 1; }
	round=0
	while [ "$round" -lt "$rounds" ]; do
		turns "$round" >"$dir/turns"
		while read -r name; do measure "$1" "$round" "$name" </dev/null; done <"$dir/turns"
		round=$((round + 1))
		echo "bench-probes: $1, round $round of $rounds" >&2
	done
	kill "$load" 2>/dev/null || true
	wait "$load" 2>/dev/null || true
	pids=$(echo "$pids" | sed "s/ $load\$//")
}
job 1000/s
job max

"$dir/pushctl" probe check -o json >"$dir/check" 2>/dev/null || true
awk -F'"' -v window="$window" -v rounds="$rounds" -v conns="$conns" '
	/push_ns/ { split($3, v, /[:, ]+/); push = v[2] }
	/return_ns/ { split($3, v, /[:, ]+/); ret = v[2] }
	END { printf "%d connections, %d rounds of %d s. A breakpoint with nothing behind it: %.1f µs at an entry, %.1f µs at a return.\n\n", conns, rounds, window, push / 1e3, ret / 1e3 }
' "$dir/check"
awk -F'|' '
	# middle, and the extremes around it, of values that are written "a b c".
	function spread(text, v, n, i, j, t) {
		n = split(text, v, " ")
		for (i = 2; i <= n; i++) for (j = i; j > 1 && v[j] + 0 < v[j - 1] + 0; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
		low = v[1]; high = v[n]
		return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
	}
	$5 > 0 {
		key = $1 "|" $3
		if (!(key in seen)) { seen[key] = 1; order[++keys] = key }
		per[key, $2] = $4 / $5
		us[key] = us[key] " " $4 / $5
		hits[key] = hits[key] " " $6 / $8
		cost[key] = cost[key] " " $7 * 100
		if ($6 > 0) each[key] = each[key] " " $7 * $8 / $6 * 1e9
		if ($2 > last) last = $2
	}
	END {
		print "| job | probe | hits/s | ns a hit | % of a core, by its own count | CPU of the node a message, µs | times none |"
		print "|---|---|--:|--:|--:|--:|--:|"
		for (k = 1; k <= keys; k++) {
			key = order[k]
			split(key, p, "|")
			ratios = ""
			for (r = 0; r <= last; r++) {
				a = per[p[1] "|none", r]; b = per[p[1] "|none, again", r]
				base = p[2] == "none, again" || !b ? a : a ? (a + b) / 2 : b
				if (base > 0 && ((key, r) in per)) ratios = ratios " " per[key, r] / base
			}
			m = spread(ratios); l = low; h = high
			if (p[2] == "none") shown = "1"; else shown = sprintf("%.2f (%.2f–%.2f)", m, l, h)
			if (p[2] ~ /^none/) printf "| %s | %s | | | | %.1f | %s |\n", p[1], p[2], spread(us[key]), shown
			else printf "| %s | %s | %.0f | %s | %.2f | %.1f | %s |\n", p[1], p[2], spread(hits[key]), each[key] == "" ? "–" : sprintf("%.0f", spread(each[key])), spread(cost[key]), spread(us[key]), shown
		}
	}
' "$dir/results"
