package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"
)

// liveModel is the state of a screen that answers keys. It knows no terminal;
// its methods are called one at a time.
type liveModel interface {
	Init() task
	Update(msg any) task // a key, a sizeMsg, or what a task returned
	View() string        // as many lines as the screen is high
}

// task is work beside the screen; what it returns goes to the model.
type task func() any

// Messages that the loop knows.
type (
	quitMsg struct{}
	sizeMsg struct{ width, height int }
	manyMsg []task
)

func quit() any { return quitMsg{} }

// together does several tasks; nil ones are left out.
func together(ts ...task) task { return func() any { return manyMsg(ts) } }

// later is a message that comes after d. What waits for it ends with the
// process.
func later(d time.Duration, msg any) task {
	return func() any {
		time.Sleep(d)
		return msg
	}
}

// live shows a model on the terminal until it quits, ctx ends or the terminal
// is gone, and leaves the terminal as it was. It asks the terminal nothing: one
// that does not answer, as on a serial line, must not be waited for.
func (o *options) live(ctx context.Context, m liveModel) error {
	tty, err := terminalOf(o.in)
	if err != nil {
		return err
	}
	was, err := term.MakeRaw(int(tty.Fd()))
	if err != nil {
		return fmt.Errorf("read keys: %w", err)
	}
	defer term.Restore(int(tty.Fd()), was)
	io.WriteString(o.out, "\x1b[?1049h\x1b[?25l") // another screen, no cursor
	defer io.WriteString(o.out, "\x1b[?25h\x1b[?1049l")
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	defer signal.Stop(resized)
	keys := make(chan []byte)
	go readKeys(tty, keys) // waits for a key that may not come: ends with the process
	l := &liveLoop{model: m, out: o.out, size: o.size, keys: keys, resized: resized}
	return l.run(ctx)
}

// terminalOf is where keys come from: standard input, or the terminal behind
// it when that is a pipe.
func terminalOf(in io.Reader) (*os.File, error) {
	if f, ok := in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f, nil
	}
	f, err := os.Open("/dev/tty")
	if err != nil {
		return nil, fmt.Errorf("no terminal to read keys from: %w", err)
	}
	return f, nil
}

// readKeys passes on what the terminal sends until it is gone.
func readKeys(from io.Reader, to chan<- []byte) {
	defer close(to)
	for {
		buf := make([]byte, 256)
		n, err := from.Read(buf)
		if n > 0 {
			to <- buf[:n]
		}
		if err != nil {
			return
		}
	}
}

// escWait is how long an ESC may be the begin of a longer key, which a slow
// line brings in pieces.
const escWait = 50 * time.Millisecond

// liveLoop is a live screen between its terminal and its model.
type liveLoop struct {
	model   liveModel
	out     io.Writer
	size    func() (w, h int)
	keys    <-chan []byte // closed when the terminal is gone
	resized <-chan os.Signal

	msgs  chan any
	shown string
	typed []byte // of a key that is not complete
}

func (l *liveLoop) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // no task waits for a loop that has ended
	l.msgs = make(chan any)
	l.begin(ctx, l.model.Init())
	l.resize(ctx)
	esc := time.NewTimer(escWait)
	defer esc.Stop()
	for {
		if err := l.draw(); err != nil {
			return err
		}
		esc.Stop()
		if len(l.typed) > 0 {
			esc.Reset(escWait)
		}
		quits := false
		select {
		case <-ctx.Done():
			return nil
		case msg := <-l.msgs:
			quits = l.take(ctx, msg)
		case in, ok := <-l.keys:
			if !ok {
				return nil
			}
			l.typed = append(l.typed, in...)
			quits = l.strike(ctx, false)
		case <-esc.C:
			quits = l.strike(ctx, true)
		case <-l.resized:
			l.resize(ctx)
		}
		if quits {
			return nil
		}
	}
}

// begin does a task beside the loop.
func (l *liveLoop) begin(ctx context.Context, t task) {
	if t == nil {
		return
	}
	go func() { // ends with its task, or with ctx
		msg := t()
		select {
		case l.msgs <- msg:
		case <-ctx.Done():
		}
	}()
}

// take acts on what a task returned.
func (l *liveLoop) take(ctx context.Context, msg any) (quits bool) {
	switch msg := msg.(type) {
	case quitMsg:
		return true
	case manyMsg:
		for _, t := range msg {
			l.begin(ctx, t)
		}
	case nil:
	default:
		l.begin(ctx, l.model.Update(msg))
	}
	return false
}

// strike gives the model the keys that have come. late says that no more follows:
// an ESC was the key of that name.
func (l *liveLoop) strike(ctx context.Context, late bool) (quits bool) {
	for len(l.typed) > 0 {
		k, n := nextKey(l.typed)
		switch {
		case n == 0 && !late:
			return false
		case n == 0 && len(l.typed) == 1 && l.typed[0] == 0x1b:
			k, n = key{name: "esc"}, 1
		case n == 0:
			k, n = key{}, len(l.typed) // torn
		}
		l.typed = l.typed[n:]
		if k.name == "" {
			continue
		}
		if k.name == "ctrl+c" {
			return true
		}
		if t := l.model.Update(k); t != nil {
			l.begin(ctx, t)
		}
	}
	return false
}

func (l *liveLoop) resize(ctx context.Context) {
	w, h := l.size()
	if w <= 0 || h <= 0 {
		w, h = 80, 24 // it does not tell
	}
	l.shown = ""
	l.begin(ctx, l.model.Update(sizeMsg{w, h}))
}

// draw shows the screen if it has changed, in one write.
func (l *liveLoop) draw() error {
	s := l.model.View()
	if s == l.shown {
		return nil
	}
	clear := ""
	if l.shown == "" { // the first, or of another size
		clear = "\x1b[2J"
	}
	l.shown = s
	// Each line is erased before it is written: behind a line that fills the
	// screen's width the cursor still stands on its last letter.
	_, err := io.WriteString(l.out, clear+"\x1b[H\x1b[K"+strings.ReplaceAll(s, "\n", "\r\n\x1b[K"))
	return err
}
