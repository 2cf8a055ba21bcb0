package main

import (
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"pushfleet/pushctl/experiment"
	"pushfleet/pushctl/experiment/drive"
	tee "pushfleet/pushctl/experiment/report"
	"pushfleet/pushctl/table"
)

func teeStartCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "start", Usage: "mirror until Ctrl-C, without a verdict",
		UsageText: "pushctl tee start --from ADDR --to ADDR [--sample SHARE] [--for TIME]",
		Description: `For looking at a shadow with pushctl top, conn, probe and the dashboards, and for turning its knobs by hand.

  pushctl tee start --from gw-1 --to gw-shadow --sample 1%
  pushctl tee start --from gw-1 --to gw-shadow --sample 20% --amplify 3 --for 1h`,
		Flags: flags(mirrorFlags(), shadowFlags(),
			&cli.GenericFlag{Name: "for", Usage: "end after `TIME`", Value: new(span)},
			&cli.StringSliceFlag{Name: "allow", Usage: "do not end because of `WHAT`: cpu, p99, drops or driver; repeatable"}),
		Action: func(c *cli.Context) error { return e.teeStart(c) },
	}
}

func (e *env) teeStart(c *cli.Context) error {
	t, err := e.teeing(c, 0)
	if err != nil {
		return err
	}
	o := experiment.Options{Mirror: true, Journals: journals(t.getenv), Plan: experiment.Plan{AB: t.span("for", 0)}}
	if o.Query, err = t.query(); err != nil {
		return err
	}
	if o.Allow, err = t.allowed(); err != nil {
		return err
	}
	from, err := t.node("from", "whose traffic")
	if err != nil {
		return err
	}
	o.Production = from
	to, d, err := t.shadow("to", "clients", from, drive.Options{})
	if err != nil {
		return err
	}
	defer d.Close()
	o.To = to
	show := newTeeScreen(t.options)
	o.Tell = show.tell
	r, err := experiment.Run(c.Context, o)
	show.close()
	if err != nil {
		return teeHint(err)
	}
	if err := t.print(&view{docs: []any{r}, rows: []any{r}, lines: func() []string { return mirrored(r) }}); err != nil {
		return err
	}
	if s := r.Stopped; s != nil && s.Reason != experiment.StopInterrupted {
		return &shownError{fmt.Errorf("%s", s.Detail)}
	}
	return nil
}

// mirrored says what a tee without a verdict came to.
func mirrored(r *tee.Report) []string {
	var lines []string
	if d := r.Driver; d != nil {
		lines = append(lines, fmt.Sprintf("mirrored for %s: %s records replayed, %s left out; the shadow delivered %s messages",
			teeTime(r.End.Sub(r.Begin).Round(time.Second)), table.Count(total(d.Replayed)), table.Count(leftOut(d)), table.Count(d.Frames)))
	}
	if s := r.Stopped; s != nil && s.Reason != experiment.StopInterrupted {
		lines = append(lines, table.Wrap("ended ("+s.Reason+"): "+table.Safe(s.Detail), "  ", table.Columns)...)
	}
	return lines
}

func total(m map[string]uint64) (n uint64) {
	for _, v := range m {
		n += v
	}
	return n
}

func leftOut(d *drive.Counts) (n uint64) {
	for _, by := range d.Dropped {
		n += total(by)
	}
	return n
}
