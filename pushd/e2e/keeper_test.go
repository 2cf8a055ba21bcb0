package e2e

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pushfleet/internal/keeperapi"
	"pushfleet/internal/pushdapi"
)

// TestKeeperInside turns a knob of a program with a keeper of its own, and
// restarts the program in both ways: after an orderly stop the knob is as it
// was, after a death right behind the change it is as before that.
func TestKeeperInside(t *testing.T) {
	dir := shortDir(t)
	start := func() (*process, *keeperapi.Client) {
		t.Helper()
		p := startPushd(t, "--state-dir", dir, "--admin-socket", filepath.Join(dir, "admin.sock"),
			"--keeper-api", "127.0.0.1:0", "--keeper-raft", "127.0.0.1:0")
		c := keeperapi.NewClient([]string{filepath.Join(dir, "keeper.sock")}, keeperapi.ClientOptions{Timeout: patience})
		t.Cleanup(c.Close)
		eventually(t, "the node follows its keeper", func() bool { return follows(t, p).Connected })
		return p, c
	}
	set := func(c *keeperapi.Client, value string) {
		t.Helper()
		a, err := c.Txn(t.Context(), keeperapi.TxnRequest{Ask: keeperapi.Ask{WaitMS: patience.Milliseconds() / 2}, Txn: keeperapi.Txn{
			Changes: []keeperapi.Assign{{Knob: "queue.messages_max", Scope: keeperapi.Fleet, Value: value}}}})
		if err != nil || a.Applied == nil || a.Applied.Applied != 1 {
			t.Fatalf("set %s: %+v, %v", value, a, err)
		}
	}
	want := func(p *process, value string) {
		t.Helper()
		if k, err := p.API.Knob(t.Context(), "queue.messages_max"); err != nil || k.Value != value {
			t.Errorf("the knob is %+v (%v), want %s", k, err, value)
		}
	}
	p, c := start()
	eventually(t, "the keeper knows the knob", func() bool {
		_, err := c.Knob(t.Context(), "queue.messages_max", keeperapi.Read{})
		return err == nil
	})
	set(c, "256")
	p.signal(syscall.SIGTERM)
	if code := p.exit(); code != 0 {
		t.Fatalf("exit %d:\n%s", code, p.text())
	}

	p, c = start()
	want(p, "256")
	set(c, "64")
	p.signal(syscall.SIGKILL)
	p.exit()

	p, c = start()
	want(p, "256")
	if line := p.logged("the process died soon after a change"); !strings.Contains(string(line), "came back on") {
		t.Errorf("the death is not told:\n%s", p.text())
	}
	eventually(t, "the difference is shown", func() bool {
		d := follows(t, p).Drift
		return len(d) == 1 && d[0].Reason == keeperapi.DriftCrash && d[0].Want == "64" && d[0].Have == "256"
	})
	eventually(t, "the keeper knows", func() bool {
		nodes, err := c.Nodes(t.Context(), keeperapi.Read{})
		return err == nil && len(nodes) == 1 && strings.Contains(nodes[0].Knobs.Reason, "died")
	})
	set(c, "65") // a newer revision is taken again
	want(p, "65")
	eventually(t, "nothing is different any more", func() bool { return len(follows(t, p).Drift) == 0 })
}

// TestStartWithDeadKeepers has the program serve although nobody answers where
// its keepers should be.
func TestStartWithDeadKeepers(t *testing.T) {
	p := startPushd(t, "--keeper", "127.0.0.1:1", "--keeper", "127.0.0.1:2")
	if f := follows(t, p); f.Connected || f.Mode != pushdapi.FollowKeepers {
		t.Errorf("follows %+v", f)
	}
	eventually(t, "says why", func() bool { return p.logged("no session with a keeper") != nil })
	began := time.Now()
	p.signal(syscall.SIGTERM)
	if code := p.exit(); code != 0 || time.Since(began) > patience/2 {
		t.Errorf("exit %d after %s:\n%s", code, time.Since(began), p.text())
	}
}

func follows(t *testing.T, p *process) pushdapi.Follow {
	t.Helper()
	s, err := p.API.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s.Follow
}
