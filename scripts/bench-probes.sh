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
name=bench-probes idle=none jobs="1000/s max"
. scripts/bench-lib.sh
serve

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
	set -- "$1" "$2" "$3" $(look)
	sleep "$window"
	set -- "$@" $(look)
	kill -0 "$load" || { cat "$dir/load" >&2; exit 1; }
	hits=0 cost=0 seconds=1
	if [ -n "$probe" ]; then
		wait "$probe"
		forget "$probe"
		hits=$(figure hits "$dir/probe") cost=$(figure cost_cpu "$dir/probe") seconds=$(figure seconds "$dir/probe")
	fi
	echo "$1|$2|$3|$(($7 - $4))|$(($8 - $5))|$hits|$cost|$seconds" >>"$dir/results"
}

# turns ROUND: the names, begun at another one each round.
turns() {
	printf '%s\n' none gc 'lock --go' 'lock --both' 'none, again' sched cpu net |
		awk -v r="$1" '{ n[NR] = $0 } END { for (i = 0; i < NR; i++) print n[(i + 3 * r) % NR + 1] }'
}

run

"$dir/pushctl" probe check -o json >"$dir/check" 2>/dev/null || true
awk -F'"' -v window="$window" -v rounds="$rounds" -v conns="$conns" '
	/push_ns/ { split($3, v, /[:, ]+/); push = v[2] }
	/return_ns/ { split($3, v, /[:, ]+/); ret = v[2] }
	END { printf "%d connections, %d rounds of %d s. A breakpoint with nothing behind it: %.1f µs at an entry, %.1f µs at a return.\n\n", conns, rounds, window, push / 1e3, ret / 1e3 }
' "$dir/check"
awk -F'|' -v idle="$idle" "$compare"'
	$5 > 0 {
		hits[key] = hits[key] " " $6 / $8
		cost[key] = cost[key] " " $7 * 100
		if ($6 > 0) each[key] = each[key] " " $7 * $8 / $6 * 1e9
	}
	END {
		print "| job | probe | hits/s | ns a hit | % of a core, by its own count | CPU of the node a message, µs | times none |"
		print "|---|---|--:|--:|--:|--:|--:|"
		for (k = 1; k <= keys; k++) {
			key = order[k]
			split(key, p, "|")
			if (p[2] ~ /^none/) printf "| %s | %s | | | | %.1f | %s |\n", p[1], p[2], spread(us[key]), times(p[1], p[2])
			else printf "| %s | %s | %.0f | %s | %.2f | %.1f | %s |\n", p[1], p[2], spread(hits[key]), each[key] == "" ? "–" : sprintf("%.0f", spread(each[key])), spread(cost[key]), spread(us[key]), times(p[1], p[2])
		}
	}
' "$dir/results"
