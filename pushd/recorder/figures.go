package recorder

import (
	"fmt"

	"pushfleet/internal/hist"
	"pushfleet/internal/push"
	"pushfleet/internal/record"
)

// Figures is what a node tells about itself. Numbers of events are since its
// start and never go back, unless a loop is silent.
type Figures struct {
	Silent int // loops that did not answer; what they know is missing below

	Open                              [push.ProtoCount]int64
	Users, Groups, Sampled            int64
	Accepted, Published, Absent, Kept uint64
	Delivered, Received               uint64
	BytesOut, BytesIn                 uint64
	Writes, WouldWait, Pings          uint64
	Offered                           uint64
	Dropped                           [push.DropReasonCount]uint64
	Closed                            [push.CloseReasonCount]uint64
	Queued, QueuedBytes, Inbox        int64
	Level                             [3]float64 // of the queues over 1, 10, 100 s
	QueuedConns, OverSoft, OverHard   int64
	OldestSeconds                     float64
	SlabBytes, MessageBytes           int64
	GCHeld                            bool
	KnobRevision, FleetRevision       uint64
	Latency, Turns                    hist.Log // since the start
	AcceptErrors, UplinkNone          uint64
}

// figureColumn is one field and where its number comes from.
type figureColumn struct {
	field record.Field
	of    func(*Figures) int64
}

func counter(name, unit, help string, of func(*Figures) uint64) figureColumn {
	return figureColumn{record.Field{Name: name, Unit: unit, Kind: record.Counter, Help: help}, func(f *Figures) int64 { return int64(of(f)) }}
}

func gauge(name, unit, help string, of func(*Figures) int64) figureColumn {
	return figureColumn{record.Field{Name: name, Unit: unit, Kind: record.Gauge, Help: help}, of}
}

// figureColumns are the fields of a node except its times.
func figureColumns() []figureColumn {
	all := append(connColumns(), messageColumns()...)
	all = append(all, queueColumns()...)
	for r := push.DropNone + 1; r < push.DropReasonCount; r++ {
		all = append(all, counter("drops."+r.String(), "", "", func(f *Figures) uint64 { return f.Dropped[r] }))
	}
	for r := push.CloseNone + 1; r < push.CloseReasonCount; r++ {
		all = append(all, counter("closed."+r.String(), "", "", func(f *Figures) uint64 { return f.Closed[r] }))
	}
	return all
}

func connColumns() []figureColumn {
	all := []figureColumn{
		gauge("conns", "", "Connections open, unfinished handshakes included.", func(f *Figures) int64 { return sum(f.Open[:]) }),
		gauge("conns.handshaking", "", "Connections whose handshake is not finished.", func(f *Figures) int64 { return f.Open[push.ProtoNone] }),
		gauge("conns.sampled", "", "Connections in the sample of the tap.", func(f *Figures) int64 { return f.Sampled }),
		gauge("users", "", "Users with a connection.", func(f *Figures) int64 { return f.Users }),
		gauge("groups", "", "Groups with a member.", func(f *Figures) int64 { return f.Groups }),
		counter("accepts", "", "Connections accepted.", func(f *Figures) uint64 { return f.Accepted }),
		counter("accept_errors", "", "Connections that could not be accepted.", func(f *Figures) uint64 { return f.AcceptErrors }),
		counter("closed", "", "Connections that ended.", func(f *Figures) uint64 { return sum(f.Closed[:]) }),
		gauge("knobs.revision", "", "Changes of knobs on this node since its start.", func(f *Figures) int64 { return int64(f.KnobRevision) }),
		gauge("knobs.fleet_revision", "", "Revision of the keepers that is in force.", func(f *Figures) int64 { return int64(f.FleetRevision) }),
	}
	for p := push.ProtoWS; p < push.ProtoCount; p++ {
		all = append(all, gauge("conns."+p.String(), "", "", func(f *Figures) int64 { return f.Open[p] }))
	}
	return all
}

func messageColumns() []figureColumn {
	return []figureColumn{
		counter("published", "", "Messages accepted by the server API.", func(f *Figures) uint64 { return f.Published }),
		counter("absent", "", "Sends to a user without a connection.", func(f *Figures) uint64 { return f.Absent }),
		counter("kept", "", "Of them, held in a replay ring.", func(f *Figures) uint64 { return f.Kept }),
		counter("offered", "", "Messages put to a connection's queue.", func(f *Figures) uint64 { return f.Offered }),
		counter("delivered", "", "Messages written whole to a socket.", func(f *Figures) uint64 { return f.Delivered }),
		counter("received", "", "Messages from clients.", func(f *Figures) uint64 { return f.Received }),
		counter("bytes_out", "B", "Bytes written to client sockets.", func(f *Figures) uint64 { return f.BytesOut }),
		counter("bytes_in", "B", "Bytes read from client sockets.", func(f *Figures) uint64 { return f.BytesIn }),
		counter("writes", "", "Write system calls on client sockets.", func(f *Figures) uint64 { return f.Writes }),
		counter("write_stalls", "", "Of them, that the socket did not take whole (EAGAIN or short).", func(f *Figures) uint64 { return f.WouldWait }),
		counter("pings", "", "Heartbeats sent.", func(f *Figures) uint64 { return f.Pings }),
		counter("uplink_none", "", "Uplink frames with nowhere to go.", func(f *Figures) uint64 { return f.UplinkNone }),
		counter("drops", "", "Messages dropped for any reason.", func(f *Figures) uint64 { return sum(f.Dropped[push.DropNone+1:]) }),
	}
}

