package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
	"pushfleet/internal/keeperapi"
	"pushfleet/pushctl/table"
)

// followEvery is how often a rollout that is shown is asked for.
const followEvery = 500 * time.Millisecond

// follower watches one rollout and remembers what its steps came to.
type follower struct {
	*fleet
	steps   []table.Step
	reached []string // in order, also once the rollout itself says "all" only
	said    string   // what the last printed line was about
	trouble string   // the last error told
}

// note takes in what the keepers say now.
func (w *follower) note(i *keeperapi.RolloutInfo) {
	for _, n := range i.Nodes {
		if !slices.Contains(w.reached, n) {
			w.reached = append(w.reached, n)
		}
	}
	for _, n := range i.Reached {
		if !slices.Contains(w.reached, n.Node) {
			w.reached = append(w.reached, n.Node)
		}
	}
	for len(w.steps) <= i.Step {
		w.steps = append(w.steps, table.Step{State: "ok"})
	}
	for k := range i.Step {
		if s := &w.steps[k]; s.Known && s.State != "ok" {
			s.State, s.Took = "ok", max(s.Took, soak(i))
		}
	}
	w.current(i)
	shareNodes(w.steps, i, w.reached)
}

func soak(i *keeperapi.RolloutInfo) time.Duration {
	return time.Duration(i.SoakMS) * time.Millisecond
}

// current brings the step that is running up to date.
func (w *follower) current(i *keeperapi.RolloutInfo) {
	s := &w.steps[i.Step]
	at := i.NowMS
	if i.Phase != keeperapi.PhaseRunning {
		at = i.EndedAt
	}
	s.Known, s.Took = true, time.Duration(at-i.StepAt)*time.Millisecond
	worst := -1
	applied := 0
	for k, n := range i.Reached {
		if n.Applied {
			applied++
		}
		if n.Figures != "" && (worst < 0 || !n.OK && i.Reached[worst].OK) {
			worst = k
		}
	}
	if worst >= 0 {
		s.Figures = i.Reached[worst].Figures
	}
	s.State = stepState(i, applied)
}

func stepState(i *keeperapi.RolloutInfo, applied int) string {
	switch {
	case i.Phase == keeperapi.PhaseDone:
		return "ok"
	case i.Phase == keeperapi.PhaseBroke:
		return "broke"
	case i.Phase != keeperapi.PhaseRunning:
		return string(i.Phase)
	case applied < len(i.Reached):
		return fmt.Sprintf("%d of %d applied", applied, len(i.Reached))
	}
	return ""
}

// shareNodes tells the steps which nodes each reached: every step takes the
// next of one order.
func shareNodes(steps []table.Step, i *keeperapi.RolloutInfo, reached []string) {
	from := 0
	for k := range steps {
		to := len(reached)
		if k < len(steps)-1 {
			to = min(to, max(from, table.StepSize(i.Steps[k], i.Of)))
		}
		steps[k].Nodes = reached[from:to]
		from = to
	}
}

func (w *follower) lines(i *keeperapi.RolloutInfo) []string {
	lines := table.RolloutSteps(&i.Rollout, w.steps, w.wide(), w.style)
	return append(lines, table.RolloutEnd(i, w.reached, w.style)...)
}

// follow shows a rollout until it ends. Who interrupts it leaves it running.
func (f *fleet) follow(ctx context.Context, id string, head bool) error {
	w := &follower{fleet: f}
	show := w.eachChange()
	if f.terminal && f.forPeople() {
		show = w.inPlace()
	}
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		i, err := w.look(ctx, id)
		if ctx.Err() != nil {
			return f.leave(ctx, id)
		}
		if err != nil {
			return err
		}
		if i != nil {
			if head && f.forPeople() {
				head = false
				fmt.Fprintln(f.out, strings.Join(table.RolloutHead(&i.Rollout, f.now(), f.style), "\n"))
			}
			w.note(i)
			if err := show(i); err != nil {
				return err
			}
			if i.Phase != keeperapi.PhaseRunning {
				return f.ended(i)
			}
		}
		select {
		case <-ctx.Done():
			return f.leave(ctx, id)
		case <-tick.C:
		}
	}
}

