package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/table"
)

func traceCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "trace", Category: "look", Usage: "follow what happens to one user's messages",
		UsageText: "pushctl trace USER [--for TIME]",
		Description: `Shows each message offered, written or dropped, and connections that open, stall and close. "lost" says that the trace itself could not keep up: the node never waits for it.

  pushctl trace u-88121 --for 30s
  pushctl trace u-88121 -o ndjson | jq 'select(.event == "drop")'`,
		Flags: []cli.Flag{&cli.DurationFlag{Name: "for", Usage: "stop after `TIME`", Value: 30 * time.Second}},
		Action: func(c *cli.Context) error {
			o, err := e.options(c)
			if err != nil {
				return err
			}
			if err := wantArgs(c, 1, 1); err != nil {
				return err
			}
			if c.Duration("for") <= 0 {
				return usagef("--for %s: want a time above zero", c.Duration("for"))
			}
			nodes, err := o.clients(c.Context)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(c.Context, c.Duration("for"))
			defer cancel()
			return trace(ctx, o, nodes, c.Args().First())
		},
	}
}

// tracer prints the events of several nodes as they come.
type tracer struct {
	*options
	print  func(*view) error
	mu     sync.Mutex // one event at a time
	begun  bool
	counts map[string]int64
	events int64
}

func trace(ctx context.Context, o *options, nodes []*pushdapi.Client, user string) error {
	t := &tracer{options: o, print: o.printer(), counts: map[string]int64{}}
	a := ask(ctx, nodes, func(ctx context.Context, c *pushdapi.Client) (struct{}, error) {
		return struct{}{}, c.Trace(ctx, user, t.event)
	})
	if o.forPeople() && len(a.vals) > 0 {
		fmt.Fprintln(o.out, strings.Join(t.summary(user), "\n"))
	}
	err := a.err()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func (t *tracer) event(ev pushdapi.TraceEvent) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events++
	t.counts[ev.Event]++
	if !t.forPeople() {
		return t.print(&view{docs: []any{ev}, rows: []any{ev}})
	}
	if !t.begun {
		t.begun = true
		fmt.Fprintln(t.out, table.TraceHead(t.style))
	}
	_, err := fmt.Fprintln(t.out, table.Trace(&ev, t.wide(), t.style))
	return err
}

func (t *tracer) summary(user string) []string {
	if t.events == 0 {
		return []string{fmt.Sprintf("nothing happened. Is %s connected?  pushctl top --where 'user == \"%s\"'", table.Safe(user), table.Safe(user))}
	}
	var items []string
	for _, k := range slices.Sorted(maps.Keys(t.counts)) {
		items = append(items, k+" "+table.Count(t.counts[k]))
	}
	return []string{"", table.Plural(t.events, "event") + ": " + strings.Join(items, ", ")}
}
