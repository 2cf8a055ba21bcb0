#!/bin/sh
# Prints the copyright file of the package: ours, and the licence of every
# module that is linked into the programs.
set -eu
cd "$(dirname "$0")/.."
cat <<'HEAD'
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: pushfleet

Files: *
Copyright: pushfleet contributors
License: Apache-2.0
 On Debian systems the full text is in /usr/share/common-licenses/Apache-2.0.

Files: /usr/bin/*
Copyright: see the texts below
License: linked-modules
 The programs are linked statically with the modules below, whose licences
 follow.
HEAD
indent() { sed 's/[[:space:]]*$//; s/^$/./; s/^/ /'; }
print_module() { # path version folder
	printf ' .\n ==== %s %s ====\n .\n' "$1" "$2"
	find "$3" -maxdepth 1 -type f \( -iname 'LICENSE*' -o -iname 'LICENCE*' -o -iname 'COPYING*' -o -iname 'NOTICE*' \) | sort |
		while read -r f; do
			# Debian has the text of this one on every machine.
			if grep -q 'Apache License' "$f" && grep -q 'TERMS AND CONDITIONS' "$f"; then
				echo ' Apache-2.0: /usr/share/common-licenses/Apache-2.0'
			else
				indent <"$f"
			fi
		done
}
${GO:-go} list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}' ./pushd ./keeper ./pushctl |
	sort -u | while read -r path version dir; do print_module "$path" "$version" "$dir"; done
print_module "the Go standard library" "$(${GO:-go} env GOVERSION)" "$(${GO:-go} env GOROOT)"
