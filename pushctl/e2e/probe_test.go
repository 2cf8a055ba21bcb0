package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// probe runs a probe of a node and reads its report; it skips where the host
// does not allow probes.
func probe(t *testing.T, n *node, report any, args ...string) {
	t.Helper()
	if out, _, code := pushctl(t, "probe", "check"); code != 0 {
		t.Skipf("this host allows no probes:\n%s", out)
	}
	out, errs, code := pushctl(t, append([]string{"probe", args[0], "--pid", fmt.Sprint(n.pid), "--duration", "3s", "-o", "json"}, args[1:]...)...)
	if code != 0 {
		t.Fatalf("pushctl probe %v: exit %d\n%s%s", args, code, out, errs)
	}
	if err := json.Unmarshal([]byte(out), report); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
}

// probeLock: the planted lock is on top, and by far.
func probeLock(t *testing.T, n *node) (wrong string) {
	var r struct {
		Sites []struct {
			Total float64 `json:"total_seconds"`
			Stack []struct{ Func string }
		}
	}
	probe(t, n, &r, "lock", "--go")
	if len(r.Sites) == 0 {
		return "no waits"
	}
	var names []string
	for _, f := range r.Sites[0].Stack {
		names = append(names, f.Func)
	}
	if stack := strings.Join(names, " "); !strings.Contains(stack, "(*plantedLock).takeOnLoop") || r.Sites[0].Total < 1 {
		return fmt.Sprintf("on top, with %.3f s: %s", r.Sites[0].Total, stack)
	}
	return ""
}

// probeGC: the collector runs nearly all the time, and goroutines must help.
func probeGC(t *testing.T, n *node) {
	var r struct {
		Seconds float64
		Cycles  []struct {
			Mark float64 `json:"mark_seconds"`
		}
		Assists []struct{ Count uint64 }
	}
	probe(t, n, &r, "gc", "--assist", "--max-cpu", "100%")
	marking, assists := 0.0, uint64(0)
	for _, c := range r.Cycles {
		marking += c.Mark
	}
	for _, a := range r.Assists {
		assists += a.Count
	}
	t.Logf("%d cycles in %.1f s, marking %.1f s, %d assists", len(r.Cycles), r.Seconds, marking, assists)
	// A few cycles are a storm too where the node has a small part of a processor.
	if len(r.Cycles) < 3 || marking < 0.2*r.Seconds || assists == 0 {
		t.Error("that is no storm")
	}
}
