package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/urfave/cli/v2"
	"pushfleet/pushctl/table"
)

func watchFlag(every *seconds) cli.Flag {
	return &cli.GenericFlag{Name: "watch", Aliases: []string{"w"}, Usage: "look again every `SECONDS` (1 if left out)", Value: every}
}

// look asks the nodes once. It may return both a view, of the nodes that
// answered, and an error about the others.
type look func(context.Context) (*view, error)

// once prints one look.
func (o *options) once(ctx context.Context, f look) error {
	v, err := f(ctx)
	if v == nil {
		return err
	}
	if perr := o.print(v); perr != nil {
		return perr
	}
	return err
}

// watch looks again and again until ctx ends. On a terminal the screen is
// redrawn in place, elsewhere each look follows the one before. A node that
// stops answering is named and asked again; only if the very first look fails
// is there nothing to wait for.
func (o *options) watch(ctx context.Context, every time.Duration, f look) error {
	v, err := f(ctx)
	if v == nil {
		return err
	}
	show := o.append()
	if o.terminal && o.forPeople() {
		sc := &screen{w: o.out, size: o.size}
		defer sc.close()
		last := v // stays in sight while nobody answers
		show = func(v *view, err error) error {
			if v != nil {
				last = v
			}
			return sc.draw(o.screenLines(last, v == nil, err))
		}
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := show(v, err); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if v, err = f(ctx); ctx.Err() != nil {
			return nil
		}
	}
}

// append shows looks one after another; errors go to the other stream.
func (o *options) append() func(*view, error) error {
	print := o.printer()
	said := ""
	return func(v *view, err error) error {
		if err != nil && err.Error() != said {
			fmt.Fprintf(o.err, "pushctl: %v; asking again\n", err)
		}
		if said = ""; err != nil {
			said = err.Error()
		}
		if v == nil {
			return nil
		}
		return print(v)
	}
}

// screenLines are those of a view, faint when it is an old one, and what is
// wrong.
func (o *options) screenLines(v *view, old bool, err error) []string {
	lines := v.lines()
	if old {
		for i, l := range lines {
			lines[i] = o.style.Apply(table.Faint, ansi.Strip(l))
		}
	}
	if err != nil {
		lines = append(lines, "")
		for l := range strings.SplitSeq(err.Error()+"; asking again", "\n") {
			lines = append(lines, o.style.Apply(table.Bad, l))
		}
	}
	return lines
}

// screen redraws lines in place: home, overwrite, erase what is left, in one
// write, so that nothing flickers. Lines are cut to the terminal's width, and it
// is told how many do not fit its height.
type screen struct {
	w     io.Writer
	size  func() (w, h int)
	begun bool
}

func (s *screen) draw(lines []string) error {
	w, h := s.size()
	if len(lines) >= h && h > 1 {
		more := fmt.Sprintf("… %d more lines than this terminal has", len(lines)-(h-2))
		lines = append(slices.Clone(lines[:h-2]), more)
	}
	var b strings.Builder
	if !s.begun {
		b.WriteString("\x1b[?25l\x1b[2J") // hide the cursor, clear
		s.begun = true
	}
	b.WriteString("\x1b[H")
	for _, l := range lines {
		if w > 0 {
			l = ansi.Truncate(l, w, "…")
		}
		// Erased before it is written: behind a line that fills the width the
		// cursor still stands on its last letter.
		b.WriteString("\x1b[K" + l + "\r\n")
	}
	b.WriteString("\x1b[J")
	_, err := io.WriteString(s.w, b.String())
	return err
}

// close gives the cursor back.
func (s *screen) close() {
	if s.begun {
		io.WriteString(s.w, "\x1b[?25h")
	}
}
