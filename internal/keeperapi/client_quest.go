package keeperapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"time"
)

// request is one call.
type request struct {
	method, path string
	query        url.Values
	in, out      any
	key          string // idempotency key of a change
	wait         time.Duration
	alone        bool // not known by its key: one address at a time, however slow
}

// slowAfter is how long an address may be silent until the next is asked too:
// a keeper that hangs, or whose machine has gone, must not cost the whole time.
const slowAfter = time.Second

// call asks the addresses, round by round, until one answers, refuses for good,
// or the time is over.
func (c *Client) call(ctx context.Context, r request) error {
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout+r.wait)
	defer cancel()
	if len(c.sites) == 0 {
		return errors.New("no address of a keeper is known")
	}
	q := &quest{c: c, r: r}
	if r.in != nil {
		var err error
		if q.body, err = json.Marshal(r.in); err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
	}
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, 500*time.Millisecond) {
		if done, err := q.round(ctx); done {
			return err
		}
		select {
		case <-ctx.Done():
			return q.giveUp(ctx)
		case <-time.After(pause):
		}
	}
}

// quest is a call on its way. One goroutine uses it.
type quest struct {
	c    *Client
	r    request
	body []byte
	best error // that says most
	sent bool  // some keeper may have taken the change
}

// attempt is what came of asking one address.
type attempt struct {
	at     int
	answer []byte
	err    error
}

// round asks each address once, beginning with the one that answered last: the
// next when one has failed or is slow. All attempts of a change carry the same
// key, so that it is made once however many arrive.
func (q *quest) round(ctx context.Context) (done bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends attempts that nobody waits for any more
	sites, first := q.c.sites, int(q.c.first.Load())
	answers := make(chan attempt, len(sites))
	asked, under, undialled := 0, 0, 0
	ask := func() {
		if asked == len(sites) || ctx.Err() != nil {
			return
		}
		at := (first + asked) % len(sites)
		asked++
		under++
		go func() { // ends with the round
			text, err := q.c.once(ctx, sites[at], q.r, q.body)
			answers <- attempt{at, text, err}
		}()
	}
	slow := time.NewTicker(slowAfter)
	defer slow.Stop()
	for ask(); under > 0; {
		select {
		case <-slow.C:
			if !q.r.alone {
				ask()
			}
		case a := <-answers:
			under--
			if done, err := q.take(a); done {
				q.c.first.Store(int64(a.at))
				return true, err
			}
			if dialError(a.err) {
				undialled++
			}
			ask()
		}
	}
	// Where nobody listens at all, waiting is for those who retry.
	if undialled == len(sites) && !q.sent {
		return true, q.best
	}
	return false, nil
}

// take tells whether an attempt ends the call, and how.
func (q *quest) take(a attempt) (done bool, err error) {
	if a.err == nil && q.r.out != nil {
		if err := json.Unmarshal(a.answer, q.r.out); err != nil {
			a.err = fmt.Errorf("answer to %s %s: %w", q.r.method, q.r.path, err)
		}
	}
	if a.err == nil {
		return true, nil
	}
	if !passing(a.err) && !(q.sent && unjudged(a.err)) {
		return true, a.err
	}
	q.sent = q.sent || q.r.key != "" && !untouched(a.err)
	q.best = worst(q.best, fmt.Errorf("%s: %w", q.c.sites[a.at].addr, a.err))
	return false, nil
}

// giveUp is the error when the time is over.
func (q *quest) giveUp(ctx context.Context) error {
	switch {
	case q.best == nil: // over before it began
		return ctx.Err()
	case !q.sent:
		return q.best
	}
	return &Error{Code: CodeUnknownState, Message: fmt.Sprintf(
		"no keeper has confirmed the change within %s: it may have been made or may still be (%v); look with pushctl knob history before trying again",
		q.c.o.Timeout+q.r.wait, q.best)}
}

// worst keeps the error that says most: a keeper's own before a silence, and
// what came before the time was over (a certificate, say) before that.
func worst(a, b error) error {
	_, own := errors.AsType[*Error](a)
	if a == nil || !own && !errors.Is(b, context.DeadlineExceeded) {
		return b
	}
	return a
}

// passing tells whether another try may go better.
func passing(err error) bool {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return true
	}
	switch e.Code {
	case CodeNoLeader, CodeNotLeader, CodeBusy, CodeUnknownState:
		return true
	}
	return false
}

// unjudged tells whether a refusal says nothing of an earlier attempt: it was
// not the leader who looked at the change itself.
func unjudged(err error) bool {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return true
	}
	switch e.Code {
	case CodeTimeout, CodeFailed, CodeToken:
		return true
	}
	return false
}

// untouched tells whether the change was certainly not made by this attempt.
func untouched(err error) bool {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code != CodeUnknownState
	}
	return dialError(err)
}

func dialError(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

// once asks one address and returns its answer.
func (c *Client) once(ctx context.Context, s *site, r request, body []byte) ([]byte, error) {
	resp, err := c.open(ctx, s, r, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(io.LimitReader(resp.Body, answerMax))
}
