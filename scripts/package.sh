#!/bin/sh
# Builds DIST/pushfleet_VERSION_ARCH.deb and prints its path. DIST is dist;
# VERSION is what git describes, or 0.1.0 with the commit; set them to choose
# others.
set -eu
cd "$(dirname "$0")/.."
: "${GO:=go}"
nfpm=github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2 # later ones do not build

if [ -z "${VERSION:-}" ]; then
	VERSION=$(git describe --tags 2>/dev/null | sed 's/^v//; s/-/+/; s/-/./g') || true
	[ -n "$VERSION" ] || VERSION=0.1.0~dev+$(git rev-list --count HEAD).$(git rev-parse --short HEAD)
fi
ARCH=$($GO env GOARCH)
: "${MAINTAINER:=pushfleet maintainers <pushfleet@packages.invalid>}"
: "${HOMEPAGE:=https://pushfleet.invalid/}"
# The time of what is packaged, so that the same commit gives the same package.
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct)}"
STAGE=$(mktemp -d)
trap 'rm -rf "$STAGE"' EXIT
export VERSION ARCH MAINTAINER HOMEPAGE STAGE SOURCE_DATE_EPOCH

build() {
	CGO_ENABLED=0 $GO build -trimpath -ldflags "-s -w -X $2=$VERSION" -o "$STAGE/bin/$1" "./$1"
}
build pushd pushfleet/pushd/node.Version
build keeper pushfleet/keeper/member.Version
build pushctl main.version

# As the programs see their places under the units.
as() {
	env -i RUNTIME_DIRECTORY="/run/$1" STATE_DIRECTORY="/var/lib/$1" "$STAGE/bin/$@"
}
zip() { gzip -9n >"$STAGE/$1.gz"; }
for p in pushd keeper; do
	as $p sample-config >"$STAGE/$p.toml"
	as $p sample-config env >"$STAGE/$p.env"
	as $p man | zip $p.8
done
as pushctl man | zip pushctl.1
for shell in bash zsh fish; do
	as pushctl completion $shell >"$STAGE/completion.$shell"
done
zip NEWS.md <CHANGELOG.md
zip PROTOCOL.md <PROTOCOL.md
{
	printf 'pushfleet (%s) stable; urgency=medium\n\n  * What is new: NEWS.md.gz beside this file.\n\n -- %s  %s\n' \
		"$VERSION" "$MAINTAINER" "$(LC_ALL=C date -Rud "@$SOURCE_DATE_EPOCH")"
} | zip changelog
GO=$GO scripts/copyright.sh >"$STAGE/copyright"

: "${DIST:=dist}"
mkdir -p "$DIST"
deb=$DIST/pushfleet_${VERSION}_$ARCH.deb
CGO_ENABLED=0 $GO run "$nfpm" package --config systemd/nfpm.yaml --packager deb --target "$deb" >&2
echo "$deb"
