// Package pushdapi holds the types of pushd's server and admin API and a
// client for them. A snapshot type is written once here and rendered as table,
// JSON, CSV or metrics elsewhere.
package pushdapi

import (
	"encoding/json"
	"time"
)

// Windows is one quantity decayed over 1, 10 and 100 s.
type Windows struct {
	S1   float64 `json:"1s"`
	S10  float64 `json:"10s"`
	S100 float64 `json:"100s"`
}

// Of returns the window of 1, 10 or 100 seconds; any other number is 10.
func (w Windows) Of(seconds int) float64 {
	switch seconds {
	case 1:
		return w.S1
	case 100:
		return w.S100
	}
	return w.S10
}

// Stats is one node at a glance. Rates are per second, times in seconds, sizes
// in bytes.
type Stats struct {
	Node          string      `json:"node"`
	Version       string      `json:"version"`
	At            time.Time   `json:"at"`
	UptimeSeconds float64     `json:"uptime_seconds"`
	State         string      `json:"state"`             // serving, draining
	Clients       []string    `json:"clients,omitempty"` // addresses that clients connect to
	KnobRevision  uint64      `json:"knob_revision"`     // changes on this node since its start
	KnobsChanged  int         `json:"knobs_changed"`     // knobs that are not as the node started with
	Follow        Follow      `json:"follow"`
	Connections   Connections `json:"connections"`
	Users         int64       `json:"users"`
	Groups        int64       `json:"groups"`
	Published     Windows     `json:"published"` // messages accepted by the API, per second
	Delivered     Windows     `json:"delivered"` // frames written to sockets, per second
	BytesOut      Windows     `json:"bytes_out"`
	Received      Windows     `json:"received"` // client messages, per second
	Totals        Totals      `json:"totals"`
	// Latency is from the API having read a message to the socket having it,
	// over the last 10 to 20 s.
	Latency    Quantiles         `json:"latency"`
	Queued     Queued            `json:"queued"`
	Dropped    Windows           `json:"dropped"`
	DroppedBy  map[string]uint64 `json:"dropped_by"`
	Closed     Windows           `json:"closed"`
	ClosedBy   map[string]uint64 `json:"closed_by"`
	Process    Process           `json:"process"`
	Memory     Memory            `json:"memory"`
	Loops      []Loop            `json:"loops"`
	SilentLoop []int             `json:"silent_loops,omitempty"` // did not answer in time; not in the sums
	Tap        *Tap              `json:"tap,omitempty"`          // nil from a program without
	Shadow     bool              `json:"shadow,omitempty"`       // takes the clients of a tee only
	ShadowCut  map[string]uint64 `json:"shadow_cut,omitempty"`   // what a shadow did not let out, by where to
}

// Connections counts open connections.
type Connections struct {
	Total       int64            `json:"total"`
	ByProto     map[string]int64 `json:"by_proto"`
	Handshaking int64            `json:"handshaking"`
	Max         int64            `json:"max"`
	Sampled     int64            `json:"sampled"`  // in the sample of the tap
	Accepted    Windows          `json:"accepted"` // per second
}

// Totals count since the node started.
type Totals struct {
	Accepted  uint64 `json:"accepted"`
	Published uint64 `json:"published"`
	Absent    uint64 `json:"absent"` // sends to a user with no connection
	Kept      uint64 `json:"kept"`   // of them, held in a replay ring
	Delivered uint64 `json:"delivered"`
	BytesOut  uint64 `json:"bytes_out"`
	Received  uint64 `json:"received"`
	Pings     uint64 `json:"pings"`
	Writes    uint64 `json:"writes"`      // write system calls on client sockets
	WouldWait uint64 `json:"would_wait"`  // of them, that the socket did not take whole
	UplinkNo  uint64 `json:"uplink_none"` // client uplink frames with nowhere to go
}

