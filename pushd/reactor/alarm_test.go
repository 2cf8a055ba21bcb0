package reactor

import (
	"runtime"
	"testing"
	"time"
)

func (s *spy) seen() (turns, ticks int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.turns, s.ticks
}

// An alarm makes a turn though no tick comes. With so many loops ticks are
// 800 ms apart; a machine that is busy may still let one pass, so it may be
// tried again.
func TestAlarmMakesATurnBetweenTicks(t *testing.T) {
	r := start(t, Config{Loops: 64})
	alone := func() bool {
		from, before := 0, 0
		r.do(func() {
			from, before = r.seen()
			now := r.loop.Now()
			for _, at := range []int64{int64(time.Hour), int64(5 * time.Millisecond), int64(time.Minute)} {
				if !r.loop.Alarm(now + at) {
					t.Error("no alarm")
				}
			}
			if r.loop.alarm.at != now+int64(5*time.Millisecond) {
				t.Errorf("set for %d ns, want the earliest", r.loop.alarm.at-now)
			}
		})
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); runtime.Gosched() {
			// The first turn is the one that set it.
			if turns, ticks := r.seen(); ticks > before {
				return false
			} else if turns > from+1 {
				return true
			}
		}
		t.Fatal("no turn for 10 s")
		return false
	}
	for tries := 0; !alone(); tries++ {
		if tries == 20 {
			t.Fatal("ticks only")
		}
	}
	r.eventually("not set any more", func() bool { return r.loop.alarm.at == 0 })
}

// A time that has passed is now, and the alarm can be set again and again.
func TestAlarmOfThePast(t *testing.T) {
	r := start(t, Config{Loops: 1})
	for range 3 {
		r.do(func() {
			if !r.loop.Alarm(1) {
				t.Error("no alarm")
			}
		})
		r.eventually("it rang", func() bool { return r.loop.alarm.at == 0 })
	}
}
