package follow

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pushfleet/internal/keeperapi"
	"pushfleet/internal/knob"
	"pushfleet/internal/pushdapi"
)

func config(stats func(context.Context) pushdapi.Stats) Config {
	r := knob.NewRegistry()
	r.Int(knob.Spec{Name: "queue.messages_max", Unit: "messages"}, 512, 16, 65536)
	return Config{Mode: pushdapi.FollowKeepers, Registry: r, ID: "gw-1", Stats: stats,
		Health: func() string { return "serving" }, Log: slog.New(slog.DiscardHandler)}
}

func TestFiguresAreTakenOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		f, err := New(config(func(ctx context.Context) pushdapi.Stats {
			if end, ok := ctx.Deadline(); !ok || time.Until(end) > sampleEvery/2 {
				t.Errorf("the loops may take until %v", end)
			}
			asked++
			return pushdapi.Stats{Connections: pushdapi.Connections{Total: int64(asked)}, Loops: make([]pushdapi.Loop, 1)}
		}))
		if err != nil {
			t.Fatal(err)
		}
		if figures := *f.figures.Load(); len(figures) != 0 || asked != 0 {
			t.Errorf("figures %v before the node runs, asked %d times", figures, asked)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second+sampleEvery/2)
		defer cancel()
		f.Run(ctx)
		if figures := *f.figures.Load(); asked != 11 || figures["conns"] != 11 {
			t.Errorf("asked %d times in 10 s, at last %v connections", asked, figures["conns"])
		}
		if s := f.State(); s.Mode != pushdapi.FollowKeepers || s.Connected || s.Revision != 0 || len(s.Drift) != 0 {
			t.Errorf("state without keepers: %+v", s)
		}
	})
}

func TestFiguresOfANodeThatEndsAreNotTaken(t *testing.T) {
	f, err := New(config(func(context.Context) pushdapi.Stats { return pushdapi.Stats{} }))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f.sample(ctx)
	if figures := *f.figures.Load(); len(figures) != 0 {
		t.Errorf("zeros instead of nothing: %v", figures)
	}
}

func TestFollowerNeedsAnID(t *testing.T) {
	c := config(nil)
	c.ID = ""
	if _, err := New(c); err == nil || !strings.Contains(err.Error(), "follow keepers") {
		t.Errorf("without an ID: %v", err)
	}
}

func TestRunSaysWhyItCannotFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		c := config(func(context.Context) pushdapi.Stats { return pushdapi.Stats{} })
		c.Log = slog.New(slog.NewTextHandler(&log, nil))
		c.Client = keeperapi.NewClient(nil, keeperapi.ClientOptions{})
		f, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		f.Run(t.Context()) // returns at once: there is no address
		if !strings.Contains(log.String(), "no address of a keeper") {
			t.Errorf("log:\n%s", log.String())
		}
	})
}
