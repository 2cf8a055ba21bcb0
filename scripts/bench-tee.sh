#!/bin/sh
# What a tee costs the node that it mirrors: a node with 5,000 connections, at
# 1,000 and at 10,000 messages a second, without a tee and with one of 1 % and of
# 100 % of its users, read by a program that throws all away, and one of 100 %
# that nobody reads. All of them take a turn in every round, in another order
# each time; each figure is against the windows without a tee of the same round,
# and "off, again" shows how far those are apart by themselves. The tap may cost
# what it likes here: its own budget would make the sample smaller. Prints a
# table in Markdown. Needs curl.
#
#   scripts/bench-tee.sh [ROUNDS]       3 if left out: about 5 minutes
set -eu
rounds=${1:-3}
window=${WINDOW:-7} # seconds of each measurement
conns=${CONNS:-5000}
cd "$(dirname "$0")/.."

dir=$(mktemp -d)
pids=
stop() {
	trap - INT TERM EXIT
	for p in $pids; do kill -CONT "$p" 2>/dev/null && kill "$p" 2>/dev/null || true; done
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

"$dir/pushd" --auth none --listen 127.0.0.1:17500 --private 127.0.0.1:17501 --admin-socket "$dir/admin.sock" --state-dir "$dir" \
	--keeper off --log-level error --knob tap.cpu_percent_max=100 --knob tap.stall_timeout=5m \
	--knob recorder.trigger_sched=0s --knob recorder.trigger_wait=0s &
node=$!
pids=$node
tries=0
until ctl stats >/dev/null 2>&1; do
	tries=$((tries + 1))
	kill -0 "$node" 2>/dev/null && [ $tries -lt 100 ] || exit 1
	sleep 0.1
done

# look: microseconds of CPU and messages delivered, since the node began, and
# microseconds of CPU that the tap has reckoned, since the tee began. A node at
# its limit may not answer for all of its loops, and then leaves them out.
look() {
	seen=
	tries=0
	until [ -n "$seen" ]; do
		tries=$((tries + 1))
		[ "$tries" -lt 50 ] || { echo "bench-tee: the node does not say how much it delivered" >&2; exit 1; }
		ctl stats -o json >"$dir/stats"
		seen=$(tr -d ' ' <"$dir/stats" | awk -F'[:,]' '
			/^"delivered":[0-9]/ { n = $2 }
			/^"cpu_(user|system)_seconds"/ { cpu += $2 }
			/^"cpu_seconds"/ { tap += $2 }
			/^"silent_loops"/ { n = "" }
			END { if (n != "") printf "%.0f %s %.0f", cpu * 1e6, n, tap * 1e6 }')
	done
	echo "$seen"
}

# mirror NAME: begins the tee of an arm and waits until it has what was open.
mirror() {
	reader=
	case $1 in
	off*) return ;;
	'1 %') sample=1 ;;
	*) sample=100 ;;
	esac
	curl -sN --unix-socket "$dir/admin.sock" "http://node/v1/tee?sample=$sample" -o /dev/null &
	reader=$!
	pids="$pids $reader"
	tries=0
	until ctl tee status -o json 2>/dev/null | tr -d ' \n' | grep -q '"active":true.*"joining":false'; do
		tries=$((tries + 1))
		[ "$tries" -lt 100 ] || { echo "bench-tee: the tee does not begin" >&2; exit 1; }
		sleep 0.1
	done
	case $1 in *stalled) kill -STOP "$reader" ;; esac
}

