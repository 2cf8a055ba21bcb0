package keeperapi

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// Handler is what obeys. All its methods are called from the one goroutine
// that runs the session, and hold it up: a Check above all is waited for.
type Handler interface {
	// Hello says who the node is and what it holds, with the schema's
	// definition if the keeper does not know its hash.
	Hello(definition bool) Hello
	// Update takes over what the node must hold; the Ack is sent.
	Update(Update) Ack
	// Check tells whether values would be taken; the ID is filled in.
	Check(Check) Checked
	// Beat is asked as often as the keeper wants a sign of life.
	Beat() Beat
}

// Update is all that a node must hold, or what is other from now on.
type Update struct {
	Cluster  string // whose Revision and Position are
	Full     bool   // knobs that are not named have the node's default; else they stay
	Revision uint64
	Position uint64
	Knobs    map[string]*Held // nil means the node's default
	Now      Time             // the keeper's clock when it was sent
}

// Session keeps a node connected with whichever keeper leads. Make it with
// Client.NewSession and run it once.
type Session struct {
	c    *Client
	h    Handler
	log  *slog.Logger
	said outbox

	mu        sync.Mutex
	leader    string
	connected bool
	since     time.Time
	err       error
}

// NewSession prepares a session over the client's addresses. Changes of state
// are logged, each once.
func (c *Client) NewSession(h Handler, log *slog.Logger) *Session {
	return &Session{c: c, h: h, log: log, said: newOutbox(), since: time.Now()}
}

// State returns the member that leads, or did when it last was heard of, whether
// the node has a session with it, and since when that is so: while it is not,
// when a leader was last heard of, or the session made.
func (s *Session) State() (leader string, connected bool, since time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leader, s.connected, s.since
}

// Err returns why there is no session at the moment; nil while there is one and
// before the first attempt has ended.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Say sends a frame now, or when a keeper is reachable again. Of Drift only the
// latest is kept, and each new leader is told it; Broke that wait are bounded by
// SayMax, then the oldest is dropped and logged. It never blocks, and may be
// called by the handler.
func (s *Session) Say(f NodeFrame) {
	if s.said.put(f) {
		s.log.Warn("a broken guard was not told to any keeper: too many wait", "waiting_max", SayMax)
	}
}

// Run keeps the session until ctx is done, then says goodbye and returns nil.
// The error is that of a client without addresses.
func (s *Session) Run(ctx context.Context) error {
	if len(s.c.sites) == 0 {
		return errors.New("no address of a keeper is known; name one with --keeper")
	}
	k := newSeeker(s.c.sites, s.c.o)
	o := newOutage(time.Now())
	for ctx.Err() == nil {
		to := k.pick()
		began := time.Now()
		heard, err := s.once(ctx, to, k.patience())
		if ctx.Err() != nil {
			break
		}
		k.spend(began, heard)
		lived := heard.Sub(began)
		if lived >= settled {
			o = newOutage(time.Now())
		}
		s.note(to, heard, err, o)
		if !sleep(ctx, k.failed(to, err, lived)) {
			break
		}
	}
	s.lost(time.Now(), nil)
	return nil
}

// once has one connection from dial to end; patience bounds what comes before
// the session. heard is when the keeper last said
// something after its welcome; zero if it did not welcome the node.
func (s *Session) once(ctx context.Context, to *site, patience time.Duration) (heard time.Time, err error) {
	l, err := s.c.dialSession(ctx, to, patience)
	if err != nil {
		return time.Time{}, err
	}
	return s.talk(ctx, l)
}

// Bounds of what is logged of one outage: texts, and the time that finding the
// leader may take before it is worth a word.
const (
	complaintsMax = 16
	complainAfter = time.Second
)

// outage is a time without a session that stood.
type outage struct {
	began time.Time
	told  map[string]bool // logged already
}

func newOutage(now time.Time) *outage { return &outage{now, map[string]bool{}} }

// tell decides whether a cause is to be logged, each once.
func (o *outage) tell(cause string, now time.Time) bool {
	if o.told[cause] || len(o.told) == complaintsMax || now.Sub(o.began) < complainAfter {
		return false
	}
	o.told[cause] = true
	return true
}

// note keeps why there is no session, and logs it once per outage and cause.
func (s *Session) note(to *site, heard time.Time, err error, o *outage) {
	s.lost(heard, err)
	if !heard.IsZero() {
		s.log.Warn("session with the keeper ended", "addr", to.addr, "err", err)
	} else if o.tell(err.Error(), time.Now()) {
		s.log.Warn("no session with a keeper", "addr", to.addr, "err", err)
	}
}

// lost marks the session as down; heard is when it was last up, if it was.
func (s *Session) lost(heard time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.connected {
		s.connected, s.since = false, heard
	}
	s.err = err
}

func (s *Session) welcomed(member string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leader, s.connected, s.since, s.err = member, true, time.Now(), nil
}

// sleep tells whether the time has passed before ctx was done.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
