package queue

import (
	"math"
	"math/rand/v2"
	"testing"

	"pushfleet/internal/decay"
	"pushfleet/internal/push"
	"pushfleet/pushd/slab"
)

// apart is the windows' arithmetic in float64, straight from its definition.
type apart struct {
	in, out, bytes, level, peak [3]float64
	at                          uint64
}

func (a *apart) add(now uint64, in, out, bytes, before, after float64) {
	dt := float64(now-a.at) / 1000
	a.at = now
	for i, tau := range [3]float64{1, 10, 100} {
		e := math.Exp(-dt / tau)
		a.in[i] = a.in[i]*e + in/tau
		a.out[i] = a.out[i]*e + out/tau
		a.bytes[i] = a.bytes[i]*e + bytes/tau
		a.level[i] = before + (a.level[i]-before)*e
		a.peak[i] = max(a.peak[i]*e, before+in, after)
	}
}

func (a *apart) check(t *testing.T, w *decay.Windows) {
	t.Helper()
	near := func(what string, got [3]float32, want [3]float64) {
		for i := range got {
			if math.Abs(float64(got[i])-want[i]) > 0.005*max(want[i], 0.01) {
				t.Fatalf("%s over %v s: %v, want %v", what, math.Pow10(i), got[i], want[i])
			}
		}
	}
	near("in", w.In, a.in)
	near("out", w.Out, a.out)
	near("bytes", w.Bytes, a.bytes)
	near("level", w.Level, a.level)
	near("peak", w.Peak, a.peak)
}

func TestWindowsAgreeWithDecayComputedApart(t *testing.T) {
	b := newT(t, "queue.messages_max", "20")
	r := rand.New(rand.NewPCG(1, 2))
	var q Q
	var a apart
	now := uint64(1000)
	a.at = now
	for range 3000 {
		now += uint64(r.IntN(60))
		before, in := q.Count, uint32(r.IntN(6))
		for range in {
			b.set.Offer(&q, 1, b.message(r.IntN(300), slab.Meta{}), 0, uint32(now))
		}
		out, bytes := uint32(0), uint32(0)
		for range r.IntN(6) {
			if n := b.set.First(&q, 1, uint32(now)); n != nil {
				out, bytes = out+1, bytes+n.Len
				b.set.Pop(&q)
			}
		}
		b.set.Account(&q, 1, out, bytes, now)
		if in > 0 || out > 0 {
			a.add(now, float64(in), float64(out), float64(bytes), float64(before), float64(q.Count))
		}
		if w := b.set.Window(&q); w != nil {
			a.check(t, w)
		}
	}
	if w := b.set.Window(&q); b.cols.Keys[q.win] != w.Keys(uint64(w.At)) || b.cols.Owner[q.win] != 2 || b.cols.WinOf[1] != q.win+1 {
		t.Errorf("columns of the window: keys %v, owner %d, way back %d", b.cols.Keys[q.win], b.cols.Owner[q.win], b.cols.WinOf[1])
	}
	b.set.Discard(&q, 1, push.DropClosed)
}

func TestWindowIsFreedWhenIdleAndTakenAgain(t *testing.T) {
	b := newT(t)
	var q Q
	touch := func(now uint32) {
		b.set.Offer(&q, 1, b.message(8, slab.Meta{}), 0, now)
		b.set.Pop(&q)
		b.set.Account(&q, 1, 1, 8, uint64(now))
	}
	touch(100)
	f := func(now uint32, want bool) {
		t.Helper()
		if got := b.set.Idle(&q, now, 1000); got != want {
			t.Errorf("idle at %d: %v, want %v", now, got, want)
		}
	}
	f(1100, false)
	f(1101, true)
	b.set.FreeWindow(&q)
	b.set.FreeWindow(&q)
	f(5000, false)
	if b.set.Window(&q) != nil || b.cols.Owner[1] != 0 || b.set.wins.Live() != 0 {
		t.Error("the window is still there")
	}
	touch(6000)
	if w := b.set.Window(&q); w == nil || w.In[0] != 1 || b.set.wins.Live() != 1 {
		t.Errorf("new window: %+v", w)
	}
	b.set.Discard(&q, 1, push.DropClosed)
}

func TestWithoutAWindowLeftTheColumnsStillCount(t *testing.T) {
	b := newT(t)
	var qs [slots + 1]Q // one window is none, so the last two queues get none
	for i := range qs {
		slot := uint32(i % slots)
		b.set.Offer(&qs[i], slot, b.message(8, slab.Meta{}), 0, 1)
		b.set.Account(&qs[i], slot, 0, 0, 1)
		if want := i < slots-1; (b.set.Window(&qs[i]) != nil) != want || b.cols.Queued[slot] != 1 || b.cols.QBytes[slot] != 8 {
			t.Errorf("queue %d: window %v, want %v; columns %d, %d", i, b.set.Window(&qs[i]) != nil, want, b.cols.Queued[slot], b.cols.QBytes[slot])
		}
	}
	for i := range qs {
		b.set.Discard(&qs[i], uint32(i%slots), push.DropClosed)
	}
}
