package pushdapi

import (
	"os/exec"
	"testing"

	"pgregory.net/rapid"
)

func TestQuote(t *testing.T) {
	f := func(name, want string) {
		t.Helper()
		if got := Quote(name); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
	f("u-88121", "u-88121")
	f("ann@example.com", "ann@example.com")
	f("", "''")
	f("-rf", "'-rf'")
	f("=ls", "'=ls'")
	f("a=5%,b", "a=5%,b")
	f("a b", "'a b'")
	f("a;reboot", "'a;reboot'")
	f("$(reboot)", "'$(reboot)'")
	f("a'b", `'a'\''b'`)
	f("a~b", "'a~b'")
	f("ä", "'ä'")
}

// TestAShellReadsTheName: whatever the name, a shell takes it as one word.
func TestAShellReadsTheName(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh")
	}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching("[ -~]{0,12}").Draw(t, "name")
		out, err := exec.Command(sh, "-c", "printf %s "+Quote(name)).Output()
		if err != nil || string(out) != name {
			t.Fatalf("%q became %q, %v", name, out, err)
		}
	})
}
