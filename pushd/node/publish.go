package node

import (
	"context"
	"errors"
	"sync"
	"time"

	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushd/publish"
	"pushfleet/pushd/router"
	"pushfleet/pushd/session"
)

// publishing is the server API and what it asks of the node.
type publishing struct {
	api *publish.Publisher

	mu       sync.Mutex
	watching int // traces under way
	hook     publish.Trace
}

func (n *Node) buildPublish() {
	n.publish.api = publish.New(publish.Config{Loops: n, Router: n.shared.Router, Messages: n.shared.Messages,
		Receipts: n.shared.Receipts, Sessions: sessions{n}, Knobs: n.knobs.publish, Clock: n.shared.Clock.Now, Tap: n.shared.Tap})
	n.publish.hook = n.tracePublish
}

// tracePublish shows a publish to whoever watches its user.
func (n *Node) tracePublish(user []byte, m *publish.Send, to []push.Handle, o router.Outcome, dropped push.DropReason) {
	name := string(user)
	if !n.shared.Tracer.Watched(name) {
		return
	}
	e := pushdapi.TraceEvent{At: time.Now(), User: name, Event: "publish", ID: string(m.ID.Val), Bytes: len(m.Data)}
	switch {
	case dropped != push.DropNone:
		e.Event, e.Note = "drop", dropped.String()
	case o == router.Absent:
		e.Note = "absent"
	case o == router.Kept:
		e.Note = "absent, kept for replay"
	}
	n.shared.Tracer.Emit(e)
}

func (p *publishing) traceOn() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.watching++; p.watching == 1 {
		p.api.SetTrace(p.hook)
	}
}

func (p *publishing) traceOff() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.watching--; p.watching == 0 {
		p.api.SetTrace(nil)
	}
}

// sessions answers publish's questions about connections.
type sessions struct{ n *Node }

func (s sessions) Kick(h push.Handle, why push.CloseReason) error {
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	return orGone(s.n.Kick(ctx, h, why))
}

func (s sessions) Describe(h push.Handle) (pushdapi.ConnRow, error) {
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	d, err := ask(ctx, s.n, h, func(t *session.Table) (pushdapi.Conn, bool) { return t.Describe(h) })
	return d.ConnRow, orGone(err)
}

func orGone(err error) error {
	if errors.Is(err, errNotFound) {
		return publish.ErrGone
	}
	return err
}
