package bench

import (
	"fmt"
	"io"
	"math"
)

// Comparison is two reports side by side.
type Comparison struct {
	A     string   `json:"a"`
	B     string   `json:"b"`
	Rows  []Ratio  `json:"rows"`
	Notes []string `json:"notes,omitempty"`
}

// Ratio is one figure of both reports. Low and High are a 95 % interval of the
// ratio of the means over seconds, where both reports have samples of it.
type Ratio struct {
	Name     string   `json:"name"`
	Unit     string   `json:"unit"`
	Better   string   `json:"better"`
	A        float64  `json:"a"`
	B        float64  `json:"b"`
	Ratio    float64  `json:"ratio"` // B / A
	Low      *float64 `json:"low,omitempty"`
	High     *float64 `json:"high,omitempty"`
	Worse    bool     `json:"worse,omitempty"`    // the interval says so
	Improved bool     `json:"improved,omitempty"` // the interval says so
}

// blockSeconds is the length of a bootstrap block: neighbouring seconds share
// their garbage collections and the machine's moods.
const blockSeconds = 5

// Compare puts two reports side by side.
func Compare(nameA string, a *Report, nameB string, b *Report) *Comparison {
	c := &Comparison{A: nameA, B: nameB}
	if a.Kind != b.Kind {
		c.note("these are different runs: %s and %s", a.Kind, b.Kind)
	}
	if a.Machine != b.Machine {
		c.note("made on different machines or Go versions: %v and %v", a.Machine, b.Machine)
	}
	if a.Rate != b.Rate {
		c.note("different rates: %s and %s", rateText(a.Rate), rateText(b.Rate))
	}
	if a.Plan != nil && b.Plan != nil && a.Plan.Conns != b.Plan.Conns {
		c.note("different numbers of connections: %s and %s", commas(a.Plan.Conns), commas(b.Plan.Conns))
	}
	for _, r := range []*Report{a, b} {
		for _, s := range r.Invalid {
			c.note("%s is not valid: %s", r.Title, s)
		}
	}
	for _, f := range a.Figures {
		v, ok := b.Get(f.Name)
		if !ok {
			continue
		}
		row := Ratio{Name: f.Name, Unit: f.Unit, Better: f.Better, A: f.Value, B: v}
		if f.Value != 0 && f.Unit != "share" {
			row.Ratio = v / f.Value
		}
		if low, high, ok := ratioInterval(perSecond(a, f.Name), perSecond(b, f.Name), blockSeconds); ok {
			row.decide(low, high)
		}
		c.Rows = append(c.Rows, row)
	}
	return c
}

func (c *Comparison) note(format string, args ...any) {
	c.Notes = append(c.Notes, fmt.Sprintf(format, args...))
}

func (r *Ratio) decide(low, high float64) {
	r.Low, r.High = &low, &high
	up, down := low > 1, high < 1
	if r.Better == Higher {
		up, down = down, up
	}
	r.Worse, r.Improved = up, down
}

// perSecond returns a figure's value in each second of load, nil if seconds do
// not have it.
func perSecond(r *Report, name string) (v []float64) {
	f := map[string]func(*Sample) float64{
		"latency_p50":  func(s *Sample) float64 { return s.P50 },
		"latency_p99":  func(s *Sample) float64 { return s.P99 },
		"latency_p999": func(s *Sample) float64 { return s.P999 },
		"receive_rate": func(s *Sample) float64 { return s.Received },
		"publish_rate": func(s *Sample) float64 { return s.Sent },
		"memory_pss":   func(s *Sample) float64 { return float64(s.NodePSS) },
		"cpu_per_10k": func(s *Sample) float64 {
			if s.NodeCPU == 0 {
				return 0
			}
			return s.NodeCPU / s.Received * 1e4
		},
		"deliveries_per_cpu_second": func(s *Sample) float64 { return s.Received / s.NodeCPU },
	}[name]
	if f == nil {
		return nil
	}
	for i := range r.Samples {
		if s := &r.Samples[i]; s.Phase == "load" {
			if x := f(s); x > 0 && !math.IsInf(x, 0) && !math.IsNaN(x) {
				v = append(v, x)
			}
		}
	}
	return v
}

// WriteText writes the comparison as a table of 80 columns.
func (c *Comparison) WriteText(w io.Writer) error {
	out := &Out{Progress: w}
	out.linef("A  %s\nB  %s", c.A, c.B)
	out.linef("%-26s %12s %12s %7s  %s", "", "A", "B", "B/A", "95 % by second")
	for _, r := range c.Rows {
		ratio, interval := "–", ""
		if r.Ratio != 0 {
			ratio = fmt.Sprintf("%.2f×", r.Ratio)
		}
		if r.Low != nil {
			interval = fmt.Sprintf("%.2f…%.2f", *r.Low, *r.High)
			switch {
			case r.Worse:
				interval += " worse"
			case r.Improved:
				interval += " better"
			default:
				interval += " unsure"
			}
		}
		out.linef("%-26s %12s %12s %7s  %s", r.Name, value(r.A, r.Unit), value(r.B, r.Unit), ratio, interval)
	}
	for _, n := range c.Notes {
		out.linef("note  %s", n)
	}
	return nil
}
