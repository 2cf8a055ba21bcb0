package node

import (
	"time"

	"pushfleet/internal/knob"
	"pushfleet/pushd/admin"
	"pushfleet/pushd/publish"
	"pushfleet/pushd/queue"
	"pushfleet/pushd/reactor"
	"pushfleet/pushd/recorder"
	"pushfleet/pushd/router"
	"pushfleet/pushd/session"
	"pushfleet/pushd/tap"
	"pushfleet/pushd/tune"
)

// knobs are all knobs of a node, declared by the rooms that obey them.
type knobs struct {
	registry *knob.Registry
	reactor  reactor.Knobs
	router   router.Knobs
	session  session.Knobs
	queue    queue.Knobs
	publish  publish.Knobs
	admin    admin.Knobs
	tap      tap.Knobs
	tune     tune.Knobs
	recorder recorder.Knobs
	messages *knob.Int
	closed   *knob.Int
	drain    *knob.Duration
}

// Knobs declares all knobs of a node with their defaults, to check settings
// without starting one.
func Knobs() *knob.Registry { return newKnobs(1 << 24).registry }

func newKnobs(connsMax int64) knobs {
	r := knob.NewRegistry()
	return knobs{
		registry: r,
		reactor:  reactor.NewKnobs(r),
		router:   router.NewKnobs(r),
		session:  session.NewKnobs(r, connsMax),
		queue:    queue.NewKnobs(r),
		publish:  publish.NewKnobs(r),
		admin:    admin.NewKnobs(r),
		tap:      tap.NewKnobs(r),
		tune:     tune.NewKnobs(r),
		recorder: recorder.NewKnobs(r),
		messages: r.Bytes(knob.Spec{Name: "memory.message_bytes_max", Risk: knob.High,
			Help: "Message bytes that all queues and replay rings of the node may hold; beyond it publishes are dropped with reason memory."},
			512<<20, 1<<20, messageSpace),
		closed: r.Int(knob.Spec{Name: "stats.closed_max", Unit: "connections", Risk: knob.Low, Acts: knob.Restart,
			Help: "Closed connections remembered per reason, for pushctl closed."}, 1024, 16, 65536),
		drain: r.Duration(knob.Spec{Name: "drain.window", Risk: knob.Medium,
			Help: "Time over which a stopping node spreads the goodbyes of its connections."}, 5*time.Second, 0, 10*time.Minute),
	}
}

// messageSpace is the address space of messages.
const messageSpace = 64 << 30
