package router

import (
	"time"

	"pushfleet/internal/knob"
)

// Knobs are the bounds that the router obeys.
type Knobs struct {
	SessionsMax    *knob.Int // per user
	UsersMax       *knob.Int // per connection
	GroupsMax      *knob.Int // per node
	ConnGroupsMax  *knob.Int // per connection
	ReplayTTL      *knob.Duration
	ReplayMessages *knob.Int // per user
	ReplayBytes    *knob.Int // per node
}

// NewKnobs declares them.
func NewKnobs(r *knob.Registry) Knobs {
	return Knobs{
		SessionsMax: r.Int(knob.Spec{Name: "user.sessions_max", Unit: "connections", Risk: knob.Medium, Acts: knob.NewConns,
			Help: "Connections that one user may have open on this node; further logins are refused."}, 64, 1, 65535),
		UsersMax: r.Int(knob.Spec{Name: "conn.users_max", Unit: "users", Risk: knob.Medium, Acts: knob.NewConns,
			Help: "Users that may be logged in on one connection; further logins are refused."}, 32, 1, 4096),
		GroupsMax: r.Int(knob.Spec{Name: "groups.max", Unit: "groups", Risk: knob.Medium, Acts: knob.NewConns,
			Help: "Groups with at least one member on this node; joining a further one is refused."}, 65536, 0, 4<<20),
		ConnGroupsMax: r.Int(knob.Spec{Name: "conn.groups_max", Unit: "groups", Risk: knob.Medium, Acts: knob.NewConns,
			Help: "Groups that one connection may be a member of; joining further ones is refused."}, 64, 0, 65535),
		ReplayTTL: r.Duration(knob.Spec{Name: "replay.ttl", Risk: knob.Low,
			Help: "How long messages for a resumable user are held after its last connection has ended; 0 holds none."},
			time.Minute, 0, time.Hour),
		ReplayMessages: r.Int(knob.Spec{Name: "replay.messages_max", Unit: "messages", Risk: knob.Low,
			Help: "Newest messages held per resumable user; a client that missed more is told of a gap."}, 32, 0, 4096),
		ReplayBytes: r.Bytes(knob.Spec{Name: "replay.bytes_max", Risk: knob.Low,
			Help: "Memory of all messages held for replay; beyond it the least recently used users lose theirs."},
			64<<20, 0, 64<<30),
	}
}
