package guard

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
)

var figures = map[string]float64{
	"drops.10s": 6.1, "drops.1s": 0.2, "wait.p99.10s": 0.4, "queued": 71885, "cpu.10s": 38,
	"conns": 48210, "memory": 3 << 20, "zero": 0, "close": 5.0000001,
}

func TestEval(t *testing.T) {
	f := func(text string, holds bool, said string, unknown ...string) {
		t.Helper()
		e, err := Parse(text)
		if err != nil {
			t.Error(err)
			return
		}
		o := e.Eval(figures)
		if o.Holds != holds || o.Figures != said || !slices.Equal(o.Unknown, unknown) {
			t.Errorf("%s: holds %v, %q, unknown %q; want %v, %q, %q", text, o.Holds, o.Figures, o.Unknown, holds, said, unknown)
		}
	}
	// Every operator and unit.
	f("drops.10s < 5/s", false, "drops.10s 6.1/s, allowed < 5/s")
	f("drops.1s < 5/s", true, "drops.1s 0.2/s")
	f("drops.1s<5 /s", true, "drops.1s 0.2/s")
	f("wait.p99.10s <= 2s", true, "wait.p99.10s 0.4s")
	f("wait.p99.10s <= 250ms", false, "wait.p99.10s 400ms, allowed <= 250ms")
	f("wait.p99.10s > 1m30s", false, "wait.p99.10s 400ms, allowed > 1m30s")
	f("conns < 1h30m", false, "conns 13h23m30s, allowed < 1h30m")
	f("wait.p99.10s < 1m", true, "wait.p99.10s 0.0067m")
	f("queued <= 64KiB", false, "queued 70.2KiB, allowed <= 64KiB")
	f("queued <= 64 KiB", false, "queued 70.2KiB, allowed <= 64KiB")
	f("memory < 1MiB/s", false, "memory 3MiB/s, allowed < 1MiB/s")
	f("cpu.10s >= 50%", false, "cpu.10s 38%, allowed >= 50%")
	f("conns > 10k", true, "conns 48.2k")
	f("conns == 48210", true, "conns 48210")
	f("conns > 4e4", true, "conns 48210")
	f("conns<=4.821E+4", true, "conns 48210")
	f("drops.1s < 2.5e-1/s", true, "drops.1s 0.2/s")
	f("drops.1s > 2e-1 /s", false, "drops.1s 0.2/s, allowed > 2e-1/s")
	f("conns != 48210", false, "conns 48210, allowed != 48210")
	f("conns > -1.5", true, "conns 48210")
	f("zero == 0", true, "zero 0")
	f("wait.p99.10s == 400000µs", true, "wait.p99.10s 400000µs")
	// A figure is not rounded over to the other side of the limit.
	f("close <= 5/s", false, "close 5.0000001/s, allowed <= 5/s")
	// Only what decides is said.
	f("drops.1s < 5/s && drops.10s < 5/s && cpu.10s < 1%", false, "drops.10s 6.1/s, allowed < 5/s; cpu.10s 38%, allowed < 1%")
	f("drops.1s < 5/s && cpu.10s < 90%", true, "drops.1s 0.2/s, cpu.10s 38%")
	f("drops.10s < 5/s || cpu.10s < 90%", true, "cpu.10s 38%")
	f("drops.10s < 5/s || cpu.10s < 9%", false, "drops.10s 6.1/s, allowed < 5/s; cpu.10s 38%, allowed < 9%")
	f("drops.1s < 1 && drops.1s < 1", true, "drops.1s 0.2")
	f("zero>0 || zero>1 || zero>2 || zero>3 || zero>4 || zero>5", false,
		"zero 0, allowed > 0; zero 0, allowed > 1; zero 0, allowed > 2; zero 0, allowed > 3 and 2 more")
	// && binds closer than ||.
	f("zero == 0 || zero == 1 && zero == 1", true, "zero 0")
	f("(zero == 0 || zero == 1) && zero == 1", false, "zero 0, allowed == 1")
	// A negation reads as what is allowed.
	f("!(drops.10s > 5/s)", false, "drops.10s 6.1/s, allowed <= 5/s")
	f("!!(drops.10s > 5/s)", true, "drops.10s 6.1/s")
	f("!(drops.10s > 5/s && cpu.10s > 30%)", false, "drops.10s 6.1/s, allowed <= 5/s; cpu.10s 38%, allowed <= 30%")
	f("! conns == 48210", false, "conns 48210, allowed != 48210")
	// The unknown never breaks a guard, nor does it hide what breaks it.
	f("odd < 1", true, "odd unknown", "odd")
	f("!(odd < 1)", true, "odd unknown", "odd")
	f("odd < 1 && drops.10s < 5/s", false, "drops.10s 6.1/s, allowed < 5/s", "odd")
	f("odd < 1 || drops.10s < 5/s", true, "odd unknown, drops.10s 6.1/s", "odd")
	f("odd < 1 || even < 1 || odd > 3", true, "odd unknown, even unknown", "even", "odd")
}