// Quantiles are in seconds.
type Quantiles struct {
	P50  float64 `json:"p50"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
	Max  float64 `json:"max"`
}

// Queued sums the outbound queues.
type Queued struct {
	Messages      int64   `json:"messages"`
	Bytes         int64   `json:"bytes"`
	Level         Windows `json:"level"` // decayed mean of messages queued
	OldestSeconds float64 `json:"oldest_seconds"`
	Conns         int64   `json:"conns"`     // with a queue
	OverSoft      int64   `json:"over_soft"` // above queue.soft_percent of the limit
	OverHard      int64   `json:"over_hard"` // at the limit
}

// Process is the node's own use of the machine.
type Process struct {
	CPUUserSeconds   float64 `json:"cpu_user_seconds"`
	CPUSystemSeconds float64 `json:"cpu_system_seconds"`
	CPUPercent       float64 `json:"cpu_percent"`          // of one core, over the last 10 s
	GCPercent        float64 `json:"gc_percent"`           // of the process's CPU, since start
	GCPercent10      float64 `json:"gc_percent_10s"`       // of the process's CPU, over the last 10 to 20 s
	GCCycles         uint64  `json:"gc_cycles"`            // since start
	GCPaused         int64   `json:"gc_paused_ns"`         // in all of these cycles
	GCLast           int64   `json:"gc_last_ns"`           // end of the last one, since 1970; 0 without any
	GCPauseP99       float64 `json:"gc_pause_p99_seconds"` // over the last 10 to 20 s, 0 without a pause
	GCHeld           bool    `json:"gc_held"`              // back, while much waits: gc.hold_while_backlog
	SchedP99         float64 `json:"sched_p99_seconds"`    // of goroutines that waited for a processor, over the last 10 to 20 s
	Goroutines       int     `json:"goroutines"`
	VoluntarySwitch  uint64  `json:"voluntary_switches"`
	FDs              int64   `json:"fds"`
	FDMax            int64   `json:"fd_max"`
	ListenOverflows  uint64  `json:"listen_overflows"` // whole machine's network namespace
}

// Memory says where it is.
type Memory struct {
	PSSBytes        int64 `json:"pss_bytes"`
	OwnBytes        int64 `json:"own_bytes"` // of PSS, without pages of files, which processes of one program share; 0: not known
	RSSBytes        int64 `json:"rss_bytes"`
	HeapBytes       int64 `json:"heap_bytes"`
	SlabBytes       int64 `json:"slab_bytes"`    // off-heap records and columns in use
	MessageBytes    int64 `json:"message_bytes"` // bodies held by queues and replay rings
	MessageBytesMax int64 `json:"message_bytes_max"`
	PerConnBytes    int64 `json:"per_conn_bytes"` // PSS / connections
}

// Loop is one event loop.
type Loop struct {
	Loop      int     `json:"loop"`
	Conns     int64   `json:"conns"`
	Delivered Windows `json:"delivered"`
	Queued    int64   `json:"queued"`
	Inbox     int64   `json:"inbox"`
	TurnP99   float64 `json:"turn_p99_seconds"`
}

// Estimate is a time in seconds with its uncertainty.
type Estimate struct {
	// State is "none" (nothing queued), "known", "growing" (never drains at
	// this rate) or "unsure" (the evidence does not decide).
	State   string  `json:"state"`
	Seconds float64 `json:"seconds,omitempty"`
	Low     float64 `json:"low,omitempty"`
	High    float64 `json:"high,omitempty"`
	// Growth is messages per second when growing, CapSeconds the time until
	// the queue's limit is reached.
	Growth     float64 `json:"growth,omitempty"`
	CapSeconds float64 `json:"cap_seconds,omitempty"`
}

// ConnRow is one line of top.
type ConnRow struct {
	Conn       string   `json:"conn"`
	User       string   `json:"user"`
	Proto      string   `json:"proto"`
	AgeSeconds float64  `json:"age_seconds"`
	Queued     int64    `json:"queued"`
	Bytes      int64    `json:"bytes"`
	In         float64  `json:"in"`  // messages per second offered, in the asked window
	Out        float64  `json:"out"` // messages per second written
	BytesOut   float64  `json:"bytes_out"`
	Peak       float64  `json:"peak"`
	Wait       Estimate `json:"wait"`
	Drain      Estimate `json:"drain"`
	Drops      uint64   `json:"drops"`
	RTTSeconds float64  `json:"rtt_seconds,omitempty"` // smoothed RTT at the last heartbeat sweep, 0 if not sampled
}

// Top is the answer to a top query.
type Top struct {
	Node        string    `json:"node"`
	At          time.Time `json:"at"`
	By          string    `json:"by"`
	Window      int       `json:"window"` // seconds
	Connections int64     `json:"connections"`
	WithQueue   int64     `json:"with_queue"`
	Scanned     int64     `json:"scanned"`
	TookSeconds float64   `json:"took_seconds"`
	Rows        []ConnRow `json:"rows"`
}

// TCP is what the kernel says of one socket (TCP_INFO), shares over the
// socket's life unless said otherwise.
type TCP struct {
	State             string  `json:"state"`
	RTTSeconds        float64 `json:"rtt_seconds"`
	RTTVarSeconds     float64 `json:"rtt_var_seconds"`
	Retransmits       uint32  `json:"retransmits"`
	SegmentsOut       uint32  `json:"segments_out"`
	Lost              uint32  `json:"lost"`
	CongestionWindow  uint32  `json:"congestion_window"`
	UnsentBytes       uint32  `json:"unsent_bytes"` // in the socket, not yet on the wire
	UnackedSegments   uint32  `json:"unacked_segments"`
	BusySeconds       float64 `json:"busy_seconds"`
	RwndLimited       float64 `json:"rwnd_limited_seconds"`
	SndbufLimited     float64 `json:"sndbuf_limited_seconds"`
	SendBufferBytes   uint32  `json:"send_buffer_bytes"` // queued in the kernel (SIOCOUTQ)
	LastReceivedAgo   float64 `json:"last_received_ago_seconds"`
	LastAckAgo        float64 `json:"last_ack_ago_seconds"`
	LastSentAgo       float64 `json:"last_sent_ago_seconds"`
	AckedBytes        uint64  `json:"acked_bytes"`
	DeliveryRateBytes uint64  `json:"delivery_rate_bytes"`
	Probes            uint8   `json:"probes"` // unanswered zero-window or keep-alive probes
}

// Conn is one connection explained.
type Conn struct {
	ConnRow
	Node          string   `json:"node"`
	Users         []string `json:"users"`
	Groups        []string `json:"groups"`
	Peer          string   `json:"peer"`
	Local         string   `json:"local,omitempty"`
	State         string   `json:"state"` // handshake, open, draining, closing
	LastSeenAgo   float64  `json:"last_seen_ago_seconds"`
	Rates         ConnRate `json:"rates"`
	QueueLimit    int64    `json:"queue_limit"`
	QueueBytesMax int64    `json:"queue_bytes_max"`
	OldestSeconds float64  `json:"oldest_seconds"`
	Totals        struct {
		Offered   uint64 `json:"offered"`
		Delivered uint64 `json:"delivered"`
		BytesOut  uint64 `json:"bytes_out"`
		Received  uint64 `json:"received"`
	} `json:"totals"`
	DroppedBy map[string]uint64 `json:"dropped_by,omitempty"`
	// DrainBy and WaitBy are the estimates of each window: "1s", "10s", "100s".
	WaitBy  map[string]Estimate `json:"wait_by"`
	DrainBy map[string]Estimate `json:"drain_by"`
	TCP     *TCP                `json:"tcp,omitempty"` // nil when the socket could not be asked
	// TCPRecent are the limits as a share (0..1) of the time since the
	// previous look at this socket, at most some seconds ago.
	TCPRecent *TCPShare `json:"tcp_recent,omitempty"`
	LoopTurn  float64   `json:"loop_turn_p99_seconds"` // of the owning loop
	Cause     Cause     `json:"cause"`
}

// TCPShare says what the sending side waited for during OverSeconds.
type TCPShare struct {
	OverSeconds   float64 `json:"over_seconds"`
	Busy          float64 `json:"busy"`
	RwndLimited   float64 `json:"rwnd_limited"`
	SndbufLimited float64 `json:"sndbuf_limited"`
	Retransmits   float64 `json:"retransmits"` // of segments sent
}

// ConnRate is each quantity in each window.
type ConnRate struct {
	In    Windows `json:"in"`
	Out   Windows `json:"out"`
	Bytes Windows `json:"bytes"`
	Level Windows `json:"level"`
	Peak  Windows `json:"peak"`
}

// Cause names who makes a connection slow.
type Cause struct {
	// Kind is "healthy", "client" (does not read), "network", "publisher"
	// (bursts beyond what the connection takes), "node" or "unsure".
	Kind     string   `json:"kind"`
	Sentence string   `json:"sentence"`
	Evidence []string `json:"evidence"`
	Try      []Hint   `json:"try,omitempty"`
}

// Hint is a next command and what it is for.
type Hint struct {
	What    string `json:"what"`
	Command string `json:"command"`
}

// ClosedRow is a connection that is gone.
type ClosedRow struct {
	Conn       string    `json:"conn"`
	User       string    `json:"user"`
	Proto      string    `json:"proto"`
	Peer       string    `json:"peer"`
	Reason     string    `json:"reason"`
	Detail     string    `json:"detail,omitempty"`
	At         time.Time `json:"at"`
	AgeSeconds float64   `json:"age_seconds"`
	Delivered  uint64    `json:"delivered"`
	Received   uint64    `json:"received"`
	Drops      uint64    `json:"drops"`
	Queued     int64     `json:"queued"` // left in the queue, dropped with reason closed
	QueuedB    int64     `json:"queued_bytes"`
	In10       float64   `json:"in_10s"`
	Out10      float64   `json:"out_10s"`
	Peak100    float64   `json:"peak_100s"`
	RTTSeconds float64   `json:"rtt_seconds,omitempty"`
}

// TraceEvent is one line of trace.
type TraceEvent struct {
	At    time.Time `json:"at"`
	Conn  string    `json:"conn,omitempty"`
	User  string    `json:"user"`
	Event string    `json:"event"` // open, offer, write, drop, up, stall, resume, close, lost
	Seq   uint32    `json:"seq,omitempty"`
	ID    string    `json:"id,omitempty"`
	Bytes int       `json:"bytes,omitempty"`
	Queue int64     `json:"queue,omitempty"`
	Note  string    `json:"note,omitempty"`
}

// Knob is one knob with its value.
type Knob struct {
	Name    string    `json:"name"`
	Type    string    `json:"type"` // int, bytes, duration, float, bool, enum
	Unit    string    `json:"unit,omitempty"`
	Value   string    `json:"value"`
	Default string    `json:"default"`
	Min     string    `json:"min,omitempty"`
	Max     string    `json:"max,omitempty"`
	Values  []string  `json:"values,omitempty"`
	Acts    string    `json:"acts"` // live, new connections, restart
	Risk    string    `json:"risk"` // low, medium, high
	Help    string    `json:"help"`
	Source  string    `json:"source"` // default, config, admin
	At      time.Time `json:"at,omitzero"`
	Why     string    `json:"why,omitempty"`
}

// KnobSet asks for a change; the answer is KnobChange.
type KnobSet struct {
	Value  string `json:"value"`
	Why    string `json:"why,omitempty"`
	DryRun bool   `json:"dry_run,omitempty"`
	IfRev  uint64 `json:"if_rev,omitempty"` // refuse unless the node is at this revision
}

// KnobChange says what was changed.
type KnobChange struct {
	Name     string `json:"name"`
	Old      string `json:"old"`
	New      string `json:"new"`
	Acts     string `json:"acts"`
	Revision uint64 `json:"revision"`
	DryRun   bool   `json:"dry_run,omitempty"`
}

// Send is the body of POST /v1/send and one line of POST /v1/publish; for
// POST /v1/broadcast User and Users stay empty.
type Send struct {
	User  string          `json:"user,omitempty"`
	Users []string        `json:"users,omitempty"`
	Group string          `json:"group,omitempty"`
	Data  json.RawMessage `json:"data"`
	ID    string          `json:"id,omitempty"`
	Class string          `json:"class,omitempty"`
	TTL   Duration        `json:"ttl,omitempty"`
	Key   string          `json:"key,omitempty"`
}

// Result counts what became of a send, per connection.
type Result struct {
	Delivered uint64            `json:"delivered"`        // in a connection's queue or socket
	Absent    uint64            `json:"absent,omitempty"` // users without a connection
	Kept      uint64            `json:"kept,omitempty"`   // of them, held in the replay ring of a user just gone
	Dropped   map[string]uint64 `json:"dropped,omitempty"`
	Pending   uint64            `json:"pending,omitempty"` // not decided within the wait
}

// PublishResult is one line answered on POST /v1/publish: counts since the
// line before, or, with ?results=each, of one line.
type PublishResult struct {
	Lines uint64 `json:"lines,omitempty"`
	Line  uint64 `json:"line,omitempty"` // with results=each, or of a line that was refused: 1-based
	ID    string `json:"id,omitempty"`
	Result
	Code  string `json:"code,omitempty"`  // of a line that was refused: one stable word
	Error string `json:"error,omitempty"` // with done: why not all lines were accepted
	Done  bool   `json:"done,omitempty"`  // last line; counts are of the whole stream
}

// UserInfo is the answer to GET /v1/users/{u}.
type UserInfo struct {
	User     string    `json:"user"`
	Online   bool      `json:"online"`
	Sessions []ConnRow `json:"sessions"`
	// Unanswered counts connections of which nothing is known but that they are
	// registered: their loop was too busy to tell.
	Unanswered int `json:"unanswered,omitempty"`
	Replay     int `json:"replay"` // messages held for resumption
}

// Version is the answer to GET /v1/version.
type Version struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	Go      string `json:"go"`
	Node    string `json:"node"`
	Place   *Place `json:"place,omitempty"` // nil from a program that does not say
}

// Error is every error body of the APIs.
type Error struct {
	Code    string `json:"code"` // one word, stable
	Message string `json:"error"`
	Status  int    `json:"-"` // HTTP status; set by the client
}

func (e *Error) Error() string { return e.Message }

// Duration is a time.Duration written in JSON as "250ms", "1m30s" or a number
// of seconds.
type Duration time.Duration

// MarshalJSON writes the duration as a string.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// UnmarshalJSON reads a string as time.ParseDuration does, or seconds.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var seconds float64
	if err := json.Unmarshal(b, &seconds); err == nil {
		*d = Duration(seconds * float64(time.Second))
		return nil
	}
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	v, err := time.ParseDuration(s)
	*d = Duration(v)
	return err
}
