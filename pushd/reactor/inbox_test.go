package reactor

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pushfleet/internal/push"
	"pushfleet/internal/rawsys"
)

// never is a number of loops that makes ticks so rare that none comes to the
// rescue of a wake that was lost.
const never = 1 << 20

func TestInboxTakesExactlyWhatFits(t *testing.T) {
	f := func(max, have, post, want int) {
		t.Helper()
		w, err := rawsys.NewWaker()
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		b := inbox{waker: w}
		if n := b.post(make([]Item, have), have); n != have {
			t.Fatalf("first %d of %d", n, have)
		}
		if n := b.post(make([]Item, post), max); n != want {
			t.Errorf("post(%d) with %d of %d waiting took %d, want %d", post, have, max, n, want)
		}
		if n := b.waiting.Load(); n != int64(have+want) {
			t.Errorf("%d waiting, want %d", n, have+want)
		}
		items, _ := b.take(nil)
		if len(items) != have+want || b.waiting.Load() != 0 {
			t.Errorf("took %d out, %d stay; want %d and 0", len(items), b.waiting.Load(), have+want)
		}
	}
	f(10, 0, 10, 10)
	f(10, 0, 11, 10)
	f(10, 7, 2, 2)
	f(10, 7, 5, 3)
	f(10, 10, 1, 0)
	f(10, 12, 1, 0) // the knob was turned down
	f(10, 5, 0, 0)
}

func TestBoundRefusesTheSurplusOfARunningLoop(t *testing.T) {
	r := start(t, Config{Loops: 1}, "inbox.items_max", "1024")
	var took, again int
	r.do(func() { // on the loop, so nothing is taken out meanwhile
		took, again = r.loop.Post(make([]Item, 1500)), r.loop.Post(make([]Item, 1))
	})
	if took != 1024 || again != 0 {
		t.Errorf("took %d and then %d, want 1024 and 0", took, again)
	}
	r.eventually("all handled", func() bool { return len(r.items) == 1024 && r.loop.Inbox() == 0 })
	if n := r.loop.Post(make([]Item, 1)); n != 1 {
		t.Errorf("an empty inbox took %d of 1", n)
	}
}

// Posters race with each other and with the loops' falling asleep.
func TestEveryItemIsHandledOnceInOrder(t *testing.T) {
	const loops, posters, total = 3, 8, 100_000
	var handled atomic.Int64
	var rs []*running
	for range loops {
		r := start(t, Config{Loops: never})
		var last [posters]uint32
		r.onItem = func(it *Item) {
			if it.Pos != last[it.Receipt]+1 {
				t.Errorf("poster %d: item %d after %d", it.Receipt, it.Pos, last[it.Receipt])
			}
			last[it.Receipt] = it.Pos
			handled.Add(1)
		}
		rs = append(rs, r)
	}
	var wg sync.WaitGroup
	for p := range posters {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(p), 1))
			var next [loops]uint32
			for left := total / posters; left > 0; {
				to := rnd.IntN(loops)
				batch := make([]Item, min(left, 1+rnd.IntN(20)))
				for i := range batch {
					next[to]++
					batch[i] = Item{Receipt: uint32(p), Pos: next[to]}
				}
				if n := rs[to].loop.Post(batch); n != len(batch) {
					t.Errorf("took %d of %d", n, len(batch))
				}
				left -= len(batch)
				if rnd.IntN(4) == 0 {
					runtime.Gosched()
				}
				if rnd.IntN(100) == 0 {
					rs[to].do(func() {})
				}
			}
		})
	}
	wg.Wait()
	for end := time.Now().Add(20 * time.Second); handled.Load() < total; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d of %d items handled", handled.Load(), total)
		}
	}
	for i, r := range rs {
		if n := r.loop.Inbox(); n != 0 {
			t.Errorf("loop %d: %d waiting at the end", i, n)
		}
	}
}

// One item at a time: the loop is about to sleep or sleeps whenever it comes.
func TestNoWakeIsLost(t *testing.T) {
	r := start(t, Config{Loops: never})
	got := make(chan uint32, 1)
	r.onItem = func(it *Item) { got <- it.Pos }
	deadline := time.After(60 * time.Second)
	for i := range uint32(20_000) {
		if r.loop.Post([]Item{{Pos: i}}) != 1 {
			t.Fatal("not taken")
		}
		select {
		case n := <-got:
			if n != i {
				t.Fatalf("item %d, want %d", n, i)
			}
		case <-deadline:
			t.Fatalf("item %d was never handled", i)
		}
	}
}

func TestDoRunsOnTheLoopOrSaysThatItMayNot(t *testing.T) {
	r := start(t, Config{Loops: never})
	hold, held := make(chan struct{}), make(chan struct{})
	go r.loop.Do(context.Background(), func() { close(held); <-hold })
	<-held
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	ran := false
	if err := r.loop.Do(ctx, func() { ran = true }); !errors.Is(err, context.Canceled) {
		t.Errorf("Do on a busy loop: %v", err)
	}
	close(hold)
	r.eventually("what was given up runs all the same", func() bool { return ran })
	r.stop()
	if err := r.loop.Do(context.Background(), func() {}); !errors.Is(err, ErrEnded) {
		t.Errorf("Do after the end: %v", err)
	}
	if n := r.loop.Post(make([]Item, 3)); n != 0 {
		t.Errorf("an ended loop took %d items", n)
	}
}

// What is left when a loop stops comes to the handler all the same, for each
// item holds a message, and a last turn follows it.
func TestTeardownHandsOutWhatIsLeft(t *testing.T) {
	const n = 3*itemsPerTurn + 5
	r := start(t, Config{Loops: never})
	calls := 0
	r.do(func() {
		items := make([]Item, n)
		for i := range items {
			items[i] = Item{H: push.Handle(i)}
		}
		r.loop.Stop()
		if r.loop.Post(items) != n {
			t.Error("not all taken")
		}
		r.loop.inbox.call(func() { calls++ })
	})
	<-r.done
	if len(r.items) != n || calls != 1 {
		t.Fatalf("%d of %d items, %d of 1 calls", len(r.items), n, calls)
	}
	for i := range r.items {
		if r.items[i].H != push.Handle(i) {
			t.Fatalf("item %d is %d", i, r.items[i].H)
		}
	}
	if r.turns == 0 {
		t.Error("no turn after the last items: what they released is not freed")
	}
}
