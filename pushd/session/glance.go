package session

import (
	"golang.org/x/sys/unix"

	"pushfleet/internal/hist"
	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushd/reactor"
)

// Glance is what a watcher sees of a connection and its loop at one moment.
type Glance struct {
	Queued  int64
	Oldest  float64       // age of the first message queued, in seconds
	TCP     *pushdapi.TCP // nil when the socket could not be asked
	Walking bool          // a broadcast or group send is under way on the loop
	Thread  int           // of the kernel, that runs the loop
}

// Glance looks at a connection; false if it is gone. Call it on the loop.
func (t *Table) Glance(h push.Handle) (g Glance, ok bool) {
	c := t.at(h)
	if c == nil {
		return g, false
	}
	g = Glance{Queued: int64(c.queue.Count), TCP: t.describeTCP(c), Walking: len(t.walks) > 0, Thread: unix.Gettid()}
	if at, waits := t.queues.Oldest(&c.queue); waits {
		// At least 0: a message that came in this very turn may be newer than
		// the turn's clock.
		g.Oldest = float64(max(0, int32(reactor.MS(t.Loop.Now())-at))) / 1000
	}
	return g, true
}

// Turns copies the histogram of the lengths of turns. Call it on the loop.
func (t *Table) Turns(to *hist.Log) { *to = t.turns }
