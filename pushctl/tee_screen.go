package main

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"pushfleet/pushctl/experiment"
	"pushfleet/pushctl/experiment/verdict"
	"pushfleet/pushctl/table"
)

// teeScreen shows how far an experiment is: on a terminal in one line that is
// rewritten, elsewhere by a line now and then, and as data by a line a second.
type teeScreen struct {
	*options
	to    io.Writer // where people look
	live  bool      // the last line is to be rewritten
	stage string
	said  time.Time
}

// teeSays is how often a line comes where it cannot be rewritten.
const teeSays = time.Minute

// teeBar is the width of a bar.
const teeBar = 10

func newTeeScreen(o *options) *teeScreen {
	s := &teeScreen{options: o, to: o.out}
	if !o.forPeople() {
		s.to = o.err
	}
	return s
}

// tell shows one look.
func (s *teeScreen) tell(p experiment.Progress) {
	switch {
	case p.Note != "":
		s.line("note: " + table.Safe(p.Note))
	case s.format == "ndjson":
		_ = writeNDJSON(s.out, []any{teeSecondOf(&p)}) // the report behind it fails too
	case s.forPeople():
		s.show(&p)
	}
}

func (s *teeScreen) show(p *experiment.Progress) {
	switch {
	case p.Stage == "join" && p.Of > 0:
		s.line(joinedLine(p))
		return
	case p.Stage == "restore" && s.stage != "" && s.stage != "join":
		s.close()
		return
	}
	text := progressLine(p)
	if text == "" {
		return
	}
	now := s.now()
	switch {
	case s.terminal:
		s.rewrite(text)
	case p.Stage != s.stage || now.Sub(s.said) >= teeSays:
		s.line(text)
		s.said = now
	}
	s.stage = p.Stage
}

// rewrite puts text in place of the last line.
func (s *teeScreen) rewrite(text string) {
	w, _ := s.size()
	if w <= 0 {
		w = table.Columns // it does not tell
	}
	fmt.Fprint(s.to, "\r"+table.Cut(text, max(20, w-1))+ansi.EraseLineRight)
	s.live = true
}

// line adds a line that stays.
func (s *teeScreen) line(text string) {
	s.close()
	if table.Width(text) <= table.Columns {
		fmt.Fprintln(s.to, text)
		return
	}
	for _, l := range table.Wrap(text, "  ", table.Columns) {
		fmt.Fprintln(s.to, l)
	}
}

// close takes the line back that is rewritten.
func (s *teeScreen) close() {
	if s.live {
		fmt.Fprint(s.to, "\r"+ansi.EraseLineRight)
		s.live = false
	}
}

// joinedLine tells what is mirrored.
func joinedLine(p *experiment.Progress) string {
	share := ""
	if p.Total > 0 {
		share = fmt.Sprintf(" (%.1f %%)", 100*float64(p.Open)/float64(p.Total))
	}
	return fmt.Sprintf("mirroring %s of %s connections%s, joined in %s, %s torn",
		table.Count(p.Open), table.Count(p.Total), share, table.Seconds(p.Since.Seconds()), table.Count(p.Torn))
}

// progressLine is one look in one line.
func progressLine(p *experiment.Progress) string {
	head := ""
	switch p.Stage {
	case "join":
		return fmt.Sprintf("joining: the shadow holds %s connections", table.Count(p.Open))
	case "aa":
		head = "A/A"
	case "ab":
		head = "A/B"
	case "mirror", "replay":
		head = "tee"
	default:
		return ""
	}
	parts := []string{head + "   " + teeBarOf(p) + teeTime(p.Since)}
	if p.Of > 0 {
		parts[0] += " of " + teeTime(p.Of)
	}
	if p.Left > 0 && p.Stage != "mirror" {
		parts = append(parts, teeTime(p.Left)+" left")
	}
	if p.Stage == "ab" {
		parts = append(parts, armText(p))
	}
	parts = append(parts, table.Count(p.Open)+" conns")
	if p.Torn > 0 {
		parts = append(parts, table.Count(p.Torn)+" torn")
	}
	if p.Dropped > 0 {
		parts = append(parts, table.Count(p.Dropped)+" records left out")
	}
	if !math.IsNaN(p.CPURise) {
		parts = append(parts, fmt.Sprintf("production cpu %+.0f ±%.0f %%", p.CPURise, p.CPUErr))
	}
	return table.Fit(parts, ", ", table.Columns)
}

func armText(p *experiment.Progress) string {
	if p.Arm == verdict.Control {
		return "A"
	}
	if p.Trial == "" {
		return "B"
	}
	return "B " + table.Safe(p.Trial)
}

func teeBarOf(p *experiment.Progress) string {
	if p.Of <= 0 {
		return ""
	}
	n := min(int(teeBar*p.Since/p.Of), teeBar)
	return strings.Repeat("█", n) + strings.Repeat("░", teeBar-n) + " "
}

// teeTime writes whole seconds: 48s, 2m, 9m12s, 1h20m.
func teeTime(d time.Duration) string {
	d = d.Round(time.Second)
	text := d.String()
	if d >= time.Minute && d%time.Minute == 0 {
		text = strings.TrimSuffix(text, "0s")
	}
	if d >= time.Hour && d%time.Hour == 0 {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// teeSecond is one look as data.
type teeSecond struct {
	At      time.Time `json:"at"`
	Stage   string    `json:"stage"` // check, join, aa, ab, mirror, replay, restore
	Arm     string    `json:"arm,omitempty"`
	Trial   string    `json:"trial,omitempty"`
	Seconds float64   `json:"seconds"`      // in this stage
	Left    float64   `json:"left_seconds"` // of all
	Open    int64     `json:"open"`         // connections that the shadow holds
	Total   int64     `json:"production_connections"`
	Torn    uint64    `json:"torn"`
	Read    uint64    `json:"read"`    // records
	Dropped uint64    `json:"dropped"` // of them, not replayed
	Late    float64   `json:"late_p99_seconds"`
	CPURise *float64  `json:"cpu_rise_percent,omitempty"` // of production; not there when there is no telling
	P99Rise *float64  `json:"p99_rise_percent,omitempty"`
	TapCPU  *float64  `json:"tap_cpu_percent,omitempty"`
	TapDrop uint64    `json:"tap_dropped"`
}

func teeSecondOf(p *experiment.Progress) *teeSecond {
	t := &teeSecond{At: time.Now(), Stage: p.Stage, Trial: p.Trial, Seconds: p.Since.Seconds(), Left: p.Left.Seconds(),
		Open: p.Open, Total: p.Total, Torn: p.Torn, Read: p.Read, Dropped: p.Dropped, Late: p.Late, TapDrop: p.TapDrops,
	}
	if p.Stage != "check" && p.Stage != "restore" {
		t.CPURise, t.P99Rise, t.TapCPU = known64(p.CPURise), known64(p.P99Rise), known64(p.TapCPU)
	}
	if p.Stage == "aa" || p.Stage == "ab" {
		t.Arm = []string{"A", "B"}[p.Arm]
	}
	return t
}

func known64(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
