package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
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

	apart := int64(0) // connections, at most
	eventually(t, "queues grow", func() bool {
		a, b := from.stats(t), to.stats(t)
		apart = max(apart, a.Connections.Total-b.Connections.Total, b.Connections.Total-a.Connections.Total)
		return a.Queued.Level.S10 > stalled*200
	})
	if apart > 2*churning {
		t.Errorf("while %d clients come and go, production and the shadow hold numbers of connections that are %d apart", churning, apart)
	}
	sent := stop()
	churn.Close()
	const behind, ahead = behindMost / size, aheadMost / size // messages, of one connection
	users := append(names("slow-", slow), names("stalled-", stalled)...)
	var there, here []int64
	eventually(t, "queues of the shadow are as those of production", func() bool {
		there, here = from.queues(t, users), to.queues(t, users)
		for i := range users {
			if d := there[i] - here[i]; d > behind || d < -ahead {
				return false
			}
		}
		return there[slow] > 3*behind
	}, func() string {
		return fmt.Sprintf("queues of %v\nin production %v\nat the shadow %v", users, there, here)
	})
	eventually(t, "and so are their windows", func() bool {
		a, b := from.stats(t).Queued, to.stats(t).Queued
		d := a.Level.S10 - b.Level.S10
		return a.Conns == b.Conns && d < float64(behind*len(users)) && d > -float64(ahead*len(users))
	})
	t.Logf("of %v wait in production %v, at the shadow %v; connections were %d apart at most", users, there, here, apart)
	eventually(t, "both hold as many connections", func() bool {
		return from.stats(t).Connections.Total == fast+slow+stalled && to.stats(t).Connections.Total == fast+slow+stalled
	})
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
}

func names(of string, n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprint(of, i))
	}
	return out
}

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
