package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/experiment"
	"pushfleet/pushctl/table"
)

func teeStopCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "stop", Usage: "end the tee of a node, and put shadows back",
		UsageText: "pushctl tee stop [--from ADDR]",
		Description: `Whoever began it: an experiment whose tee is ended puts its shadow back and reports. Shadows that an experiment of this machine has left changed because it was killed are put back too. Without --from it is the node of --node, this machine's, or those of the experiments that run here.

  pushctl tee stop --from gw-1`,
		Flags:  []cli.Flag{&cli.StringSliceFlag{Name: "from", Usage: "the node at `ADDR`, which is mirrored; repeat for several"}},
		Action: func(c *cli.Context) error { return e.teeStop(c) },
	}
}

// stopDone is one line of what stop did.
type stopDone struct {
	Node  string `json:"node"`
	Did   string `json:"did"` // stopped, none, restored, failed
	Knob  string `json:"knob,omitempty"`
	Value string `json:"value,omitempty"`
	Note  string `json:"note,omitempty"`
	err   error
}

func (e *env) teeStop(c *cli.Context) error {
	o, err := e.options(c)
	if err != nil {
		return err
	}
	if err := wantArgs(c, 0, 0); err != nil {
		return err
	}
	notes, err := experiment.Journals(journals(o.getenv))
	if err != nil {
		fmt.Fprintf(o.err, "pushctl: %v\n", err)
	}
	rows := o.putBack(c.Context, notes)
	nodes, err := o.teed(c, notes)
	switch {
	case err != nil && len(rows) == 0:
		return err
	case err == nil:
		rows = append(rows, o.stopTees(c.Context, nodes)...)
	}
	v := &view{docs: []any{rows}, lines: func() (lines []string) {
		for _, r := range rows {
			lines = append(lines, table.Wrap(r.String(), "  ", table.Columns)...)
		}
		return lines
	}}
	var failed error
	for _, r := range rows {
		v.rows = append(v.rows, r)
		failed = errors.Join(failed, r.err)
	}
	if err := o.print(v); err != nil {
		return err
	}
	if failed != nil {
		return &shownError{failed}
	}
	return nil
}

func (s *stopDone) String() string {
	switch s.Did {
	case "stopped":
		return "the tee of " + table.Safe(s.Node) + " has ended"
	case "none":
		return "no tee reads " + table.Safe(s.Node)
	case "failed":
		return table.Safe(s.Node + ": " + s.Note)
	}
	text := fmt.Sprintf("%s of %s is %s again", s.Knob, s.Node, s.Value)
	if s.Note != "" {
		text = fmt.Sprintf("%s of %s: %s", s.Knob, s.Node, s.Note)
	}
	if s.Knob == "" {
		text = s.Node + " is as it was"
	}
	return table.Safe(text)
}

// teed are the nodes whose tee is to end.
func (o *options) teed(c *cli.Context, notes []*experiment.Journal) ([]*pushdapi.Client, error) {
	addrs := slices.Concat(c.StringSlice("from"), o.named)
	if len(addrs) == 0 {
		for _, j := range notes {
			if e := j.Entry(); e.Alive() && !slices.Contains(addrs, e.From) {
				addrs = append(addrs, e.From)
			}
		}
	}
	if len(addrs) == 0 {
		return o.clients(c.Context)
	}
	var out []*pushdapi.Client
	for _, a := range addrs {
		out = append(out, o.client(a))
	}
	return out, nil
}

func (o *options) stopTees(ctx context.Context, nodes []*pushdapi.Client) (rows []*stopDone) {
	for _, n := range nodes {
		r := &stopDone{Node: n.Addr(), Did: "stopped"}
		err := n.StopTee(ctx)
		if e, ok := errors.AsType[*pushdapi.Error](err); ok && e.Status == 404 {
			r.Did, err = "none", nil
		}
		if err != nil {
			r.Did, r.Note, r.err = "failed", cause(err), err
		}
		rows = append(rows, r)
	}
	return rows
}

// putBack puts shadows back whose experiment was killed.
func (o *options) putBack(ctx context.Context, notes []*experiment.Journal) (rows []*stopDone) {
	for _, j := range notes {
		e := j.Entry()
		if e.Alive() {
			continue
		}
		limit, stop := context.WithTimeout(ctx, o.timeout)
		back, err := j.PutBack(limit, o.client(e.Shadow))
		stop()
		if err != nil {
			rows = append(rows, &stopDone{Node: e.Node, Did: "failed", err: err,
				Note: fmt.Sprintf("it cannot be put back to what it was before %s: %s; try again when it is there, or forget what it was: rm %s",
					e.Begun.Format(time.DateTime), cause(err), quoted(j.Path()))})
			continue
		}
		for _, b := range back {
			rows = append(rows, &stopDone{Node: e.Node, Did: "restored", Knob: b.Name, Value: b.Value, Note: b.Note})
		}
		if len(back) == 0 {
			rows = append(rows, &stopDone{Node: e.Node, Did: "restored"})
		}
	}
	return rows
}
