package tap

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pushfleet/internal/teewire"
)

// all is a tee of everybody.
var all = Options{Sample: 100, To: "test"}

// Loops, publishers and the flusher at once: all is read, nothing twice.
func TestAllIsRead(t *testing.T) {
	r := newRig(t)
	r.begin(all, false)
	var work sync.WaitGroup
	for p := range 4 {
		work.Go(func() {
			for i := range 5000 {
				r.publish(fmt.Sprintf("u-%d", i%100), "", 100+p)
			}
		})
	}
	for i := range 2000 {
		c := r.open(uint64(1+i), fmt.Sprintf("u-%d", i))
		c.in(`{"type":"ping"}`)
		c.out(1)
		c.close()
	}
	work.Wait()
	r.publish("", "g", 10)
	r.publish("", "", 10)
	s := r.end()
	if len(s.pubs) != 20_002 || len(s.opens) != 2000 || s.n[teewire.KindOut] != 2000 || s.n[teewire.KindIn] != 2000 || s.closed != 2000 {
		t.Errorf("read %d messages, %d opens, %v", len(s.pubs), len(s.opens), s.n)
	}
	if s.end.Reason != EndStopped || s.count.Torn != 0 || s.count.Sample != 100 {
		t.Errorf("%+v, %d torn, sample %v", s.end, s.count.Torn, s.count.Sample)
	}
}

// The sample of messages is that of connections.
func TestTheSampleOfMessages(t *testing.T) {
	r := newRig(t)
	r.begin(Options{Sample: 30}, false)
	want := 0
	for i := range 1000 {
		u := fmt.Sprintf("u-%d", i)
		r.publish(u, "", 4)
		if In(u, 30) {
			want++
		}
	}
	s := r.end()
	if len(s.pubs) != want {
		t.Errorf("%d messages, want %d", len(s.pubs), want)
	}
	for _, p := range s.pubs {
		if !In(p.User, 30) {
			t.Errorf("a message to %s, who is in no sample of 30 %%", p.User)
		}
	}
}

// Further users of a connection in the sample are mirrored too, up to a bound.
func TestFurtherUsers(t *testing.T) {
	r := newRig(t)
	r.begin(Options{Sample: 0.01}, false)
	r.publish("u-1", "", 4)
	for i := range alsoMax + 20 {
		if !r.tap.Also(fmt.Sprintf("u-%d", i)) && i < alsoMax {
			t.Fatalf("user %d is one too many", i)
		}
	}
	if r.tap.Also("one more") {
		t.Error("there is no bound")
	}
	r.publish("u-1", "", 4)
	r.publish("another", "", 4)
	if s := r.end(); len(s.pubs) != 1 {
		t.Errorf("%d messages", len(s.pubs))
	}
}

// A reader that takes nothing: appending goes on without it, memory stays
// within its bound, and what was left out is exact and told once there is room.
func TestAStalledReader(t *testing.T) {
	r := newRig(t, "tap.buffer_bytes_max", "1MiB")
	r.begin(all, true)
	var conns []*conn
	for i := range 500 {
		conns = append(conns, r.open(uint64(1+i), fmt.Sprintf("u-%d", i)))
	}
	for i := range 100_000 {
		conns[i%500].out(1)
	}
	r.publish("u-1", "", 2000)
	r.publish("u-2", "", 100)
	r.publish("u-1", "", 2000)
	r.publish("", "g", 2000)
	run := r.tap.run.Load()
	if used := run.pool.used; used > 1<<20 {
		t.Errorf("%d bytes of buffers, the bound is 1 MiB", used)
	}
	if got := r.tap.Status(); got.Connections != 0 || got.Torn != 500 || got.BufferBytes > 1<<20 {
		t.Errorf("%+v", got)
	}
	for _, c := range conns[:10] {
		c.close()
	}
	r.sink.release()
	until(t, "torn ones are told", func() bool {
		r.loop.mu.Lock()
		defer r.loop.mu.Unlock()
		return !r.loop.untold() && run.pool.roomy()
	})
	again := r.open(1000, "u-1000")
	again.out(1)
	s := r.end()
	if len(s.opens) != 501 || s.count.Torn != 500 || s.closed != 0 {
		t.Errorf("%d opens, %d torn, %d closed", len(s.opens), s.count.Torn, s.closed)
	}
	torn := map[string]int{}
	for _, x := range s.torn {
		switch {
		case x.Conn != 0:
			torn["conn"]++
		case x.User != "":
			torn[x.User]++
		default:
			torn["all"]++
		}
		if x.Why != teewire.DropBuffer {
			t.Errorf("torn because of %s", x.Why)
		}
	}
	if torn["conn"] != 500 || torn["all"] != 1 || torn["u-1"] != 1 {
		t.Errorf("torn: %v", torn)
	}
	if s.count.Dropped[teewire.KindOut][teewire.DropBuffer] != 500 || s.count.Dropped[teewire.KindClose][teewire.DropTorn] != 10 {
		t.Errorf("dropped %v", s.count.Dropped)
	}
}

