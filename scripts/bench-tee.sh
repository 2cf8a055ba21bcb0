#!/bin/sh
# What a tee costs the node that it mirrors: 2,000 connections, at 8,000 messages
# a second and as fast as it can, without a tee, with one of 1 % and of 100 % of
# the users, and with one whose reader takes nothing. All of them take a turn in
# every round, in another order each time; each figure is against the windows
# without a tee of the same round, and "none, again" shows how far those are
# apart by themselves. Prints a table in Markdown.
#
#   scripts/bench-tee.sh [ROUNDS]       9 if left out: about 7 minutes
set -eu
rounds=${1:-9}
window=${WINDOW:-3} # seconds of each measurement
conns=${CONNS:-2000}
jobs=${JOBS:-8000/s max} # messages a second
cd "$(dirname "$0")/.."

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
api() { curl -sS --unix-socket "$dir/admin.sock" "$@"; }

# The budget is out of the way: the whole cost is to be seen.
"$dir/pushd" --auth none --listen 127.0.0.1:17510 --private 127.0.0.1:17511 --admin-socket "$dir/admin.sock" \
	--state-dir "$dir" --keeper off --log-level error --knob tap.cpu_percent_max=1000 --knob tap.stall_timeout=10m &
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
		[ "$tries" -lt 200 ] || { echo "bench-tee: the node does not say how much it delivered" >&2; exit 1; }
		seen=$(ctl stats -o json | tr -d ' ' | awk -F'[:,]' '
			/^"delivered":[0-9]/ { n = $2 }
			/^"cpu_(user|system)_seconds"/ { cpu += $2 }
			/^"silent_loops"/ { n = "" }
			END { if (n != "") printf "%.0f %s", cpu * 1e6, n }')
	done
	echo "$seen"
}

# figure NAME: the number of that name in what the tap says of itself.
figure() { api http://node/v1/tap | tr ',{' '\n\n' | sed -n "s/^ *\"$1\": *\([0-9.e+-]*\).*/\1/p" | head -n 1; }

# waits CONDITION…: until it holds, 10 s at most.
waits() {
	tries=0
	until "$@"; do
		tries=$((tries + 1))
		[ "$tries" -lt 100 ] || { echo "bench-tee: did not happen: $*" >&2; exit 1; }
		sleep 0.1
	done
}
joined() { api http://node/v1/tap | grep -q '"active":true.*"joining":false'; }
idle() { api http://node/v1/tap | grep -q '"active":false'; }

# measure JOB ROUND NAME: a line with CPU and messages of one window.
measure() {
	reader=
	case $3 in
	none*) ;;
	*)
		curl -sSN --unix-socket "$dir/admin.sock" "http://node/v1/tee?sample=${3%% *}" -o /dev/null &
		reader=$!
		pids="$pids $reader"
		waits joined
		case $3 in *stopped*) kill -STOP "$reader" ;; esac
		;;
	esac
	sleep 0.5
	before=$(look)
	sleep "$window"
	after=$(look)
	kill -0 "$load" || { cat "$dir/load" >&2; exit 1; }
	own=0 torn=0
	if [ -n "$reader" ]; then
		own=$(figure cpu_percent) torn=$(figure torn)
		kill -CONT "$reader"
		api -X DELETE http://node/v1/tee || true
		wait "$reader" || true
		pids=$(echo "$pids" | sed "s/ $reader\$//")
		waits idle
	fi
	echo "$1|$2|$3|$((${after% *} - ${before% *}))|$((${after#* } - ${before#* }))|$own|$torn" >>"$dir/results"
}

# turns ROUND: the names, begun at another one each round.
turns() {
	printf '%s\n' none '1 percent' '100 percent' 'none, again' '100 percent, reader stopped' |
		awk -v r="$1" '{ n[NR] = $0 } END { for (i = 0; i < NR; i++) print n[(i + 2 * r) % NR + 1] }'
}

# job RATE: all rounds under one load.
job() {
	ctl bench soak --addr 127.0.0.1:17510 --conns "$conns" --ramp 2000/s --rate "$1" --for 1h --report '' --allow-invalid >"$dir/load" 2>&1 &
	load=$!
	pids="$pids $load"
	sleep $((conns / 2000 + 3)) # connected, and at its rate
	kill -0 "$load" 2>/dev/null || { cat "$dir/load" >&2; exit 1; }
	round=0
	while [ "$round" -lt "$rounds" ]; do
		turns "$round" >"$dir/turns"
		while read -r name; do measure "$1" "$round" "$name" </dev/null; done <"$dir/turns"
		round=$((round + 1))
		echo "bench-tee: $1, round $round of $rounds" >&2
	done
	kill "$load" 2>/dev/null || true
	wait "$load" 2>/dev/null || true
	pids=$(echo "$pids" | sed "s/ $load\$//")
}
for j in $jobs; do job "$j"; done

printf '%s connections, %s rounds of %s s.\n\n' "$conns" "$rounds" "$window"
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
		own[key] = own[key] " " $6
		torn[key] = torn[key] " " $7
		if ($2 > last) last = $2
	}
	END {
		print "| job | tee | torn | % of a core, by its own count | CPU of the node a message, µs | times none |"
		print "|---|---|--:|--:|--:|--:|"
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
			shown = p[2] == "none" ? "1" : sprintf("%.2f (%.2f–%.2f)", m, l, h)
			if (p[2] ~ /^none/) printf "| %s | %s | | | %.1f | %s |\n", p[1], p[2], spread(us[key]), shown
			else printf "| %s | %s | %.0f | %.2f | %.1f | %s |\n", p[1], p[2], spread(torn[key]), spread(own[key]), spread(us[key]), shown
		}
	}
' "$dir/results"