func queueColumns() []figureColumn {
	level := func(i int, name string) figureColumn {
		return figureColumn{record.Field{Name: "queued." + name, Kind: record.Gauge, Scale: 0.1, Help: "Mean of messages queued over the last " + name + "."},
			func(f *Figures) int64 { return int64(f.Level[i]*10 + 0.5) }}
	}
	held := func(f *Figures) int64 {
		if f.GCHeld {
			return 1
		}
		return 0
	}
	return []figureColumn{
		{record.Field{Name: "queued", Kind: record.Peak, Help: "Messages in the queues of all connections."}, func(f *Figures) int64 { return f.Queued }},
		level(0, "1s"), level(1, "10s"), level(2, "100s"),
		gauge("queued.bytes", "B", "Bytes in the queues.", func(f *Figures) int64 { return f.QueuedBytes }),
		gauge("queued.conns", "", "Connections with a queue.", func(f *Figures) int64 { return f.QueuedConns }),
		gauge("queued.over_soft", "", "Connections above queue.soft_percent of their limit.", func(f *Figures) int64 { return f.OverSoft }),
		gauge("queued.over_hard", "", "Connections at their limit.", func(f *Figures) int64 { return f.OverHard }),
		{record.Field{Name: "oldest", Unit: "s", Kind: record.Peak, Scale: 1e-3, Help: "Age of the oldest message in a queue."},
			func(f *Figures) int64 { return int64(f.OldestSeconds * 1000) }},
		gauge("inbox", "", "Deliveries that wait for their loop.", func(f *Figures) int64 { return f.Inbox }),
		gauge("slab_bytes", "B", "Memory of records and columns outside the heap.", func(f *Figures) int64 { return f.SlabBytes }),
		gauge("message_bytes", "B", "Memory of messages in queues and replay rings.", func(f *Figures) int64 { return f.MessageBytes }),
		gauge("go.gc_held", "", "1 while garbage collection is held back for a backlog.", held),
	}
}

func sum[T int64 | uint64](v []T) (n T) {
	for _, x := range v {
		n += x
	}
	return n
}

// timeColumns are the times of deliveries and of loop turns since the record
// before.
func timeFields() []record.Field {
	p := func(name, help string) record.Field {
		return record.Field{Name: name, Unit: "s", Kind: record.Peak, Scale: 1e-9, Help: help}
	}
	var fields []record.Field
	for _, of := range []struct{ name, help string }{{"wait", "from the API to the socket"}, {"turn", "of a turn of a loop"}} {
		for _, q := range []string{"p50", "p99", "max"} {
			fields = append(fields, p(of.name+"."+q, fmt.Sprintf("Time %s, %s of those since the record before.", of.help, q)))
		}
	}
	return fields
}

// nodePart turns figures into numbers.
type nodePart struct {
	fields         []record.Field
	columns        []figureColumn
	latency, turns hist.Log // as of the last read
	told           bool     // there was one
}

func newNodePart() *nodePart {
	n := &nodePart{columns: figureColumns()}
	for _, c := range n.columns {
		n.fields = append(n.fields, c.field)
	}
	n.fields = append(n.fields, timeFields()...)
	n.fields = append(n.fields, record.Field{Name: "loops.silent", Kind: record.Peak, Help: "Loops that did not answer in time; what they know is missing."})
	return n
}

// put fills v. While a loop is silent the sums are not: a counter that goes
// back and forth would show as traffic that never was.
func (n *nodePart) put(f *Figures, v []int64) {
	v[len(v)-1] = int64(f.Silent)
	if f.Silent > 0 {
		missing(v[:len(v)-1])
		return
	}
	for i, c := range n.columns {
		v[i] = c.of(f)
	}
	times := v[len(n.columns) : len(v)-1]
	for i, part := range []struct{ now, before *hist.Log }{{&f.Latency, &n.latency}, {&f.Turns, &n.turns}} {
		n.times(part.now, part.before, times[3*i:])
	}
	n.told = true
}

func (n *nodePart) times(now, before *hist.Log, v []int64) {
	lately := *now
	if n.told {
		lately.Since(before)
	}
	*before = *now
	if lately.Count() == 0 {
		missing(v[:3]) // nothing took any time
		return
	}
	v[0], v[1], v[2] = lately.Quantile(0.5), lately.Quantile(0.99), lately.Max()
}

func missing(v []int64) {
	for i := range v {
		v[i] = record.Missing
	}
}
