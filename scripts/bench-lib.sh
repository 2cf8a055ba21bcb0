# What bench-probes.sh and bench-tee.sh share, which source it: a node under
# load, arms that take turns in rounds, and how they compare. They set name,
# idle (the arm that the others are held against; "IDLE, again" is the same once
# more), rounds, window, conns and jobs, and define turns and measure.
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

die() { echo "$name: $*" >&2; exit 1; }
ctl() { "$dir/pushctl" --node "$dir/admin.sock" "$@"; }
forget() { pids=$(echo "$pids" | sed "s/ $1\$//"); }

# serve FLAG...: starts the node and waits until it answers.
serve() {
	"$dir/pushd" --auth none --listen 127.0.0.1:17500 --private 127.0.0.1:17501 --admin-socket "$dir/admin.sock" \
		--state-dir "$dir" --keeper off --log-level error "$@" &
	node=$!
	pids=$node
	tries=0
	until ctl stats >/dev/null 2>&1; do
		tries=$((tries + 1))
		kill -0 "$node" 2>/dev/null && [ $tries -lt 100 ] || die "the node does not answer"
		sleep 0.1
	done
}

# look: microseconds of CPU and messages delivered, since the node began, and
# microseconds of CPU that the tap has reckoned, since the tee began. A node at
# its limit may not answer for all of its loops, and then leaves them out.
look() {
	seen=
	tries=0
	until [ -n "$seen" ]; do
		tries=$((tries + 1))
		[ "$tries" -lt 50 ] || die "the node does not say how much it delivered"
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

# run: all rounds under the load of each job.
run() {
	for job in $jobs; do
		# Not by ctl, which would be a shell between us and the program.
		"$dir/pushctl" --node "$dir/admin.sock" bench soak --addr 127.0.0.1:17500 --conns "$conns" --ramp 2000/s --rate "$job" --for 1h --report '' --allow-invalid >"$dir/load" 2>&1 &
		load=$!
		pids="$pids $load"
		sleep $((conns / 2000 + 3)) # connected, and at its rate
		kill -0 "$load" 2>/dev/null || { cat "$dir/load" >&2; exit 1; }
		round=0
		while [ "$round" -lt "$rounds" ]; do
			turns "$round" >"$dir/turns"
			while read -r arm; do measure "$job" "$round" "$arm" </dev/null; done <"$dir/turns"
			round=$((round + 1))
			echo "$name: $job, round $round of $rounds" >&2
		done
		kill "$load" 2>/dev/null || true
		wait "$load" 2>/dev/null || true
		forget "$load"
	done
}

# What awk needs to print results, which are lines JOB|ROUND|ARM|CPU|MESSAGES|…
compare='
	# middle, and an interval that holds it at 95 % by the order of values, of
	# values that are written "a b c": all of them up to ten.
	function spread(text, v, n, i, j, t) {
		n = split(text, v, " ")
		for (i = 2; i <= n; i++) for (j = i; j > 1 && v[j] + 0 < v[j - 1] + 0; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
		i = int((n - 1.96 * sqrt(n)) / 2)
		if (i < 1) i = 1
		low = v[i]; high = v[n + 1 - i]
		return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
	}
	# CPU of a message against the idle arms of the same rounds.
	function ratios(job, arm, text, r, a, b, base) {
		for (r = 0; r <= last; r++) {
			a = per[job "|" idle, r]; b = per[job "|" idle ", again", r]
			base = arm == idle ", again" || !b ? a : a ? (a + b) / 2 : b
			if (base > 0 && ((job "|" arm, r) in per)) text = text " " per[job "|" arm, r] / base
		}
		return text
	}
	function times(job, arm, m) {
		if (arm == idle) return "1"
		m = spread(ratios(job, arm))
		return sprintf("%.2f (%.2f–%.2f)", m, low, high)
	}
	$5 > 0 {
		key = $1 "|" $3
		if (!(key in known)) { known[key] = 1; order[++keys] = key }
		per[key, $2] = $4 / $5
		us[key] = us[key] " " $4 / $5
		if ($2 > last) last = $2
	}
'
