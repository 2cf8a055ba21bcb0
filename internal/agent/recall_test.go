package agent

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pushfleet/internal/keeperapi"
	"pushfleet/internal/knob"
)

func (n *node) file(name string) string { return filepath.Join(n.cfg.Dir, name) }

// damage turns one bit of a file.
func (n *node) damage(name string) {
	n.t.Helper()
	text, err := os.ReadFile(n.file(name))
	if err != nil {
		n.t.Fatal(err)
	}
	text[len(text)/2] ^= 1
	if err := os.WriteFile(n.file(name), text, 0o600); err != nil {
		n.t.Fatal(err)
	}
}

func TestLastKnownGoodIsInForceBeforeAnyDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := fresh(t).start(true)
		n.full(3, knobs{ping: fleet(3, "10s"), size: fleet(2, "1KiB"), "of.another_build": fleet(1, "x")})
		n.pass(probation + time.Second)
		n.die()
		// All keepers are dead; not even Run is needed.
		n.cfg.Registry = someKnobs()
		a, err := New(n.cfg)
		if err != nil {
			t.Fatal(err)
		}
		if s, _ := n.cfg.Registry.Get(ping); s.Value != "10s" || s.Source != "fleet r3" {
			t.Errorf("after New %+v", s)
		}
		if h := (handler{a}).Hello(false); h.From != 3 || h.Knobs.Applied != 3 {
			t.Errorf("hello %+v", h)
		}
	})
}

func TestDamagedNewestFallsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := fresh(t).start(true)
		n.full(3, knobs{ping: fleet(3, "10s")})
		n.pass(probation + time.Second)
		n.delta(4, knobs{ping: fleet(4, "5s")})
		n.die()
		n.damage(fileNewest)
		n.start(false)
		n.holds(ping, "10s fleet r3")
		n.logs("cannot be used")
		if s := n.State(); s.LastGood != fileBefore {
			t.Errorf("%+v", s)
		}
		if h := (handler{n.Agent}).Hello(false); h.From != 0 {
			t.Error("it does not ask for everything")
		}
		n.end()
		n.damage(fileNewest)
		n.damage(fileBefore)
		n.start(false)
		n.holds(ping, "20s config")
		n.end()
	})
}

func TestCrashOnProbationComesBackOnTheOneBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := fresh(t).start(true)
		n.full(418, knobs{ping: fleet(418, "10s"), size: fleet(400, "1KiB")})
		n.pass(probation + time.Second)
		n.delta(419, knobs{ping: fleet(419, "5s"), messages: fleet(419, "256"), size: nil})
		n.delta(420, knobs{soft: fleet(420, "32")})
		n.pass(3 * time.Second)
		n.die()

		n.start(true)
		const died = "died 3s after applying r420, came back on r418"
		n.logs(died)
		check := func() {
			t.Helper()
			n.holds(ping, "10s fleet r418")
			n.holds(messages, "512 default")
			n.holds(size, "1KiB fleet r400")
			n.holds(soft, "16 default")
			n.drifts("heartbeat.ping 5s 10s crash", "queue.bytes_max 64KiB 1KiB crash",
				"queue.messages_max 256 512 crash", "queue.messages_soft 32 16 crash")
		}
		check()
		h := handler{n.Agent}.Hello(false)
		if h.From != 0 || h.Knobs != (keeperapi.Ack{Offered: 420, Applied: 418, Nacked: 420, Reason: died}) {
			t.Errorf("hello %+v", h)
		}
		// The same is not taken again, now or after another restart.
		same := knobs{ping: fleet(419, "5s"), messages: fleet(419, "256"), soft: fleet(420, "32")}
		if ack := n.full(420, same); ack.Nacked != 420 || ack.Applied != 418 || ack.Reason != died {
			t.Errorf("ack %+v", ack)
		}
		check()
		n.end()
		n.start(true)
		n.full(420, same)
		check()
		// Another revision is, for the knobs that it names.
		n.delta(421, knobs{ping: fleet(421, "6s")})
		n.holds(ping, "6s fleet r421")
		n.holds(messages, "512 default")
		n.delta(422, knobs{messages: fleet(422, "300"), soft: nil, size: nil})
		n.drifts()
		n.holds(size, "64KiB default")
		n.end()
	})
}

