#!/bin/sh
# Runs the tests in */e2e folders with the given "go test" flags. BIN holds the
# built programs for tests that start them.
set -eu
cd "$(dirname "$0")/.."
BIN=$PWD/bin
export BIN
dirs=$(find . -name node_modules -prune -o -type f -path '*/e2e/*_test.go' -print | xargs -r -n1 dirname | sort -u)
if [ -z "$dirs" ]; then
	echo "e2e: no tests yet"
	exit 0
fi
# One folder after the other: each uses all processors. $dirs is a list.
exec go test -p 1 -tags e2e "$@" $dirs
