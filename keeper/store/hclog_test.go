package store

import (
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
)

func TestLog(t *testing.T) {
	t.Parallel()
	f := func(least slog.Level, say func(hclog.Logger), want string) {
		t.Helper()
		var b strings.Builder
		say(hclogger(slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{
			Level: least,
			ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey {
					return slog.Attr{}
				}
				return a
			},
		}))))
		if got := strings.TrimSpace(b.String()); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(slog.LevelDebug, func(l hclog.Logger) { l.Info("m", "a", 1) }, "level=DEBUG msg=m a=1")
	f(slog.LevelInfo, func(l hclog.Logger) { l.Info("m"); l.Debug("m"); l.Trace("m") }, "")
	f(slog.LevelInfo, func(l hclog.Logger) { l.With("b", 2).Warn("m", "a", 1) }, "level=WARN msg=m b=2 a=1")
	f(slog.LevelInfo, func(l hclog.Logger) { l.Named("x").Error("m") }, "level=ERROR msg=m")
	ended := &net.OpError{Op: "read", Err: net.ErrClosed}
	f(slog.LevelInfo, func(l hclog.Logger) { l.Error("m", "error", ended) }, "")
	f(slog.LevelInfo, func(l hclog.Logger) { l.Error("m", "error", io.EOF) }, "level=ERROR msg=m error=EOF")
	f(slog.LevelDebug, func(l hclog.Logger) { l.StandardLogger(nil).Print("line") }, "level=DEBUG msg=line")
	f(slog.LevelDebug, func(l hclog.Logger) { l.Log(hclog.Off, "m") }, "")
	l := hclogger(slog.New(slog.DiscardHandler))
	if got := l.Named("a").Named("b").Name(); got != "a.b" {
		t.Errorf("name %q", got)
	}
	if l.IsDebug() || l.IsError() || l.GetLevel() != hclog.Error {
		t.Error("enabled without a log")
	}
}