func TestCrashTakesBackOnlyWhatIsYoung(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := fresh(t).start(true)
		// There is always a change on probation, yet each value has its own.
		n.full(1, knobs{size: fleet(1, "1KiB")})
		for r := uint64(2); r <= 9; r++ {
			n.pass(3 * time.Second)
			n.delta(r, knobs{messages: fleet(r, strconv.FormatUint(1000+r, 10))})
		}
		n.delta(10, knobs{ping: fleet(10, "10s")})
		n.pass(6 * time.Second)
		n.delta(11, knobs{soft: fleet(11, "32"), size: nil})
		n.pass(5 * time.Second)
		n.die()
		n.start(false)
		n.holds(ping, "10s fleet r10")
		n.holds(messages, "1009 fleet r9")
		n.holds(soft, "16 default")
		n.holds(size, "1KiB fleet r1")
		n.logs("died 5s after applying r11, came back on r10")
		n.end()
	})
}

func TestAnotherBuildMayRefuseItsLastKnownGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := fresh(t).start(true)
		n.full(4, knobs{ping: fleet(3, "10s"), size: fleet(4, "1KiB")})
		n.end()
		r := knob.NewRegistry() // of a build with a smaller range
		r.Duration(knob.Spec{Name: ping}, 30*time.Second, 20*time.Second, time.Minute)
		r.Bytes(knob.Spec{Name: size}, 0, 0, 1<<20)
		n.cfg.Registry = r
		a, err := New(n.cfg)
		if err != nil {
			t.Fatal(err)
		}
		n.registry = r
		n.holds(ping, "30s default")
		n.holds(size, "1KiB fleet r4")
		if d := a.State().Drift; len(d) != 1 || d[0].Reason != keeperapi.DriftNacked || d[0].Knob != ping {
			t.Errorf("drift %+v", d)
		}
		n.logs("is not in force")
	})
}

func TestCrashDoesNotBlameWhatIsOver(t *testing.T) {
	f := func(what string, ended func(n *node)) {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := fresh(t).start(true)
				n.full(3, knobs{ping: fleet(3, "10s")})
				n.pass(probation + time.Second)
				n.delta(6, knobs{ping: until(fleet(6, "5s"), n.now()+3000, *later("10s"))})
				n.pass(4 * time.Second)
				ended(n)
				n.pass(time.Second)
				n.die()
				n.start(true)
				if s, _ := n.registry.Get(ping); s.Value != "10s" {
					t.Errorf("came back on %s", s.Value)
				}
				if h := (handler{n.Agent}).Hello(false); h.Knobs.Nacked != 0 {
					t.Errorf("hello %+v", h.Knobs)
				}
				if ack := n.full(7, knobs{ping: fleet(3, "10s")}); ack != (keeperapi.Ack{Offered: 7, Applied: 7}) {
					t.Errorf("ack %+v", ack)
				}
				n.holds(ping, "10s fleet r3")
				n.drifts()
				n.end()
			})
		})
	}
	f("by itself", func(*node) {})
	f("said by the keepers", func(n *node) { n.delta(7, knobs{ping: fleet(3, "10s")}) })
}

func TestCrashWithoutAGenerationBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := fresh(t).start(true)
		n.full(5, knobs{ping: fleet(5, "10s")})
		n.die()
		n.start(false)
		n.holds(ping, "20s config")
		n.logs("right after applying r5, came back on its own defaults")
		n.drifts("heartbeat.ping 10s 20s crash")
		n.end()
	})
}

func TestNoCrashAfterProbationOrAnOrderlyStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := fresh(t).start(true)
		n.full(5, knobs{ping: fleet(5, "10s")})
		n.end() // in good order, within the probation
		n.start(true)
		n.holds(ping, "10s fleet r5")
		n.delta(6, knobs{ping: fleet(6, "11s")})
		n.pass(probation + guardEvery)
		n.die()
		n.start(true)
		n.holds(ping, "11s fleet r6")
		n.drifts()
		// What changes nothing here needs no probation.
		n.delta(7, knobs{})
		n.pass(time.Second)
		n.die()
		n.start(true)
		n.holds(ping, "11s fleet r6")
		if got := n.State().Revision; got != 7 {
			t.Errorf("at revision %d", got)
		}
		n.end()
	})
}

