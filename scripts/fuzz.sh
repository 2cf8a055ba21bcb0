#!/bin/sh
# fuzz.sh TIME: runs every fuzz target of the tree for TIME, one after another.
# A crash leaves its input in the package's testdata/fuzz: commit it with the fix.
set -eu
cd "$(dirname "$0")/.."
time=${1:-60s}
for pkg in $(go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./...); do
	for target in $(go test -list '^Fuzz' "$pkg" | grep '^Fuzz' || true); do
		echo "== $pkg $target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 2s -parallel 2 "$pkg"
	done
done
