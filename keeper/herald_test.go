package main

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pushfleet/internal/daemon"
	"pushfleet/internal/keeperapi"
	"pushfleet/keeper/config"
)

// systemd listens to a keeper as systemd does.
func systemd(t *testing.T) (*daemon.Notifier, *net.UnixConn) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	n, err := daemon.NewNotifier(func(name string) string { return map[string]string{"NOTIFY_SOCKET": path}[name] })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n, c
}

// TestHerald: a keeper that leads is up at once, one that waits for others
// after a while, and each says where it stands.
func TestHerald(t *testing.T) {
	f := func(want string, waits bool, join ...string) {
		t.Helper()
		cfg := config.Default(func(string) string { return "" })
		cfg.ID, cfg.StateDir, cfg.Socket, cfg.API, cfg.Raft = "k1", t.TempDir(), "", []string{"127.0.0.1:0"}, "127.0.0.1:0"
		cfg.Join, cfg.Heartbeat, cfg.Election = join, 50*time.Millisecond, 50*time.Millisecond
		var log strings.Builder
		m, err := open(&cfg, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		notify, heard := systemd(t)
		h := &herald{member: m, cfg: &cfg, notify: notify, log: slog.New(slog.NewTextHandler(&log, nil)), wait: patience}
		if waits {
			h.wait = 20 * time.Millisecond
		}
		if err := h.start(t.Context()); err != nil {
			t.Error(err)
		}
		if strings.Contains(log.String(), "keeper serves") == waits {
			t.Errorf("said %s", log.String())
		}
		heard.SetReadDeadline(time.Now().Add(patience))
		b := make([]byte, 1024)
		for said := ""; said != "STATUS="+want; {
			n, err := heard.Read(b)
			if err != nil {
				t.Fatalf("after %q, while waiting for %q: %v", said, want, err)
			}
			said = string(b[:n])
		}
		if err := h.stop(t.Context()); err != nil {
			t.Error(err)
		}
		if err := m.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
	f("alone, revision 0", false)
	f("waits to be let in by 127.0.0.1:1", true, "127.0.0.1:1")
}

// TestHeraldGivesUp: a signal during the wait ends it.
func TestHeraldGivesUp(t *testing.T) {
	cfg := config.Default(func(string) string { return "" })
	cfg.ID, cfg.StateDir, cfg.API, cfg.Raft, cfg.Join = "k1", t.TempDir(), nil, "127.0.0.1:0", []string{"127.0.0.1:1"}
	cfg.Socket = filepath.Join(t.TempDir(), "s")
	m, err := open(&cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	h := &herald{member: m, cfg: &cfg, log: slog.New(slog.DiscardHandler), wait: patience}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.start(ctx); err == nil {
		t.Error("started")
	}
	if err := h.probe(t.Context()); err != nil {
		t.Errorf("a keeper that waits does not answer: %v", err)
	}
	if err := m.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if err := h.probe(t.Context()); err == nil {
		t.Error("a keeper that has ended answers")
	}
}

func TestStatusLine(t *testing.T) {
	f := func(want string, s keeperapi.Status, cfg config.Config) {
		t.Helper()
		s.ID, s.Revision = "k1", 7
		if got := statusLine(s, &cfg); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	voters := func(ids ...string) (out []keeperapi.Member) {
		for _, id := range ids {
			out = append(out, keeperapi.Member{ID: id, Voter: true})
		}
		return append(out, keeperapi.Member{ID: "late"})
	}
	f("alone, revision 7", keeperapi.Status{LeaderID: "k1", Members: voters("k1")}, config.Config{})
	f("leads k2, k3, revision 7", keeperapi.Status{LeaderID: "k1", Members: voters("k1", "k2", "k3")}, config.Config{})
	f("follows k2, revision 7", keeperapi.Status{LeaderID: "k2", Members: voters("k1", "k2")}, config.Config{})
	f("no leader: waits for most of k2, k3 and itself", keeperapi.Status{Members: voters("k1", "k2", "k3")}, config.Config{})
	f("starts", keeperapi.Status{Members: voters("k1")}, config.Config{})
	f("starts", keeperapi.Status{}, config.Config{})
	f("waits for 3 keepers to found the cluster: a:1, b:1, c:1", keeperapi.Status{}, config.Config{BootstrapExpect: 3, Join: []string{"a:1", "b:1", "c:1"}})
	f("waits to be let in by a:1", keeperapi.Status{}, config.Config{Join: []string{"a:1"}})
}
