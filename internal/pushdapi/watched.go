package pushdapi

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// WatchMax is the longest time that a node watches a connection for one
// question.
const WatchMax = time.Minute

// Watched is one connection, and its node, over a time. Numbers without
// another word are differences between the end of that time and its beginning.
type Watched struct {
	Conn        Conn    `json:"conn"`  // as it was at the end; TCPRecent is of the time watched
	Place       Place   `json:"place"` // of the node's process
	OverSeconds float64 `json:"over_seconds"`
	Looks       int     `json:"looks"` // at the connection, evenly spread
	// UsualIn is messages offered per second before the last few seconds: of
	// the last minutes, what the short windows do not know. 0 if it is too
	// young to have had a usual rate.
	UsualIn   float64        `json:"usual_in"`
	Offered   uint64         `json:"offered"`
	Delivered uint64         `json:"delivered"`
	BytesOut  uint64         `json:"bytes_out"`
	Dropped   uint64         `json:"dropped"`
	Queue     WatchedQueue   `json:"queue"`
	Socket    *WatchedSocket `json:"socket,omitempty"` // nil when it could not be asked
	Loop      WatchedLoop    `json:"loop"`             // that owns the connection
	Process   WatchedProcess `json:"process"`          // of the node
}

// WatchedQueue is the outbound queue at the looks.
type WatchedQueue struct {
	First         int64   `json:"first"`
	Last          int64   `json:"last"`
	Max           int64   `json:"max"`
	OldestSeconds float64 `json:"oldest_seconds"` // greatest age of the first message
	Waiting       float64 `json:"waiting"`        // share of looks that found messages
}

// WatchedSocket is TCP_INFO over the time. Shares are of that time.
type WatchedSocket struct {
	Busy          float64 `json:"busy"`           // data was on its way or waited to be
	RwndLimited   float64 `json:"rwnd_limited"`   // the client's window was full
	SndbufLimited float64 `json:"sndbuf_limited"` // the send buffer here was full
	Segments      uint32  `json:"segments"`
	Resent        uint32  `json:"resent"`      // of them
	AckedBytes    uint64  `json:"acked_bytes"` // taken by the client's host
	Unsent        float64 `json:"unsent"`      // share of looks with bytes not yet on the wire
	UnsentMax     uint32  `json:"unsent_bytes_max"`
	RTTMax        float64 `json:"rtt_max_seconds"`
	ProbesMax     uint8   `json:"probes_max"`
	SilentMax     float64 `json:"silent_max_seconds"` // without an acknowledgement while data was on its way
}

// WatchedLoop is the loop that owns the connection.
type WatchedLoop struct {
	Loop    int   `json:"loop"`
	Threads []int `json:"threads"` // of the kernel that it was seen on
	// Late is from when a look was due until the loop took it up: what a
	// message waits for this node before anything is written.
	Late            Quantiles `json:"late"`
	LateMean        float64   `json:"late_mean_seconds"`
	Turn            Quantiles `json:"turn"` // length of turns
	Turns           uint64    `json:"turns"`
	TurnSeconds     float64   `json:"turn_seconds"` // of all turns together
	Walking         float64   `json:"walking"`      // share of looks at which a broadcast or group send was under way
	RunSeconds      float64   `json:"run_seconds"`  // its threads had a processor
	RunQueueSeconds float64   `json:"run_queue_seconds"`
}

// WatchedProcess is the node's process. What the host does not tell is 0.
type WatchedProcess struct {
	Cores            int     `json:"cores"` // that it may use
	CPUSeconds       float64 `json:"cpu_seconds"`
	RunQueueSeconds  float64 `json:"run_queue_seconds"` // its threads were ready and had no processor
	ThrottledSeconds float64 `json:"throttled_seconds"` // by the CPU limit of its control group
	GCCycles         uint64  `json:"gc_cycles"`
	// GCShare is the share (0..1) of garbage collection in what the process
	// computed, idle processors not counted; GCAssist is the part of goroutines
	// that had to help. 0 without a cycle: the runtime counts at their ends.
	GCShare         float64 `json:"gc_share"`
	GCAssist        float64 `json:"gc_assist"`
	GCPauseSeconds  float64 `json:"gc_pause_seconds"`
	GCPauseMax      float64 `json:"gc_pause_max_seconds"`
	LockWaitSeconds float64 `json:"lock_wait_seconds"` // of all goroutines together
	SchedP99        float64 `json:"sched_p99_seconds"` // of goroutines that were ready
}

// Watch has the node watch a connection for d, at most WatchMax, and say what
// it saw. It takes as long.
func (c *Client) Watch(ctx context.Context, id string, d time.Duration) (*Watched, error) {
	long := *c
	long.timeout = c.timeout + d
	v := new(Watched)
	err := long.do(ctx, http.MethodGet, "/v1/conns/"+url.PathEscape(id)+"/watch", url.Values{"for": {d.String()}}, nil, v)
	if err != nil {
		return nil, err
	}
	return v, nil
}
