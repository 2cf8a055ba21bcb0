package table

import (
	"strings"
	"testing"
	"time"

	"pushfleet/internal/keeperapi"
)

func TestAnswerSaysWhatWasDone(t *testing.T) {
	f := func(a keeperapi.Answer, want string) {
		t.Helper()
		if got := strings.Join(Answer(&a, "", false, Style{}), "|"); got != want {
			t.Errorf("Answer(%+v)\n got %q\nwant %q", a, got, want)
		}
	}
	delta := keeperapi.Delta{Knob: "log.level", Scope: keeperapi.Fleet, Old: "debug", New: "debug", Acts: "live"}
	f(keeperapi.Answer{Result: keeperapi.Result{Revision: 7}}, "r7  nothing changed: all is as it was")
	// The same value under another deadline is a change all the same.
	f(keeperapi.Answer{Result: keeperapi.Result{Revision: 8}, Changes: []keeperapi.Delta{delta}},
		"r8  log.level  debug, as it was   live, no reconnects")
	delta.Old, delta.Scope = "", "app=shop"
	f(keeperapi.Answer{Result: keeperapi.Result{Revision: 9}, Changes: []keeperapi.Delta{delta}, Checked: &keeperapi.Preflight{},
		Applied: &keeperapi.Applied{}},
		"r9  log.level  – → debug  on app=shop   live, no reconnects|pre-flight   no node to ask|"+
			"applied      no node is connected: they take it when they come")
	// Who has no session is named: it may serve with the old value.
	f(keeperapi.Answer{Result: keeperapi.Result{Revision: 9}, Changes: []keeperapi.Delta{delta}, Checked: &keeperapi.Preflight{Asked: 1, Accepted: 1},
		Applied: &keeperapi.Applied{Of: 1, Applied: 1, TookMS: 8, Away: []string{"gw-2", "gw-3"}}},
		"r9  log.level  – → debug  on app=shop   live, no reconnects|pre-flight   1 of 1 node accepts|"+
			"applied      1 of 1 node in 8 ms|             no session, later: gw-2, gw-3")
	// A stronger scope says otherwise.
	f(keeperapi.Answer{Result: keeperapi.Result{Revision: 9}, Changes: []keeperapi.Delta{delta}, Checked: &keeperapi.Preflight{},
		Applied: &keeperapi.Applied{Of: 3, Applied: 3, TookMS: 8}},
		"r9  log.level  – → debug  on app=shop   live, no reconnects|pre-flight   no node to ask|"+
			"             no node holds anything else now: pushctl knob explain log.level|"+
			"applied      3 of 3 nodes in 8 ms")
	f(keeperapi.Answer{DryRun: true, Result: keeperapi.Result{Revision: 9}}, "|no node would hold anything else; nothing was changed")
}

func TestTerms(t *testing.T) {
	now := time.Date(2026, 11, 21, 14, 3, 7, 0, time.Local)
	f := func(d time.Duration, guard, want string) {
		t.Helper()
		if got := Terms(d, guard, now); got != want {
			t.Errorf("Terms(%s, %q) = %q, want %q", d, guard, got, want)
		}
	}
	f(0, "", "")
	f(10*time.Minute, "", "for 10m, until 14:13:07")
	f(24*time.Hour, "conns > 1", "for 1d, until 2026-11-22 14:03:07; guard conns > 1")
	f(0, "conns > 1", "guard conns > 1")
}
