package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"
	"pushfleet/pushctl/doctor"
)

// plannedConns is what the doctor thinks of when nothing is said, and
// plannedMax what one node can number.
const (
	plannedConns = "100k"
	plannedMax   = 1 << 24
)

func doctorCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "doctor", Category: "more", Usage: "what this machine lacks for so many connections",
		UsageText: "pushctl doctor [--conns N]",
		Description: `Holds the limits of this machine, of a running pushd and of pushd.service against N connections, prints the lines to write, and changes nothing. Some things only root can see. Exit status 1 when something would stop N connections.

  pushctl doctor
  sudo pushctl doctor --conns 1m
  pushctl doctor --conns 200k -o json | jq .findings[].fixes`,
		Flags: []cli.Flag{&cli.StringFlag{Name: "conns", Aliases: []string{"n"}, Value: plannedConns, Usage: "plan `N` connections to one node, as in 200k or 1m (100k)"}},
		Action: func(c *cli.Context) error {
			o, err := e.rendering(c)
			if err != nil {
				return err
			}
			if err := wantArgs(c, 0, 0); err != nil {
				return err
			}
			conns, err := parsePlan(c.String("conns"))
			if err != nil {
				return err
			}
			return o.examine(doctor.System{Root: os.DirFS("/"), Clock: kernelClock, UID: os.Geteuid()}, conns)
		},
	}
}

// examine prints the report; the error says what stops.
func (o *options) examine(s doctor.System, conns int64) error {
	r := doctor.Examine(s, conns)
	var rows []any
	for i := range r.Findings {
		rows = append(rows, &r.Findings[i])
	}
	err := o.print(&view{docs: []any{&r}, rows: rows, lines: func() []string { return doctorScreen(&r, o.hostname, o.style) }})
	if err == nil && r.Stops > 0 {
		return stopped(r.Stops, conns)
	}
	return err
}

func stopped(n int, conns int64) error {
	what := "1 limit stops"
	if n > 1 {
		what = fmt.Sprintf("%d limits stop", n)
	}
	return fmt.Errorf("%s this machine from holding %s connections; the lines to change are above", what, doctor.Count(conns))
}

// parsePlan reads 100000, 100,000, 200k and 1m.
func parsePlan(text string) (int64, error) {
	s, times := strings.ToLower(strings.ReplaceAll(text, ",", "")), int64(1)
	switch {
	case strings.HasSuffix(s, "k"):
		s, times = s[:len(s)-1], 1e3
	case strings.HasSuffix(s, "m"):
		s, times = s[:len(s)-1], 1e6
	}
	v, err := strconv.ParseFloat(s, 64)
	if n := v * float64(times); err == nil && n >= 1 && n <= plannedMax {
		return int64(n), nil
	}
	return 0, usagef("doctor: --conns %s: want a number from 1 to %s, for example 200k", text, doctor.Count(plannedMax))
}

// kernelClock asks the kernel whether anybody disciplines its clock.
func kernelClock() (synced bool, off time.Duration, err error) {
	var t unix.Timex
	if _, err := unix.Adjtimex(&t); err != nil {
		return false, 0, fmt.Errorf("the kernel does not tell: %w", err)
	}
	return t.Status&unix.STA_UNSYNC == 0, time.Duration(t.Maxerror) * time.Microsecond, nil
}
