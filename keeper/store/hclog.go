package store

import (
	"context"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"slices"
	"strings"

	"github.com/hashicorp/go-hclog"
)

// hclogger lets raft write to our log. raft tells its users at info what we
// want at debug: every pipeline and every candidate. What operators must know
// of elections we say ourselves, in noteLeader.
func hclogger(l *slog.Logger) hclog.Logger { return &slogAdapter{log: l} }

type slogAdapter struct {
	log  *slog.Logger
	name string
	args []any
}

func level(l hclog.Level) slog.Level {
	switch l {
	case hclog.Warn:
		return slog.LevelWarn
	case hclog.Error:
		return slog.LevelError
	}
	return slog.LevelDebug
}

func (a *slogAdapter) Log(l hclog.Level, msg string, args ...any) {
	to := level(l)
	if slices.ContainsFunc(args, streamEnded) {
		to = slog.LevelDebug
	}
	if l == hclog.Off || !a.log.Enabled(context.Background(), to) {
		return
	}
	a.log.Log(context.Background(), to, msg, args...)
}

// streamEnded tells an error of raft's readers when we close their streams, as
// at each stop: nothing is wrong then.
func streamEnded(arg any) bool {
	err, ok := arg.(error)
	return ok && errors.Is(err, net.ErrClosed)
}

func (a *slogAdapter) Trace(msg string, args ...any) { a.Log(hclog.Trace, msg, args...) }
func (a *slogAdapter) Debug(msg string, args ...any) { a.Log(hclog.Debug, msg, args...) }
func (a *slogAdapter) Info(msg string, args ...any)  { a.Log(hclog.Info, msg, args...) }
func (a *slogAdapter) Warn(msg string, args ...any)  { a.Log(hclog.Warn, msg, args...) }
func (a *slogAdapter) Error(msg string, args ...any) { a.Log(hclog.Error, msg, args...) }

func (a *slogAdapter) enabled(l slog.Level) bool { return a.log.Enabled(context.Background(), l) }
func (a *slogAdapter) IsTrace() bool             { return a.enabled(slog.LevelDebug) }
func (a *slogAdapter) IsDebug() bool             { return a.enabled(slog.LevelDebug) }
func (a *slogAdapter) IsInfo() bool              { return a.enabled(slog.LevelDebug) }
func (a *slogAdapter) IsWarn() bool              { return a.enabled(slog.LevelWarn) }
func (a *slogAdapter) IsError() bool             { return a.enabled(slog.LevelError) }

func (a *slogAdapter) ImpliedArgs() []any { return a.args }
func (a *slogAdapter) Name() string       { return a.name }

func (a *slogAdapter) With(args ...any) hclog.Logger {
	return &slogAdapter{a.log.With(args...), a.name, append(a.args[:len(a.args):len(a.args)], args...)}
}

func (a *slogAdapter) Named(name string) hclog.Logger {
	return a.ResetNamed(strings.TrimPrefix(a.name+"."+name, "."))
}

func (a *slogAdapter) ResetNamed(name string) hclog.Logger {
	return &slogAdapter{a.log, name, a.args}
}

// SetLevel does nothing: the level is the log's.
func (a *slogAdapter) SetLevel(hclog.Level) {}

func (a *slogAdapter) GetLevel() hclog.Level {
	for _, l := range []hclog.Level{hclog.Debug, hclog.Warn} {
		if a.enabled(level(l)) {
			return l
		}
	}
	return hclog.Error
}

func (a *slogAdapter) StandardLogger(o *hclog.StandardLoggerOptions) *log.Logger {
	return log.New(a.StandardWriter(o), "", 0)
}

func (a *slogAdapter) StandardWriter(*hclog.StandardLoggerOptions) io.Writer { return lineWriter{a} }

type lineWriter struct{ a *slogAdapter }

func (w lineWriter) Write(p []byte) (int, error) {
	w.a.Info(strings.TrimRight(string(p), "\n"))
	return len(p), nil
}
