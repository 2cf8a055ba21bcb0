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
	Timeout          *knob.Duration
	ReadBytesMax     *knob.Int
	ReadRate         *knob.Int
	ControlMax       *knob.Int
	BuffersMax       *knob.Int
	BroadcastRate    *knob.Int
	BroadcastSlice   *knob.Int
	SampleRTT        *knob.Bool
	CloseWait        *knob.Duration
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
		Timeout: r.Duration(knob.Spec{Name: "heartbeat.timeout", Risk: knob.High,
			Help: "A client that neither sends nor takes anything for so long is closed with reason heartbeat."}, 75*time.Second, time.Second, time.Hour),
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
	}
	for p := push.ProtoWS; p < push.ProtoCount; p++ {
		k.Interval[p] = r.Duration(knob.Spec{Name: "heartbeat." + p.String() + ".interval", Risk: knob.Medium,
			Help: "How often a quiet " + p.String() + " client is asked for a sign of life."}, 25*time.Second, time.Second, 10*time.Minute)
	}
	return k
}
