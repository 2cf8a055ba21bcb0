package why

import (
	"math"
	"testing"

	"pgregory.net/rapid"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/table"
)

// drawEvidence makes any evidence, also what no node would say.
func drawEvidence(t *rapid.T) Evidence {
	num := func(name string) float64 {
		return rapid.OneOf(rapid.Float64Range(0, 1), rapid.Float64Range(0, 30), rapid.Just(0.0),
			rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, 1e300})).Draw(t, name)
	}
	n := func(name string) int64 { return rapid.Int64Range(0, 5000).Draw(t, name) }
	var e Evidence
	if rapid.Bool().Draw(t, "seen") {
		w := calm()
		w.OverSeconds, w.UsualIn, w.Conn.AgeSeconds = num("over"), num("usual"), num("age")
		w.Offered, w.Delivered, w.Dropped = uint64(n("offered")), uint64(n("delivered")), uint64(n("dropped"))
		w.Conn.Rates.In.S1, w.Conn.Rates.In.S10 = num("in1"), num("in10")
		w.Queue = pushdapi.WatchedQueue{First: n("first"), Last: n("last"), Max: n("max"), OldestSeconds: num("oldest"), Waiting: num("waiting")}
		w.Socket = nil
		if rapid.Bool().Draw(t, "socket") {
			w.Socket = &pushdapi.WatchedSocket{Busy: num("busy"), RwndLimited: num("rwnd"), SndbufLimited: num("sndbuf"),
				Segments: uint32(n("segments")), Resent: uint32(n("resent")), AckedBytes: uint64(n("acked")), Unsent: num("unsent"),
				UnsentMax: uint32(n("unsentmax")), RTTMax: num("rtt"), ProbesMax: uint8(n("probes")), SilentMax: num("silent")}
		}
		w.Loop.LateMean, w.Loop.Late.P99, w.Loop.Turn.P99, w.Loop.TurnSeconds, w.Loop.Walking = num("mean"), num("p99"), num("turn"), num("turns"), num("walking")
		w.Process = pushdapi.WatchedProcess{CPUSeconds: num("cpu"), RunQueueSeconds: num("rq"), ThrottledSeconds: num("throttled"), GCCycles: uint64(n("gc")),
			GCShare: num("gccpu"), GCAssist: num("assist"), GCPauseMax: num("pause"), LockWaitSeconds: num("lock")}
		e.Seen = w
	}
	if rapid.Bool().Draw(t, "locks") {
		e.Locks = &Locks{Seconds: num("lockfor"), Loops: num("loops")}
		for range rapid.IntRange(0, 5).Draw(t, "sites") {
			e.Locks.Sites = append(e.Locks.Sites, Lock{Func: "f", Count: uint64(n("count")), Total: num("total"), OnLoop: rapid.Bool().Draw(t, "onloop")})
		}
	}
	if rapid.Bool().Draw(t, "sched") {
		e.Sched = &Sched{Seconds: num("schedfor"), Waits: uint64(n("waits")), Total: num("schedtotal"), P99: num("schedp99")}
	}
	if rapid.Bool().Draw(t, "gcprobe") {
		e.GC = &GC{Seconds: num("gcfor"), PauseMax: num("gcpause")}
	}
	return e
}

func TestAnyEvidenceGivesAVerdict(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := drawEvidence(t)
		v := Judge(e)
		if len(v.Candidates) != 4 || v.Sentence == "" || !(v.Held >= 0 && v.Held <= 1) {
			t.Fatalf("%+v", v)
		}
		for i, c := range v.Candidates {
			if !(c.Score >= 0 && c.Score <= 1) || c.Strength == "" || i > 0 && c.Score > v.Candidates[i-1].Score {
				t.Fatalf("candidate %d of %+v", i, v.Candidates)
			}
		}
		switch v.Kind {
		case Healthy:
			if e.Seen.Dropped > 0 {
				t.Fatal("messages were lost and nobody is to blame")
			}
		case Unsure:
		default:
			if v.Kind != v.Candidates[0].Kind || v.Cause == "" || len(v.Try) == 0 {
				t.Fatalf("%+v", v)
			}
		}
		if len(Lines(e.Seen, &v, true, table.Style{})) < 6 {
			t.Fatal("nothing is shown")
		}
	})
}

// TestMoreEvidenceNeverSpeaksAgainst: more of what speaks for somebody never
// lowers his score.
func TestMoreEvidenceNeverSpeaksAgainst(t *testing.T) {
	for _, x := range []struct {
		name string
		kind Kind
		more func(*pushdapi.Watched, float64)
	}{
		{"window", Client, func(w *pushdapi.Watched, by float64) { w.Socket.RwndLimited += by }},
		{"resent", Network, func(w *pushdapi.Watched, by float64) { w.Socket.Resent += uint32(100 * by) }},
		{"silence", Network, func(w *pushdapi.Watched, by float64) { w.Socket.SilentMax += by }},
		{"busy", Network, func(w *pushdapi.Watched, by float64) { w.Socket.Busy += by }},
		{"dropped", Publisher, func(w *pushdapi.Watched, by float64) { w.Dropped += uint64(100 * by) }},
		{"offered", Publisher, func(w *pushdapi.Watched, by float64) { w.Conn.Rates.In.S1 += 100 * by }},
		{"mean", Node, func(w *pushdapi.Watched, by float64) { w.Loop.LateMean += by }},
		{"buffer", Node, func(w *pushdapi.Watched, by float64) { w.Socket.SndbufLimited += by }},
	} {
		t.Run(x.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				e := drawEvidence(t)
				if e.Seen == nil || e.Seen.Socket == nil {
					t.Skip("nothing to add to")
				}
				before := scoreOf(e, x.kind)
				x.more(e.Seen, rapid.Float64Range(0, 2).Draw(t, "by"))
				if after := scoreOf(e, x.kind); after < before-1e-9 {
					t.Fatalf("%v after %v", after, before)
				}
			})
		})
	}
}

func scoreOf(e Evidence, kind Kind) float64 {
	for _, c := range Judge(e).Candidates {
		if c.Kind == kind {
			return c.Score
		}
	}
	return -1
}