func TestRefused(t *testing.T) {
	f := func(text string, column int, parts ...string) {
		t.Helper()
		_, err := Parse(text)
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Column != column {
			t.Errorf("Parse(%q): %v, want column %d", text, err, column)
			return
		}
		for _, p := range parts {
			if !strings.Contains(e.Error(), p) {
				t.Errorf("Parse(%q): %q does not say %q", text, e, p)
			}
		}
	}
	f("", 1, "expected a comparison such as", "found the end")
	f("drops.10s", 10, "one of < <= > >= == != after drops.10s", "the end")
	f("drops.10s = 5/s", 11, `found "="`)
	f("drops.10s < ", 13, "a quantity such as 5/s", "the end")
	f("drops.10s < five", 13, "a quantity", `"five"`)
	f("drops.10s < 5/s drops.1s < 2", 17, "expected &&, || or the end", `"drops.1s"`)
	f("drops.10s < 5/s & x < 1", 17, `"&"`)
	f("(drops.10s < 5/s", 17, "expected &&, || or )")
	f("drops.10s < 5/s)", 16, `found ")"`)
	f("5/s > drops.10s", 1, "expected a comparison", `"5/s"`)
	f("a < 5/min", 5, `"5/min"`, "5/s")
	f("a < 5%/s", 5, "is no quantity")
	f("a < 5ms/s", 5, "is no quantity")
	f("a < 5parsec", 5, "is no quantity: write it as in")
	f("a < 1,000", 5, `"1,000"`, "is no quantity")
	f("a < 1.2.3", 5, "is no quantity")
	f("a < -", 5, "is no quantity")
	f("a < "+strings.Repeat("9", 400), 5, "is no quantity")
	f("a. < 5", 1, "ends in a dot")
	f("a < 5 && ä < 5", 10, `"ä"`)
	f("a < 1 &&"+strings.Repeat(" ", BytesMax), BytesMax+1, "make it shorter")
	f(strings.Repeat("(", DepthMax+1)+"a<1"+strings.Repeat(")", DepthMax+1), DepthMax+2, "nested deeper")
	f(strings.Repeat("!", 500)+"a<1", DepthMax+2, "nested deeper")
	if _, err := Parse(strings.Repeat("(", DepthMax) + "a<1" + strings.Repeat(")", DepthMax)); err != nil {
		t.Errorf("at the bound: %v", err)
	}
}

func TestCheck(t *testing.T) {
	e, err := Parse(" conns < 10k && drop.10s < 5/s || nothing > 1 ")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(e.Names(), " "); got != "conns drop.10s nothing" {
		t.Errorf("names %q", got)
	}
	if e.String() != "conns < 10k && drop.10s < 5/s || nothing > 1" {
		t.Errorf("String() = %q", e)
	}
	f := func(want string, known ...string) {
		t.Helper()
		if err := e.Check(known); err == nil || err.Error() != want {
			t.Errorf("Check(%q) = %v, want %s", known, err, want)
		}
	}
	f(`guard, column 17: there is no figure "drop.10s"; did you mean drops.10s?`, "conns", "drops.10s", "nothing")
	f(`guard, column 35: there is no figure "nothing"; there are b, conns, drop.10s`, "drop.10s", "conns", "b")
	f(`guard, column 2: there is no figure "conns": this node reports none`)
	if err := e.Check([]string{"nothing", "conns", "drop.10s"}); err != nil {
		t.Errorf("all known: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"drops.10s < 5/s && wait.p99.10s < 2s", "!(a<1||b>=64KiB)", "a != -1.5", "a == 1m30s", "conns<=10 k", "zero > 5%"} {
		f.Add(s)
	}
	known := slices.Collect(maps.Keys(figures))
	f.Fuzz(func(t *testing.T, text string) {
		e, err := Parse(text)
		if err != nil {
			at, ok := errors.AsType[*Error](err)
			if !ok || at.Column < 1 || at.Column > min(len(text), BytesMax)+1 {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		o, none := e.Eval(figures), e.Eval(nil)
		if !none.Holds || !slices.Equal(none.Unknown, e.Names()) {
			t.Errorf("%q without figures: %+v", text, none)
		}
		if len(o.Figures) > figuresMax || o.Figures == "" {
			t.Errorf("%q: says %d bytes", text, len(o.Figures))
		}
		if all := e.Check(known) == nil; all != (len(o.Unknown) == 0) {
			t.Errorf("%q: Check and Eval differ on what is known", text)
		}
		if len(text) < 1000 && len(o.Unknown) == 0 { // a negation turns the answer around
			if n, err := Parse("!(" + text + ")"); err == nil && n.Eval(figures).Holds == o.Holds {
				t.Errorf("%q and its negation agree", text)
			}
		}
		if again, err := Parse(e.String()); err != nil || again.Eval(figures).Figures != o.Figures {
			t.Errorf("%q does not read back: %v", e, err)
		}
	})
}

// TestTrue is for those who search: what is unknown is not true, unlike in a
// guard, nor is its opposite.
func TestTrue(t *testing.T) {
	f := func(text string, want bool) {
		t.Helper()
		e, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := e.True(figures); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
	f("zero == 0", true)
	f("zero > 0", false)
	f("nowhere > 0", false)
	f("!(nowhere > 0)", false)
	f("nowhere > 0 || zero == 0", true)
	f("nowhere > 0 && zero == 0", false)
}