// Of a user of whom a message was left out nothing more is sent, and loops hear
// of it.
func TestATornUser(t *testing.T) {
	r := newRig(t)
	r.begin(all, false)
	gen := r.tap.Gen()
	r.publish("u-1", "", teewire.RecordMax)
	r.publish("u-1", "", 4)
	r.publish("u-2", "", 4)
	if got := r.tap.TornUsers(0); len(got) != 1 || got[0] != "u-1" || r.tap.Gen() == gen || r.tap.TornUsers(1) != nil {
		t.Errorf("torn users: %v", got)
	}
	if !r.tap.Torn("u-1") || r.tap.Torn("u-2") {
		t.Error("the wrong user is torn")
	}
	c := r.open(7, "u-2")
	c.out(1)
	r.loop.Leave(7, teewire.DropTorn)
	s := r.end()
	if len(s.pubs) != 1 || s.pubs[0].User != "u-2" || len(s.torn) != 2 || s.count.Torn != 1 {
		t.Errorf("%v, torn %v", s.pubs, s.torn)
	}
	d := s.count.Dropped[teewire.KindPublish]
	if d[teewire.DropSize] != 1 || d[teewire.DropTorn] != 1 {
		t.Errorf("dropped %v", d)
	}
}

// When too many users are torn, everything is.
func TestTooManyTornUsers(t *testing.T) {
	r := newRig(t)
	r.begin(all, false)
	shards := len(r.tap.pubs)
	for i := range (tornUsers + 200) * shards {
		r.publish(fmt.Sprintf("u-%d", i), "", teewire.RecordMax)
	}
	s := r.end()
	if last := s.torn[len(s.torn)-1]; last.User != "" || last.Conn != 0 || last.Why != teewire.DropSize {
		t.Errorf("told last: %+v", last)
	}
	if n := len(r.tap.last.torn.list); n > tornUsers*shards {
		t.Errorf("%d users are remembered", n)
	}
}

func TestRefusals(t *testing.T) {
	r := newRig(t)
	f := func(o Options, want string) {
		t.Helper()
		err := r.tap.Run(context.Background(), o, &memory{})
		if code(err) != want {
			t.Errorf("%+v: %v", o, err)
		}
	}
	f(Options{}, "bad_sample")
	f(Options{Sample: 101}, "bad_sample")
	f(Options{Sample: 0.001}, "off")
	r.begin(all, false)
	f(all, "busy")
	r.end()
	r.turn("tap.sample_percent", "0")
	f(all, "off")
	if r.tap.Stop(EndStopped) {
		t.Error("no tee runs, and one was stopped")
	}
	r.turn("tap.sample_percent", "20")
	r.begin(all, false)
	if got := r.tap.Sample(); got != 20 {
		t.Errorf("a sample of %v %%, the knob allows 20", got)
	}
	r.end()
}

// 0 ends a tee before the setter goes on, though its reader takes nothing.
func TestTheKnobEndsATeeAtOnce(t *testing.T) {
	r := newRig(t)
	r.begin(all, true)
	c := r.open(1, "u")
	for range 10_000 {
		c.out(1)
	}
	before := r.tap.Status().Seen["out"]
	r.turn("tap.sample_percent", "0")
	if r.tap.Active() || r.tap.State() != (State{}) {
		t.Error("the tee goes on")
	}
	c.out(1)
	r.publish("u", "", 4)
	if got := r.tap.Status(); got.Seen["out"] != before || got.Seen["publish"] != 0 || got.EndReason != EndSample {
		t.Errorf("after the end: %+v", got)
	}
	r.sink.release()
	if s := r.wait(); s.end.Reason != EndSample {
		t.Errorf("told: %+v", s.end)
	}
}

func TestTheSampleFollowsTheKnob(t *testing.T) {
	r := newRig(t)
	r.begin(Options{Sample: 50}, false)
	f := func(knob string, want float64, why teewire.Drop) {
		t.Helper()
		gen := r.tap.Gen()
		r.turn("tap.sample_percent", knob)
		if st := r.tap.State(); st.Sample != want || st.Why != why {
			t.Errorf("knob %s: %+v", knob, st)
		}
		if r.tap.Gen() == gen && why != 0 {
			t.Errorf("knob %s: loops are not told", knob)
		}
	}
	f("75", 50, 0)
	f("20", 20, teewire.DropSample)
	f("100", 50, teewire.DropSample)
	r.end()
}

