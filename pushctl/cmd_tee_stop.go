package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/experiment"
	"pushfleet/pushctl/table"
)

func teeStopCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "stop", Usage: "end the tee of a node, and put shadows back",
		UsageText: "pushctl tee stop [--from ADDR] [--id ID]",
		Description: `Whoever began it: an experiment whose tee is ended puts its shadow back and reports. Shadows that an experiment of this machine has left changed because it was killed are put back too. Without --from it is the node of --node, this machine's, or those of the experiments that run here, whose own tees are ended and no others.

Exit status: 0 none of them reads any more, also if none did; 1 failed; 3 failed for some.

  pushctl tee stop --from gw-1
  pushctl tee stop --from gw-1 --id 3f9a1c02`,
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "from", Usage: "the node at `ADDR`, which is mirrored; repeat for several"},
			&cli.StringFlag{Name: "id", Usage: "end it only if it is the tee `ID` of tee status"}},
		Action: func(c *cli.Context) error { return e.teeStop(c) },
	}
}

// stopDone is one line of what stop did.
type stopDone struct {
	Node  string `json:"node"`
	Did   string `json:"did"` // stopped, none, restored, failed
	Tee   string `json:"tee,omitempty"`
	To    string `json:"to,omitempty"` // whose tee it was
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
	tees, err := o.teed(c, notes)
	switch {
	case err != nil && len(rows) == 0:
		return err
	case err == nil:
		for _, t := range tees {
			rows = append(rows, o.stopTee(c.Context, &t))
		}
	}
	v := &view{docs: []any{rows}, lines: func() (lines []string) {
		for _, r := range rows {
			lines = append(lines, table.Wrap(r.String(), "  ", table.Columns)...)
		}
		return lines
	}}
	for _, r := range rows {
		v.rows = append(v.rows, r)
	}
	if err := o.print(v); err != nil {
		return err
	}
	return o.stopFailed(rows)
}

// stopFailed is the exit status; the screen has said why.
func (o *options) stopFailed(rows []*stopDone) error {
	s := &silentError{asked: len(rows)}
	for _, r := range rows {
		if r.err != nil {
			s.silent = append(s.silent, silentNode{r.Node, r.err})
		}
	}
	if len(s.silent) == 0 {
		return nil
	}
	if hint := next(s); hint != "" {
		fmt.Fprintln(o.err, hint)
	}
	return &shownError{s}
}

func (s *stopDone) String() string {
	switch s.Did {
	case "stopped":
		text := strings.TrimSuffix("the tee "+s.Tee, " ") + " of " + s.Node
		if s.To != "" {
			text += " to " + s.To
		}
		return table.Safe(text + " has ended")
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

// teed is a node whose tee is to end.
type teed struct {
	*pushdapi.Client
	id string // of the tee; "" for the one that reads
}

// teed lists them.
func (o *options) teed(c *cli.Context, notes []*experiment.Journal) (out []teed, err error) {
	id := c.String("id")
	if o.named = slices.Concat(c.StringSlice("from"), o.named); len(o.named) == 0 {
		o.named = nil
		for _, j := range notes {
			if e := j.Entry(); e.Alive() && (id == "" || id == e.Tee) {
				out = append(out, teed{o.client(e.From), e.Tee})
			}
		}
	}
	if len(out) > 0 {
		return out, nil
	}
	nodes, err := o.clients(c.Context)
	for _, n := range nodes {
		out = append(out, teed{n, id})
	}
	return out, err
}

// stopTee ends the tee that is to end, or the one that it finds. It names it, so
// that one that has begun since the look goes on.
func (o *options) stopTee(ctx context.Context, t *teed) *stopDone {
	r := &stopDone{Node: t.Addr(), Did: "none"}
	tap, err := t.Tap(ctx)
	if err == nil && !tap.Active {
		return r
	}
	if err == nil {
		if r.Tee = cmp.Or(t.id, tap.ID); r.Tee == tap.ID {
			r.To = tap.To
		}
		err = t.StopTeeID(ctx, r.Tee)
	}
	switch e, ok := errors.AsType[*pushdapi.Error](err); {
	case err == nil:
		r.Did = "stopped"
	case ok && e.Code == "not_found": // it has ended meanwhile
	default:
		r.Did, r.Note, r.err = "failed", cause(err), err
	}
	return r
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
