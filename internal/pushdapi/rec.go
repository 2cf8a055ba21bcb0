package pushdapi

import "time"

// RecState says what a node's recorder does.
type RecState struct {
	Node string `json:"node"`
	On   bool   `json:"on"`
	// Paused is why nothing is written although it is on, "" if all is well.
	Paused      string    `json:"paused,omitempty"`
	PausedSince time.Time `json:"paused_since,omitzero"`
	Dir         string    `json:"dir"`
	Fields      int       `json:"fields"`
	Rings       []RecRing `json:"rings"`
	Records     uint64    `json:"records"`      // of one second, since the start
	Bytes       uint64    `json:"bytes"`        // written since the start
	TookSeconds float64   `json:"took_seconds"` // spent on recording since the start
	Bursts      uint64    `json:"bursts"`       // since the start
	Bundles     int       `json:"bundles"`      // that can be fetched
	Gaps        []RecGap  `json:"gaps,omitempty"`
}

// RecRing is the past in one resolution.
type RecRing struct {
	Ring     string    `json:"ring"` // 1s, 10s, burst
	From     time.Time `json:"from,omitzero"`
	To       time.Time `json:"to,omitzero"`
	Bytes    int64     `json:"bytes"`
	BytesMax int64     `json:"bytes_max"`
}

// RecGap is a file of the kernel that cannot be read.
type RecGap struct {
	File   string   `json:"file"`
	Why    string   `json:"why"`
	Fields []string `json:"fields"`
}

// RecField is one number that is recorded.
type RecField struct {
	Name string `json:"name"`
	Unit string `json:"unit,omitempty"`
	Kind string `json:"kind"` // counter, gauge, peak
	Help string `json:"help,omitempty"`
}

// RecBundle is what was saved about one trigger.
type RecBundle struct {
	ID      string    `json:"id"`
	At      time.Time `json:"at"`
	Why     string    `json:"why"`
	Node    string    `json:"node"`
	Version string    `json:"version"`
	Bytes   int64     `json:"bytes,omitempty"`
	Files   []string  `json:"files"`
	// LeftOut are files that did not fit or could not be made, with the reason.
	LeftOut []string `json:"left_out,omitempty"`
}

// RecQuery asks for records of a span.
type RecQuery struct {
	Ring     string // 1s, 10s, burst
	From, To time.Time
	Fields   []string // none is all
}