func TestCrashAfterAGuardBrokeDoesNotForgetIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := fresh(t).start(true)
		n.full(5, knobs{ping: guarded(fleet(5, "10s"), "drops.10s < 5/s", later("15s"))})
		n.pass(probation + time.Second)
		n.delta(6, knobs{size: fleet(6, "1KiB")})
		n.figures.set("drops.10s", 9)
		n.pass(time.Second)
		n.die()
		n.figures.set("drops.10s", 0)
		n.start(false)
		n.holds(ping, "15s fleet after r5")
		n.holds(size, "64KiB default")
		n.drifts("heartbeat.ping 10s 15s guard", "queue.bytes_max 1KiB 64KiB crash")
		n.end()
	})
}

func TestValuesAreWrittenBeforeTheyAreInForce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := fresh(t).start(true)
		defer func() { n.end() }()
		n.full(1, knobs{ping: fleet(1, "10s")})
		checked := false
		n.registry.OnChange(ping, func(s knob.State) {
			text, err := os.ReadFile(n.file(fileNewest))
			if err != nil || !strings.Contains(string(text), `"value":"`+s.Value+`"`) {
				t.Errorf("%s is in force, on disk is %s, %v", s.Value, text, err)
			}
			checked = true
		})
		n.delta(2, knobs{ping: fleet(2, "5s")})
		if !checked {
			t.Error("nothing was changed")
		}
	})
}

func TestFullDiskRefusesAndTakesLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := fresh(t).start(true)
		n.full(1, knobs{ping: fleet(1, "10s")})
		blocked := n.file(fileNewest + ".new") // a folder of that name takes no text
		if err := os.Mkdir(blocked, 0o700); err != nil {
			t.Fatal(err)
		}
		ack := n.delta(2, knobs{ping: fleet(2, "5s")})
		if ack.Nacked != 2 || ack.Applied != 1 || !strings.Contains(ack.Reason, "last known good cannot be written") {
			t.Errorf("ack %+v", ack)
		}
		n.holds(ping, "10s fleet r1")
		n.pass(retryEvery * 3)
		n.drifts("heartbeat.ping 5s 10s nacked")
		if got := strings.Count(n.log.String(), "would not survive a restart"); got != 1 {
			t.Errorf("logged %d times", got)
		}
		if err := os.Remove(blocked); err != nil {
			t.Fatal(err)
		}
		n.pass(retryEvery * 2)
		n.holds(ping, "5s fleet r2")
		n.drifts()
		n.wire.mu.Lock()
		last := n.wire.said[len(n.wire.said)-2] // before the drift
		n.wire.mu.Unlock()
		if last.Ack == nil || *last.Ack != (keeperapi.Ack{Offered: 2, Applied: 2}) {
			t.Errorf("told %+v", last)
		}
		n.end()
	})
}

func TestWithoutAFolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := fresh(t)
		n.cfg.Dir = ""
		n.start(true)
		n.full(1, knobs{ping: fleet(1, "10s")})
		n.holds(ping, "10s fleet r1")
		if n.State().Probation {
			t.Error("on probation without a memory")
		}
		n.end()
	})
}

func TestFileOfAnotherNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := fresh(t).start(true)
		n.full(1, knobs{ping: fleet(1, "10s")})
		n.end()
		n.cfg.ID = "gw-2"
		n.start(false)
		n.holds(ping, "20s config")
		n.logs(`belongs to the node`)
		n.end()
	})
}

func TestClockSetBackDoesNotLengthenADeadline(t *testing.T) {
	now := time.Now()
	b := book{}.clone()
	c := chainOf(until(fleet(1, "10s"), 60_000, byDefault), 1, clock{0, now})
	b.items[ping] = item{want: c, force: c}
	text, err := encode(&b, "gw-1", now)
	if err != nil {
		t.Fatal(err)
	}
	f := func(shift, left time.Duration) {
		t.Helper()
		at := now.Add(shift)
		back, err := decode(text, "gw-1", at)
		if err != nil {
			t.Fatal(err)
		}
		if got := back.items[ping].want.ends[0].Sub(at).Round(time.Second); got != left {
			t.Errorf("clock moved by %s: %s left, want %s", shift, got, left)
		}
	}
	f(0, time.Minute)
	f(20*time.Second, 40*time.Second)
	f(-24*time.Hour, time.Minute)
	f(time.Hour, -59*time.Minute)
}
