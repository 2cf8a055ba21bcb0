// Package report shows what an experiment found: on a terminal, as a page that
// needs nothing else, and as JSON from which both can be made again.
package report

import (
	"time"

	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/experiment/drive"
	"pushfleet/pushctl/experiment/verdict"
)

// Form is the version of the JSON that this package writes. Fields are added,
// never renamed; a reader refuses a greater one.
const Form = 1

// Report is one experiment, or the trials of a sweep. Times within it are in
// seconds since Begin.
type Report struct {
	Form    int       `json:"form"`
	Begin   time.Time `json:"begin"`
	End     time.Time `json:"end"`
	Program string    `json:"program,omitempty"` // version of pushctl
	Command string    `json:"command,omitempty"` // as it was given

	From    Side  `json:"from"`              // production
	To      Side  `json:"to"`                // the shadow that was tried
	Control *Side `json:"control,omitempty"` // the shadow beside it, with --control

	Settings  Settings       `json:"settings"`
	Stretches []Stretch      `json:"stretches"`          // what was done when, in order
	Excluded  []verdict.Span `json:"excluded,omitempty"` // seconds that do not count

	// Result and Why are of the whole; Finish fills them from the trials.
	Result verdict.Result `json:"result"`
	Why    string         `json:"why"`
	Trials []Trial        `json:"trials"` // one, or one per value of a sweep

	Plots  []Plot        `json:"plots,omitempty"`
	Tap    *pushdapi.Tap `json:"tap,omitempty"`    // production's books, at the end
	Driver *drive.Counts `json:"driver,omitempty"` // of the shadow
	Beside *drive.Counts `json:"driver_control,omitempty"`
	Cost   *Cost         `json:"cost,omitempty"`

	Stopped  *Stop    `json:"stopped,omitempty"` // nil when it ran to its end
	Restored []Knob   `json:"restored,omitempty"`
	Notes    []string `json:"notes,omitempty"`
}

// Side is a node that took part.
type Side struct {
	Name        string `json:"name"`
	Address     string `json:"address,omitempty"` // as given: socket path or private address
	Version     string `json:"version,omitempty"`
	Go          string `json:"go,omitempty"`
	Shadow      bool   `json:"shadow,omitempty"` // it was started as one
	Connections int64  `json:"connections"`      // at the begin; of a shadow at the end
}

// Settings are what was asked for.
type Settings struct {
	Sample  float64  `json:"sample_percent"` // of users
	Amplify int      `json:"amplify,omitempty"`
	Redact  string   `json:"redact,omitempty"`
	For     float64  `json:"for_seconds"`
	AA      float64  `json:"aa_seconds"`
	Window  float64  `json:"window_seconds"`
	Settle  float64  `json:"settle_seconds"`
	Alpha   float64  `json:"alpha"` // of false alarms, over all metrics
	Seed    uint64   `json:"seed"`  // of the order of windows
	StopIf  []string `json:"stop_if,omitempty"`
	File    string   `json:"file,omitempty"`  // replayed, instead of a node
	Speed   float64  `json:"speed,omitempty"` // of a file
}

// Knob is a setting of the shadow.
type Knob struct {
	Name   string `json:"name"`
	Before string `json:"before,omitempty"`
	Value  string `json:"value"`
	Failed string `json:"failed,omitempty"` // why it could not be put back
}

// Stretch is a piece of the experiment in which nothing was switched.
type Stretch struct {
	From  float64 `json:"from"`
	To    float64 `json:"to"`
	Phase string  `json:"phase"`           // check, join, aa, ab, restore
	Arm   string  `json:"arm,omitempty"`   // A, B
	Trial int     `json:"trial,omitempty"` // of a sweep, from 0
}

// Trial is one setting against control, with its judgement.
type Trial struct {
	Name    string          `json:"name,omitempty"` // such as queue.messages_max=64
	Set     []Knob          `json:"set,omitempty"`
	Verdict verdict.Verdict `json:"verdict"`
}

// Plot is one metric over time on all sides, thinned. Values of NaN are gaps.
type Plot struct {
	Metric     verdict.Metric `json:"metric"`
	At         []float64      `json:"at"` // seconds since Begin
	Production Values         `json:"production,omitempty"`
	Shadow     Values         `json:"shadow,omitempty"`
	Control    Values         `json:"control,omitempty"`
}

// Cost is what the tee cost production: its figures before it and during it.
type Cost struct {
	Before Figures `json:"before"`
	During Figures `json:"during"`
	TapCPU float64 `json:"tap_cpu_percent"` // of one core, mean, as the tap measured itself
}

// Figures are means over some seconds of production. Zero Seconds: not known.
type Figures struct {
	Seconds    float64 `json:"seconds"`
	CPUMessage float64 `json:"cpu_per_message_seconds"`
	P99        float64 `json:"deliver_p99_seconds"`
	Dropped    float64 `json:"dropped_per_second"` // messages to clients
}

// Stop is why an experiment ended early.
type Stop struct {
	Reason string  `json:"reason"` // one word
	Detail string  `json:"detail"` // a sentence with figures
	At     float64 `json:"at"`
}
