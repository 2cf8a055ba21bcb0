package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/urfave/cli/v2"
	"pushfleet/internal/keeperapi"
	"pushfleet/pushctl/table"
)

func knobWatchCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "watch", Usage: "see changes as they happen",
		UsageText: "pushctl knob watch [NAME]… [--nodes] [--from REV] [--for TIME]",
		Description: `One line for each event: values, freezes, rollouts, nodes that refuse; with --nodes also those that come and go.

  pushctl knob watch
  pushctl knob watch queue.messages_max -o ndjson
  pushctl knob watch --from 400       what happened since, if it is remembered`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "nodes", Usage: "also nodes that come, go and change health"},
			&cli.Uint64Flag{Name: "from", Usage: "begin after revision `REV`"},
			&cli.DurationFlag{Name: "for", Usage: "stop after `TIME`"},
		},
		Action: e.onFleet(0, -1, keeperapi.RoleRead, knobWatch),
	}
}

func knobWatch(f *fleet, c *cli.Context) error {
	ctx := c.Context
	if d := c.Duration("for"); d < 0 || d == 0 && c.IsSet("for") {
		return usagef("--for %s: want a time above zero", d)
	} else if d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	w := &eventWatch{fleet: f, names: c.Args().Slice(), nodes: c.Bool("nodes"), show: f.printer()}
	err := f.Watch(ctx, c.Uint64("from"), w.frame)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil {
		return nil // --for is over
	}
	return err
}

// eventWatch prints the events that are asked for.
type eventWatch struct {
	*fleet
	names []string // empty: all knobs
	nodes bool
	show  func(*view) error
	begun bool
}

func (w *eventWatch) frame(fr *keeperapi.WatchFrame) error {
	if err := w.begin(fr); err != nil {
		return err
	}
	for i := range fr.Events {
		ev := &fr.Events[i]
		if !w.wants(ev) {
			continue
		}
		if err := w.event(ev); err != nil {
			return err
		}
	}
	return nil
}

// begin says where the stream starts, and where it had to start again.
func (w *eventWatch) begin(fr *keeperapi.WatchFrame) error {
	if !w.forPeople() {
		return nil
	}
	if !w.begun {
		w.begun = true
		fmt.Fprintf(w.err, "watching from %s on; ctrl-C ends it\n", table.Rev(fr.Position))
		_, err := fmt.Fprintln(w.out, table.EventHead(w.style))
		return err
	}
	if fr.Snapshot {
		_, err := fmt.Fprintf(w.out, "%s  %s  the stream began anew: what came before this was missed\n",
			fr.NowMS.Go().Local().Format(time.TimeOnly+".000"), table.Rev(fr.Position))
		return err
	}
	return nil
}

func (w *eventWatch) wants(ev *keeperapi.Event) bool {
	switch ev.Kind {
	case keeperapi.KindNodeNacked:
		return true
	case keeperapi.KindNodeJoined, keeperapi.KindNodeLeft, keeperapi.KindNodeDead, keeperapi.KindNodeAlive, keeperapi.KindNodeHealth:
		return w.nodes
	}
	return len(w.names) == 0 || slices.Contains(w.names, ev.Knob) || ev.Knob == keeperapi.AllKnobs
}

func (w *eventWatch) event(ev *keeperapi.Event) error {
	if !w.forPeople() {
		return w.show(&view{docs: []any{ev}, rows: []any{ev}})
	}
	_, err := fmt.Fprintln(w.out, table.Event(ev, w.wide(), w.style))
	return err
}
