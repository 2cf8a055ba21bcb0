package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"pushfleet/internal/teewire"
	"pushfleet/pushctl/experiment"
	"pushfleet/pushctl/experiment/drive"
	tee "pushfleet/pushctl/experiment/report"
	"pushfleet/pushctl/table"
)

func teeReplayCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "replay", Usage: "drive a shadow with a recording",
		UsageText: "pushctl tee replay PATH --to ADDR [--speed 2x]",
		Description: `As it was recorded, or faster or slower: with --speed 2x everything happens in half the time, and whoever read slowly reads twice as fast.

What is damaged is left out, its time does not count, and the rest is replayed. Exit status: 0 all of a whole recording was replayed, 1 it is damaged or the replay had to be stopped, 3 it breaks off: whoever recorded it was killed, or goes on.

  pushctl tee replay evening --to gw-shadow
  pushctl tee replay busy.tee --to gw-shadow --speed 2x --amplify 3`,
		Flags: flags(shadowFlags(),
			&cli.StringFlag{Name: "speed", Usage: "`N` times as fast, 0.1x to 100x", Value: "1x"},
			&cli.GenericFlag{Name: "skip", Usage: "begin `TIME` behind the beginning of the recording", Value: new(span)},
			&cli.StringSliceFlag{Name: "allow", Usage: "do not end because of `WHAT`: driver, when this machine is too slow"}),
		Action: func(c *cli.Context) error { return e.teeReplay(c) },
	}
}

func (e *env) teeReplay(c *cli.Context) error {
	t, err := e.teeing(c, 1)
	if err != nil {
		return err
	}
	speed, err := parseSpeed(c.String("speed"))
	if err != nil {
		return err
	}
	allow, err := t.allowed()
	if err != nil {
		return err
	}
	path := c.Args().First()
	files, err := openRecording(path)
	if err != nil {
		return err
	}
	defer files.Close()
	from, to := files.Span()
	if skip := t.span("skip", 0); skip > 0 {
		if from += int64(skip); from >= to {
			return usagef("--skip %s: the recording is %s long", skip, teeTime(time.Duration(to-from+int64(skip))))
		}
		if err := files.SeekTo(c.Context, from); err != nil {
			return err
		}
	}
	shadow, d, err := t.shadow("to", "clients", nil, drive.Options{Speed: speed})
	if err != nil {
		return err
	}
	defer d.Close()
	show := newTeeScreen(t.options)
	for _, w := range d.Warnings() {
		show.line("note: " + table.Safe(w))
	}
	r, err := experiment.Replay(c.Context, experiment.ReplayOptions{To: shadow, From: files, Allow: allow, Tell: show.tell,
		Takes: time.Duration(float64(to-from) / speed)})
	show.close()
	if err != nil {
		return err
	}
	out := &replayed{Replayed: r, Damage: append([]teewire.Damage{}, files.Damage()...)}
	if r.Ended == "" {
		out.State = files.Extent(r.Driver.End.Reason != "")
	}
	why, stopped := ended(&tee.Stop{Reason: r.Ended, Detail: r.Detail})
	if err := t.print(&view{docs: []any{out}, rows: []any{out}, lines: func() []string { return append(out.lines(), why...) }}); err != nil {
		return err
	}
	if stopped != nil {
		return stopped
	}
	return unwhole(path, out.State, out.Damage, "replayed", "  what it holds     pushctl tee inspect "+quoted(path))
}

// replayed is what came of a recording, and how much of it was there.
type replayed struct {
	*experiment.Replayed
	State  teewire.Extent   `json:"state,omitempty"` // "" if not all of it was read
	Damage []teewire.Damage `json:"damage"`          // that was come across
}

// parseSpeed reads 2x, 0.5x or 2.
func parseSpeed(text string) (float64, error) {
	v, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(text), "x"), 64)
	if err != nil || !(v >= 0.1 && v <= 100) {
		return 0, usagef("--speed %s: want 0.1x to 100x, for example 2x", text)
	}
	return v, nil
}

func (r *replayed) lines() []string {
	d := &r.Driver
	lines := []string{
		fmt.Sprintf("replayed to %s in %s", table.Safe(r.Shadow), teeTime(r.End.Sub(r.Begin))),
		fmt.Sprintf("  records     %s replayed, %s left out%s", table.Count(drive.Sum(d.Replayed)), table.Count(d.LeftOut()), leftOutBy(d)),
		fmt.Sprintf("  connections %s torn, %s refused, %s ended by the shadow", table.Count(d.Torn), table.Count(d.Failed), table.Count(d.Lost)),
		fmt.Sprintf("  delivered   %s messages, %s, %s announced as dropped", table.Count(d.Frames), table.Bytes(d.Bytes), table.Count(d.Gaps)),
		fmt.Sprintf("  lateness    p50 %s, p99 %s", table.Seconds(d.LateP50), table.Seconds(d.LateP99)),
	}
	if r.Ended == "" {
		lines = append(lines, table.Cut("  end         "+endOf(r.State, &d.End), table.Columns))
	}
	return append(lines, damageLines(r.Damage)...)
}

// leftOutBy names the reasons.
func leftOutBy(d *drive.Counts) string {
	by := map[string]uint64{}
	for _, m := range d.Dropped {
		for why, n := range m {
			by[why] += n
		}
	}
	var parts []string
	for _, why := range []string{drive.DropTorn, drive.DropUnknown, drive.DropRefused, drive.DropLost, drive.DropLate, drive.DropFull, drive.DropEnded} {
		if by[why] > 0 {
			parts = append(parts, why+" "+table.Count(by[why]))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}
