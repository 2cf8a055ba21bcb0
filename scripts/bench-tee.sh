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
#   JOBS=10000/s scripts/bench-tee.sh 30
set -eu
rounds=${1:-3}
window=${WINDOW:-7} # seconds of each measurement
conns=${CONNS:-5000}
cd "$(dirname "$0")/.."

name=bench-tee idle=off jobs=${JOBS:-1000/s 10000/s}
. scripts/bench-lib.sh
serve --knob tap.cpu_percent_max=100 --knob tap.stall_timeout=5m --knob recorder.trigger_sched=0s --knob recorder.trigger_wait=0s

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
		[ "$tries" -lt 100 ] || die "the tee does not begin"
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
	drops=0
	if [ -n "$reader" ]; then
		ctl tee status -o json >"$dir/tee"
		drops=$(tr -d ' \n' <"$dir/tee" | sed 's/.*"dropped_by":{\([^}]*\)}.*/\1/' | tr ',' '\n' | awk -F: '{ n += $2 } END { printf "%.0f", n }')
		kill -CONT "$reader"
		kill "$reader"
		wait "$reader" 2>/dev/null || true
		forget "$reader"
		sleep 0.5 # the tap has let go
	fi
	echo "$1|$2|$3|$(($7 - $4))|$(($8 - $5))|$(($9 - $6))|${p99:-}|$drops" >>"$dir/results"
}

# turns ROUND: the names, in an order that is drawn.
turns() {
	printf '%s\n' off '1 %' 'off, again' '100 %' '100 %, stalled' |
		awk -v r="$1" 'BEGIN { srand(r + 1) } { print rand() "|" $0 }' | sort -g | cut -d '|' -f 2
}

run

awk -F'|' -v idle="$idle" -v window="$window" -v rounds="$rounds" -v conns="$conns" -v jobs="$jobs" "$compare"'
	$5 > 0 {
		rate[key] = rate[key] " " $5 / window
		tap[key] = tap[key] " " $6 / window / 1e4
		if ($7 != "") p99[key] = p99[key] " " $7 * 1e3
		drops[key] += $8
	}
	END {
		printf "%d connections, %d rounds of %d s.\n\n", conns, rounds, window
		print "| job | tee | messages/s | CPU of the node for 10,000 messages, ms | times off | p99, ms | tap, % of a core by its own count | records left out |"
		print "|---|---|--:|--:|--:|--:|--:|--:|"
		n = split(jobs, job, " ")
		arms = split("off|off, again|1 %|100 %|100 %, stalled", arm, "|")
		for (k = 0; k < n * arms; k++) {
			j = job[int(k / arms) + 1]; a = arm[k % arms + 1]; key = j "|" a
			q = p99[key] == "" ? "–" : sprintf("%.1f", spread(p99[key]))
			printf "| %s | %s | %.0f | %.0f | %s | %s |", j, a, spread(rate[key]), spread(us[key]) * 10, times(j, a), q
			if (a ~ /^off/) print " | |"
			else printf " %.2f | %d |\n", spread(tap[key]), drops[key]
		}
	}
' "$dir/results"
