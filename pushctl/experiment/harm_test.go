package experiment

import (
	"math"
	"math/rand/v2"
	"testing"
)

// moods is a machine: its noise lasts some seconds, its load swings, and now
// and then a second is much worse than the others.
type moods struct {
	r     *rand.Rand
	level float64
}

func (m *moods) row(i int, cpu, p99 float64) row {
	const last, step = 0.8, 0.09 // ±15 % for some seconds
	m.level = last*m.level + step*m.r.NormFloat64()
	load := 50_000 * (1 + 0.3*math.Sin(float64(i)/200)) * math.Exp(0.05*m.r.NormFloat64())
	// With more messages each costs less.
	c := cpu * math.Pow(load/50_000, -0.3) * math.Exp(m.level)
	p := p99 * math.Exp(2*m.level+0.3*m.r.NormFloat64())
	if m.r.Float64() < 0.02 {
		c, p = 1.5*c, 10*p
	}
	return row{at: float64(i), delivered: load, cpu: c * load, p99: p, drops: 0.01 * load * m.r.Float64() * m.r.Float64()}
}

// watched tells whether harm is found while cpu and p99 of the second half are
// times what they were.
func watched(seed uint64, times float64) string {
	m := &moods{r: rand.New(rand.NewPCG(seed, 1))}
	var rows []row
	for i := range baseSeconds {
		rows = append(rows, m.row(i, 10e-6, 1e-3))
	}
	before, found := rows, 0
	for i := baseSeconds; i < baseSeconds+600; i++ {
		rows = append(rows, m.row(i, 10e-6*times, 1e-3*times))
		if i%5 != 0 {
			continue
		}
		c := chargeOf(rows[max(baseSeconds, i-lateSeconds):], before)
		if reason, _ := c.harm(); reason == "" {
			found = 0
		} else if found++; found == sustained {
			return reason
		}
	}
	return ""
}

func TestNoiseIsNoHarm(t *testing.T) {
	ended := map[string]int{}
	const runs = 120
	for seed := range uint64(runs) {
		ended[watched(seed, 1)]++
	}
	if n := runs - ended[""]; n > runs/100 {
		t.Errorf("%d of %d experiments of ten minutes were ended for nothing: %v", n, runs, ended)
	}
}

func TestHarmIsFound(t *testing.T) {
	found := 0
	const runs = 100
	for seed := range uint64(runs) {
		if watched(seed, 1.5) != "" {
			found++
		}
	}
	if found < runs*95/100 {
		t.Errorf("a rise of 50 %% was found in %d of %d", found, runs)
	}
}

func TestTooLittleIsNotJudged(t *testing.T) {
	m := &moods{r: rand.New(rand.NewPCG(1, 1))}
	var rows []row
	for i := range 200 {
		rows = append(rows, m.row(i, 10e-6, 1e-3))
	}
	f := func(late, before []row, want bool) {
		t.Helper()
		if c := chargeOf(late, before); c.cpu.known != want || c.p99.known != want {
			t.Errorf("known: %v, want %v", c.cpu.known, want)
		}
	}
	f(rows[120:], rows[:120], true)
	f(rows[190:], rows[:120], false)
	f(rows[120:], rows[:10], false)
	f(nil, nil, false)
	double := append([]row(nil), rows[120:]...)
	for i := range double {
		double[i].delivered *= 2
	}
	f(double, rows[:120], false) // another load
}

// Half as much again of next to nothing is nothing.
func TestLittleCPUIsNoHarm(t *testing.T) {
	f := func(rate float64, want string) {
		t.Helper()
		m := &moods{r: rand.New(rand.NewPCG(1, 1))}
		var rows []row
		for i := range 200 {
			cpu := 10e-6
			if i >= 120 {
				cpu *= 1.5
			}
			r := m.row(i, cpu, 1e-3)
			r.delivered, r.cpu = r.delivered*rate/50_000, r.cpu*rate/50_000
			rows = append(rows, r)
		}
		c := chargeOf(rows[140:], rows[:120])
		if got, _ := c.harm(); got != want {
			t.Errorf("%v messages a second: %q, want %q", rate, got, want)
		}
	}
	f(100_000, StopCPU)
	f(1000, "")
}