# measure JOB ROUND NAME: a line with the figures of one window.
measure() {
	mirror "$3"
	sleep 2 # what beginning costs is over
	set -- "$1" "$2" "$3" $(look)
	sleep "$window"
	set -- "$@" $(look)
	kill -0 "$load" || { cat "$dir/load" >&2; exit 1; }
	p99=$(ctl rec show --from "-$((window - 1))s" --fields wait.p99 -o csv 2>/dev/null | awk -F, '$NF + 0 > 0 { print $NF }' | sort -g | awk '{ v[NR] = $1 } END { if (NR) print v[int((NR + 1) / 2)] }')
	drops=0 sent=0
	if [ -n "$reader" ]; then
		ctl tee status -o json >"$dir/tee"
		drops=$(tr -d ' \n' <"$dir/tee" | sed 's/.*"dropped_by":{\([^}]*\)}.*/\1/' | tr ',' '\n' | awk -F: '{ n += $2 } END { printf "%.0f", n }')
		sent=$(tr -d ' \n' <"$dir/tee" | sed 's/.*"bytes":\([0-9]*\),.*/\1/')
		kill -CONT "$reader"
		kill "$reader"
		wait "$reader" 2>/dev/null || true
		pids=$(echo "$pids" | sed "s/ $reader\$//")
		sleep 0.5 # the tap has let go
	fi
	echo "$1|$2|$3|$(($7 - $4))|$(($8 - $5))|$(($9 - $6))|${p99:-}|$drops|$sent" >>"$dir/results"
}

# turns ROUND: the names, in an order that is drawn.
turns() {
	printf '%s\n' off '1 %' 'off, again' '100 %' '100 %, stalled' |
		awk -v r="$1" 'BEGIN { srand(r + 1) } { print rand() "|" $0 }' | sort -g | cut -d '|' -f 2
}

# job RATE: all rounds under one load.
job() {
	# Not by ctl, which would be a shell between us and the program.
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
		echo "bench-tee: $1, round $round of $rounds" >&2
	done
	kill "$load" 2>/dev/null || true
	wait "$load" 2>/dev/null || true
	pids=$(echo "$pids" | sed "s/ $load\$//")
}
job 1000/s
job 10000/s

awk -F'|' -v window="$window" -v rounds="$rounds" -v conns="$conns" '
	# middle, and the extremes around it, of values that are written "a b c".
	function spread(text, v, n, i, j, t) {
		n = split(text, v, " ")
		for (i = 2; i <= n; i++) for (j = i; j > 1 && v[j] + 0 < v[j - 1] + 0; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
		low = v[1]; high = v[n]
		return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
	}
	$5 > 0 {
		key = $1 "|" $3
		per[key, $2] = $4 / $5
		cpu[key] = cpu[key] " " $4 / $5 * 10
		rate[key] = rate[key] " " $5 / window
		tap[key] = tap[key] " " $6 / window / 1e4
		if ($7 != "") p99[key] = p99[key] " " $7 * 1e3
		drops[key] += $8
		sent[key] = sent[key] " " $9 / 1e6
		if ($2 > last) last = $2
	}
	END {
		printf "%d connections, %d rounds of %d s.\n\n", conns, rounds, window
		print "| job | tee | messages/s | CPU of the node for 10,000 messages, ms | times off | p99, ms | tap, % of a core by its own count | records left out |"
		print "|---|---|--:|--:|--:|--:|--:|--:|"
		jobs = split("1000/s|10000/s", job, "|")
		arms = split("off|off, again|1 %|100 %|100 %, stalled", arm, "|")
		for (k = 0; k < jobs * arms; k++) {
			p[1] = job[int(k / arms) + 1]; p[2] = arm[k % arms + 1]
			key = p[1] "|" p[2]
			ratios = ""
			for (r = 0; r <= last; r++) {
				a = per[p[1] "|off", r]; b = per[p[1] "|off, again", r]
				base = p[2] == "off, again" || !b ? a : a ? (a + b) / 2 : b
				if (base > 0 && ((key, r) in per)) ratios = ratios " " per[key, r] / base
			}
			m = spread(ratios); l = low; h = high
			if (p[2] == "off") shown = "1"; else shown = sprintf("%.2f (%.2f–%.2f)", m, l, h)
			q = p99[key] == "" ? "–" : sprintf("%.1f", spread(p99[key]))
			if (p[2] ~ /^off/) printf "| %s | %s | %.0f | %.0f | %s | %s | | |\n", p[1], p[2], spread(rate[key]), spread(cpu[key]), shown, q
			else printf "| %s | %s | %.0f | %.0f | %s | %s | %.2f | %d |\n", p[1], p[2], spread(rate[key]), spread(cpu[key]), shown, q, spread(tap[key]), drops[key]
		}
	}
' "$dir/results"
