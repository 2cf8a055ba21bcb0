package session

import (
	"time"

	"pushfleet/internal/knob"
	"pushfleet/internal/push"
)

// Knobs are the hot settings of connections.
type Knobs struct {
	ConnsMax         *knob.Int
	HandshakeTimeout *knob.Duration
	HandshakesMax    *knob.Int
	Interval         [push.ProtoCount]*knob.Duration // heartbeat, by protocol
	Timeout          [push.ProtoCount]*knob.Duration // likewise
	ReadBytesMax     *knob.Int
	ReadRate         *knob.Int
	ControlMax       *knob.Int
	BuffersMax       *knob.Int
	BroadcastRate    *knob.Int
	BroadcastSlice   *knob.Int
	SampleRTT        *knob.Bool
	CloseWait        *knob.Duration
	CoalesceDelay    *knob.Duration
	SlowWait         *knob.Duration
}

// NewKnobs declares them. fdMax is the number of client connections that the
// process's descriptor limit allows.
func NewKnobs(r *knob.Registry, fdMax int64) Knobs {
	k := Knobs{
		ConnsMax: r.Int(knob.Spec{Name: "conns.max", Unit: "connections", Risk: knob.High, Acts: knob.NewConns,
			Help: "Client connections of the node; more are refused with 503 and reason max_conns."}, fdMax, 1, 1<<24),
		HandshakeTimeout: r.Duration(knob.Spec{Name: "handshake.timeout", Risk: knob.Medium, Acts: knob.NewConns,
			Help: "Time for a client to send its whole request."}, 10*time.Second, 500*time.Millisecond, 2*time.Minute),
		HandshakesMax: r.Int(knob.Spec{Name: "handshake.pending_max", Unit: "connections", Risk: knob.Medium,
			Help: "Connections that have not sent their request yet; the oldest gives way, with reason handshake_pressure."}, 8192, 16, 1<<20),
		ReadBytesMax: r.Bytes(knob.Spec{Name: "read.message_bytes_max", Risk: knob.Low,
			Help: "Largest message a client may send; larger ones close with reason oversize."}, 64<<10, 128, 1<<20),
		ReadRate: r.Int(knob.Spec{Name: "read.rate_max", Unit: "messages/s", Risk: knob.Medium,
			Help: "Client messages per second and connection, with bursts of as many; more close with reason read_rate. 0 is no limit."}, 200, 0, 60_000),
		ControlMax: r.Bytes(knob.Spec{Name: "queue.control_bytes_max", Risk: knob.Low,
			Help: "Control frames that may wait for one connection; a client that causes more without reading closes with reason control."}, 16<<10, 1<<10, 60<<10),
		BuffersMax: r.Bytes(knob.Spec{Name: "conns.buffer_bytes_max", Risk: knob.Medium,
			Help: "Memory of the node for half-received requests and messages and for waiting control frames; beyond it the connection that asks closes with reason memory."}, 256<<20, 1<<20, 8<<30),
		BroadcastRate: r.Int(knob.Spec{Name: "broadcast.rate_max", Unit: "messages/s", Risk: knob.Medium,
			Help: "Pace of broadcasts and group sends over the node, counted per receiver. 0 is no limit."}, 0, 0, 100_000_000),
		BroadcastSlice: r.Int(knob.Spec{Name: "broadcast.slice", Unit: "connections", Risk: knob.Low,
			Help: "Connections served in a row before a loop looks at other work."}, 64, 1, 4096),
		SampleRTT: r.Bool(knob.Spec{Name: "stats.rtt_sample", Risk: knob.Low,
			Help: "Ask the kernel for each connection's round-trip time once per heartbeat interval, for top --by rtt."}, true),
		CloseWait: r.Duration(knob.Spec{Name: "close.wait", Risk: knob.Low,
			Help: "Time for a client to take its last bytes and answer the goodbye before the socket is closed."}, 3*time.Second, 100*time.Millisecond, time.Minute),
		CoalesceDelay: r.Duration(knob.Spec{Name: "write.coalesce_delay", Risk: knob.Medium,
			Help: "How long the messages of a connection wait for others to leave in the same write, unless they fill one. Fewer system calls for as much latency; 0 writes at once."}, 0, 0, 50*time.Millisecond),
		SlowWait: r.Duration(knob.Spec{Name: "slow.wait_max", Risk: knob.High,
			Help: "A connection whose oldest message has waited longer is closed with reason slow, within a second. 0 is no limit: only the bounds of the queue count."}, 0, 0, time.Hour),
	}
	r.Constrain("slow.wait_max must be 0 (no limit) or at least 1s, which is how often queues are looked at", func(v knob.Values) bool {
		wait := v.Duration(k.SlowWait)
		return wait == 0 || wait >= slowRound
	})
	k.heartbeats(r)
	return k
}

// heartbeats declares interval and timeout of each transport.
func (k *Knobs) heartbeats(r *knob.Registry) {
	for p := push.ProtoWS; p < push.ProtoCount; p++ {
		name := "heartbeat." + p.String()
		k.Interval[p] = r.Duration(knob.Spec{Name: name + ".interval", Risk: knob.Medium, Help: intervalHelp(p)},
			25*time.Second, time.Second, 10*time.Minute)
		k.Timeout[p] = r.Duration(knob.Spec{Name: name + ".timeout", Risk: knob.High, Help: timeoutHelp(p)},
			75*time.Second, time.Second, time.Hour)
		if p == push.ProtoPoll {
			continue // is not asked: nothing ties its timeout to the interval
		}
		r.Constrain(name+".interval must be shorter than "+name+".timeout", func(v knob.Values) bool {
			return v.Duration(k.Interval[p]) < v.Duration(k.Timeout[p])
		})
	}
}

func intervalHelp(p push.Proto) string {
	if p == push.ProtoPoll {
		return "What the hello frame of a poll says as ping_ms, and how often the node looks at one. A poll is not asked for a sign of life: it ends by itself."
	}
	return "How often a quiet " + p.String() + " client is asked for a sign of life. Clients rely on the value of their hello frame, so those that are connected may leave when it grows."
}

// timeoutHelp says what a silence is: only WebSocket clients answer, of the
// others nothing shows but that they take what is written to them.
func timeoutHelp(p push.Proto) string {
	switch p {
	case push.ProtoWS:
		return "A ws client that neither sends nor takes anything for so long, pings included, is closed with reason heartbeat."
	case push.ProtoPoll:
		return "A poll whose socket stays full for so long while its answer is written is closed with reason heartbeat."
	}
	return "A " + p.String() + " client that takes nothing of what was written to it for so long, because its host does not acknowledge or its socket is full, is closed with reason heartbeat."
}
