package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"pushfleet/internal/pushdapi"
)

func TestTargetIsThisMachine(t *testing.T) {
	f := func(addr, node, want string) {
		t.Helper()
		api := pushdapi.New(node, pushdapi.Options{})
		_, err := NewTarget(addr, api)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s, %s: %v, want %q", addr, node, err, want)
		}
	}
	f("127.0.0.1:7400", "127.0.0.1:7401", "")
	f("localhost:7400", "localhost:7401", "")
	f("127.0.0.1:7400", "/nowhere/admin.sock", "")
	f("192.0.2.1:7400", "127.0.0.1:7401", "over loopback only")
	f("127.0.0.1:7400", "192.0.2.1:7401", "over loopback only")
	f("127.0.0.1:7400", "example.com", "over loopback only")
	f("[::1]:7400", "127.0.0.1:7401", "IPv4")
	f("7400", "127.0.0.1:7401", "--addr")
}

func TestParseRate(t *testing.T) {
	f := func(s string, want float64) {
		t.Helper()
		if got, err := ParseRate(s); err != nil || got != want {
			t.Errorf("ParseRate(%q) = %g, %v; want %g", s, got, err, want)
		}
	}
	f("1000/s", 1000)
	f("1000", 1000)
	f("2.5k/s", 2500)
	f("max", 0)
	for _, s := range []string{"", "0", "-1", "x/s", "NaN", "1e12"} {
		if v, err := ParseRate(s); err == nil {
			t.Errorf("ParseRate(%q) = %g", s, v)
		}
	}
}

func TestSchedulesKeepTheirRate(t *testing.T) {
	for _, name := range []string{"constant", "poisson"} {
		gap, err := newSchedule(name, 1000, rand.New(rand.NewPCG(1, 1)))
		if err != nil {
			t.Fatal(err)
		}
		sum, square := 0.0, 0.0
		const n = 100_000
		for range n {
			g := gap()
			sum, square = sum+g, square+g*g
		}
		m := sum / n
		if m < 0.99e6 || m > 1.01e6 {
			t.Errorf("%s: mean gap %g ns, want 1e6", name, m)
		}
		// An exponential's standard deviation is its mean.
		if cv := math.Sqrt(square/n-m*m) / m; name == "poisson" && (cv < 0.98 || cv > 1.02) || name == "constant" && cv > 0.001 {
			t.Errorf("%s: variation %g", name, cv)
		}
	}
	if _, err := newSchedule("bursty", 1, nil); err == nil {
		t.Error("unknown arrivals accepted")
	}
}

func TestChoosers(t *testing.T) {
	f := func(name string, topShare, slack float64) {
		t.Helper()
		choose, err := newChooser(name, 1000, rand.New(rand.NewPCG(1, 1)))
		if err != nil {
			t.Fatal(err)
		}
		top := 0
		for range 100_000 {
			u := choose()
			if u < 0 || u >= 1000 {
				t.Fatalf("%s chose %d", name, u)
			}
			if u == 0 {
				top++
			}
		}
		if got := float64(top) / 100_000; math.Abs(got-topShare) > slack {
			t.Errorf("%s: user 0 got %g, want %g", name, got, topShare)
		}
	}
	f("uniform", 0.001, 0.0005)
	// 1 / sum of k^-1.1 for k = 1…1000.
	sum := 0.0
	for k := 1; k <= 1000; k++ {
		sum += math.Pow(float64(k), -1.1)
	}
	f("zipf", 1/sum, 0.01)
	for _, s := range []string{"zipf=1", "zipf=x", "pareto"} {
		if _, err := newChooser(s, 10, nil); err == nil {
			t.Errorf("%q accepted", s)
		}
	}
}

func TestPayloadHasItsSizeAndParses(t *testing.T) {
	f := func(size, kind int) {
		t.Helper()
		line := newPayload(size, kind, nil).appendLine(nil, 7, 1234567890123456)
		var m pushdapi.Send
		if err := json.Unmarshal(line, &m); err != nil || m.User != "u-7" || len(m.Data) != size {
			t.Errorf("%s: user %q, %d bytes of data, want %d; %v", line, m.User, len(m.Data), size, err)
		}
		var d struct{ T, K int64 }
		if err := json.Unmarshal(m.Data, &d); err != nil || d.T != 1234567890123456 || d.K != int64(kind) {
			t.Errorf("%s: %+v, %v", m.Data, d, err)
		}
	}
	f(PayloadMin, 0)
	f(PayloadMin, 1)
	f(200, 0)
	f(256, 1)
}

