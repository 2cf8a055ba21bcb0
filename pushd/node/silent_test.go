package node

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"pushfleet/pushd/config"
)

// TestALateLoopIsNamedAndHarmless has a loop answer after those who asked gave
// up: the node must say which loop it was, and survive the answer.
func TestALateLoopIsNamedAndHarmless(t *testing.T) {
	cfg := config.Default(func(string) string { return "" })
	cfg.Listen, cfg.Private, cfg.Loops, cfg.Auth = []string{"127.0.0.1:0"}, "127.0.0.1:0", 2, config.AuthNone
	cfg.AdminSocket, cfg.StateDir = filepath.Join(t.TempDir(), "s"), t.TempDir()
	cfg.Keeper.Addresses = []string{config.KeeperOff}
	cfg.Knobs = map[string]string{"drain.window": "0s"}
	n, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	late := time.After(time.Minute)
	busy, release := make(chan struct{}), make(chan struct{})
	go n.workers[1].loop.Do(context.Background(), func() { close(busy); <-release })
	<-busy
	s, err := n.Stats(t.Context())
	for tries := 0; err == nil && len(s.SilentLoop) != 1 && tries < 5; tries++ { // the other was late too
		s, err = n.Stats(t.Context())
	}
	if err != nil || len(s.SilentLoop) != 1 || s.SilentLoop[0] != 1 || len(s.Loops) != 1 {
		t.Errorf("silent loops %v, loops %+v, %v; want loop 1 silent", s.SilentLoop, s.Loops, err)
	}
	close(release)
	for s, err = n.Stats(t.Context()); err == nil && len(s.SilentLoop) > 0; s, err = n.Stats(t.Context()) {
		select {
		case <-late:
			t.Fatalf("loops %v are silent for ever", s.SilentLoop)
		default:
		}
	}
	if err != nil || len(s.SilentLoop) != 0 || len(s.Loops) != 2 {
		t.Errorf("after the loop has answered: silent %v, %v", s.SilentLoop, err)
	}
	if err := n.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}
