package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/experiment"
	"pushfleet/pushctl/experiment/drive"
	"pushfleet/pushctl/table"
)

func teeStatusCommand(e *env) *cli.Command {
	every := &seconds{}
	return &cli.Command{
		Name: "status", Usage: "who is mirrored, to whom, and what it costs",
		UsageText: "pushctl tee status [--from ADDR] [-w]",
		Description: `Asks the taps of the nodes, and lists experiments of this machine, also those that were killed.

  pushctl tee status --from gw-1 -w`,
		Flags:  []cli.Flag{&cli.StringSliceFlag{Name: "from", Usage: "ask the node at `ADDR`; repeat for several"}, watchFlag(every)},
		Action: func(c *cli.Context) error { return e.teeStatus(c, every) },
	}
}

// tapRow is one node's tap.
type tapRow struct {
	Node string `json:"node"`
	*pushdapi.Tap
}

// teeState is the document of status.
type teeState struct {
	Taps        []tapRow        `json:"taps"`
	Experiments []experimentRow `json:"experiments"`
}

// experimentRow is an experiment of this machine.
type experimentRow struct {
	experiment.Entry
	Alive bool `json:"alive"` // else it has ended and not put its shadow back
}

func (e *env) teeStatus(c *cli.Context, every *seconds) error {
	o, err := e.options(c)
	if err != nil {
		return err
	}
	if err := wantArgs(c, 0, 0); err != nil {
		return err
	}
	o.named = slices.Concat(c.StringSlice("from"), o.named)
	if len(o.named) == 0 {
		o.named = nil
	}
	nodes, silent := o.clients(c.Context)
	f := func(ctx context.Context) (*view, error) { return o.teeLook(ctx, nodes, silent) }
	if every.d > 0 {
		return o.watch(c.Context, every.d, f)
	}
	return o.once(c.Context, f)
}

// teeLook asks once. Without a node there may still be experiments.
func (o *options) teeLook(ctx context.Context, nodes []*pushdapi.Client, silent error) (*view, error) {
	s := teeState{Taps: []tapRow{}, Experiments: []experimentRow{}}
	notes, err := experiment.Journals(journals(o.getenv))
	if err != nil {
		return nil, err
	}
	for _, j := range notes {
		e := j.Entry()
		s.Experiments = append(s.Experiments, experimentRow{e, e.Alive()})
	}
	if len(nodes) > 0 {
		a := ask(ctx, nodes, func(ctx context.Context, c *pushdapi.Client) (tapRow, error) {
			tap, err := c.Tap(ctx)
			return tapRow{nodeName(ctx, c), tap}, err
		})
		s.Taps, silent = append(s.Taps, a.vals...), a.err()
	}
	if silent != nil && len(s.Taps) == 0 && len(s.Experiments) == 0 {
		return nil, silent
	}
	v := &view{docs: []any{s}, lines: func() []string { return teeLines(&s, o.now(), o.style) }}
	for _, t := range s.Taps {
		v.rows = append(v.rows, t)
	}
	return v, silent
}

func teeLines(s *teeState, now time.Time, st table.Style) []string {
	var lines []string
	for _, t := range s.Taps {
		lines = append(lines, tapLines(&t, now, st)...)
	}
	for _, e := range s.Experiments {
		if len(lines) > 0 {
			lines = append(lines, "")
		}
		lines = append(lines, experimentLines(&e, now, st)...)
	}
	return lines
}

func tapLines(t *tapRow, now time.Time, st table.Style) []string {
	name := table.Safe(t.Node)
	if !t.Active {
		text := st.Apply(table.Strong, name) + "  no tee"
		if !t.EndedAt.IsZero() {
			text += fmt.Sprintf("; the last one ended %s ago (%s): %s", table.Seconds(now.Sub(t.EndedAt).Seconds()), table.Safe(t.EndReason), table.Safe(t.EndDetail))
		}
		return table.Wrap(text, "  ", table.Columns)
	}
	lines := []string{st.Apply(table.Strong, name) + "  mirrored for " + table.Seconds(now.Sub(t.Since).Seconds()) + " to " + table.Cut(table.Safe(t.To), 40)}
	if t.ID != "" {
		lines = append(lines, "  tee         "+table.Safe(t.ID))
	}
	lines = append(lines,
		fmt.Sprintf("  sample      %s %% of users%s, %s replaced", plainFloat(t.Sample), asked(t.Tap), redacted(t.Redact)),
		fmt.Sprintf("  connections %s, joined %s, torn %s%s", table.Count(t.Connections), table.Count(t.Joined), table.Count(t.Torn), stillJoining(t.Tap)),
		fmt.Sprintf("  records     %s sent, %s dropped%s", table.Count(drive.Sum(t.Sent)), table.Count(drive.Sum(t.DroppedBy)), reasons(t.DroppedBy)),
		fmt.Sprintf("  cost        cpu %s of a core, %s sent, buffers %s", table.Percent(t.CPUPercent), table.Bytes(t.Bytes), table.Bytes(t.BufferBytes)))
	return lines
}

func plainFloat(v float64) string { return strconv.FormatFloat(math.Round(100*v)/100, 'g', -1, 64) }

func asked(t *pushdapi.Tap) string {
	if t.Asked > t.Sample {
		return fmt.Sprintf(" (%s %% asked for)", plainFloat(t.Asked))
	}
	return ""
}

func redacted(s string) string {
	switch s {
	case "off", "":
		return "nothing"
	case "names":
		return "payload and names"
	}
	return table.Safe(s)
}

func stillJoining(t *pushdapi.Tap) string {
	if t.Joining {
		return ", still joining"
	}
	return ""
}

func reasons(by map[string]uint64) string {
	var parts []string
	for _, why := range pushdapi.TapDrops() {
		if by[why] > 0 {
			parts = append(parts, why+" "+table.Count(by[why]))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

func experimentLines(e *experimentRow, now time.Time, st table.Style) []string {
	var tried []string
	for _, k := range e.Knobs {
		tried = append(tried, fmt.Sprintf("%s %s (was %s)", k.Name, strings.Join(k.Tried, ", "), k.Value))
	}
	text := fmt.Sprintf("experiment of process %d on %s, begun %s ago: %s to %s", e.Place.PID, table.Safe(e.Place.Hostname),
		table.Seconds(now.Sub(e.Begun).Seconds()), table.Safe(e.From), table.Safe(e.Node))
	if len(tried) > 0 {
		text += ", tries " + table.Safe(strings.Join(tried, "; "))
	}
	if !e.Alive {
		text += "; " + st.Apply(table.Warn, "it has ended and not put the shadow back: pushctl tee stop")
	}
	return table.Wrap(text, "  ", table.Columns)
}
