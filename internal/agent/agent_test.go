package agent

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pushfleet/internal/keeperapi"
	"pushfleet/internal/knob"
)

func TestObeysAndGoesBackToItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := fresh(t)
		var calls []string
		n.cfg.OnStart = func() { calls = append(calls, "start") }
		n.cfg.OnStop = func() { calls = append(calls, "stop") }
		n.cfg.OnChange = func(c []knob.Change) {
			calls = append(calls, fmt.Sprintf("%s %s→%s at r%d", c[0].Name, c[0].Old, c[0].New, n.State().Revision))
		}
		n.start(true)
		if ack := n.full(7, knobs{ping: fleet(7, "10s"), "of.another_build": fleet(6, "x")}); ack != (keeperapi.Ack{Offered: 7, Applied: 7}) {
			t.Errorf("ack %+v", ack)
		}
		n.holds(ping, "10s fleet r7")
		if ack := n.delta(8, knobs{ping: nil}); ack != (keeperapi.Ack{Offered: 8, Applied: 8}) {
			t.Errorf("ack %+v", ack)
		}
		n.holds(ping, "20s config")
		if s, _ := n.registry.Get(ping); s.Why != "baseline" {
			t.Errorf("why is %q", s.Why)
		}
		n.delta(9, knobs{ping: {Value: "5s", Layer: keeperapi.LayerGroup, Scope: "app=shop", Revision: 9}})
		n.holds(ping, "5s group r9")
		n.full(9, knobs{})
		n.holds(ping, "20s config")
		n.drifts()
		n.end()
		want := "start, heartbeat.ping 20s→10s at r7, heartbeat.ping 10s→20s at r8, heartbeat.ping 20s→5s at r9, heartbeat.ping 5s→20s at r9, stop"
		if got := strings.Join(calls, ", "); got != want {
			t.Errorf("callbacks %s, want %s", got, want)
		}
	})
}

func TestSchemaHasTheConfigurationAsDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := fresh(t).start(true)
		defer n.end()
		n.full(1, knobs{ping: fleet(1, "10s")})
		hello := handler{n.Agent}.Hello(true)
		if hello.ID != "gw-1" || hello.From != 1 || hello.Knobs.Applied != 1 || hello.Schema != hello.Definition.Hash() {
			t.Errorf("hello %+v", hello)
		}
		for _, d := range hello.Definition {
			if d.Name == ping && (d.Default != "20s" || d.Min != "1s" || d.Type != "duration" || d.Acts != "live") {
				t.Errorf("declared %+v", d)
			}
		}
		if again := (handler{n.Agent}).Hello(false); again.Definition != nil || again.Schema != hello.Schema {
			t.Error("the definition is sent unasked")
		}
	})
}

func TestDeadlineWithKeepersDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := fresh(t)
		n.skew = 3_600_000 // the keeper's clock is an hour ahead; only what is left counts
		n.start(true)
		now := n.now()
		n.full(3, knobs{
			ping: until(fleet(3, "10s"), now+1100, keeperapi.Later{Value: "15s", Layer: keeperapi.LayerFleet, Scope: keeperapi.Fleet, Deadline: now + 5000}, byDefault),
			size: until(fleet(3, "1KiB"), now+60_000, byDefault),
		})
		n.wire.link(false)
		n.pass(1099 * time.Millisecond)
		n.holds(ping, "10s fleet r3")
		n.pass(2 * time.Millisecond)
		n.holds(ping, "15s fleet after r3")
		n.pass(4 * time.Second)
		n.holds(ping, "20s config")
		n.holds(size, "1KiB fleet r3")
		n.drifts()
		n.pass(6 * time.Second) // past the probation
		n.die()

		n.pass(30 * time.Second) // meanwhile nobody is there
		n.start(false)
		n.holds(size, "1KiB fleet r3")
		n.holds(ping, "20s config")
		n.pass(18 * time.Second)
		n.holds(size, "1KiB fleet r3")
		n.pass(time.Second)
		n.holds(size, "64KiB default")
		n.end()

		n.start(false)
		n.holds(size, "64KiB default")
		n.end()
	})
}

func TestGuardBreaksWithKeepersDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := fresh(t).start(true)
		const g = "drops.10s < 5/s"
		n.full(6, knobs{messages: fleet(5, "1024"), size: fleet(6, "1KiB")})
		n.delta(9, knobs{
			messages: guarded(canary(9, "256", later("1024")), g, later("1024")),
			soft:     guarded(canary(9, "32", &byDefault), g, &byDefault),
			ping:     guarded(fleet(9, "10s"), "conns < 1k", nil),
		})
		n.wire.link(false)
		n.pass(time.Second)
		n.holds(messages, "256 canary r9")
		n.figures.set("drops.10s", 6.1)
		n.pass(guardEvery)
		n.holds(messages, "1024 fleet after r9")
		n.holds(soft, "16 default")
		n.holds(ping, "10s fleet r9") // has a guard of its own
		n.drifts("queue.messages_max 256 1024 guard", "queue.messages_soft 32 16 guard")
		broke := n.wire.broke()
		if len(broke) != 1 || strings.Join(broke[0].Knobs, " ") != messages+" "+soft || broke[0].Revision != 9 ||
			broke[0].Rollout != "ro1" || broke[0].Guard != g || broke[0].Figures != "drops.10s 6.1/s, allowed < 5/s" {
			t.Errorf("told %+v", broke)
		}

		// It stays given up, also over a restart and when the same is sent again.
		n.figures.set("drops.10s", 0)
		n.pass(time.Minute)
		n.die()
		n.start(true)
		n.holds(messages, "1024 fleet after r9")
		n.drifts("queue.messages_max 256 1024 guard", "queue.messages_soft 32 16 guard")
		if broke := n.wire.broke(); len(broke) != 1 || len(broke[0].Knobs) != 2 || broke[0].Figures != "drops.10s 6.1/s, allowed < 5/s" {
			t.Errorf("told after the restart %+v", broke)
		}
		n.full(9, knobs{messages: guarded(canary(9, "256", later("2048")), g, later("2048")), soft: guarded(canary(9, "32", &byDefault), g, &byDefault)})
		n.holds(messages, "2048 fleet after r9") // what lies below has changed meanwhile
		n.holds(soft, "16 default")

		// Another revision is another matter.
		n.delta(10, knobs{messages: guarded(fleet(10, "256"), g, nil), soft: nil})
		n.holds(messages, "256 fleet r10")
		n.drifts()
		n.end()
	})
}

// What a node goes back to may be temporary itself.
func TestWayBackEndsToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := fresh(t).start(true)
		minute := func(m int) keeperapi.Time { return n.now() + keeperapi.Time(m*60_000) }
		below := later("1024")
		below.Deadline = minute(2)
		third := *later("512")
		third.Deadline = minute(4)
		h := guarded(canary(9, "256", below), "drops.10s < 5/s", below)
		h.ElseThen = []keeperapi.Later{third, byDefault}
		n.full(9, knobs{messages: h})
		n.holds(messages, "256 canary r9")
		n.wire.link(false)
		n.figures.set("drops.10s", 6.1)
		n.pass(time.Second)
		n.holds(messages, "1024 fleet after r9")
		n.pass(2 * time.Minute)
		n.holds(messages, "512 fleet after r9")
		n.die()
		n.start(true)
		n.holds(messages, "512 fleet after r9")
		n.pass(2 * time.Minute)
		n.holds(messages, "512 default")
		n.end()
	})
}

func TestGuardOfAnUnknownFigureNeverBreaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := fresh(t).start(true)
		defer n.end()
		n.full(1, knobs{ping: guarded(fleet(1, "10s"), "odd < 1", nil)})
		n.pass(time.Minute)
		n.holds(ping, "10s fleet r1")
	})
}

func TestCanaryIsGivenUpInSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := fresh(t).start(true)
		sent := knobs{ping: canary(4, "10s", later("15s")), size: fleet(4, "1KiB")}
		n.full(4, sent)
		n.pass(time.Minute)
		n.holds(ping, "10s canary r4")
		n.wire.link(false)
		n.pass(canaryPatience - guardEvery)
		n.holds(ping, "10s canary r4")
		if h := (handler{n.Agent}).Hello(false); h.From != 0 {
			t.Error("shortly before its patience ends it does not ask for everything")
		}
		n.pass(2 * guardEvery)
		n.holds(ping, "15s fleet after r4")
		n.holds(size, "1KiB fleet r4")
		n.drifts("heartbeat.ping 10s 15s silent")
		n.die()

		n.start(false)
		n.holds(ping, "15s fleet after r4") // not for a new start either
		if h := (handler{n.Agent}).Hello(false); h.From != 0 {
			t.Error("it does not ask for everything")
		}
		n.wire.link(true)
		n.full(4, sent)
		n.holds(ping, "10s canary r4")
		n.drifts()
		n.end()
	})
}

func TestAnUpdateIsTakenWholeOrNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := fresh(t).start(true)
		defer n.end()
		n.full(1, knobs{ping: fleet(1, "10s")})
		ack := n.delta(2, knobs{messages: fleet(2, "1024"), ping: fleet(2, "2h")})
		if ack.Offered != 2 || ack.Applied != 1 || ack.Nacked != 2 || !strings.Contains(ack.Reason, `heartbeat.ping: "2h" is out of range`) {
			t.Errorf("ack %+v", ack)
		}
		n.holds(messages, "512 default")
		n.holds(ping, "10s fleet r1")
		n.drifts("heartbeat.ping 2h 10s nacked", "queue.messages_max 1024 512 nacked")

		// A rule over two knobs, and a guard that cannot be read.
		if ack := n.delta(3, knobs{soft: fleet(3, "600")}); ack.Nacked != 3 || !strings.Contains(ack.Reason, "must not be above") {
			t.Errorf("ack %+v", ack)
		}
		if ack := n.delta(4, knobs{size: guarded(fleet(4, "1KiB"), "drops <", nil)}); ack.Nacked != 4 || !strings.Contains(ack.Reason, "guard, column 8") {
			t.Errorf("ack %+v", ack)
		}
		n.holds(size, "64KiB default")

		// What was refused is tried again with what comes, and fits once the
		// rule lets it; the range does not.
		ack = n.delta(5, knobs{messages: fleet(5, "1k"), size: nil})
		if ack.Applied != 5 || ack.Nacked != 2 {
			t.Errorf("ack %+v", ack)
		}
		n.holds(messages, "1000 fleet r5")
		n.holds(soft, "600 fleet r3")
		n.drifts("heartbeat.ping 2h 10s nacked")
		if ack := n.delta(6, knobs{ping: fleet(6, "1h")}); ack != (keeperapi.Ack{Offered: 6, Applied: 6}) {
			t.Errorf("ack %+v", ack)
		}
		n.drifts()
	})
}

func TestRefusedValueKeepsTheDeadlineOfTheOneBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := fresh(t).start(true)
		defer n.end()
		n.full(1, knobs{ping: until(fleet(1, "10s"), n.now()+5000, byDefault)})
		n.delta(2, knobs{ping: fleet(2, "2h")})
		n.holds(ping, "10s fleet r1")
		n.pass(5 * time.Second)
		n.holds(ping, "20s config")
		n.drifts("heartbeat.ping 2h 20s nacked")
	})
}

func TestOneBadRevisionDoesNotBarOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := fresh(t).start(true)
		defer n.end()
		ack := n.full(9, knobs{messages: fleet(3, "1024"), size: fleet(3, "2GiB"), ping: fleet(8, "10s")})
		if ack.Nacked != 3 || ack.Applied >= 3 || ack.Offered != 9 {
			t.Errorf("ack %+v", ack)
		}
		n.holds(ping, "10s fleet r8")
		n.holds(messages, "512 default")
		if ack := n.delta(10, knobs{}); ack.Applied != 10 || ack.Nacked != 3 {
			t.Errorf("then %+v", ack)
		}
	})
}

func TestLocalChangeIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := fresh(t).start(true)
		defer n.end()
		value := until(fleet(4, "10s"), n.now()+3_600_000, byDefault)
		n.full(4, knobs{ping: value})
		if _, err := n.registry.Set(ping, "3s", "admin", "an emergency"); err != nil {
			t.Fatal(err)
		}
		n.pass(guardEvery)
		n.drifts("heartbeat.ping 10s 3s local")
		n.logs("set on the node itself")
		n.full(4, knobs{ping: value})
		n.delta(5, knobs{size: fleet(5, "1KiB")})
		n.pass(2 * time.Hour) // past the deadline
		n.holds(ping, "3s admin")
		n.delta(6, knobs{ping: fleet(6, "10s")})
		n.holds(ping, "10s fleet r6")
		n.drifts()
		if _, err := n.registry.Set(ping, "3s", "admin", ""); err != nil {
			t.Fatal(err)
		}
		n.delta(7, knobs{ping: nil})
		n.holds(ping, "20s config")
		if _, err := n.registry.Set(ping, "3s", "admin", ""); err != nil { // the fleet says nothing about it any more
			t.Fatal(err)
		}
		n.pass(time.Minute)
		n.drifts("heartbeat.ping 20s 3s local")
		n.holds(ping, "3s admin")
		if got := strings.Count(n.log.String(), "set on the node itself"); got != 2 {
			t.Errorf("logged %d times", got)
		}
	})
}

func TestOlderRevisions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := fresh(t).start(true)
		defer n.end()
		n.full(9, knobs{ping: fleet(9, "10s"), size: fleet(8, "1KiB")})
		if ack := n.delta(8, knobs{ping: fleet(8, "5s")}); ack.Applied != 9 {
			t.Errorf("ack %+v", ack)
		}
		handler{n.Agent}.Update(keeperapi.Update{Revision: 8, Position: 20, Knobs: knobs{ping: fleet(8, "5s")}, Now: n.now()})
		n.holds(ping, "10s fleet r9")
		if n.delta(9, knobs{ping: fleet(9, "10s")}); n.State().Revision != 9 {
			t.Errorf("at revision %d", n.State().Revision)
		}
		// Keepers that were recovered from an older state say everything.
		if ack := n.full(5, knobs{ping: fleet(5, "7s")}); ack != (keeperapi.Ack{Offered: 5, Applied: 5}) {
			t.Errorf("ack %+v", ack)
		}
		n.logs("were recovered from an older state")
		n.holds(ping, "7s fleet r5")
		n.holds(size, "64KiB default")
		if h := (handler{n.Agent}).Hello(false); h.From != 5 || h.Knobs.Applied != 5 {
			t.Errorf("hello %+v", h)
		}
	})
}

func TestOtherKeepersCountOtherwise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := fresh(t).start(true)
		send := func(cluster string, revision uint64, k knobs) keeperapi.Ack {
			return handler{n.Agent}.Update(keeperapi.Update{Cluster: cluster, Full: true, Revision: revision, Position: revision, Knobs: k, Now: n.now()})
		}
		send("A", 9, knobs{ping: guarded(fleet(9, "10s"), "drops.10s < 5/s", nil), size: fleet(8, "1KiB")})
		n.figures.set("drops.10s", 6)
		n.pass(time.Second)
		n.drifts("heartbeat.ping 10s 20s guard")
		n.figures.set("drops.10s", 0)
		n.end()
		n.start(true)
		if h := (handler{n.Agent}).Hello(false); h.Cluster != "A" || h.From != 9 {
			t.Errorf("hello %+v", h)
		}
		// The same number there is another value.
		if ack := send("B", 9, knobs{ping: guarded(fleet(9, "5s"), "drops.10s < 5/s", nil)}); ack != (keeperapi.Ack{Offered: 9, Applied: 9}) {
			t.Errorf("ack %+v", ack)
		}
		n.holds(ping, "5s fleet r9")
		n.holds(size, "64KiB default")
		n.drifts()
		if !n.State().Probation {
			t.Error("the value counts as survived, for its number")
		}
		n.end()
	})
}

func TestCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := fresh(t).start(true)
		defer n.end()
		n.full(1, knobs{messages: fleet(1, "1024"), soft: fleet(1, "600")})
		n.figures.set("drops.10s", 6.1)
		f := func(guard string, values map[string]string, want ...string) {
			t.Helper()
			got := handler{n.Agent}.Check(keeperapi.Check{ID: 7, Values: values, Guard: guard})
			if got.ID != 7 || len(got.Refused) != len(want) {
				t.Errorf("%v %q: %+v", values, guard, got)
				return
			}
			for i, part := range want {
				if r := got.Refused[i]; !strings.Contains(r.Knob+" "+r.Reason, part) {
					t.Errorf("%v %q: %+v does not say %q", values, guard, r, part)
				}
			}
		}
		f("", map[string]string{messages: "2k", "of.another_build": "?"})
		f("", map[string]string{messages: ""}, "must not be above") // its default is too low beside what is in force
		f("", map[string]string{messages: "x", ping: "2h"}, "heartbeat.ping heartbeat.ping", "queue.messages_max queue.messages_max")
		f("conns < 1k", nil)
		f("conns <", nil, "guard, column 8")
		f("drop.10s < 5/s", nil, "did you mean drops.10s?")
		f("drops.10s < 5/s", map[string]string{ping: "10s"}, "the guard does not hold already: drops.10s 6.1/s, allowed < 5/s")
		n.holds(messages, "1024 fleet r1")
	})
}

func TestKnobsThatActAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := fresh(t).start(true)
		n.full(1, knobs{"loops.count": fleet(1, "8")})
		n.drifts("loops.count 8 2 restart")
		n.end()
		n.start(true) // begins with the last known good
		n.holds("loops.count", "8 fleet r1")
		n.drifts()
		n.full(2, knobs{})
		n.drifts("loops.count 2 8 restart")
		n.end()
	})
}

func TestBeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := fresh(t)
		n.cfg.Status = func() (string, map[string]float64) { return "draining", map[string]float64{"conns": 3} }
		n.start(true)
		defer n.end()
		if b := (handler{n.Agent}).Beat(); b.Health != "draining" || b.Load["conns"] != 3 || b.Figures["drops.10s"] != 0.2 {
			t.Errorf("%+v", b)
		}
		n.figures.set("share", math.NaN())
		n.figures.set("ratio", math.Inf(1))
		b := (handler{n.Agent}).Beat()
		if _, err := json.Marshal(b); err != nil || len(b.Figures) != 2 {
			t.Errorf("%+v cannot be sent: %v", b, err)
		}
		n.Agent.cfg.Status, n.Agent.cfg.Figures = nil, nil
		if b := (handler{n.Agent}).Beat(); b.Health != "serving" || b.Figures != nil {
			t.Errorf("%+v", b)
		}
	})
}

func TestStateOfPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := fresh(t).start(true)
		since := time.Now()
		n.full(2, knobs{ping: fleet(2, "10s")})
		s := n.State()
		if s.Leader != "k1" || !s.Connected || !s.Since.Equal(since) || s.Revision != 2 || s.Held != 1 || s.LastGood != "" || !s.Probation {
			t.Errorf("%+v", s)
		}
		n.pass(probation)
		if n.State().Probation {
			t.Error("on probation for ever")
		}
		n.end()
		if s := n.start(false).State(); s.LastGood != "knobs.json" || s.Connected || s.Revision != 2 {
			t.Errorf("%+v", s)
		}
		n.end()
	})
}

