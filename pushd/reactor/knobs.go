package reactor

import "pushfleet/internal/knob"

// Knobs are the hot settings of all loops of a node.
type Knobs struct {
	AcceptRate *knob.Int // connections per second and node
	InboxMax   *knob.Int // items per loop
	UnsentMax  *knob.Int // bytes per socket
}

// NewKnobs declares them.
func NewKnobs(r *knob.Registry) Knobs {
	return Knobs{
		AcceptRate: r.Int(knob.Spec{Name: "accept.rate_max", Unit: "connections/s", Risk: knob.Medium,
			Help: "New connections taken per second; more wait in the kernel's accept queue. 0 is no limit."},
			0, 0, 1_000_000),
		InboxMax: r.Int(knob.Spec{Name: "inbox.items_max", Unit: "items", Risk: knob.Medium,
			Help: "Deliveries that may wait for one loop; beyond it they are dropped with reason inbox_full."},
			1<<18, 1<<10, 1<<24),
		UnsentMax: r.Bytes(knob.Spec{Name: "socket.unsent_bytes_max", Risk: knob.Medium, Acts: knob.NewConns,
			Help: "Bytes that a socket takes beyond what it may send (TCP_NOTSENT_LOWAT). What waits in the kernel can be neither measured nor dropped; it does not bound throughput."},
			32<<10, 4<<10, 64<<20),
	}
}
