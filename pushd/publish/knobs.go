package publish

import (
	"time"

	"pushfleet/internal/knob"
	"pushfleet/pushd/slab"
)

// Knobs are the settings of the server API.
type Knobs struct {
	MessageBytes *knob.Int // of data
	BodyBytes    *knob.Int // of one /v1/send
	UsersMax     *knob.Int // of one message
	Streams      *knob.Int
	Concurrency  *knob.Int
	Wait         *knob.Duration
	InboxWait    *knob.Duration
	DedupWindow  *knob.Duration
	DedupEntries *knob.Int
}

// NewKnobs declares them.
func NewKnobs(r *knob.Registry) Knobs {
	return Knobs{
		MessageBytes: r.Bytes(knob.Spec{Name: "message.bytes_max", Risk: knob.Medium,
			Help: "Largest data of a message; larger ones are refused with reason oversize. A publish stream keeps the line length it began with."},
			64<<10, 1<<10, int64(slab.TailMax/2)),
		BodyBytes: r.Bytes(knob.Spec{Name: "send.body_bytes_max", Risk: knob.Low,
			Help: "Largest body of POST /v1/send and /v1/broadcast, users included."}, 1<<20, 4<<10, 64<<20),
		UsersMax: r.Int(knob.Spec{Name: "send.users_max", Unit: "users", Risk: knob.Medium,
			Help: "Most users that one message may name."}, 10_000, 1, 1_000_000),
		Streams: r.Int(knob.Spec{Name: "publish.streams_max", Unit: "connections", Risk: knob.Medium,
			Help: "Most open POST /v1/publish streams; each holds about 200 KiB."}, 64, 1, 10_000),
		Concurrency: r.Int(knob.Spec{Name: "publish.concurrency", Unit: "goroutines", Risk: knob.Medium, Acts: knob.Restart,
			Help: "Publishers that parse and route at the same time; the others wait, so that loops keep their processors. 0 is GOMAXPROCS - loops - 1, at least 1."},
			0, 0, 1024),
		Wait: r.Duration(knob.Spec{Name: "publish.wait", Risk: knob.Low,
			Help: "How long an answer waits until every connection's outcome is known; ?wait= overrides it."},
			2*time.Second, 0, waitMax),
		InboxWait: r.Duration(knob.Spec{Name: "publish.inbox_wait", Risk: knob.Low,
			Help: "How long a publisher is held back when a loop's inbox is full before its messages are dropped with reason inbox_full."},
			time.Second, 0, waitMax),
		DedupWindow: r.Duration(knob.Spec{Name: "dedup.window", Risk: knob.Low,
			Help: "How long an id is remembered per user; the same id again is dropped with reason duplicate. 0 remembers none."},
			time.Minute, 0, time.Hour),
		DedupEntries: r.Int(knob.Spec{Name: "dedup.entries_max", Unit: "ids", Risk: knob.Low, Acts: knob.Restart,
			Help: "Ids remembered at once, 16 bytes each; beyond it the oldest are forgotten before their window ends."},
			1<<17, 1<<10, 1<<26),
	}
}

// waitMax bounds all waiting for an answer.
const waitMax = 30 * time.Second
