package queue

import (
	"pushfleet/internal/knob"
	"pushfleet/internal/push"
)

// Knobs are the bounds of queues and what happens at them.
type Knobs struct {
	MessagesMax *knob.Int   // per connection
	BytesMax    *knob.Int   // per connection, sum of message bytes
	Soft        *knob.Float // percent of a bound at which a connection counts as over soft
	Policy      [push.ClassCount]*knob.Enum
}

// NewKnobs declares them.
func NewKnobs(r *knob.Registry) Knobs {
	policy := func(c push.Class, def push.Policy) *knob.Enum {
		return r.Enum(knob.Spec{Name: "queue." + c.String() + ".policy", Risk: knob.Medium,
			Help: "What a full queue does with one more message of class " + c.String() + "."}, int(def), push.PolicyNames)
	}
	k := Knobs{
		MessagesMax: r.Int(knob.Spec{Name: "queue.messages_max", Unit: "messages", Risk: knob.Medium,
			Help: "Messages that may wait for one connection; full queues apply the policy of the class."}, 1024, 1, 65_536),
		BytesMax: r.Bytes(knob.Spec{Name: "queue.bytes_max", Risk: knob.Medium,
			Help: "Message bytes that may wait for one connection."}, 1<<20, 1<<10, 1<<30),
		Soft: r.Float(knob.Spec{Name: "queue.soft_percent", Unit: "percent", Risk: knob.Low,
			Help: "Share of a queue bound above which a connection is reported as over its soft limit."}, 50, 1, 100),
	}
	k.Policy[push.ClassNormal] = policy(push.ClassNormal, push.PolicyDropOldest)
	k.Policy[push.ClassVolatile] = policy(push.ClassVolatile, push.PolicyCoalesce)
	k.Policy[push.ClassStored] = policy(push.ClassStored, push.PolicyDisconnect)
	return k
}