// look asks once; nothing when the keepers are silent, which is told and will
// pass.
func (w *follower) look(ctx context.Context, id string) (*keeperapi.RolloutInfo, error) {
	i, err := w.Client.Rollout(ctx, id, w.read)
	if err == nil || ctx.Err() != nil {
		w.trouble = ""
		return i, nil
	}
	if !isSilence(err) && !isTransient(err) {
		return nil, err
	}
	w.tell(err)
	return nil, nil
}

// tell says once that the keepers are silent; the rollout itself goes on, or
// back, without this screen.
func (w *follower) tell(err error) {
	if text := keeperCause(err); text != w.trouble {
		w.trouble = text
		fmt.Fprintf(w.err, "pushctl: %s; asking again\n", text)
	}
}

// leave says how to come back to a rollout.
func (f *fleet) leave(ctx context.Context, id string) error {
	fmt.Fprintf(f.err, "%s goes on\n  watch it          pushctl knob rollout watch %s\n  end it            pushctl knob rollout abort %s\n", id, id, id)
	return ctx.Err()
}

// ended is the error of a rollout that is not done.
func (f *fleet) ended(i *keeperapi.RolloutInfo) error {
	if f.format == "json" {
		if err := writeJSON(f.out, []any{i}); err != nil {
			return err
		}
	}
	if i.Phase == keeperapi.PhaseDone {
		return nil
	}
	err := fmt.Errorf("rollout %s: %s: %s", i.ID, i.Phase, i.EndWhy)
	if f.forPeople() {
		return &shownError{err}
	}
	return err
}

// inPlace redraws the lines of the steps.
func (w *follower) inPlace() func(*keeperapi.RolloutInfo) error {
	b := &block{w: w.out, size: w.size}
	return func(i *keeperapi.RolloutInfo) error { return b.draw(w.lines(i)) }
}

// eachChange prints a line when a step begins, changes its state or ends.
func (w *follower) eachChange() func(*keeperapi.RolloutInfo) error {
	rows := w.printer()
	before := 0
	return func(i *keeperapi.RolloutInfo) error {
		about := fmt.Sprint(i.Step, w.steps[i.Step].State, i.Phase)
		if about == w.said {
			return nil
		}
		w.said = about
		switch {
		case w.format == "json":
			return nil // the last one only
		case !w.forPeople():
			return rows(&view{docs: []any{i}, rows: []any{i}})
		}
		lines := table.RolloutSteps(&i.Rollout, w.steps, w.wide(), w.style)
		from := max(0, min(before, len(lines)-1)) // the step before too, now that it is over
		before = i.Step
		lines = append(lines[from:], table.RolloutEnd(i, w.reached, w.style)...)
		_, err := fmt.Fprintln(w.out, strings.Join(lines, "\n"))
		return err
	}
}

// block redraws a few lines below what stands there already.
type block struct {
	w    io.Writer
	size func() (w, h int)
	tall int // lines drawn last
}

// draw writes lines over the last ones. What would wrap or scroll away is cut:
// a terminal counts its own lines.
func (b *block) draw(lines []string) error {
	width, h := b.size()
	if h > 1 && len(lines) >= h {
		lines = lines[len(lines)-h+1:]
	}
	var s strings.Builder
	if b.tall > 0 {
		fmt.Fprintf(&s, "\x1b[%dA", b.tall)
	}
	for _, l := range lines {
		s.WriteString("\r\x1b[K" + ansi.Truncate(l, width, "…") + "\n")
	}
	s.WriteString("\x1b[J")
	b.tall = len(lines)
	_, err := io.WriteString(b.w, s.String())
	return err
}
