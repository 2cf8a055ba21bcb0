// Package verdict judges experiments: is there a difference between two
// settings or builds, how large, and how sure is that on machines as noisy as
// these. It is pure: series in, judgements out.
package verdict

// Arm is what the shadow ran with in a second.
type Arm uint8

// The arms.
const (
	Control   Arm = iota // A: as production runs
	Treatment            // B: what is tried
)

// Phase is what an experiment was doing in a second.
type Phase uint8

// The phases.
const (
	PhaseAA Phase = iota // both alike: what does this pair of machines call a difference?
	PhaseAB              // arms in turns, or side by side
)

// Result is what became of one metric, or of all.
type Result string

// The results of a metric.
const (
	Better     Result = "better"
	Worse      Result = "worse"
	Equal      Result = "equal"       // the whole interval is smaller than matters
	NoEvidence Result = "no evidence" // of a difference; it may be there and too small to be seen
)

// The results of an experiment.
const (
	Pass         Result = "pass"
	Fail         Result = "fail"
	Inconclusive Result = "inconclusive"
)

// Metric is something that is measured each second on each side.
type Metric struct {
	Name   string  `json:"name"` // stable word, such as cpu_per_message
	Title  string  `json:"title"`
	Unit   string  `json:"unit"`   // seconds, bytes, messages, ratio, …
	Better int     `json:"better"` // -1 when less is better, +1 when more is
	Min    float64 `json:"min"`    // smallest relative change that matters, such as 0.02; absolute if Absolute
	// Floor is the smallest change that matters in the metric's unit, beside Min:
	// a tenth of a microsecond is nothing, however large a share it is.
	Floor float64 `json:"floor,omitempty"`
	// Lag is how many seconds a value looks back: those behind a switch say
	// nothing yet, beside what settling takes.
	Lag float64 `json:"lag_seconds,omitempty"`
	// Unlike is the standard deviation by which two processes that are alike
	// differ all the same; 0 is ¾ of Min.
	Unlike float64 `json:"unlike,omitempty"`
	// Absolute compares differences instead of ratios: for what is often zero.
	Absolute bool `json:"absolute,omitempty"`
	// Weight is the metric's share of Alpha against that of the others: of two
	// that change alike the heavier is found sooner. 0 is 1.
	Weight float64 `json:"weight,omitempty"`
	// Watch metrics are shown and never decide.
	Watch bool `json:"watch,omitempty"`
}

// Point is one second. A metric is Num/Den summed over a window (such as CPU
// seconds over messages), or the mean of Num where Den is 0 throughout. NaN in
// Num: not known.
type Point struct {
	At    float64 // seconds since the experiment began
	Phase Phase
	Arm   Arm // of the shadow that Shadow is of
	Num   float64
	Den   float64
}

// Series is one metric on the sides of an experiment. Control is there only
// when a second shadow ran beside; then Shadow is of the treatment throughout.
type Series struct {
	Metric
	Production []Point
	Shadow     []Point
	Control    []Point
}

// Span is an interval in seconds of the experiment.
type Span struct {
	From float64 `json:"from"`
	To   float64 `json:"to"`
	Why  string  `json:"why"`
}

// Input is all that a verdict needs.
type Input struct {
	Series  []Series
	Window  float64 // seconds of an arm in the schedule; 0 is DefaultWindow
	Settle  float64 // seconds behind a switch that do not count; below 0 none, 0 is DefaultSettle
	Exclude []Span  // do not count: torn, stalled
	Alpha   float64 // of false alarms over all metrics; 0 is DefaultAlpha
	Seed    uint64  // of the A/A schedule, when its seconds do not tell the arms apart
}

// Effect is the judgement of one metric. Changes are relative (0.05 is 5 %),
// or in the metric's unit when it is Absolute.
type Effect struct {
	Metric     Metric  `json:"metric"`
	Result     Result  `json:"result"`
	Control    float64 `json:"control"` // in the metric's unit
	Treatment  float64 `json:"treatment"`
	Production float64 `json:"production"`
	Change     float64 `json:"change"`
	Low        float64 `json:"low"` // 95 % interval of Change
	High       float64 `json:"high"`
	P          float64 `json:"p"`          // adjusted over all metrics (Holm)
	Noise      float64 `json:"noise"`      // two standard errors of the A/A difference: what this pair calls one; 0: not known
	Detectable float64 `json:"detectable"` // smallest change that would have been found 9 times of 10; 0: none, however large
	Windows    int     `json:"windows"`    // that count, of each arm
	Why        string  `json:"why,omitempty"`
}

// Verdict is the judgement of an experiment.
type Verdict struct {
	Result   Result   `json:"result"`
	Why      string   `json:"why"` // one sentence
	Effects  []Effect `json:"effects"`
	AA       []Effect `json:"aa"`       // the same of the A/A phase
	AAClean  bool     `json:"aa_clean"` // there was an A/A phase, and it showed no difference
	Excluded float64  `json:"excluded_seconds"`
}