func TestAnswersInPieces(t *testing.T) {
	in := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	for _, chunk := range []string{
		`{"lines":5,"delivered":4,"dropped":{"ttl":1}`, "}\n{", `"lines":2,"delivered":2}` + "\n",
		`{"line":9,"error":"bad user"}`, "\n",
	} {
		in += fmt.Sprintf("%x\r\n%s\r\n", len(chunk), chunk)
	}
	for size := 1; size <= len(in); size++ {
		var a answers
		var sum Published
		for off := 0; off < len(in); off += size {
			a.in = append(a.in, in[off:min(off+size, len(in))]...)
			if err := a.parse(&sum); err != nil {
				t.Fatalf("pieces of %d: %v", size, err)
			}
		}
		if sum.Lines != 7 || sum.Result.Delivered != 6 || sum.Result.Dropped["ttl"] != 1 || sum.Errors != 1 || sum.Error != "line 9: bad user" || sum.Done {
			t.Fatalf("pieces of %d: %+v", size, sum)
		}
	}
	for _, end := range []string{"0\r\n\r\n", "zz\r\n"} {
		a := answers{headed: true, in: []byte(end)}
		if err := a.parse(new(Published)); err == nil {
			t.Errorf("%q at the end is no error", end)
		}
	}
	var a answers
	a.in = []byte("HTTP/1.1 403 Forbidden\r\n\r\n{\"error\":\"no\"}")
	if err := a.parse(new(Published)); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("error %v, want one with 403", err)
	}
}

func TestUsageOfThisProcess(t *testing.T) {
	a, err := readUsage(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for begin := time.Now(); time.Since(begin) < 20*time.Millisecond; {
		sum += math.Sqrt(2)
	}
	b, err := readUsage(os.Getpid())
	if d := b.CPU - a.CPU; err != nil || d < 5*time.Millisecond || processPSS(os.Getpid()) < 1<<20 || b.Switches < a.Switches {
		t.Errorf("20 ms of work (%g) took %v of CPU; %+v, %v", sum, d, b, err)
	}
	if _, err := readUsage(1 << 30); err == nil {
		t.Error("a process that does not exist has a CPU clock")
	}
}

func TestRatioInterval(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	series := func(mean float64) (v []float64) {
		for range 60 {
			v = append(v, mean*(1+0.1*rng.NormFloat64()))
		}
		return v
	}
	f := func(a, b float64, contains bool) {
		t.Helper()
		low, high, ok := ratioInterval(series(a), series(b), 5)
		if !ok || low > high || (low <= b/a && b/a <= high) != true || (low <= 1 && 1 <= high) != contains {
			t.Errorf("%g against %g: %g…%g, %v", a, b, low, high, ok)
		}
	}
	f(1, 1, true)
	f(1, 1.5, false)
	f(2, 1, false)
	if _, _, ok := ratioInterval([]float64{1, 2}, []float64{1, 2}, 5); ok {
		t.Error("two seconds decided")
	}
}

func TestCompare(t *testing.T) {
	report := func(p99 float64, rate float64) *Report {
		r := &Report{Kind: "soak", Title: "x", Rate: rate}
		r.figure("latency_p99", p99, "s", Lower)
		r.figure("only_here", 1, "s", Lower)
		r.figure("memory_pss", 0, "B", Lower)
		for i := range 40 {
			r.Samples = append(r.Samples, Sample{Phase: "load", P99: p99 * (1 + 0.01*float64(i%7))})
		}
		return r
	}
	b := report(2e-3, 500)
	b.Figures = append(b.Figures[:1], b.Figures[2:]...)
	c := Compare("a.json", report(1e-3, 1000), "b.json", b)
	if len(c.Rows) != 2 || c.Rows[0].Ratio != 2 || !c.Rows[0].Worse || c.Rows[0].Improved || c.Rows[1].Low != nil {
		t.Errorf("rows %+v", c.Rows)
	}
	var text bytes.Buffer
	if err := c.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"latency_p99", "2.00×", "worse", "different rates"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	for line := range strings.Lines(text.String()) {
		if n := len([]rune(line)); n > 81 && !strings.HasPrefix(line, "note") {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func TestTexts(t *testing.T) {
	f := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(span(34e-6), "34 µs")
	f(span(101e-6), "101 µs")
	f(value(24.6e6, "B"), "25 MB")
	f(value(0.012, "share"), "+1.2 %")
	f(span(0.9e-3), "0.9 ms")
	f(span(2.2e-3), "2.2 ms")
	f(span(0.19), "190 ms")
	f(span(1.5), "1.5 s")
	f(span(0), "0")
	f(span(300e-9), "300 ns")
	f(wrap("short"), "short")
	f(wrap(strings.Repeat("x", 90)), strings.Repeat("x", 90))
	f(wrap(strings.Repeat("abcdefg ", 11)+"end"), strings.TrimSpace(strings.Repeat("abcdefg ", 10))+"\n         abcdefg end")
	f(commas(1234567), "1,234,567")
	f(commas(-1234), "-1,234")
	f(plural(1, "message"), "1 message")
	f(reasons(map[string]int64{"a": 1, "b": 3}), "b × 3, a × 1")
}

func TestAxes(t *testing.T) {
	f := func(log bool, values []float64, high float64, ticks int) {
		t.Helper()
		p := panel{log: log, lines: []series{{y: values}}}
		_, h, m := p.axis()
		if math.Abs(h-high) > high*1e-9 || len(m) != ticks {
			t.Errorf("%v: up to %g with %v, want %g with %d", values, h, m, high, ticks)
		}
	}
	f(false, []float64{0, 10}, 15, 4)
	f(false, []float64{1000}, 1500, 4)
	f(false, []float64{0.13, math.NaN()}, 0.15, 4)
	f(true, []float64{0.03, 2}, 10, 4)
	f(true, []float64{1, 1}, 10, 2)
}
