#!/bin/sh
# Makes the objects and bindings in bpf/, or in the directory given, from the
# sources in C. Only this version of clang makes the same bytes; on Debian:
# apt-get install clang-14 llvm-14 libbpf-dev
set -eu
cd "$(dirname "$0")/../bpf"
out=${1:-.}
for cc in clang-14 llvm-strip-14; do
	command -v $cc >/dev/null || { echo "$cc is not installed: apt-get install clang-14 llvm-14 libbpf-dev" >&2; exit 1; }
done
export GOPACKAGE=bpf
for name in GC Lock CPU Sched Net Empty; do
	${GO:-go} tool bpf2go -cc clang-14 -strip llvm-strip-14 -target bpfel -output-dir "$out" \
		-cflags "-O2 -g -Wall -Werror -mcpu=v3 -Iheaders -fdebug-prefix-map=$PWD=." $name "$(echo $name | tr A-Z a-z).bpf.c" >/dev/null
done
