package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"syscall"
	"time"

	"pushfleet/internal/prom"
)

// keeperMember is what the node needs of a member.
type keeperMember interface {
	APIAddr() string
	Metrics(*prom.Page)
	Stop(ctx context.Context) error
}

// insideRetry is how long the node waits before it opens its member again.
const insideRetry = 10 * time.Second

// inside is the member of a node without keepers. State that cannot be read
// does not keep a gateway from serving: it obeys what it last held, and tries
// again.
type inside struct {
	open func() (keeperMember, error)
	log  *slog.Logger

	stop  chan struct{} // closed by end
	tries sync.WaitGroup

	why    string // it is not there; used by start, then by retry
	mu     sync.Mutex
	member keeperMember
}

func newInside(open func() (keeperMember, error), log *slog.Logger) *inside {
	return &inside{open: open, log: log, stop: make(chan struct{})}
}

// start opens the member. The error is one that the operator must settle, and
// ends with how.
func (i *inside) start() error {
	err := i.try()
	if err == nil {
		return nil
	}
	if sentence := insideTrouble(err); sentence != "" {
		return fmt.Errorf("the keeper inside: %w; %s", err, sentence)
	}
	i.note(err)
	i.tries.Go(i.retry) // ended by end
	return nil
}

// try opens the member once.
func (i *inside) try() error {
	m, err := i.open()
	if err != nil {
		return err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.member = m
	return nil
}

// note logs each new reason why the member does not open.
func (i *inside) note(err error) {
	if text := err.Error(); text != i.why {
		i.why = text
		i.log.Error("the keeper inside does not open: knobs stay as they last were, and cannot be set for the fleet", "err", err, "again_every", insideRetry.String())
	}
}

func (i *inside) retry() {
	tick := time.NewTicker(insideRetry)
	defer tick.Stop()
	for {
		select {
		case <-i.stop:
			return
		case <-tick.C:
			err := i.try()
			if err == nil {
				i.log.Info("the keeper inside is open")
				return
			}
			i.note(err)
		}
	}
}

// addr is where the member's API is; "" while it is not open.
func (i *inside) addr() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.member == nil {
		return ""
	}
	return i.member.APIAddr()
}

// metrics writes what the member tells; nothing while it is not open.
func (i *inside) metrics(p *prom.Page) {
	i.mu.Lock()
	m := i.member
	i.mu.Unlock()
	if m != nil {
		m.Metrics(p)
	}
}

// end closes the member; it is called once.
func (i *inside) end(ctx context.Context) error {
	close(i.stop)
	i.tries.Wait()
	i.mu.Lock()
	m := i.member
	i.member = nil
	i.mu.Unlock()
	if m == nil {
		return nil
	}
	return m.Stop(ctx)
}

// insideTrouble says what to do about an error that waiting does not settle;
// "" for others, such as state that cannot be read.
func insideTrouble(err error) string {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return "is another pushd or keeper on this machine? Join it with --keeper 127.0.0.1:7410, choose other addresses with --keeper-api and --keeper-raft, or do without with --keeper off"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "choose an address of this machine with --keeper-api and --keeper-raft"
	case errors.Is(err, syscall.EWOULDBLOCK):
		return "is another pushd on this machine? Join it with --keeper 127.0.0.1:7410, or choose another place with --state-dir"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return "let pushd write there, choose other places with --state-dir and --keeper-socket, or do without with --keeper off"
	}
	return ""
}
