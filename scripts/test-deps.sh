#!/bin/sh
# Installs what the tests need of the machine and says what it does. Quick when
# everything is there. Without apt it names what is missing: tests that need it
# then skip with a reason.
set -u
cd "$(dirname "$0")/.."

say() { echo "test-deps: $*"; }

# need PROGRAM PACKAGE...: remembers the packages unless the program is there.
packages=
need() {
	program=$1
	shift
	command -v "$program" >/dev/null 2>&1 || packages="$packages $*"
}
need chromium chromium
need haproxy haproxy
need curl curl
need node nodejs
need npm npm
need clang-14 clang-14 llvm-14 libbpf-dev # to see that the committed eBPF programs are current
# Fleets in network namespaces, and disks that lose power.
need ip iproute2
need nft nftables # lossy links
need strace strace
need mkfs.ext4 e2fsprogs
# The package on a real systemd, in a container.
need systemd-nspawn systemd-container
need debootstrap debootstrap
need lintian lintian
if ! ls /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf >/dev/null 2>&1; then
	packages="$packages fonts-dejavu-core"
fi

if [ -n "$packages" ]; then
	if [ "$(id -u)" = 0 ]; then
		root=
	elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
		root=sudo
	else
		root=none
	fi
	if ! command -v apt-get >/dev/null 2>&1; then
		say "missing:$packages; there is no apt-get here, install them yourself. Tests that need them skip."
	elif [ "$root" = none ]; then
		say "missing:$packages; not root and no sudo. Tests that need them skip. As root: apt-get install$packages"
	else
		say "installing$packages"
		export DEBIAN_FRONTEND=noninteractive
		log=$(mktemp)
		# $packages and $root are lists, hence without quotes.
		if ! { $root apt-get update -q && $root apt-get install -q -y --no-install-recommends $packages; } >"$log" 2>&1; then
			tail -n 5 "$log"
			say "could not install$packages; tests that need them skip"
		fi
		rm -f "$log"
	fi
fi

# Prometheus and VictoriaMetrics, for metrics, dashboards and alerts. They are
# unpacked rather than installed: their packages would start services.
tools=.tools
if ! command -v prometheus >/dev/null 2>&1 && [ ! -x $tools/usr/bin/prometheus ]; then
	dir=$(mktemp -d)
	chmod 755 "$dir" # apt-get downloads as a user of its own
	if (cd "$dir" && apt-get download -q prometheus victoria-metrics && for deb in *.deb; do dpkg-deb -x "$deb" .; done) >"$dir/log" 2>&1; then
		mkdir -p $tools && cp -r "$dir/usr" $tools/ && say "unpacked Prometheus and VictoriaMetrics into $tools"
	else
		say "no Prometheus from apt-get; tests that need it skip"
	fi
	rm -rf "$dir"
fi

# Node modules of the browser tests. The lock file's checksum tells whether they
# are current.
find . -name node_modules -prune -o -path '*/e2e/*' -name package.json -print | while read -r manifest; do
	dir=$(dirname "$manifest")
	stamp=$dir/node_modules/.installed
	lock=$dir/package-lock.json
	[ -f "$lock" ] || lock=$manifest
	want=$(cksum <"$lock")
	[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ] && continue
	if ! command -v npm >/dev/null 2>&1; then
		say "no npm for $dir; its tests skip"
		continue
	fi
	say "npm ci in $dir"
	# The browser comes from the system, not from npm.
	if (cd "$dir" && PUPPETEER_SKIP_DOWNLOAD=1 npm ci --no-audit --no-fund --loglevel=error); then
		echo "$want" >"$stamp"
	else
		say "npm ci in $dir did not work; its tests skip"
	fi
done
exit 0
