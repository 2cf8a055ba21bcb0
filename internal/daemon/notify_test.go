package daemon

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// systemd listens on a notify socket as PID 1 does.
type systemd struct {
	t    *testing.T
	conn *net.UnixConn
	env  map[string]string
}

func newSystemd(t *testing.T) *systemd {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &systemd{t, conn, map[string]string{"NOTIFY_SOCKET": path}}
}

func (s *systemd) getenv(name string) string { return s.env[name] }

// hears waits for the next message and holds it against a pattern.
func (s *systemd) hears(pattern string) {
	s.t.Helper()
	if err := s.conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		s.t.Fatal(err)
	}
	buf := make([]byte, 4096)
	n, err := s.conn.Read(buf)
	if err != nil {
		s.t.Fatalf("waiting for %s: %v", pattern, err)
	}
	if !regexp.MustCompile(`^` + pattern + `$`).Match(buf[:n]) {
		s.t.Errorf("heard %q, want %s", buf[:n], pattern)
	}
}

func (s *systemd) notifier() *Notifier {
	s.t.Helper()
	n, err := NewNotifier(s.getenv)
	if err != nil || n == nil {
		s.t.Fatalf("NewNotifier: %v, %v", n, err)
	}
	s.t.Cleanup(func() { n.Close() })
	return n
}

func TestSystemdHearsTheLifeOfTheProcess(t *testing.T) {
	s := newSystemd(t)
	n := s.notifier()
	signals := make(chan os.Signal, 1)
	done := make(chan error, 1)
	go func() {
		done <- Run(context.Background(), Options{Notify: n, Signals: signals, Reload: func() error { return nil }})
	}()
	s.hears(`READY=1`)
	signals <- syscall.SIGHUP
	s.hears(`RELOADING=1\nMONOTONIC_USEC=\d+`)
	s.hears(`READY=1`)
	n.Status("12 connections\nfine")
	s.hears(`STATUS=12 connections fine`)
	signals <- syscall.SIGTERM
	s.hears(`STOPPING=1\nEXTEND_TIMEOUT_USEC=31000000`)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestWatchdogIsFedOnlyWhileTheProbeSucceeds(t *testing.T) {
	s := newSystemd(t)
	s.env["WATCHDOG_USEC"] = "20000"
	n := s.notifier()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	var probes atomic.Int32
	sick := make(chan struct{}, 1)
	go func() {
		done <- Run(ctx, Options{Notify: n, Signals: make(chan os.Signal), Probe: func(context.Context) error {
			if probes.Add(1) <= 2 {
				return nil
			}
			select {
			case sick <- struct{}{}:
			default:
			}
			return errors.New("no answer")
		}})
	}()
	s.hears(`READY=1`)
	s.hears(`WATCHDOG=1`)
	s.hears(`WATCHDOG=1`)
	<-sick
	<-sick // two probes failed and fed nothing
	cancel()
	s.hears(`STOPPING=1\n.*`)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestStatusIsTold(t *testing.T) {
	s := newSystemd(t)
	n := s.notifier()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- Run(ctx, Options{Notify: n, Signals: make(chan os.Signal), Status: func() string { return "12 connections" }})
	}()
	s.hears(`READY=1`)
	s.hears(`STATUS=12 connections`)
	cancel()
	s.hears(`STOPPING=1\n.*`)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestWatchdogInterval(t *testing.T) {
	f := func(usec, pid string, want time.Duration) {
		t.Helper()
		env := map[string]string{"WATCHDOG_USEC": usec, "WATCHDOG_PID": pid}
		if got := watchdogInterval(func(k string) string { return env[k] }); got != want {
			t.Errorf("WATCHDOG_USEC=%s WATCHDOG_PID=%s: %s, want %s", usec, pid, got, want)
		}
	}
	f("", "", 0)
	f("x", "", 0)
	f("-1", "", 0)
	f("3000000", "", 3*time.Second)
	f("3000000", "1", 0)
	f("3000000", strconv.Itoa(os.Getpid()), 3*time.Second)
}

func TestNoSystemdIsFine(t *testing.T) {
	n, err := NewNotifier(func(string) string { return "" })
	if n != nil || err != nil {
		t.Fatalf("NewNotifier: %v, %v", n, err)
	}
	n.Ready()
	n.Reloading()
	n.Stopping(time.Second)
	n.Status("x")
	n.Watchdog()
	if n.WatchdogInterval() != 0 || n.Close() != nil {
		t.Error("a nil Notifier does something")
	}
	if _, err := NewNotifier(func(string) string { return "/nonexistent/notify" }); err == nil {
		t.Error("a notify socket that is not there is no error")
	}
}
