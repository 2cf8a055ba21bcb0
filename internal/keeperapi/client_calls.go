package keeperapi

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Read says how a call reads.
type Read struct {
	// Stale takes what the member that is asked knows, which may be old, and
	// works without a leader. Otherwise reads are linearizable.
	Stale bool
}

func (r Read) query() url.Values {
	if r.Stale {
		return url.Values{"stale": {"1"}}
	}
	return nil
}

// Status asks the first member that answers about itself. It is never
// linearizable.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	return read[*Status](ctx, c, "/v1/status", nil)
}

// Knobs lists what the fleet declares, by name.
func (c *Client) Knobs(ctx context.Context, r Read) ([]KnobInfo, error) {
	return read[[]KnobInfo](ctx, c, "/v1/knobs", r.query())
}

// Knob returns one knob; an unknown name is an *Error with a suggestion.
func (c *Client) Knob(ctx context.Context, name string, r Read) (*KnobInfo, error) {
	return read[*KnobInfo](ctx, c, "/v1/knobs/"+url.PathEscape(name), r.query())
}

// History returns what happened to a knob.
func (c *Client) History(ctx context.Context, name string, r Read) (*History, error) {
	return read[*History](ctx, c, "/v1/knobs/"+url.PathEscape(name)+"/history", r.query())
}

// Explain says why a node holds what it holds.
func (c *Client) Explain(ctx context.Context, name, node string, r Read) (*Explain, error) {
	q := url.Values{"node": {node}}
	if r.Stale {
		q.Set("stale", "1")
	}
	return read[*Explain](ctx, c, "/v1/knobs/"+url.PathEscape(name)+"/explain", q)
}

// Txn changes knobs, all or none.
func (c *Client) Txn(ctx context.Context, r TxnRequest) (*Answer, error) {
	return c.answer(ctx, http.MethodPost, "/v1/txn", r, r.Ask)
}

// Rollback makes values what they were.
func (c *Client) Rollback(ctx context.Context, r RollbackRequest) (*Answer, error) {
	return c.answer(ctx, http.MethodPost, "/v1/rollback", r, r.Ask)
}

// Freeze holds knobs still, or lets go.
func (c *Client) Freeze(ctx context.Context, r FreezeRequest) (*Answer, error) {
	return c.answer(ctx, http.MethodPost, "/v1/freeze", r, r.Ask)
}

// Freezes lists what is held still.
func (c *Client) Freezes(ctx context.Context, r Read) ([]Freeze, error) {
	return read[[]Freeze](ctx, c, "/v1/freezes", r.query())
}

// StartRollout begins a rollout with its first step.
func (c *Client) StartRollout(ctx context.Context, r RolloutRequest) (*Answer, error) {
	return c.answer(ctx, http.MethodPost, "/v1/rollouts", r, r.Ask)
}

// AdvanceRollout takes the next step before the leader does.
func (c *Client) AdvanceRollout(ctx context.Context, id string, r RolloutMoveRequest) (*Answer, error) {
	return c.answer(ctx, http.MethodPost, "/v1/rollouts/"+url.PathEscape(id)+"/advance", r, r.Ask)
}

// AbortRollout ends a rollout and takes back what it gave.
func (c *Client) AbortRollout(ctx context.Context, id string, r RolloutMoveRequest) (*Answer, error) {
	return c.answer(ctx, http.MethodPost, "/v1/rollouts/"+url.PathEscape(id)+"/abort", r, r.Ask)
}

// Rollouts lists all that are remembered, the oldest first.
func (c *Client) Rollouts(ctx context.Context, r Read) ([]Rollout, error) {
	return read[[]Rollout](ctx, c, "/v1/rollouts", r.query())
}

// Rollout returns one with how its nodes do.
func (c *Client) Rollout(ctx context.Context, id string, r Read) (*RolloutInfo, error) {
	return read[*RolloutInfo](ctx, c, "/v1/rollouts/"+url.PathEscape(id), r.query())
}

// Nodes lists all nodes by name.
func (c *Client) Nodes(ctx context.Context, r Read) ([]NodeInfo, error) {
	return read[[]NodeInfo](ctx, c, "/v1/nodes", r.query())
}

// Held returns all that a node must hold.
func (c *Client) Held(ctx context.Context, node string, r Read) (*Effective, error) {
	return read[*Effective](ctx, c, "/v1/nodes/"+url.PathEscape(node)+"/knobs", r.query())
}

// ForgetNode drops a node; the values set for it stay.
func (c *Client) ForgetNode(ctx context.Context, id string) error {
	return c.change(ctx, http.MethodDelete, "/v1/nodes/"+url.PathEscape(id), nil, nil, 0)
}

