package knob

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestCanonical(t *testing.T) {
	f := func(d Form, text, want string) {
		t.Helper()
		if got, err := Canonical(d, text); err != nil || got != want {
			t.Errorf("Canonical(%s, %q) = %q, %v; want %q", d.Name, text, got, err, want)
		}
	}
	f(Form{Name: "queue.messages_max", Type: "int", Unit: "messages", Min: "16", Max: "65536"}, "1,024 messages", "1024")
	f(Form{Name: "gc.percent", Type: "int", Min: "10%", Max: "1000%"}, "400", "400%")
	f(Form{Name: "gc.percent", Type: "int", Unit: "percent", Min: "10", Max: "1000"}, "400 %", "400%")
	f(Form{Name: "queue.bytes_max", Type: "bytes", Min: "0B", Max: "1GiB"}, "1.5MiB", "1536KiB")
	f(Form{Name: "heartbeat.ping", Type: "duration", Min: "0s", Max: "2400h"}, "1m 30s", "1m30s")
	f(Form{Name: "tap.sample", Type: "float", Min: "0%", Max: "100%"}, "5", "5%")
	f(Form{Name: "tap.on", Type: "bool"}, "true", "on")
	f(Form{Name: "queue.policy", Type: "enum", Values: []string{"coalesce", "disconnect"}}, "Coalesce", "coalesce")
}

func TestCanonicalRefusesABadDeclaration(t *testing.T) {
	f := func(d Form, part string) {
		t.Helper()
		if _, err := Canonical(d, "1"); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("Canonical(%+v) = %v, want %q in it", d, err, part)
		}
	}
	f(Form{Name: "a.b", Type: "integer"}, `"integer" is no type; there are int, bytes`)
	f(Form{Name: "a.b", Type: "int", Max: "9"}, `the declared minimum "" is empty`)
	f(Form{Name: "a.b", Type: "duration", Min: "0s", Max: "9"}, `the declared maximum "9" has no unit`)
	f(Form{Name: "a.b", Type: "enum"}, "needs values")
}

// TestCanonicalIsWhatARegistryDoes holds Canonical, which knows a declaration
// by its texts only, to a registry that declared the same.
func TestCanonicalIsWhatARegistryDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := NewRegistry()
		declareAny(t, r)
		s := r.List()[0]
		text := anyText(t, s)
		got, err := Canonical(FormOf(s), text)
		c, want := r.Check(s.Name, text)
		if got != c.New || (err == nil) != (want == nil) {
			t.Fatalf("%+v, %q: %q, %v; the registry says %q, %v", s, text, got, err, c.New, want)
		}
		if err == nil {
			return
		}
		a, ok := errors.AsType[*Error](err)
		b, _ := errors.AsType[*Error](want)
		if !ok || a.Code != b.Code || a.Message != b.Message {
			t.Fatalf("%q refused with %v, by the registry with %v", text, err, want)
		}
	})
}

// declareAny declares one knob of any type, unit and range.
func declareAny(t *rapid.T, r *Registry) {
	s := Spec{Name: "some.knob", Unit: rapid.SampledFrom([]string{"", "messages", "percent", "m", "per second"}).Draw(t, "unit")}
	lo := rapid.Int64().Draw(t, "min")
	hi := rapid.Int64Min(lo).Draw(t, "max")
	def := rapid.Int64Range(lo, hi).Draw(t, "default")
	switch rapid.IntRange(0, 5).Draw(t, "type") {
	case 0:
		r.Int(s, def, lo, hi)
	case 1:
		r.Bytes(Spec{Name: s.Name}, def, lo, hi)
	case 2:
		r.Duration(Spec{Name: s.Name}, time.Duration(def), time.Duration(lo), time.Duration(hi))
	case 3:
		lo := rapid.Float64Range(-math.MaxFloat64, math.MaxFloat64).Draw(t, "fmin")
		hi := rapid.Float64Range(lo, math.MaxFloat64).Draw(t, "fmax")
		r.Float(s, lo, lo, hi)
	case 4:
		r.Bool(Spec{Name: s.Name}, true)
	case 5:
		r.Enum(Spec{Name: s.Name}, 0, []string{"drop-oldest", "coalesce", "on"})
	}
}

// anyText returns a form that the knob may print, or what people might write.
func anyText(t *rapid.T, s State) string {
	return rapid.OneOf(
		rapid.SampledFrom(append([]string{s.Default, s.Value, s.Min, s.Max, s.Default + " " + s.Unit}, s.Values...)),
		rapid.StringMatching(`-?[0-9]{1,4}(,000|_000|\.5)?`),
		rapid.StringMatching(`-?[0-9]{1,4}(\.[0-9])? ?(KiB|mb|GB|b|k|M|%|percent|ms|s|m|h|d|messages)`),
		rapid.StringMatching(`[0-9]d ?[0-9]h( [0-9]s)?`),
		rapid.SampledFrom([]string{"", "on", "TRUE", "no", "Coalesce", "colaesce", "NaN", "1e3", "0x1p-2", "99999999999999999999"}),
		rapid.String(),
	).Draw(t, "text")
}
