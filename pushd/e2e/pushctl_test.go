package e2e

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
	"pushfleet/internal/swarm"
)

// ctl runs pushctl against a node and wants it to work.
func ctl(t testing.TB, n *process, args ...string) string {
	t.Helper()
	out, code := pushctl(t, append([]string{"--node", n.admin, "--timeout", patience.String()}, args...)...)
	if code != 0 {
		t.Fatalf("pushctl %s: exit %d\n%s", strings.Join(args, " "), code, out)
	}
	return out
}

// ctlJSON is ctl with -o json, decoded into out.
func ctlJSON(t testing.TB, n *process, out any, args ...string) {
	t.Helper()
	text := ctl(t, n, append(args, "-o", "json")...)
	if err := json.Unmarshal([]byte(text), out); err != nil {
		t.Fatalf("pushctl %s: %v\n%s", strings.Join(args, " "), err, text)
	}
}

func wantText(t testing.TB, what, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%s does not say %q:\n%s", what, p, text)
		}
	}
}

// TestPushctlFindsTheSlowReader has 200 clients, of them one that does not
// read and has a backlog. top shows it first, conn says that it is the client,
// and closed still knows it after a kick.
func TestPushctlFindsTheSlowReader(t *testing.T) {
	const conns = 200
	n := startPushd(t)
	startHerd(t, n.client[0], swarm.Options{Conns: conns, Protos: evenly(push.ProtoWS, push.ProtoSSE, push.ProtoStream)})
	startHerd(t, n.client[0], swarm.Options{Conns: 1, Profiles: swarm.Mix[swarm.Profile]{{What: swarm.Stalled, Part: 1}},
		User: func(int) string { return "sleeper" }})
	data := json.RawMessage(`"` + strings.Repeat("x", 4000) + `"`)
	backlog := func() pushdapi.ConnRow {
		for range 20 {
			if _, err := n.API.Send(context.Background(), pushdapi.Send{User: "sleeper", Data: data}); err != nil {
				t.Fatal(err)
			}
		}
		return session(t, n.API, "sleeper")
	}
	eventually(t, "the sleeper has a backlog", func() bool { return backlog().Queued > 150 })
	pub := n.API.Publish(context.Background(), false, nil) // the others have traffic, too
	for i := range 2000 {
		m := numbered("u-"+itoa(i%conns), i+1)
		if err := pub.Send(&m); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := pub.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the others have all", func() bool { return stats(t, n).Queued.Conns == 1 })

	var top pushdapi.Top
	for _, by := range []string{"wait", "queued", "bytes", "drain"} {
		ctlJSON(t, n, &top, "top", "--by", by, "-n", "5")
		if len(top.Rows) == 0 || top.Rows[0].User != "sleeper" {
			t.Errorf("top --by %s: %+v, want the sleeper first", by, top.Rows)
		}
	}
	id := top.Rows[0].Conn
	table := ctl(t, n, "top", "-n", "5")
	wantText(t, "top", table, "sleeper", id)
	for _, l := range strings.Split(table, "\n") {
		if len([]rune(l)) > 80 {
			t.Errorf("top has a line of %d columns: %s", len([]rune(l)), l)
		}
	}
	if out := ctl(t, n, "top", "--where", `user == "u-7"`, "-o", "ndjson"); strings.Contains(out, "sleeper") {
		t.Errorf("--where is not obeyed: %s", out)
	}

	// The kernel's own figures decide; it takes a moment until they say that the
	// window has been closed most of the time.
	var c pushdapi.Conn
	eventually(t, "conn names the client", func() bool {
		backlog()
		ctlJSON(t, n, &c, "conn", id)
		return c.Cause.Kind == "client"
	})
	if c.User != "sleeper" || c.Queued < 150 || c.TCP == nil || len(c.Cause.Evidence) == 0 {
		t.Errorf("conn: %+v", c)
	}
	wantText(t, "conn", ctl(t, n, "conn", id), "sleeper", id)

	wantText(t, "stats", ctl(t, n, "stats"), "201")
	wantText(t, "kick", ctl(t, n, "kick", id), id)
	eventually(t, "it is gone", func() bool {
		return strings.Contains(ctl(t, n, "closed", "--reason", "kicked"), "sleeper")
	})
	var closed []pushdapi.ClosedRow
	ctlJSON(t, n, &closed, "closed", "--reason", "kicked")
	if len(closed) != 1 || closed[0].User != "sleeper" || closed[0].Reason != "kicked" || closed[0].Conn != id {
		t.Errorf("closed: %+v", closed)
	}
	if out, code := pushctl(t, "--node", n.admin, "conn", id); code != 1 || !strings.Contains(out, "pushctl closed") {
		t.Errorf("conn of one that is gone: exit %d, %s", code, out)
	}
}

// TestPushctlKnob turns a knob and sees that it acts on connections that exist.
func TestPushctlKnob(t *testing.T) {
	n := startPushd(t)
	startHerd(t, n.client[0], swarm.Options{Conns: 1, Profiles: swarm.Mix[swarm.Profile]{{What: swarm.Stalled, Part: 1}},
		User: func(int) string { return "sleeper" }})
	var knobs []pushdapi.Knob
	ctlJSON(t, n, &knobs, "knob", "list", "--local")
	if len(knobs) < 30 {
		t.Errorf("knob list has %d knobs", len(knobs))
	}
	wantText(t, "knob list queue", ctl(t, n, "knob", "list", "--local", "queue"), "queue.messages_max", "1024")
	wantText(t, "knob get", ctl(t, n, "knob", "get", "--local", "queue.messages_max"), "1024", "full queues")

	queued := func() int64 {
		data := json.RawMessage(`"` + strings.Repeat("x", 4000) + `"`)
		for range 50 {
			if _, err := n.API.Send(context.Background(), pushdapi.Send{User: "sleeper", Data: data}); err != nil {
				t.Fatal(err)
			}
		}
		return session(t, n.API, "sleeper").Queued
	}
	eventually(t, "more than 16 wait", func() bool { return queued() > 100 })
	out := ctl(t, n, "knob", "set", "--local", "queue.messages_max", "16", "--why", "a test")
	wantText(t, "knob set", out, "queue.messages_max", "1024", "16")
	eventually(t, "the bound acts", func() bool { return queued() <= 16 })

	var k pushdapi.Knob
	ctlJSON(t, n, &k, "knob", "get", "--local", "queue.messages_max")
	if k.Value != "16" || k.Why != "a test" || k.Source != "admin" {
		t.Errorf("knob get after set: %+v", k)
	}
	wantText(t, "knob list --changed", ctl(t, n, "knob", "list", "--local", "--changed"), "queue.messages_max")
	ctl(t, n, "knob", "set", "--local", "queue.messages_max", "32", "--dry-run")
	ctlJSON(t, n, &k, "knob", "get", "--local", "queue.messages_max")
	if k.Value != "16" {
		t.Errorf("--dry-run set it to %s", k.Value)
	}
	f := func(want string, args ...string) {
		t.Helper()
		out, code := pushctl(t, append([]string{"--node", n.admin, "knob", "set", "--local"}, args...)...)
		if code == 0 {
			t.Errorf("knob set %q: exit 0", args)
		}
		wantText(t, "knob set", out, want)
	}
	f("queue.messages_max", "queue.mesages_max", "5") // did you mean
	f("1 to 65536", "queue.messages_max", "1000000")
	f("words", "queue.messages_max", "words")
}

// TestPushctlByHand sends, broadcasts, kicks and fetches what is inside.
func TestPushctlByHand(t *testing.T) {
	n := startPushd(t)
	lines := curl(t, "http://"+n.client[0]+"/connect?user=alice&group=ops")
	line(t, lines, `{"type":"hello"`)
	f := func(data string, args ...string) {
		t.Helper()
		var r pushdapi.Result
		ctlJSON(t, n, &r, args...)
		if r.Delivered != 1 {
			t.Errorf("pushctl %q: %+v", args, r)
		}
		if got := line(t, lines, `{"seq":`); !strings.HasSuffix(got, `"data":`+data+"}") {
			t.Errorf("pushctl %q brought %s, want data %s", args, got, data)
		}
	}
	file := filepath.Join(t.TempDir(), "offer.json")
	if err := os.WriteFile(file, []byte(`{"offer": 5}`), 0o600); err != nil {
		t.Fatal(err)
	}
	f(`{"text":"hello"}`, "send", "alice", `{"text":"hello"}`)
	f(`"plain words"`, "send", "alice", "plain words")
	f(`{"offer":5}`, "send", "alice", "bob", "@"+file, "--class", "volatile", "--ttl", "10s")
	f(`1`, "send", "--group", "ops", "1")
	f(`"all"`, "broadcast", "all")
	f(`[2]`, "broadcast", "--group", "ops", "[2]")

	wantText(t, "send to nobody", ctl(t, n, "send", "nobody", "1"), "1")
	profile := filepath.Join(t.TempDir(), "heap.pb.gz")
	ctl(t, n, "pprof", "heap", "-f", profile)
	if b, err := os.ReadFile(profile); err != nil || len(b) < 100 || b[0] != 0x1f || b[1] != 0x8b {
		t.Errorf("pprof heap wrote %d bytes, %v; want gzip", len(b), err)
	}
	var v struct{ Nodes []pushdapi.Version }
	ctlJSON(t, n, &v, "version")
	if len(v.Nodes) != 1 || v.Nodes[0].Node != "e2e" || !strings.HasPrefix(v.Nodes[0].Go, "go1.") {
		t.Errorf("version: %+v", v)
	}
	wantText(t, "kick --user", ctl(t, n, "kick", "--user", "alice"), "1 connection", "alice")
	line(t, lines, `{"type":"close","code":4001`)
	wantText(t, "kick --user again", ctl(t, n, "kick", "--user", "alice"), "alice has no connection")
}
