//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// builder makes two packages that differ in their version only: old.deb by
// scripts/package.sh, or the one that DEB names, and new.deb from it.
type builder struct {
	once sync.Once
	dir  string // holds both
	err  error
}

const buildScript = `
if [ -z "${DEB:-}" ]; then
	(cd ../.. && VERSION=0.1.0 DIST="$1" scripts/package.sh >"$1/out" 2>"$1/log") || { cat "$1/log"; exit 1; }
	DEB=$(cat "$1/out")
fi
cp "$DEB" "$1/old.deb"
dpkg-deb -R "$1/old.deb" "$1/tree"
sed -i 's/^Version: .*/Version: 9.9.9/' "$1/tree/DEBIAN/control"
dpkg-deb --root-owner-group -Zgzip -z1 -b "$1/tree" "$1/new.deb" >/dev/null
rm -r "$1/tree"
`

func (b *builder) build() {
	if b.dir, b.err = os.MkdirTemp("", "pushfleet-deb-"); b.err == nil {
		_, b.err = sh(buildScript, b.dir)
	}
}

// packages are built once per run of the tests.
var packaged builder

// packageFolder is where the packages are.
func packageFolder(t testing.TB) string {
	t.Helper()
	packaged.once.Do(packaged.build)
	if packaged.err != nil {
		t.Fatal(packaged.err)
	}
	return packaged.dir
}

func TestMain(m *testing.M) {
	code := m.Run()
	if packaged.dir != "" {
		os.RemoveAll(packaged.dir)
	}
	os.Exit(code)
}

func TestLintianHasNothingToSay(t *testing.T) {
	needs(t)
	lintian, err := exec.LookPath("lintian")
	if err != nil {
		t.Skip("lintian is not installed: apt-get install lintian")
	}
	out, err := exec.Command(lintian, "--allow-root", "--fail-on", "error,warning", filepath.Join(packageFolder(t), "old.deb")).Output()
	if err != nil || len(out) > 0 {
		t.Errorf("lintian: %v\n%s", err, out)
	}
}