// Audit returns the last n lines, the oldest first; 0 for all.
func (c *Client) Audit(ctx context.Context, n int, r Read) ([]Audit, error) {
	q := r.query()
	if n > 0 {
		if q == nil {
			q = url.Values{}
		}
		q.Set("n", strconv.Itoa(n))
	}
	return read[[]Audit](ctx, c, "/v1/audit", q)
}

// Tokens lists tokens; hashes are left out.
func (c *Client) Tokens(ctx context.Context, r Read) ([]Token, error) {
	return read[[]Token](ctx, c, "/v1/tokens", r.query())
}

// SetToken makes or removes a token.
func (c *Client) SetToken(ctx context.Context, r TokenRequest) (*Answer, error) {
	return c.answer(ctx, http.MethodPost, "/v1/tokens", r, r.Ask)
}

// Limits returns what the keepers remember at most.
func (c *Client) Limits(ctx context.Context, r Read) (*Limits, error) {
	return read[*Limits](ctx, c, "/v1/limits", r.query())
}

// SetLimits changes them.
func (c *Client) SetLimits(ctx context.Context, l Limits) error {
	return c.change(ctx, http.MethodPut, "/v1/limits", l, nil, 0)
}

// RemoveMember takes a member out of the cluster.
func (c *Client) RemoveMember(ctx context.Context, id string) error {
	return c.move(ctx, http.MethodDelete, "/v1/members/"+url.PathEscape(id), nil)
}

// Transfer hands the leadership over, "" to the member that is furthest.
func (c *Client) Transfer(ctx context.Context, id string) error {
	return c.move(ctx, http.MethodPost, "/v1/transfer", MemberMove{id})
}

// Snapshot has the member that answers first write a snapshot now.
func (c *Client) Snapshot(ctx context.Context) error {
	return c.change(ctx, http.MethodPost, "/v1/snapshot", nil, nil, 0)
}

func (c *Client) answer(ctx context.Context, method, path string, in any, a Ask) (*Answer, error) {
	out := &Answer{}
	if err := c.change(ctx, method, path, in, out, time.Duration(a.WaitMS)*time.Millisecond); err != nil {
		return nil, err
	}
	return out, nil
}

// move changes the members, of which the state keeps no answers.
func (c *Client) move(ctx context.Context, method, path string, in any) error {
	return c.call(ctx, request{method: method, path: path, in: in, key: rand.Text(), alone: true})
}

func read[T any](ctx context.Context, c *Client, path string, q url.Values) (out T, err error) {
	err = c.get(ctx, path, q, &out)
	return out, err
}

// Watch calls f for each frame after a revision (0: begin with a snapshot),
// until f or ctx ends it. It comes back by itself, to another keeper if need
// be, and resumes where it was; only an *Error that will stay ends it.
func (c *Client) Watch(ctx context.Context, from uint64, f func(*WatchFrame) error) error {
	if len(c.sites) == 0 {
		return errors.New("no address of a keeper is known")
	}
	for turn, pause := 0, 50*time.Millisecond; ; turn++ {
		began := from
		err := c.watchOnce(ctx, c.sites[turn%len(c.sites)], &from, f)
		if stop, ok := errors.AsType[*stopped](err); ok {
			return stop.error
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if _, ok := errors.AsType[*Error](err); ok && !passing(err) {
			return err
		}
		if from != began {
			pause = 50 * time.Millisecond
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, 2*time.Second)
	}
}

// watchSilence is without even an empty line, which keepers send every 5 s: then
// the keeper hangs, or its machine has gone without a word.
const watchSilence = 15 * time.Second

// stopped is the error of a watcher's own function.
type stopped struct{ error }

func (c *Client) watchOnce(ctx context.Context, s *site, from *uint64, f func(*WatchFrame) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	quiet := time.AfterFunc(c.silence, cancel)
	defer quiet.Stop()
	q := url.Values{"from": {strconv.FormatUint(*from, 10)}}
	resp, err := c.open(ctx, s, request{method: http.MethodGet, path: "/v1/watch", query: q}, bytes.NewReader(nil))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(make([]byte, 0, 64<<10), lineMax)
	for lines.Scan() {
		quiet.Reset(c.silence)
		if len(lines.Bytes()) == 0 { // a sign of life
			continue
		}
		w := &WatchFrame{}
		if err := json.Unmarshal(lines.Bytes(), w); err != nil {
			return fmt.Errorf("watch: %w", err)
		}
		*from = w.Position
		if err := f(w); err != nil {
			return &stopped{err}
		}
	}
	return lines.Err()
}
