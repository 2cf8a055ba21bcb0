package node

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"pushfleet/internal/pushdapi"
	"pushfleet/pushd/auth"
)

// SelfProbe is a client of the node inside the node. A watchdog asks it
// whether the node still serves: every loop must answer, and a message that is
// published over the admin socket must arrive at a connection that came in by
// a client address. The connection stays open from one check to the next, so
// it shows as one more, of the user pushd-probe-….
//
// A node that refuses is alive: full, draining, or with more clients at the
// door than it lets in. Only silence is death, because a restart sends all
// clients to the others at once.
type SelfProbe struct {
	n     *Node
	api   *pushdapi.Client
	user  string
	token string

	mu   sync.Mutex // held while a check is under way
	conn *probeConn // nil: none now
	sent uint64
	seen uint64 // connections accepted by the node when the probe last came to nothing
}

// shareTries is how often the probe dials a shared port until the kernel
// brings it to this process, and shareWait how long one try may take.
const (
	shareTries = 16
	shareWait  = time.Second
)

// SelfProbe returns the probe of a node; call it before Start, once.
func (n *Node) SelfProbe() *SelfProbe {
	p := &SelfProbe{n: n, user: "pushd-probe-" + rand.Text()[:8], token: rand.Text(),
		api: pushdapi.New(n.cfg.AdminSocket, pushdapi.Options{Timeout: time.Minute, UserAgent: "self-probe"})}
	if v := n.shared.Verifier; v != nil {
		n.shared.Verifier = &probeVerifier{v, p}
	}
	return p
}

// probeVerifier knows the probe, whose token leaves the process by loopback
// only.
type probeVerifier struct {
	auth.Verifier
	p *SelfProbe
}

// Verify implements auth.Verifier.
func (v *probeVerifier) Verify(token string) (auth.Identity, error) {
	if subtle.ConstantTimeCompare([]byte(token), []byte(v.p.token)) == 1 {
		return auth.Identity{Users: []string{v.p.user}}, nil
	}
	return v.Verifier.Verify(token)
}

// Check returns why the node does not serve. It waits until ctx is done, which
// should have a deadline.
func (p *SelfProbe) Check(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.askLoops(ctx); err != nil {
		return err
	}
	if p.conn == nil {
		if err := p.connect(ctx); err != nil || p.conn == nil {
			return err
		}
	}
	err := p.deliver(ctx)
	if err == nil || ctx.Err() != nil {
		return err
	}
	// The connection has ended, perhaps by a kick or a knob: once more with
	// another one.
	p.drop()
	if err := p.connect(ctx); err != nil || p.conn == nil {
		return err
	}
	return p.deliver(ctx)
}

// Close ends the probe's connection; a check under way must have been told to
// end.
func (p *SelfProbe) Close(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drop()
	return nil
}

func (p *SelfProbe) drop() {
	if p.conn != nil {
		p.conn.Close()
		p.conn = nil
	}
}

func (p *SelfProbe) askLoops(ctx context.Context) error {
	for _, w := range p.n.workers {
		if err := w.loop.Do(ctx, func() {}); err != nil {
			return err
		}
	}
	return nil
}

// connect opens the probe's connection, or leaves it nil when there is none to
// be had and the node is not to blame.
func (p *SelfProbe) connect(ctx context.Context) error {
	d, ok := p.dialer()
	if !ok {
		return nil
	}
	tries, wait := 1, time.Minute
	if p.n.cfg.SharePort {
		tries, wait = shareTries, shareWait
	}
	for range tries {
		err := p.try(ctx, d, wait)
		if p.conn != nil {
			return nil
		}
		if answered, ok := errors.AsType[*probeAnswer](err); ok {
			p.n.log.Debug("self-probe was answered, but not let in", "status", answered.status)
			return nil
		}
		if err != nil && tries == 1 {
			return p.excuse(err)
		}
	}
	return nil // the port is shared, and nothing came here: the loops have answered
}

// try dials once. Without an error and without a connection it came to another
// process.
func (p *SelfProbe) try(ctx context.Context, d *probeDialer, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	c, err := d.dial(ctx, p.user, p.token)
	if err != nil {
		return err
	}
	if len(p.n.shared.Router.Sessions(p.user)) == 0 {
		c.Close()
		return nil
	}
	p.conn = c
	return nil
}

// excuse says whether a connection that was not served is the node's fault. It
// is not while the node takes others, who may have come before. A node that was
// busy until now is thus only blamed by the next check.
func (p *SelfProbe) excuse(err error) error {
	s := p.n.stats(context.Background(), false)
	others := s.Totals.Accepted > p.seen+1 // one may be the probe's own
	p.seen = s.Totals.Accepted
	if others || s.Connections.Total >= s.Connections.Max {
		return nil
	}
	return fmt.Errorf("a client connection is not served: %w", err)
}

// deliver publishes a message to the probe's connection and waits for it.
func (p *SelfProbe) deliver(ctx context.Context) error {
	p.sent++
	r, err := p.api.Send(ctx, pushdapi.Send{User: p.user, Class: "volatile", Data: strconv.AppendUint(nil, p.sent, 10)})
	if _, ok := errors.AsType[*pushdapi.Error](err); ok {
		return nil // refused with a reason
	}
	switch {
	case err != nil:
		return fmt.Errorf("the server API does not answer: %w", err)
	case r.Absent > 0:
		return errors.New("the probe's connection has ended")
	case len(r.Dropped) > 0:
		return nil // with a reason
	}
	if err := p.conn.await(ctx, p.sent); err != nil {
		return fmt.Errorf("a published message does not arrive: %w", err)
	}
	return nil
}
