package store

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// fullPipeline has no room until it is closed.
type fullPipeline struct {
	once   sync.Once
	closed chan struct{}
}

func (p *fullPipeline) AppendEntries(*raft.AppendEntriesRequest, *raft.AppendEntriesResponse) (raft.AppendFuture, error) {
	<-p.closed
	return nil, raft.ErrPipelineShutdown
}

func (p *fullPipeline) Consumer() <-chan raft.AppendFuture { return nil }

func (p *fullPipeline) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func TestPipelineWithoutRoomIsGivenUp(t *testing.T) {
	f := func(stopAfter, patience, want time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), stopAfter)
			defer cancel()
			p := newPipeline(ctx, &fullPipeline{closed: make(chan struct{})}, patience)
			began := time.Now()
			if _, err := p.AppendEntries(nil, nil); err != raft.ErrPipelineShutdown || time.Since(began) != want {
				t.Errorf("%v after %s, want %s", err, time.Since(began), want)
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	f(time.Hour, 5*time.Second, 5*time.Second)
	f(time.Second, 5*time.Second, time.Second) // the member stops
}

func TestPipelineLeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		of := &fullPipeline{closed: make(chan struct{})}
		p := newPipeline(ctx, of, time.Second)
		time.Sleep(time.Minute) // virtual; nobody waits for room
		select {
		case <-of.closed:
			t.Error("an idle pipeline was closed")
		default:
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if p.release() {
			t.Error("a closed pipeline still waits for the member's end")
		}
		cancel()
	})
}
