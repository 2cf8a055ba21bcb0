package experiment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"pushfleet/internal/teewire"
)

// counted is a stream of so many batches.
type counted struct{ n, given int }

func (c *counted) NextBatch() ([]byte, error) {
	if c.given == c.n {
		return nil, io.EOF
	}
	c.given++
	return fmt.Appendf(nil, "batch %d", c.given), nil
}

// read takes all of a branch.
func read(b teewire.Batches) (n int, err error) {
	for {
		batch, err := b.NextBatch()
		if err != nil {
			return n, err
		}
		if n++; string(batch) != fmt.Sprintf("batch %d", n) {
			return n, fmt.Errorf("got %q as number %d", batch, n)
		}
	}
}

func TestAllBranchesGetAll(t *testing.T) {
	f := newFan(&counted{n: 1000}, 3)
	got := make(chan string, 3)
	for i := range 3 {
		go func() { // ends with the stream
			n, err := read(f.branch(i))
			got <- fmt.Sprint(n, err)
		}()
	}
	f.run(t.Context())
	for range 3 {
		if s := <-got; s != "1000 EOF" {
			t.Error(s)
		}
	}
}

// A branch that nobody reads ends; the other goes on.
func TestABranchThatStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFan(&counted{n: 500}, 2)
		begin := time.Now()
		go f.run(t.Context())
		if n, err := read(f.branch(1)); n != 500 || err != io.EOF {
			t.Errorf("%d, %v", n, err)
		}
		if took := time.Since(begin); took != fanWait {
			t.Errorf("held up for %v", took)
		}
		if n, err := read(f.branch(0)); n != fanDepth || !errors.Is(err, errSlow) {
			t.Errorf("the slow one got %d, %v", n, err)
		}
	})
}

func TestAFanEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		f := newFan(&counted{n: 500}, 1)
		go f.run(ctx)
		synctest.Wait()
		cancel()
		if n, err := read(f.branch(0)); n != fanDepth || !errors.Is(err, context.Canceled) {
			t.Errorf("%d, %v", n, err)
		}
	})
}