func TestConfigIsChecked(t *testing.T) {
	f := func(c Config, part string) {
		t.Helper()
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v, want %q", err, part)
		}
	}
	f(Config{Registry: someKnobs()}, "needs the ID")
	f(Config{ID: "x"}, "a registry")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f(Config{ID: "x", Registry: someKnobs(), Dir: filepath.Join(file, "sub")}, "create the folder")
	c := keeperapi.NewClient(nil, keeperapi.ClientOptions{})
	a, err := New(Config{ID: "x", Registry: someKnobs(), Client: c})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "--keeper") {
		t.Errorf("without an address: %v", err)
	}
}

func TestWhatCannotGoBackGoesToTheDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := fresh(t).start(true)
		defer n.end()
		const g = "drops.10s < 5/s"
		n.full(2, knobs{ // of these, what follows fits neither alone nor together
			messages: guarded(fleet(2, "1024"), g, later("9999999")),
			soft:     guarded(fleet(2, "1024"), g, later("600")),
			ping:     until(fleet(2, "10s"), n.now()+1000, *later("2h")),
		})
		n.figures.set("drops.10s", 6)
		n.pass(2 * time.Second)
		n.holds(messages, "512 default")
		n.holds(soft, "16 default")
		n.holds(ping, "20s config")
		n.drifts("heartbeat.ping 2h 20s nacked", "queue.messages_max 1024 512 guard", "queue.messages_soft 1024 16 guard")
		n.pass(time.Minute)
		if got := strings.Count(n.log.String(), "cannot go back as agreed"); got != 2 {
			t.Errorf("logged %d times", got)
		}
		n.delta(3, knobs{messages: fleet(3, "700"), soft: fleet(3, "600"), ping: nil})
		n.holds(messages, "700 fleet r3")
		n.drifts()
	})
}

func TestCallbacksMayAskForTheState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := fresh(t)
		var at uint64
		n.cfg.Figures = func() map[string]float64 { at = n.State().Revision; return nil }
		n.start(true)
		defer n.end()
		n.registry.OnChange(ping, func(knob.State) { n.State() })
		n.full(1, knobs{ping: guarded(fleet(1, "10s"), "conns < 1", nil)})
		n.pass(time.Second)
		if at != 1 {
			t.Errorf("saw revision %d", at)
		}
	})
}

func TestWhatWasGivenUpEndsWithItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := fresh(t).start(true)
		defer n.end()
		after := keeperapi.Later{Value: "30s", Layer: keeperapi.LayerFleet, Scope: keeperapi.Fleet}
		n.full(2, knobs{ping: until(guarded(canary(2, "10s", nil), "drops.10s < 5/s", later("15s")), n.now()+20_000, after)})
		n.figures.set("drops.10s", 6)
		n.pass(time.Second)
		n.drifts("heartbeat.ping 10s 15s guard")
		n.wire.link(false)
		n.pass(20 * time.Second)
		n.holds(ping, "30s fleet after r2")
		n.drifts()
	})
}

func TestGuardOfTheValueBeforeARefusedOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := fresh(t).start(true)
		defer n.end()
		n.full(1, knobs{soft: guarded(fleet(1, "20"), "drops.10s < 5/s", nil)})
		n.delta(2, knobs{soft: fleet(2, "600")}) // above queue.messages_max
		n.figures.set("drops.10s", 6)
		n.pass(time.Second)
		n.holds(soft, "16 default")
		n.drifts("queue.messages_soft 600 16 nacked")
		n.delta(3, knobs{messages: fleet(3, "1024")})
		n.holds(soft, "600 fleet r2") // which has no guard
	})
}

func TestLocalKnobOfWhichTheFleetSaysNothingIsDrift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := fresh(t).start(true)
		defer n.end()
		if _, err := n.registry.Set("loops.count", "8", "admin", ""); err != nil {
			t.Fatal(err)
		}
		n.pass(time.Second)
		n.drifts("loops.count 2 8 local")
	})
}
