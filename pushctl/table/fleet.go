package table

import (
	"fmt"

	"pushfleet/internal/pushdapi"
)

// Fleet renders the sum of several nodes: rates add up, the worst time counts.
// silent is the number of nodes that did not answer.
func Fleet(nodes []*pushdapi.Stats, silent int, st Style) []string {
	sum := Sum(nodes)
	left := fmt.Sprintf("fleet  %s", Plural(int64(len(nodes)), "node"))
	word, mark := "healthy", Good
	for _, n := range nodes {
		if w, m := Health(n); m != Good {
			word, mark = Safe(name(n.Node))+": "+w, m
		}
	}
	if silent > 0 {
		word, mark = Plural(int64(silent), "node")+" silent", Bad
	}
	head := Sides(left, word)
	head = st.Apply(Strong, left) + head[len(left):len(head)-len(word)] + st.Apply(mark, word)
	return append([]string{head, statsHead(st)}, statsRates(sum, false)...)
}

// Sum adds what can be added of several nodes, and takes the worst of the
// rest: the quantiles and the oldest age.
func Sum(nodes []*pushdapi.Stats) *pushdapi.Stats {
	t := &pushdapi.Stats{DroppedBy: map[string]uint64{}, ClosedBy: map[string]uint64{}}
	t.Connections.ByProto = map[string]int64{}
	for _, n := range nodes {
		c, q := &t.Connections, &t.Queued
		c.Total += n.Connections.Total
		c.Handshaking += n.Connections.Handshaking
		c.Sampled += n.Connections.Sampled
		c.Max += n.Connections.Max
		t.Users += n.Users
		t.Groups = max(t.Groups, n.Groups) // the same group may be on every node
		q.Messages += n.Queued.Messages
		q.Bytes += n.Queued.Bytes
		q.Conns += n.Queued.Conns
		q.OverSoft += n.Queued.OverSoft
		q.OverHard += n.Queued.OverHard
		q.OldestSeconds = max(q.OldestSeconds, n.Queued.OldestSeconds)
		t.Latency.P50 = max(t.Latency.P50, n.Latency.P50)
		t.Latency.P99 = max(t.Latency.P99, n.Latency.P99)
		for _, w := range []struct{ to, from *pushdapi.Windows }{
			{&c.Accepted, &n.Connections.Accepted}, {&t.Published, &n.Published}, {&t.Delivered, &n.Delivered},
			{&t.BytesOut, &n.BytesOut}, {&t.Received, &n.Received}, {&q.Level, &n.Queued.Level},
			{&t.Dropped, &n.Dropped}, {&t.Closed, &n.Closed}} {
			w.to.S1 += w.from.S1
			w.to.S10 += w.from.S10
			w.to.S100 += w.from.S100
		}
		addTo(c.ByProto, n.Connections.ByProto)
		addTo(t.DroppedBy, n.DroppedBy)
		addTo(t.ClosedBy, n.ClosedBy)
	}
	return t
}

func addTo[T int64 | uint64](to, from map[string]T) {
	for k, v := range from {
		to[k] += v
	}
}
