package knob

import (
	"strings"
	"testing"
	"time"
)

// sample has one knob of each kind with wide ranges.
func sample() *Registry {
	r := NewRegistry()
	r.Int(Spec{Name: "queue.messages_max", Unit: "messages"}, 512, -10, 1<<40)
	r.Int(Spec{Name: "gc.percent", Unit: "percent"}, 100, 10, 1000)
	r.Bytes(Spec{Name: "queue.bytes_max"}, 64<<10, 0, 1<<50)
	r.Duration(Spec{Name: "heartbeat.ping"}, 25*time.Second, 0, 100*day)
	r.Float(Spec{Name: "tap.sample", Unit: "percent"}, 0, 0, 100)
	r.Float(Spec{Name: "drain.spread"}, 1, -1e300, 1e300)
	r.Bool(Spec{Name: "tap.on"}, false)
	r.Enum(Spec{Name: "queue.policy"}, 0, []string{"drop-oldest", "drop-newest", "coalesce", "disconnect"})
	return r
}

func TestTextForms(t *testing.T) {
	r := sample()
	f := func(name, text, want string) {
		t.Helper()
		c, err := r.Check(name, text)
		if err != nil || c.New != want {
			t.Errorf("Check(%s, %q) = %q, %v; want %q", name, text, c.New, err, want)
		}
	}
	f("queue.messages_max", "1024", "1024")
	f("queue.messages_max", " 1,024 ", "1024")
	f("queue.messages_max", "1_048_576", "1048576")
	f("queue.messages_max", "10k", "10000")
	f("queue.messages_max", "1.5M", "1500000")
	f("queue.messages_max", "256 messages", "256")
	f("queue.messages_max", "-3", "-3")
	f("gc.percent", "400%", "400%")
	f("gc.percent", "400", "400%")
	f("gc.percent", "400 percent", "400%")
	f("queue.bytes_max", "65536", "64KiB")
	f("queue.bytes_max", "64KiB", "64KiB")
	f("queue.bytes_max", "64 kib", "64KiB")
	f("queue.bytes_max", "64KB", "64KB")
	f("queue.bytes_max", "1.5MiB", "1536KiB")
	f("queue.bytes_max", "1500", "1500B")
	f("queue.bytes_max", "2TiB", "2TiB")
	f("queue.bytes_max", "0", "0B")
	f("heartbeat.ping", "250ms", "250ms")
	f("heartbeat.ping", "1m30s", "1m30s")
	f("heartbeat.ping", "1m 30s", "1m30s")
	f("heartbeat.ping", "60m", "1h")
	f("heartbeat.ping", "2d", "48h")
	f("heartbeat.ping", "1d12h", "36h")
	f("heartbeat.ping", "0", "0s")
	f("tap.sample", "5%", "5%")
	f("tap.sample", "0.5 %", "0.5%")
	f("tap.sample", "5", "5%")
	f("drain.spread", "1.25", "1.25")
	f("drain.spread", "1e3", "1000")
	f("tap.on", "true", "on")
	f("tap.on", "OFF", "off")
	f("queue.policy", "Coalesce", "coalesce")
}

func TestTextRefused(t *testing.T) {
	r := sample()
	f := func(name, text string, code Code, parts ...string) {
		t.Helper()
		_, err := r.Check(name, text)
		e, ok := err.(*Error)
		if !ok || e.Code != code {
			t.Errorf("Check(%s, %q) = %v, want code %s", name, text, err, code)
			return
		}
		for _, p := range parts {
			if !strings.Contains(e.Message, p) {
				t.Errorf("Check(%s, %q): %q does not say %q", name, text, e.Message, p)
			}
		}
	}
	f("queue.messages_max", "", CodeSyntax, "empty", "-10 to 1099511627776 messages")
	f("queue.messages_max", "many", CodeSyntax, `"many"`, "whole number")
	f("queue.messages_max", "1.5", CodeSyntax, "whole number")
	f("queue.messages_max", "1,5", CodeSyntax, "three digits")
	f("queue.messages_max", "1,,000", CodeSyntax, "three digits")
	f("queue.messages_max", ",000", CodeSyntax)
	f("queue.messages_max", "99999999999999999999", CodeSyntax, "too large")
	f("queue.messages_max", "1e5", CodeSyntax)
	f("queue.messages_max", "0x10", CodeSyntax)
	f("queue.messages_max", "-11", CodeRange, "queue.messages_max", `"-11"`, "out of range", "-10 to")
	f("gc.percent", "5%", CodeRange, "10% to 1000%")
	f("queue.bytes_max", "64k", CodeSyntax, "64KiB", "64KB")
	f("queue.bytes_max", "1.3B", CodeSyntax)
	f("queue.bytes_max", "-1", CodeRange, "0B to 1024TiB")
	f("heartbeat.ping", "5", CodeSyntax, "5s or 5ms", "0s to 2400h")
	f("heartbeat.ping", "soon", CodeSyntax, "1m30s")
	f("heartbeat.ping", "-1s", CodeRange)
	f("heartbeat.ping", "200000000d", CodeSyntax)
	f("heartbeat.ping", "1d-1h", CodeSyntax)
	f("tap.sample", "101%", CodeRange, "0% to 100%")
	f("drain.spread", "NaN", CodeSyntax)
	f("drain.spread", "inf", CodeSyntax)
	f("drain.spread", "0x1p-2", CodeSyntax)
	f("tap.on", "maybe", CodeSyntax, "off or on")
	f("queue.policy", "drop-oldst", CodeSyntax, "did you mean drop-oldest", "coalesce or disconnect")
	f("queue.policy", "zzz", CodeSyntax, "not a choice;")
	f("queue.message_max", "1", CodeUnknown, "did you mean queue.messages_max")
	f("policy", "1", CodeUnknown, "did you mean queue.policy")
	f("nothing.like_it", "1", CodeUnknown, "pushctl knob list")
}

func TestClosest(t *testing.T) {
	f := func(s, want string, words ...string) {
		t.Helper()
		if got := Closest(s, words); got != want {
			t.Errorf("Closest(%q, %q) = %q, want %q", s, words, got, want)
		}
	}
	f("lisetn", "listen", "private", "listen")
	f("sate_dir", "state_dir", "state_dir", "node_name")
	f("bytes", "", "queue.bytes_max", "write.bytes_max") // two contain it: say nothing
	f("", "", "a")
	f("ab", "", "xy")
	f(strings.Repeat("a", 200), "", "a")
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"1024", "1,024", "64KiB", "1.5MiB", "1m30s", "2d", "5%", "on", "coalesce", "-0", "1e3"} {
		f.Add(s)
	}
	r := sample()
	states := r.List()
	f.Fuzz(func(t *testing.T, text string) {
		for _, s := range states {
			c, err := r.Check(s.Name, text)
			if err != nil {
				continue
			}
			k := r.knobs[s.Name]
			first, _ := k.parse(text)
			again, err := k.parse(c.New)
			if err != nil || again != first {
				t.Errorf("%s: %q parses to %d, its form %q to %d, %v", s.Name, text, first, c.New, again, err)
			}
		}
	})
}
