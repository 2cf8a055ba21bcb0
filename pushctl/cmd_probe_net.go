package main

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"

	"github.com/urfave/cli/v2"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/probe"
	"pushfleet/pushctl/table"
)

// netTop is how many connections and peers a screen shows, netUsers how many
// connections of a node are asked for their names.
const (
	netTop   = 20
	netUsers = 20
)

func probeNetCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "net", Usage: "connections that are turned away, lost or not read",
		UsageText: "pushctl probe net --pid N [--interval TIME] [--top N] [--peer ADDR:PORT]",
		Description: `Shows the connections that listeners turned away because their queue was full, segments that had to be sent again, and the connections that wait for their peer's receive window, worst first. Counts begin with the probe, also those of old connections. Works on a process of any kind, in any network namespace. WINDOW is the share of the time in which the peer's window kept data back, NOW how the connection stands: full (data waits for the window), shut (and the window is zero), no answer (to what was sent again), closed.

  pushctl probe net --pid 4711
  pushctl probe net --pid 4711 --interval 1s --duration 1m
  pushctl probe net --pid 4711 --peer 203.0.113.7:51234 -o json`,
		Flags: probeFlags(false,
			&cli.DurationFlag{Name: "interval", Aliases: []string{"i"}, Usage: "show what was seen so far every `TIME`"},
			&cli.IntFlag{Name: "top", Value: netTop, Usage: "show `N` connections and peers (20)"},
			&cli.StringSliceFlag{Name: "peer", Usage: "only the connection with `ADDR:PORT`, also when it is well; repeat for several"},
		),
		Action: func(c *cli.Context) error {
			o, err := netFlags(c)
			if err != nil {
				return err
			}
			p, err := e.probing(c, findGoOrAny)
			if err != nil {
				return err
			}
			defer p.target.Close()
			o.Duration, o.MaxCPU = p.Duration, p.MaxCPU
			return p.net(c, o, c.Int("top"))
		},
	}
}

// findGoOrAny looks at a Go program, whose API can be found, or at any other.
func findGoOrAny(pid int) (*probe.Target, error) {
	if t, err := probe.Find(pid); err == nil {
		return t, nil
	}
	return probe.FindAny(pid)
}

// netFlags reads the flags that only this probe has.
func netFlags(c *cli.Context) (probe.NetOptions, error) {
	var o probe.NetOptions
	o.Interval = c.Duration("interval")
	if c.IsSet("interval") && o.Interval < probeIntervalMin {
		return o, usagef("--interval %s: want at least %s", o.Interval, probeIntervalMin)
	}
	if c.Int("top") < 1 {
		return o, usagef("--top %d: want 1 or more", c.Int("top"))
	}
	for _, text := range c.StringSlice("peer") {
		a, err := netip.ParseAddrPort(text)
		if err != nil {
			return o, usagef("--peer %s: want an address with a port, such as 203.0.113.7:51234 or [2001:db8::7]:51234", text)
		}
		o.Peers = append(o.Peers, a)
	}
	return o, nil
}

func (p *probing) net(c *cli.Context, o probe.NetOptions, top int) error {
	show := p.printer()
	look := func(r *probe.NetReport) *view {
		var rows []any
		for i := range r.Connections {
			rows = append(rows, &r.Connections[i])
		}
		return &view{docs: []any{r}, rows: rows, lines: func() []string { return netLines(r, top, p.wide(), p.style) }}
	}
	var failed error // to write, of a look in between
	if o.Interval > 0 {
		o.Look = func(r *probe.NetReport) { failed = cmp.Or(failed, show(look(r))) }
		if p.terminal && p.forPeople() {
			sc := &screen{w: p.out, size: p.size}
			o.Look = func(r *probe.NetReport) { failed = cmp.Or(failed, sc.draw(look(r).lines())) }
			defer sc.close()
		}
	}
	r, err := probe.Net(c.Context, p.target, o)
	if err = cmp.Or(err, failed); err != nil {
		return err
	}
	p.nameUsers(c, r)
	return show(look(r))
}

