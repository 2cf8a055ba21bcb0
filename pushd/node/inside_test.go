package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"pushfleet/internal/prom"
)

type fakeMember struct{ stopped atomic.Int32 }

func (m *fakeMember) Metrics(p *prom.Page) { p.Gauge("keeper_term", "Term of a fake.", 7) }
func (m *fakeMember) APIAddr() string      { return "127.0.0.1:7410" }

func (m *fakeMember) Stop(context.Context) error { m.stopped.Add(1); return nil }

func TestInsideServesWithoutStateThatCanBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text bytes.Buffer
		m, opens := &fakeMember{}, 0
		began := time.Now()
		var openedAt time.Duration
		i := newInside(func() (keeperMember, error) {
			if opens++; opens < 4 {
				return nil, errors.New("log: segment 3 is damaged")
			}
			openedAt = time.Since(began)
			return m, nil
		}, slog.New(slog.NewTextHandler(&text, nil)))
		if err := i.start(); err != nil {
			t.Fatalf("damaged state keeps the node from serving: %v", err)
		}
		page := prom.New(new(prom.Floor))
		if i.metrics(page); len(page.Bytes()) > 0 {
			t.Errorf("metrics of a member that is not open: %s", page.Bytes())
		}
		if i.addr() != "" {
			t.Errorf("address %s of a member that is not open", i.addr())
		}
		time.Sleep(time.Minute) // virtual
		synctest.Wait()
		if opens != 4 || openedAt != 3*insideRetry {
			t.Errorf("opened %d times, at last after %s", opens, openedAt)
		}
		if n := strings.Count(text.String(), "segment 3 is damaged"); n != 1 || !strings.Contains(text.String(), "keeper inside is open") {
			t.Errorf("said %d times why:\n%s", n, text.String())
		}
		if i.metrics(page); !strings.Contains(string(page.Bytes()), "keeper_term 7") {
			t.Errorf("metrics: %q", page.Bytes())
		}
		if i.addr() != m.APIAddr() {
			t.Errorf("address %q", i.addr())
		}
		if err := i.end(t.Context()); err != nil || m.stopped.Load() != 1 {
			t.Errorf("end: %v, stopped %d times", err, m.stopped.Load())
		}
	})
}

func TestInsideEndsWhileItTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newInside(func() (keeperMember, error) { return nil, errors.New("damaged") }, slog.New(slog.DiscardHandler))
		if err := i.start(); err != nil {
			t.Fatal(err)
		}
		if err := i.end(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestInsideTroubleFailsTheStart(t *testing.T) {
	f := func(err error, want string) {
		t.Helper()
		i := newInside(func() (keeperMember, error) { return nil, fmt.Errorf("open: %w", err) }, slog.New(slog.DiscardHandler))
		if got := i.start(); got == nil || !errors.Is(got, err) || !strings.Contains(got.Error(), want) {
			t.Errorf("%v: %v, want a sentence with %q", err, got, want)
		}
		if got := i.end(t.Context()); got != nil {
			t.Error(got)
		}
	}
	f(&net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}, "--keeper 127.0.0.1:7410")
	f(&net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EADDRNOTAVAIL)}, "--keeper-raft")
	f(syscall.EWOULDBLOCK, "--keeper 127.0.0.1:7410")
	f(&os.PathError{Op: "mkdir", Path: "/x", Err: syscall.EACCES}, "--state-dir")
	f(&os.PathError{Op: "mkdir", Path: "/x", Err: syscall.EROFS}, "--state-dir")
}
