package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

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
			forFlag(), allowFlag("cpu, p99, drops or driver")),
		Action: func(c *cli.Context) error { return e.teeStart(c) },
	}
}

func (e *env) teeStart(c *cli.Context) error {
	t, err := e.teeing(c, 0)
	if err != nil {
		return err
	}
	o, err := t.asked()
	if err != nil {
		return err
	}
	unused, err := t.sides(&o)
	if err != nil {
		return err
	}
	defer unused()
	r, err := t.run(o)
	if err != nil {
		return err
	}
	lines, stopped := ended(r.Stopped)
	if err := t.print(&view{docs: []any{r}, rows: []any{r}, lines: func() []string { return append(mirrored(r), lines...) }}); err != nil {
		return err
	}
	return stopped
}

// mirrored says what a tee without a verdict came to.
func mirrored(r *tee.Report) []string {
	d := r.Driver
	return []string{fmt.Sprintf("mirrored for %s: %s records replayed, %s left out; the shadow delivered %s messages",
		teeTime(r.End.Sub(r.Begin)), table.Count(drive.Sum(d.Replayed)), table.Count(d.LeftOut()), table.Count(d.Frames))}
}
