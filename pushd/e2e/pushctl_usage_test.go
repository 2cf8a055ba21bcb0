package e2e

import (
	"strings"
	"testing"
)

// TestPushctlExitCodes: 0 fine, 1 failed, 2 wrong usage, 3 some nodes silent.
func TestPushctlExitCodes(t *testing.T) {
	n := startPushd(t)
	down := startPushd(t)
	down.signal(9)
	down.exit()
	f := func(code int, want string, args ...string) {
		t.Helper()
		out, got := pushctl(t, args...)
		if got != code || !strings.Contains(out, want) || strings.Contains(out, "panic") {
			t.Errorf("pushctl %q: exit %d, want %d and %q:\n%s", args, got, code, want, out)
		}
	}
	f(0, "e2e", "--node", n.admin, "stats")
	f(0, "e2e", "stats", "--node", n.API.Addr(), "-o", "wide")
	f(0, "pushctl", "help")
	f(2, "did you mean stats?", "--node", n.admin, "stast")
	f(2, "did you mean", "--node", n.admin, "stats", "--wacth")
	f(2, "json", "--node", n.admin, "stats", "-o", "xml")
	f(2, "did you mean", "--node", n.admin, "top", "--by", "quued")
	f(2, "1, 10 or 100", "--node", n.admin, "top", "--window", "7")
	f(2, "quued", "--node", n.admin, "top", "--where", "quued > 5")
	f(2, "missing", "--node", n.admin, "conn")
	f(2, "", "--node", n.admin, "conn", "not-an-id")
	f(1, "", "--node", n.admin, "conn", "0.1.1")
	f(2, "whom", "--node", n.admin, "kick")
	f(2, "did you mean", "--node", n.admin, "closed", "--reason", "solw")
	f(2, "not JSON", "--node", n.admin, "send", "a", `{"a":`)
	f(1, "", "--node", n.admin, "send", "a", "@/nonexistent")
	f(2, "did you mean", "--node", n.admin, "pprof", "haep")
	f(1, "no node is running there", "--node", down.admin, "stats")
	f(1, "no node is running there", "--node", down.API.Addr(), "top")
	f(1, "", "listen", "a", "--addr", down.client[0])
	f(3, down.admin, "--node", n.admin, "--node", down.admin, "stats")
}
