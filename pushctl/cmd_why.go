package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/urfave/cli/v2"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/table"
	"pushfleet/pushctl/why"
)

// Bounds of how long why watches.
const (
	whyFor = 5 * time.Second
	whyMin = 500 * time.Millisecond
)

// whyMax bounds the connections of a user that are watched at once.
const whyMax = 32

func whyCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "why", Category: "look", Usage: "who holds a connection back: client, network, publisher or node",
		UsageText: "pushctl why ID|USER [--for TIME] [--no-probe]",
		Description: `Has the node watch the connection for some seconds, and, where pushctl may and the node runs on this host, probes the node's locks, collector and run queue meanwhile. Ranks who may be to blame with what speaks for each, or says that the evidence does not decide. Of a user all connections are explained, the worst first.

  pushctl why 3.1f20.2
  sudo pushctl why u-88121 --for 20s
  pushctl why 3.1f20.2 -o json | jq -r .kind`,
		Flags: []cli.Flag{
			&cli.DurationFlag{Name: "for", Value: whyFor, Usage: "watch for `TIME` (5s)"},
			&cli.BoolFlag{Name: "no-probe", Usage: "only ask the node"},
			&cli.BoolFlag{Name: "user", Usage: "the argument is a user, whatever it looks like"},
		},
		Action: func(c *cli.Context) error {
			o, err := e.options(c)
			if err != nil {
				return err
			}
			if err := wantArgs(c, 1, 1); err != nil {
				return err
			}
			d := c.Duration("for")
			if d < whyMin || d > pushdapi.WatchMax {
				return usagef("--for %s: want %s to %s", d, whyMin, pushdapi.WatchMax)
			}
			nodes, err := o.clients(c.Context)
			if err != nil {
				return err
			}
			w := &whying{options: o, nodes: nodes, d: d, probe: !c.Bool("no-probe"), arg: c.Args().First()}
			if ref, err := parseConn(w.arg); err == nil && !c.Bool("user") {
				return w.conn(c.Context, ref)
			}
			return w.user(c.Context)
		},
	}
}

// whying is one question why.
type whying struct {
	*options
	nodes []*pushdapi.Client
	d     time.Duration
	probe bool
	arg   string
}

// whyAnswer is the answer about one connection.
type whyAnswer struct {
	Node string `json:"node"`
	Conn string `json:"conn"`
	User string `json:"user"`
	why.Verdict
	Seen  *pushdapi.Watched `json:"seen"`
	Locks *why.Locks        `json:"locks,omitempty"`
	Sched *why.Sched        `json:"sched,omitempty"`
	GC    *why.GC           `json:"gc,omitempty"`
}

// whyRow is the same as a row.
type whyRow struct {
	Node     string   `json:"node"`
	Conn     string   `json:"conn"`
	User     string   `json:"user"`
	Kind     why.Kind `json:"kind"`
	Cause    string   `json:"cause"`
	Held     float64  `json:"held"`
	Score    float64  `json:"score"` // of the strongest candidate
	Sentence string   `json:"sentence"`
}

// conn explains the connection that the argument names, on whichever node.
func (w *whying) conn(ctx context.Context, ref connRef) error {
	nodes, err := ref.among(ctx, w.nodes)
	if err != nil {
		return err
	}
	a := ask(ctx, nodes, func(ctx context.Context, c *pushdapi.Client) ([]*whyAnswer, error) {
		all, _, err := w.explain(ctx, c, []string{ref.id})
		return all, tooOld(err, ref.id)
	})
	err = a.known()
	if len(a.vals) == 0 {
		return goneHint(err)
	}
	return cmp.Or(w.show(a.vals, nil), err)
}

// tooOld tells a node that does not know the question from a connection that
// is not there.
func tooOld(err error, id string) error {
	if e, ok := errors.AsType[*pushdapi.Error](err); ok && e.Status == http.StatusNotFound && e.Code == "http" {
		return &hinted{errors.New("the node is older than this pushctl and does not watch connections"), "  ask it what it knows   pushctl conn " + id}
	}
	return err
}

// whyFound is the connections of a user on one node.
type whyFound struct {
	client *pushdapi.Client
	info   *pushdapi.UserInfo
}

