package admin

import (
	"runtime"
	"sync"
	"testing"
	"time"
)

// contend has goroutines wait for a lock and for a channel.
func contend() {
	var mu sync.Mutex
	var all sync.WaitGroup
	hand := make(chan int)
	for range 4 {
		all.Go(func() {
			for range 50 {
				mu.Lock()
				runtime.Gosched() // so that others find it locked
				mu.Unlock()
				<-hand
			}
		})
	}
	for i := range 200 {
		hand <- i
	}
	all.Wait()
}

// samples is how many waits a profile holds.
func samples(profile func([]runtime.BlockProfileRecord) (int, bool)) (n int64) {
	records := make([]runtime.BlockProfileRecord, 10_000)
	got, _ := profile(records)
	for _, r := range records[:min(got, len(records))] {
		n += r.Count
	}
	return n
}

// grows tells whether contention leaves samples in a profile, looking until it
// does or for ten seconds, or for rounds if that is not 0.
func grows(profile func([]runtime.BlockProfileRecord) (int, bool), rounds int) bool {
	before := samples(profile)
	end := time.Now().Add(10 * time.Second)
	for n := 0; time.Now().Before(end) && (rounds == 0 || n < rounds); n++ {
		contend()
		if samples(profile) > before {
			return true
		}
	}
	return false
}

// Profiles of waiting fill while their knobs are on, without a profile being
// timed.
func TestWaitsAreSampledWhileTheirKnobsAreOn(t *testing.T) {
	b := newBench(t)
	set := func(name, value string) {
		t.Helper()
		if _, err := b.registry.Set(name, value, "test", ""); err != nil {
			t.Fatal(err)
		}
	}
	if grows(runtime.MutexProfile, 20) || grows(runtime.BlockProfile, 20) {
		t.Error("waits are sampled though their knobs are off")
	}
	set("profile.mutex_fraction", "1")
	if got := runtime.SetMutexProfileFraction(-1); got != 1 {
		t.Errorf("one of %d waits is sampled, want 1", got)
	}
	if !grows(runtime.MutexProfile, 0) {
		t.Error("the mutex profile stays empty")
	}
	set("profile.mutex_fraction", "0")
	if got := runtime.SetMutexProfileFraction(-1); got != 0 {
		t.Errorf("one of %d waits is sampled though the knob is off", got)
	}
	set("profile.block_rate", "1ns")
	if !grows(runtime.BlockProfile, 0) {
		t.Error("the block profile stays empty")
	}
	set("profile.block_rate", "0s")
}

// A timed profile goes back to what the knob says then.
func TestATimedProfileLeavesTheKnobsAlone(t *testing.T) {
	b := newBench(t)
	f := func(knob string, timed, after int) {
		t.Helper()
		stop := b.waits.sample("mutex")
		if got := runtime.SetMutexProfileFraction(-1); got != timed {
			t.Errorf("one of %d waits is sampled while timed, want %d", got, timed)
		}
		if _, err := b.registry.Set("profile.mutex_fraction", knob, "test", ""); err != nil {
			t.Fatal(err)
		}
		stop()
		if got := runtime.SetMutexProfileFraction(-1); got != after {
			t.Errorf("one of %d waits is sampled after it, want %d", got, after)
		}
	}
	f("0", mutexFraction, 0)
	f("7", mutexFraction, 7)
	f("7", 7, 7)
	f("0", 7, 0)
	stop := b.waits.sample("block")
	if b.waits.block != blockRate {
		t.Errorf("a sample per %d ns, want %d", b.waits.block, blockRate)
	}
	stop()
	if b.waits.block != 0 {
		t.Errorf("a sample per %d ns after it", b.waits.block)
	}
}
