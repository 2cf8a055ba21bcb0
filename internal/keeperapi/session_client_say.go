package keeperapi

import (
	"sync"
	"time"
)

// SayMax bounds the Broke frames that wait for a keeper.
const SayMax = 64

// outbox holds what a node has to say until a keeper has probably heard it.
type outbox struct {
	ready chan struct{} // has an element when something waits

	mu     sync.Mutex
	drift  *Drifts
	unsaid bool // the current keeper does not know drift
	waits  []NodeFrame
	sent   []sentFrame // on this connection
}

type sentFrame struct {
	NodeFrame
	at time.Time
}

func newOutbox() outbox { return outbox{ready: make(chan struct{}, 1)} }

// put adds a frame, and tells whether another one was dropped for it.
func (o *outbox) put(f NodeFrame) (dropped bool) {
	o.mu.Lock()
	if f.Drift != nil {
		o.drift, o.unsaid = f.Drift, true
		f.Drift = nil
	}
	if f != (NodeFrame{}) {
		if dropped = len(o.waits) == SayMax; dropped {
			o.waits = o.waits[1:]
		}
		o.waits = append(o.waits, f)
	}
	o.mu.Unlock()
	select {
	case o.ready <- struct{}{}:
	default:
	}
	return dropped
}

// take returns the next frame to write.
func (o *outbox) take(now time.Time) (NodeFrame, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.waits) > 0 {
		f := o.waits[0]
		o.waits = o.waits[1:]
		if len(o.sent) == SayMax {
			o.sent = o.sent[1:]
		}
		o.sent = append(o.sent, sentFrame{f, now})
		return f, true
	}
	if o.unsaid {
		o.unsaid = false
		return NodeFrame{Drift: o.drift}, true
	}
	return NodeFrame{}, false
}

// again prepares for the next keeper after a connection has ended: it must be
// told the drift, and whatever was written after sure, which the last one may
// not have read. Keepers take a frame twice as once.
func (o *outbox) again(sure time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.unsaid = o.drift != nil
	var back []NodeFrame
	for _, s := range o.sent {
		if s.at.After(sure) {
			back = append(back, s.NodeFrame)
		}
	}
	o.sent = nil
	o.waits = append(back, o.waits...)
	o.waits = o.waits[max(len(o.waits)-SayMax, 0):]
}