func TestTheSinkFails(t *testing.T) {
	f := func(err error, want string) {
		t.Helper()
		r := newRig(t)
		r.begin(all, true)
		r.open(1, "u").out(1)
		r.sink.failWith(err)
		r.sink.release()
		if got := <-r.ended; !errors.Is(got, err) {
			t.Errorf("%v: %v", err, got)
		}
		if got := r.tap.Status(); got.Active || got.EndReason != want || r.tap.Active() {
			t.Errorf("%v: %+v", err, got)
		}
		r.begin(all, false) // there is room for another
		r.end()
	}
	f(os.ErrDeadlineExceeded, EndStalled)
	f(errors.New("connection reset"), EndGone)
}

func TestTheReaderLeaves(t *testing.T) {
	r := newRig(t)
	r.sink = &memory{head: make(chan struct{}), free: make(chan struct{})}
	r.sink.release()
	ctx, cancel := context.WithCancel(context.Background())
	go func() { r.ended <- r.tap.Run(ctx, all, r.sink) }()
	<-r.sink.head
	cancel()
	if s := r.wait(); s.end.Reason != EndGone {
		t.Errorf("%+v", s.end)
	}
}

// Records of a loop that has not heard of the end of a tee are not part of the
// next one.
func TestALoopThatIsLate(t *testing.T) {
	r := newRig(t)
	r.begin(all, false)
	c := r.open(1, "u")
	r.end()
	known := r.loop.known
	r.begin(all, false)
	r.loop.Adopt(known)
	c.out(1)
	c.close()
	if s := r.end(); s.n[teewire.KindOut]+s.n[teewire.KindClose] != 0 {
		t.Errorf("%v", s.n)
	}
}

// feed sends bytes at a rate until the tee has ended or seconds are over.
func feed(r *rig, perSecond, seconds int) {
	for range seconds * 20 {
		<-time.After(50 * time.Millisecond)
		for range perSecond / 20 / 1000 {
			r.publish("", "g", 1000-20)
		}
	}
}

func TestBytesOverBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "tap.bytes_rate_max", "100KB")
		r.begin(Options{Sample: 0.08}, false)
		feed(r, 200_000, 3)
		if st := r.tap.State(); st.Sample != 0.04 || st.Why != teewire.DropRate {
			t.Errorf("after 3 s over budget: %+v", st)
		}
		feed(r, 200_000, 8)
		s := r.wait()
		if s.end.Reason != EndRate || s.end.At > int64(12*time.Second) {
			t.Errorf("%+v", s.end)
		}
	})
}

func TestComputingOverBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "tap.cpu_percent_max", "5")
		r.tap.threadCPU = func() int64 { return r.tap.Clock() / 5 } // 20 % of a core
		r.begin(all, false)
		time.Sleep(2500 * time.Millisecond)
		if st := r.tap.State(); st.Sample != 50 || st.Why != teewire.DropCPU {
			t.Errorf("after 2.5 s over budget: %+v", st)
		}
		if got := r.tap.Status().CPUPercent; got < 19.9 || got > 20.1 {
			t.Errorf("%v %% of a core", got)
		}
		r.turn("tap.cpu_percent_max", "25")
		time.Sleep(10 * time.Second)
		if got := r.tap.Sample(); got != 50 {
			t.Errorf("within its budget: %v %%", got)
		}
		r.loop.Spent(int64(3 * time.Second)) // in one second only
		time.Sleep(3 * time.Second)
		r.turn("tap.sample_percent", "60") // what a budget took is not given back
		if got := r.tap.Sample(); got != 50 {
			t.Errorf("after one second over budget: %v %%", got)
		}
		s := r.end()
		if n := s.n[teewire.KindCount]; n < 14 || n > 18 {
			t.Errorf("the books were told %d times in 15.5 s", n)
		}
	})
}

// Quiet traffic is handed over within flushEvery.
func TestQuietTrafficIsHandedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.begin(all, false)
		r.open(1, "u")
		time.Sleep(flushEvery + time.Millisecond)
		if got := r.tap.Status(); got.BufferBytes != 0 || got.Connections != 1 {
			t.Errorf("%+v", got)
		}
		r.end()
	})
}

func TestAppendingAllocatesNothing(t *testing.T) {
	for _, redact := range []teewire.Redact{teewire.RedactPayload, teewire.RedactOff, teewire.RedactNames} {
		r := newRig(t)
		r.begin(Options{Sample: 100, Redact: redact}, false)
		c := r.open(1, "u")
		m := &teewire.Message{User: []byte("u"), ID: []byte("id-1"), Data: []byte(`{"a":1}`)}
		command := []byte(`{"type":"bind","group":"g-1","data":[1,2,3]}`)
		o := &teewire.Out{Conn: 1, Frames: 1}
		f := func() {
			for range 20 {
				r.loop.Out(o)
				r.loop.In(1, 1, command, true)
				r.tap.Publish(m)
			}
		}
		for range 1000 {
			f()
		}
		if n := testing.AllocsPerRun(100, f); n > 1 { // chunks, now and then
			t.Errorf("%s: %v allocations for 60 records", redact, n)
		}
		c.close()
		r.end()
	}
}
