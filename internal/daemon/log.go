package daemon

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"syscall"
)

// LogOptions say how the log is written.
type LogOptions struct {
	Level    slog.Leveler // nil = info; a *slog.LevelVar may change it later
	JSON     bool
	Journald bool // "<N>" before each line sets the priority, and journald knows the time
}

// NewLogger returns a logger that writes one line per record to w.
func NewLogger(w io.Writer, o LogOptions) *slog.Logger {
	if o.Level == nil {
		o.Level = slog.LevelInfo
	}
	h := &slog.HandlerOptions{Level: o.Level}
	if !o.Journald {
		return slog.New(formatter(w, o.JSON, h))
	}
	h.ReplaceAttr = withoutTimeAndLevel
	p := &priorityWriter{to: w}
	return slog.New(&priorityHandler{formatter(p, o.JSON, h), p})
}

// LogTo returns the log of a process from its configuration: level is one of
// debug, info, warn, error, format text or json. If f is the journal, lines
// carry their priority instead of a time.
func LogTo(f *os.File, level, format string, getenv func(string) string) (*slog.Logger, error) {
	l, err := ParseLevel(level)
	if err != nil {
		return nil, err
	}
	return LogAt(f, l, format, getenv), nil
}

// LogAt is LogTo with a level that may change later: a *slog.LevelVar.
func LogAt(f *os.File, level slog.Leveler, format string, getenv func(string) string) *slog.Logger {
	return NewLogger(f, LogOptions{Level: level, JSON: format == "json", Journald: UnderJournald(f, getenv)})
}

func formatter(w io.Writer, json bool, h *slog.HandlerOptions) slog.Handler {
	if json {
		return slog.NewJSONHandler(w, h)
	}
	return slog.NewTextHandler(w, h)
}

// ParseLevel reads debug, info, warn and error.
func ParseLevel(s string) (slog.Level, error) {
	switch s {
	case "debug", "info", "warn", "error":
		var l slog.Level
		err := l.UnmarshalText([]byte(strings.ToUpper(s)))
		return l, err
	}
	return 0, fmt.Errorf("log level %q is not one of debug, info, warn, error", s)
}

// UnderJournald tells whether f goes straight to the journal: JOURNAL_STREAM
// then holds its device and inode.
func UnderJournald(f *os.File, getenv func(string) string) bool {
	var st syscall.Stat_t
	want := getenv("JOURNAL_STREAM")
	if want == "" || syscall.Fstat(int(f.Fd()), &st) != nil {
		return false
	}
	return want == fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}

func withoutTimeAndLevel(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
		return slog.Attr{}
	}
	return a
}

// priorityHandler puts sd-daemon(3)'s priority before each line.
type priorityHandler struct {
	slog.Handler
	w *priorityWriter
}

// Handle holds the writer from the choice of the priority to the write of the
// line.
func (h *priorityHandler) Handle(ctx context.Context, r slog.Record) error {
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	h.w.prefix = priority(r.Level)
	return h.Handler.Handle(ctx, r)
}

func (h *priorityHandler) WithAttrs(a []slog.Attr) slog.Handler {
	return &priorityHandler{h.Handler.WithAttrs(a), h.w}
}

func (h *priorityHandler) WithGroup(name string) slog.Handler {
	return &priorityHandler{h.Handler.WithGroup(name), h.w}
}

// priorityWriter is written to under mu, one line per call.
type priorityWriter struct {
	mu     sync.Mutex
	to     io.Writer
	prefix string
}

func (w *priorityWriter) Write(line []byte) (int, error) {
	n, err := w.to.Write(append([]byte(w.prefix), line...))
	return max(0, n-len(w.prefix)), err
}

// priority maps to syslog's: error 3, warning 4, info 6, debug 7.
func priority(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return "<3>"
	case l >= slog.LevelWarn:
		return "<4>"
	case l >= slog.LevelInfo:
		return "<6>"
	}
	return "<7>"
}
