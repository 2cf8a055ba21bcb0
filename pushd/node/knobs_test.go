package node

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite testdata/knobs.txt")

// TestKnobNames holds the knobs to testdata/knobs.txt: settings of users and
// of keepers name them. go test -run KnobNames -update rewrites it.
func TestKnobNames(t *testing.T) {
	var b strings.Builder
	for _, k := range Knobs().List() {
		allowed := k.Min + " to " + k.Max
		if k.Values != nil {
			allowed = strings.Join(k.Values, ", ")
		}
		fmt.Fprintf(&b, "%s: %s; %s; acts %s; risk %s\n", k.Name, strings.TrimSpace(k.Default+" "+k.Unit), allowed, k.Acts, k.Risk)
		if !strings.HasSuffix(k.Help, ".") {
			t.Errorf("%s: help %q is not a sentence", k.Name, k.Help)
		}
	}
	const file = "testdata/knobs.txt"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), b.String()); d != "" {
		t.Errorf("knobs differ from %s; if that is wanted, run with -update and tell users in CHANGELOG.md:\n%s", file, d)
	}
}