// user explains all connections of the user that the argument names.
func (w *whying) user(ctx context.Context) error {
	found := ask(ctx, w.nodes, func(ctx context.Context, c *pushdapi.Client) (whyFound, error) {
		info, err := c.User(ctx, w.arg)
		return whyFound{c, info}, err
	})
	if len(found.vals) == 0 {
		return found.err()
	}
	left, more := whyMax, 0
	var online []*pushdapi.Client
	ids := map[*pushdapi.Client][]string{}
	unanswered := 0
	for _, f := range found.vals {
		unanswered += f.info.Unanswered
		s := f.info.Sessions
		if len(s) == 0 {
			continue
		}
		slices.SortStableFunc(s, func(a, b pushdapi.ConnRow) int { return cmp.Compare(b.Queued, a.Queued) })
		more += max(0, len(s)-left)
		for _, row := range s[:min(left, len(s))] {
			ids[f.client] = append(ids[f.client], row.Conn)
		}
		left -= min(left, len(s))
		online = append(online, f.client)
	}
	if len(online) == 0 && unanswered > 0 {
		return &hinted{fmt.Errorf("%s of %s: the loop that has it is too busy to tell more", table.Plural(int64(unanswered), "connection"), table.Safe(w.arg)),
			"  what it is busy with   pushctl stats, pushctl probe cpu"}
	}
	if len(online) == 0 {
		return w.absent(ctx, found)
	}
	var mu sync.Mutex
	var notes []string
	if more > 0 {
		notes = append(notes, fmt.Sprintf("and %s: those above have the longest queues", table.Plural(int64(more), "more connection")))
	}
	if unanswered > 0 {
		notes = append(notes, fmt.Sprintf("and %s of a loop that is too busy to tell more: pushctl stats", table.Plural(int64(unanswered), "connection")))
	}
	a := ask(ctx, online, func(ctx context.Context, c *pushdapi.Client) ([]*whyAnswer, error) {
		all, ended, err := w.explain(ctx, c, ids[c])
		mu.Lock()
		defer mu.Unlock()
		for _, id := range ended {
			notes = append(notes, fmt.Sprintf("%s ended meanwhile: pushctl closed", id))
		}
		return all, err
	})
	if err := w.show(a.vals, notes); err != nil {
		return err
	}
	return cmp.Or(a.err(), found.err())
}

// explain has a node watch its connections, and probes it meanwhile. ended are
// those that were gone before they could be explained; of a single one that is
// an error.
func (w *whying) explain(ctx context.Context, c *pushdapi.Client, ids []string) (all []*whyAnswer, ended []string, err error) {
	seen, errs := make([]*pushdapi.Watched, len(ids)), make([]error, len(ids))
	var probed probed
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wg.Go(func() { probed = w.look(ctx, c) }) // ends after w.d, or with ctx
	var watches sync.WaitGroup
	for i, id := range ids {
		watches.Go(func() { seen[i], errs[i] = c.Watch(ctx, id, w.d) })
	}
	watches.Wait()
	if !slices.ContainsFunc(seen, func(s *pushdapi.Watched) bool { return s != nil }) {
		cancel() // nothing to explain
	}
	wg.Wait()
	for i, s := range seen {
		switch {
		case errs[i] == nil:
			answer := answerOf(s, &probed)
			located(answer.Try, &s.Conn, len(w.nodes))
			all = append(all, answer)
		case isNotFound(errs[i]) && len(ids) > 1:
			ended = append(ended, ids[i])
		default:
			err = cmp.Or(err, errs[i])
		}
	}
	return all, ended, err
}

func answerOf(s *pushdapi.Watched, p *probed) *whyAnswer {
	a := &whyAnswer{Node: s.Conn.Node, Conn: s.Conn.Conn, User: s.Conn.User, Seen: s, Locks: p.locks, Sched: p.sched, GC: p.gc}
	a.Verdict = why.Judge(why.Evidence{Seen: s, Locks: p.locks, Sched: p.sched, GC: p.gc, Missing: p.missing})
	return a
}

// show prints answers, the worst first.
func (w *whying) show(nodes [][]*whyAnswer, notes []string) error {
	all := slices.Concat(nodes...)
	slices.SortStableFunc(all, func(a, b *whyAnswer) int { return cmp.Compare(b.Held, a.Held) })
	v := &view{lines: func() []string {
		var lines []string
		for i, a := range all {
			if i > 0 {
				lines = append(lines, "")
			}
			verdict := a.Verdict
			if i < len(all)-1 && all[i+1].Node == a.Node {
				verdict.Missing = nil // said once for a node
			}
			lines = append(lines, why.Lines(a.Seen, &verdict, w.wide(), w.style)...)
		}
		return append(lines, notes...)
	}}
	for _, a := range all {
		v.docs = append(v.docs, a)
		v.rows = append(v.rows, &whyRow{a.Node, a.Conn, a.User, a.Kind, a.Cause, a.Held, a.Candidates[0].Score, a.Sentence})
	}
	return w.print(v)
}
