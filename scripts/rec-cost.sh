#!/bin/sh
# What the recorder costs at one record a second, against sysstat's sadc with
# all of its figures, in the same minutes on the same machine: CPU and bytes.
# A node that does not record runs beside the one that does; the difference of
# the two is the recorder's.
#
#   scripts/rec-cost.sh [SECONDS]          300 if left out; installs sysstat
set -eu
seconds=${1:-300}
cd "$(dirname "$0")/.."

sadc=
for f in /usr/lib/sysstat/sadc /usr/lib64/sa/sadc; do [ -x "$f" ] && sadc=$f; done
if [ -z "$sadc" ]; then
	apt-get install -y -q sysstat >/dev/null || { echo "rec-cost: install sysstat first" >&2; exit 1; }
	sadc=/usr/lib/sysstat/sadc
fi

dir=$(mktemp -d)
pids=
trap 'for p in $pids; do kill "$p" 2>/dev/null || true; done; wait; rm -rf "$dir"' EXIT INT TERM
go build -o "$dir/" ./pushd ./pushctl

# start NAME PORT: a node of its own, on loopback.
start() {
	mkdir -p "$dir/$1"
	"$dir/pushd" --listen "127.0.0.1:$2" --private "127.0.0.1:$(($2 + 1))" --admin-socket "$dir/$1/admin.sock" \
		--state-dir "$dir/$1" --node-name "$1" --auth none --keeper off 2>"$dir/$1/log" &
	eval "$1=$!"
	pids="$pids $!"
	n=0
	until "$dir/pushctl" --node "$dir/$1/admin.sock" version >/dev/null 2>&1; do
		n=$((n + 1))
		[ "$n" -lt 100 ] || { cat "$dir/$1/log" >&2; exit 1; }
		sleep 0.1
	done
}

# ticks PID: its CPU in hundredths of a second.
ticks() { awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$1/stat"; }

# size PATTERN: bytes of files.
size() { cat $1 2>/dev/null | wc -c; }

start on 17480
start off 17490
"$dir/pushctl" --node "$dir/off/admin.sock" knob set recorder.on off --local >/dev/null
"$sadc" -S XALL 1 $((seconds + 30)) "$dir/sa" >/dev/null &
sadc_pid=$!
pids="$pids $sadc_pid"
sleep 5 # what starting costs is not asked

on0=$(ticks "$on") off0=$(ticks "$off") sadc0=$(ticks "$sadc_pid")
rec0=$(size "$dir/on/recorder/*.rec") sa0=$(size "$dir/sa")
sleep "$seconds"
on1=$(ticks "$on") off1=$(ticks "$off") sadc1=$(ticks "$sadc_pid")
rec1=$(size "$dir/on/recorder/*.rec") sa1=$(size "$dir/sa")

awk -v s="$seconds" -v on=$((on1 - on0)) -v off=$((off1 - off0)) -v sadc=$((sadc1 - sadc0)) \
	-v rec=$((rec1 - rec0)) -v sa=$((sa1 - sa0)) 'BEGIN {
	printf "%d s, one record a second\n", s
	printf "                      CPU, %% of a core   bytes/record   MB/day\n"
	printf "recorder              %16.3f   %12.0f   %6.1f\n", (on - off) / s, rec / s, rec / s * 86400 / 1e6
	printf "sadc -S XALL          %16.3f   %12.0f   %6.1f\n", sadc / s, sa / s, sa / s * 86400 / 1e6
	printf "node, not recording   %16.3f\n", off / s
}'
"$dir/pushctl" --node "$dir/on/admin.sock" rec status
