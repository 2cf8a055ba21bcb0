package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pushfleet/internal/pushdapi"
)

// How far a queue of the shadow may be behind or ahead of the one in production,
// in bytes. In both places the kernel takes some for a client that does not
// read; at the shadow it takes what lies between production and its client
// beside the 56 KiB that lie between the shadow and the driver.
const (
	behindMost = 80 << 10
	aheadMost  = 24 << 10
)

// A shadow holds the connections that production holds, and messages wait there
// for whom they wait in production; and of all that was mirrored nothing is
// unaccounted for.
func TestTeeFollowsProduction(t *testing.T) {
	const fast, slow, stalled, churning, size = 30, 5, 5, 10, 1000
	knobs := []string{"queue.bytes_max=8MiB"}
	from, to := production(t, nodeOptions{knobs: knobs}), shadow(t, nodeOptions{knobs: knobs})
	from.crowd(t, "fast-", fast, "fast", "ws,sse=20%,stream=20%")
	from.crowd(t, "slow-", slow, "slow", "ws,stream=40%")
	from.crowd(t, "stalled-", stalled, "stalled", "ws,sse=40%")
	tee := begin(t, "tee", "start", "--from", from.admin, "--to", to.admin, "--sample", "100%", "-o", "json",
		"--allow", "cpu", "--allow", "p99", "--allow", "drops", "--allow", "driver")
	eventually(t, "the shadow holds what was open", func() bool { return to.stats(t).Connections.Total == fast+slow+stalled })
	churn := from.crowd(t, "churn-", churning, "churn", "ws")
	stop := from.tell(t, size, tells{"fast-", fast, 300}, tells{"slow-", slow, 400}, tells{"stalled-", stalled, 400}, tells{"churn-", churning, 50})

	const behind, ahead = behindMost / size, aheadMost / size // messages, of one connection
	users := append(names("slow-", slow), names("stalled-", stalled)...)
	var there, here, apart []int64
	eventually(t, "queues grow", func() bool {
		a, b := from.stats(t).Connections.Total, to.stats(t).Connections.Total
		apart = append(apart, max(a-b, b-a))
		there = from.queues(t, users)
		return slices.Min(there[slow:]) > 4*behind
	})
	sent := stop()
	churn.Close()
	var wrong []string // unless this machine is to blame, which the report tells
	// The middle of all looks: for a moment after it stood still a shadow has
	// those who came meanwhile and have left again.
	if typical := median(apart); typical > churning {
		wrong = append(wrong, fmt.Sprintf("while %d clients come and go, production and the shadow hold numbers of connections that are %d apart", churning, typical))
	}
	if !happens(func() bool {
		there, here = from.queues(t, users), to.queues(t, users)
		return alike(there, here, behind, ahead)
	}) {
		wrong = append(wrong, fmt.Sprintf("queues of %v\nin production %v\nat the shadow %v", users, there, here))
	}
	t.Logf("of %v wait in production %v, at the shadow %v; connections were %d apart", users, there, here, median(apart))
	var a, b *pushdapi.Stats
	if !happens(func() bool {
		a, b = from.stats(t), to.stats(t)
		d := a.Queued.Level.S10 - b.Queued.Level.S10
		return a.Queued.Conns == b.Queued.Conns && d < float64(behind*len(users)) && d > -float64(ahead*len(users)) &&
			a.Connections.Total == fast+slow+stalled && b.Connections.Total == fast+slow+stalled
	}) {
		wrong = append(wrong, fmt.Sprintf("windows and connections: in production %+v %+v\nat the shadow %+v %+v", a.Queued, a.Connections, b.Queued, b.Connections))
	}
	if out, errs, code := pushctl(t, "tee", "stop", "--from", from.admin); code != 0 {
		t.Fatalf("pushctl tee stop: exit %d\n%s%s", code, out, errs)
	}
	if code := tee.wait(t, patience); code != 1 {
		t.Errorf("a tee that was ended by somebody else: exit %d", code)
	}
	var r report
	if err := json.Unmarshal([]byte(tee.out.text()), &r); err != nil {
		t.Fatalf("%v in\n%s%s", err, tee.out.text(), tee.err.text())
	}
	tap, d := from.tap(t), r.Driver
	d.exact(t)
	for kind, seen := range tap.Seen {
		if seen != tap.Sent[kind]+tap.Dropped[kind] || d.Read[kind] != tap.Sent[kind] {
			t.Errorf("%s: the tap saw %d, sent %d, dropped %d; the driver read %d", kind, seen, tap.Sent[kind], tap.Dropped[kind], d.Read[kind])
		}
	}
	if tap.Seen["publish"] != sent || sum(tap.Dropped) != 0 || sum(d.Pending) != 0 || r.Stopped == nil || r.Stopped.Reason != "stream" {
		t.Errorf("%d sent, tap %+v, driver %+v, stopped %+v", sent, tap, d, r.Stopped)
	}
	t.Logf("%d records read, %d replayed, left out %v, %d connections torn; late p99 %.0f ms", sum(d.Read), sum(d.Replayed), d.Dropped, d.Torn, d.Late*1e3)
	if len(wrong) == 0 {
		return
	}
	for kind, why := range d.Dropped {
		if n := why["late"]; n > 0 {
			t.Skipf("this machine stood still: %d records of kind %s came more than 2 s too late\n%s", n, kind, strings.Join(wrong, "\n"))
		}
	}
	t.Error(strings.Join(wrong, "\n"))
}

func names(of string, n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprint(of, i))
	}
	return out
}

// alike tells whether no queue is farther behind or ahead than that.
func alike(there, here []int64, behind, ahead int64) bool {
	for i := range there {
		if d := there[i] - here[i]; d > behind || d < -ahead {
			return false
		}
	}
	return true
}

func median(v []int64) int64 { return slices.Sorted(slices.Values(v))[len(v)/2] }

// queues are how many messages wait for each user.
func (n *node) queues(t *testing.T, users []string) (out []int64) {
	t.Helper()
	for _, name := range users {
		u, err := n.API.User(context.Background(), name)
		if err != nil {
			t.Fatal(err)
		}
		waiting := int64(0)
		for _, c := range u.Sessions {
			waiting += c.Queued
		}
		out = append(out, waiting)
	}
	return out
}