// nameUsers asks a node what it calls the connections that wait the longest,
// which those are that something is wrong with. It is a favour: without an
// answer addresses must do.
func (p *probing) nameUsers(c *cli.Context, r *probe.NetReport) {
	if len(r.Connections) == 0 {
		return
	}
	node := p.node
	if node == nil {
		var err error
		if node, err = p.findAPI(c.Context); err != nil || node == nil {
			return
		}
		defer node.Close()
	}
	top, err := node.Top(c.Context, pushdapi.TopQuery{By: "wait", N: netUsers})
	if err != nil {
		return
	}
	known := map[string]*pushdapi.Conn{}
	for _, row := range top.Rows {
		if conn, err := node.Conn(c.Context, row.Conn); err == nil {
			known[conn.Peer] = conn
		}
	}
	for i := range r.Connections {
		n := &r.Connections[i]
		if conn := known[n.Peer.String()]; conn != nil {
			n.Conn, n.User = conn.Conn, strings.Join(conn.Users, ",")
		}
	}
}

// netLines is the screen of a report.
func netLines(r *probe.NetReport, top int, wide bool, st table.Style) []string {
	lines := append([]string{runLine(&r.Run, table.Plural(int64(r.Totals.Open), "connection"))}, endLines(&r.Run)...)
	if len(r.Listeners) > 0 {
		lines = append(append(lines, ""), listenerLines(r.Listeners, wide, st)...)
	}
	if len(r.Peers) > 0 {
		lines = append(append(lines, ""), peerLines(r.Peers, top, st)...)
	}
	if len(r.Connections) > 0 {
		lines = append(append(lines, ""), connLines(r.Connections, top, wide, st)...)
		if n := len(r.Connections) + r.Totals.NotListed - top; n > 0 {
			lines = append(lines, fmt.Sprintf("and %s: --top %d shows them", table.Plural(int64(n), "more connection"), min(len(r.Connections), top+n)))
		}
	}
	lines = append(append(lines, ""), netTotals(&r.Totals)...)
	return append(lines, findingLines(r.Findings)...)
}

func listenerLines(ls []probe.Listener, wide bool, st table.Style) []string {
	right := func(head string) table.Column { return table.Column{Head: head, Right: true} }
	g := &table.Grid{Columns: []table.Column{{Head: "LISTENER", Flex: true}, right("SOCKETS"), right("WAITING"), right("PEAK"), right("MAX"), right("TURNED AWAY")}}
	for _, l := range ls {
		mark := table.Plain
		if l.Drops > 0 {
			mark = table.Bad
		}
		g.Rows = append(g.Rows, []table.Text{{S: l.Local.String()}, {S: table.Count(l.Sockets)}, {S: table.Count(l.Backlog)}, {S: table.Count(l.Peak)},
			{S: table.Count(l.BacklogMax)}, {S: table.Count(l.Drops), Mark: mark}})
		if wide && len(l.Parts) > 1 {
			for _, s := range l.Parts {
				g.Rows = append(g.Rows, []table.Text{{S: fmt.Sprintf("  socket %d", s.Inode)}, {}, {S: table.Count(s.Backlog)}, {S: table.Count(s.Peak)}, {}, {S: table.Count(s.Dropped)}})
			}
		}
	}
	return g.Lines(screenWidth(wide), st)
}

func peerLines(ps []probe.NetPeer, top int, st table.Style) []string {
	g := &table.Grid{Columns: []table.Column{{Head: "PEER", Flex: true}, {Head: "SENT AGAIN", Right: true}, {Head: "RESETS", Right: true}}}
	for _, p := range ps[:min(top, len(ps))] {
		g.Rows = append(g.Rows, []table.Text{{S: p.Addr.String()}, {S: table.Count(p.Retransmits)}, {S: table.Count(p.Resets)}})
	}
	lines := g.Lines(table.Columns, st)
	if n := len(ps) - top; n > 0 {
		lines = append(lines, fmt.Sprintf("and %s", table.Plural(int64(n), "more peer")))
	}
	return lines
}

