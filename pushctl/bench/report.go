package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"pushfleet/internal/hist"
	"pushfleet/internal/pushdapi"
	"pushfleet/internal/swarm"
)

// Report is what a run found. Times are in seconds, sizes in bytes.
type Report struct {
	Kind    string    `json:"kind"` // flood, msggen, soak, broadcast, floor
	At      time.Time `json:"at"`   // begin
	Title   string    `json:"title"`
	Node    string    `json:"node,omitempty"`
	Version string    `json:"version,omitempty"`
	Machine Machine   `json:"machine"`

	Plan      *swarm.Plan   `json:"plan,omitempty"`
	Rate      float64       `json:"rate,omitempty"` // asked for, messages per second; 0: as fast as possible
	Seconds   float64       `json:"seconds"`        // measured
	Clients   *swarm.Counts `json:"clients,omitempty"`
	Published *PublishedSum `json:"published,omitempty"`

	Figures []Figure `json:"figures"`
	Samples []Sample `json:"samples,omitempty"` // one per second
	// Invalid says why the run proves nothing, Wrong what the node did wrong.
	Invalid []string `json:"invalid,omitempty"`
	Wrong   []string `json:"wrong,omitempty"`
	Notes   []string `json:"notes,omitempty"`
	Ended   string   `json:"ended,omitempty"` // why it ended early
}

// Figure is one result. Names are stable, so that reports can be compared.
type Figure struct {
	Name   string  `json:"name"`
	Value  float64 `json:"value"`
	Unit   string  `json:"unit"` // s, B, 1/s, 1, share (of 1)
	Better string  `json:"better"`
}

// Directions of Figure.Better.
const (
	Lower  = "lower"
	Higher = "higher"
)

// Sample is one second of a run; rates are per second.
type Sample struct {
	Second    float64 `json:"second"` // since the begin of the run
	Phase     string  `json:"phase"`  // connect, load, drain
	Open      int64   `json:"open"`
	Closed    int64   `json:"closed"` // since the begin
	Sent      float64 `json:"sent"`
	Received  float64 `json:"received"`
	P50       float64 `json:"p50"` // latency of what came in this second
	P99       float64 `json:"p99"`
	P999      float64 `json:"p999"`
	Max       float64 `json:"max"`
	Queued    int64   `json:"queued"`     // on the node
	NodePSS   int64   `json:"node_pss"`   // bytes
	NodeCPU   float64 `json:"node_cpu"`   // cores
	NodeAsked bool    `json:"node_asked"` // the node answered; else its figures are missing
}

// PublishedSum is Published for a report.
type PublishedSum struct {
	Sent    int64           `json:"sent"`
	Result  pushdapi.Result `json:"result"`
	Errors  int64           `json:"errors,omitempty"`
	Error   string          `json:"error,omitempty"`
	Blocked float64         `json:"blocked"` // seconds the node took no more
	Lag     Quantiles       `json:"lag"`
	Held    Quantiles       `json:"held"`
}

// Quantiles of a histogram, in seconds.
type Quantiles struct {
	N    uint64  `json:"n"`
	P50  float64 `json:"p50"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
	Max  float64 `json:"max"`
}

func quantiles(h *hist.Log) Quantiles {
	s := func(ns int64) float64 { return float64(ns) / 1e9 }
	return Quantiles{h.Count(), s(h.Quantile(0.5)), s(h.Quantile(0.99)), s(h.Quantile(0.999)), s(h.Max())}
}

func (p *Published) report() *PublishedSum {
	return &PublishedSum{Sent: p.Sent, Result: p.Result, Errors: p.Errors, Error: p.Error,
		Blocked: p.Blocked.Seconds(), Lag: quantiles(&p.Lag), Held: quantiles(&p.Held)}
}

func (r *Report) figure(name string, v float64, unit, better string) {
	r.Figures = append(r.Figures, Figure{name, v, unit, better})
}

func (r *Report) latency(prefix string, q Quantiles) {
	r.figure(prefix+"_p50", q.P50, "s", Lower)
	r.figure(prefix+"_p99", q.P99, "s", Lower)
	r.figure(prefix+"_p999", q.P999, "s", Lower)
	r.figure(prefix+"_max", q.Max, "s", Lower)
}

// Get returns a figure by name.
func (r *Report) Get(name string) (float64, bool) {
	for _, f := range r.Figures {
		if f.Name == name {
			return f.Value, true
		}
	}
	return 0, false
}

func (r *Report) invalid(format string, args ...any) {
	r.Invalid = append(r.Invalid, fmt.Sprintf(format, args...))
}

func (r *Report) wrong(format string, args ...any) {
	r.Wrong = append(r.Wrong, fmt.Sprintf(format, args...))
}

func (r *Report) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// Err is what the run's verdict means for an exit status: nil, or an error
// that wraps ErrInvalid or ErrLost.
func (r *Report) Err(allowInvalid, allowLoss bool) error {
	switch {
	case len(r.Invalid) > 0 && !allowInvalid:
		return fmt.Errorf("%w: %s", ErrInvalid, r.Invalid[0])
	case len(r.Wrong) > 0 && !allowLoss:
		return fmt.Errorf("%w: %s", ErrLost, r.Wrong[0])
	}
	return nil
}

// WriteJSON writes the report.
func (r *Report) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

// ReadReport reads a report from a file.
func ReadReport(path string) (*Report, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := new(Report)
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("%s is not a bench report: %w", path, err)
	}
	if r.Kind == "" {
		return nil, fmt.Errorf("%s is not a bench report: it has no kind; write one with pushctl bench soak --report", path)
	}
	return r, nil
}

// Write writes base.json, base.html and base.png and returns their names. The
// last two need samples.
func (r *Report) Write(base string) (names []string, err error) {
	files := []struct {
		ext   string
		write func(io.Writer) error
	}{{".json", r.WriteJSON}, {".html", r.WriteHTML}, {".png", r.WritePNG}}
	for _, f := range files {
		if f.ext != ".json" && len(r.Samples) < 2 {
			continue
		}
		if err := writeFile(base+f.ext, f.write); err != nil {
			return names, fmt.Errorf("write report: %w; choose another place with --report", err)
		}
		names = append(names, base+f.ext)
	}
	return names, nil
}
