// Package follow has a node obey the keepers: it joins internal/agent, which
// keeps knobs, deadlines and guards, to what the node knows of itself.
package follow

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"pushfleet/internal/agent"
	"pushfleet/internal/keeperapi"
	"pushfleet/internal/knob"
	"pushfleet/internal/pushdapi"
)

// Config is what a follower needs.
type Config struct {
	Client   *keeperapi.Client
	Mode     string // for State: pushdapi.FollowEmbedded or FollowKeepers
	Registry *knob.Registry
	Dir      string // of what was last known good
	Log      *slog.Logger

	ID, Epoch, Address, Version string
	Labels                      map[string]string

	// Stats returns the node's figures. It is called once a second while Run
	// runs, with a context of half of that.
	Stats func(context.Context) pushdapi.Stats
	// Health is the node's state in a word.
	Health func() string
}

// Follower is one node's way to the keepers. Make it with New and run it once.
type Follower struct {
	c       Config
	agent   *agent.Agent
	figures atomic.Pointer[map[string]float64]
}

// sampleEvery is how often figures are taken: asking the loops costs each of
// them a turn.
const sampleEvery = time.Second

// New puts what the node last held in force. Keepers are asked only by Run.
func New(c Config) (*Follower, error) {
	f := &Follower{c: c}
	f.figures.Store(&map[string]float64{})
	var err error
	f.agent, err = agent.New(agent.Config{
		Client: c.Client, Registry: c.Registry, Dir: c.Dir, Log: c.Log,
		ID: c.ID, Epoch: c.Epoch, Address: c.Address, Version: c.Version, Labels: c.Labels,
		Figures: func() map[string]float64 { return *f.figures.Load() },
		Status:  func() (string, map[string]float64) { return c.Health(), Load(*f.figures.Load()) },
	})
	if err != nil {
		return nil, fmt.Errorf("follow keepers: %w", err)
	}
	return f, nil
}

// Run obeys keepers until ctx is done, and then takes leave of them.
func (f *Follower) Run(ctx context.Context) {
	sampling, stop := context.WithCancel(ctx)
	var sampler sync.WaitGroup
	f.sample(sampling)
	sampler.Go(func() { f.sampleOn(sampling) }) // ended by stop
	if err := f.agent.Run(ctx); err != nil {
		f.c.Log.Error("keepers are not followed", "err", err)
	}
	stop()
	sampler.Wait()
}

func (f *Follower) sampleOn(ctx context.Context) {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f.sample(ctx)
		}
	}
}

// sample takes the figures that guards and keepers are told until the next.
func (f *Follower) sample(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, sampleEvery/2)
	defer cancel()
	s := f.c.Stats(ctx)
	if ctx.Err() != nil && len(s.Loops) == 0 { // the node ends
		return
	}
	figures := Figures(&s)
	f.figures.Store(&figures)
}

// State is how the node's knobs follow the keepers.
func (f *Follower) State() pushdapi.Follow {
	s := f.agent.State()
	out := pushdapi.Follow{Mode: f.c.Mode, Revision: s.Ack.Applied, Connected: s.Connected, Leader: s.Leader,
		Since: time.Since(s.Since).Seconds()}
	for _, d := range s.Drift {
		out.Drift = append(out.Drift, pushdapi.KnobDrift{Knob: d.Knob, Want: d.Want, Have: d.Have, Reason: d.Reason})
	}
	return out
}