func connLines(cs []probe.NetConn, top int, wide bool, st table.Style) []string {
	right := func(head string) table.Column { return table.Column{Head: head, Right: true} }
	only := func(c table.Column) table.Column { c.Wide = true; return c }
	g := &table.Grid{Columns: []table.Column{{Head: "CONNECTION"}, {Head: "USER", Flex: true, Spare: true}, right("UNSENT"), right("UNACKED"), right("RTT"), right("AGAIN"),
		right("WINDOW"), {Head: "NOW"}, only(right("PROBES")), only(right("OVER")), only(right("ACKED")), only(right("UNREAD")), only(right("SNDBUF")), only(right("BUSY")), only(right("CWND")), only(table.Column{Head: "LOCAL"}), only(table.Column{Head: "CONN"})}}
	for i := range cs[:min(top, len(cs))] {
		c := &cs[i]
		now, mark := netNow(c)
		share := func(v float64) table.Text { return table.Text{S: table.Percent(100 * v)} }
		g.Rows = append(g.Rows, []table.Text{{S: peerName(c.Peer, wide)}, {S: table.Safe(c.User)}, {S: table.Bytes(c.Unsent)}, {S: table.Bytes(c.Unacked)}, {S: rtt(c.RTT)}, {S: sentAgain(c)},
			share(c.WindowLimited), {S: now, Mark: mark}, {S: table.Count(c.Probes)}, {S: table.Cell(c.Seconds)}, {S: table.Bytes(c.Acked)}, {S: table.Bytes(c.Unread)}, share(c.BufferLimited), share(c.Busy),
			{S: table.Count(c.Cwnd)}, {S: c.Local.String()}, {S: table.Safe(c.Conn)}})
	}
	return g.Lines(screenWidth(wide), st)
}

// peerWidth is the room for a peer on a screen.
const peerWidth = 22

// peerName is an address with its port. A long one of IPv6 loses its middle on
// a screen: both ends tell more.
func peerName(a netip.AddrPort, wide bool) string {
	s := a.String()
	if wide || len(s) <= peerWidth {
		return s
	}
	const tail = 13
	return s[:peerWidth-tail-1] + "…" + s[len(s)-tail:]
}

// screenWidth is that of a table: none when all of it is wanted.
func screenWidth(wide bool) int {
	if wide {
		return 0
	}
	return table.Columns
}

// netNow is how a connection stood at the last look.
func netNow(c *probe.NetConn) (string, table.Mark) {
	switch {
	case !c.Open:
		return "closed", table.Faint
	case c.Window == 0 && c.Unsent > 0:
		return "shut", table.Bad
	case c.Stalled():
		return "full", table.Bad
	case c.Backoff > 0:
		return "no answer", table.Bad
	}
	return "", table.Plain
}

func rtt(s float64) string {
	if s == 0 {
		return table.Dash
	}
	return table.Cell(s)
}

// sentAgain is how much was sent again, and how large a part that is.
func sentAgain(c *probe.NetConn) string {
	if c.Retransmits == 0 {
		return "0"
	}
	return fmt.Sprintf("%s %s", table.Count(c.Retransmits), strings.ReplaceAll(table.Percent(100*c.Loss()), " ", ""))
}

// netTotals are the sums in a line or two.
func netTotals(t *probe.NetTotals) []string {
	parts := []string{
		fmt.Sprintf("%s sent", table.Plural(int64(t.Segments), "segment")), fmt.Sprintf("%s again", table.Count(t.Retransmits)), fmt.Sprintf("%s received", table.Plural(int64(t.Resets), "reset")),
		fmt.Sprintf("%s unsent", table.Bytes(t.Unsent)), fmt.Sprintf("%s unacknowledged", table.Bytes(t.Unacked)), fmt.Sprintf("%s of %s waiting for a window", table.Count(t.Stalled), table.Count(t.Open)),
	}
	return table.Wrap(strings.Join(parts, ", "), "", table.Columns)
}

// findingLines say what is wrong, and what to do about each.
func findingLines(fs []probe.NetFinding) []string {
	if len(fs) == 0 {
		return []string{"Nothing is wrong here: connections get in, data gets out."}
	}
	var lines []string
	for _, f := range fs {
		lines = append(append(lines, ""), table.Wrap(table.Safe(f.What), "", table.Columns)...)
		for _, d := range f.Do {
			lines = append(lines, table.Block(table.Safe(d), "  ")...)
		}
	}
	return lines
}
