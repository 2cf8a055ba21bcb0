package probe

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"pushfleet/bpf"
)

// socketKey tells sockets apart also when the number of a closed one is used
// again.
type socketKey struct {
	inode       uint64
	local, peer uint16
}

// netWatch is what all looks at a process saw.
type netWatch struct {
	t     *Target
	objs  *bpf.NetObjects
	files *files
	only  map[netip.AddrPort]bool // nil for all

	looks   int
	first   time.Time // of them
	began   uint64    // jiffies then
	jiffy   float64   // seconds, once two looks tell
	dropped [2]uint64 // by all listeners of the network: at the first look, at the last
	totals  NetTotals
	conns   map[socketKey]*seenConn
	listens map[uint64]*seenListen
}

type seenConn struct {
	NetConn
	look int // the last one that saw it
	row  bpf.NetRow
}

type seenListen struct {
	ListenSocket
	local netip.AddrPort
	max   uint32
	look  int
}

func watchNet(t *Target, objs *bpf.NetObjects, o *NetOptions) (*netWatch, error) {
	w := &netWatch{t: t, objs: objs, conns: map[socketKey]*seenConn{}, listens: map[uint64]*seenListen{}}
	for _, p := range o.Peers {
		if w.only == nil {
			w.only = map[netip.AddrPort]bool{}
		}
		w.only[unmapped(p)] = true
	}
	var err error
	w.files, err = iterate(objs.Look, t.pidfd)
	return w, err
}

// unmapped writes IPv4 as IPv4, also on a socket for both.
func unmapped(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// look looks at all sockets once.
func (w *netWatch) look() error {
	w.looks++
	if err := w.objs.Sums.Set(bpf.NetSums{Look: uint32(w.looks)}); err != nil {
		return fmt.Errorf("begin a look: %w", err)
	}
	at := time.Now()
	w.totals = NetTotals{}
	if w.looks == 1 {
		if err := w.countDrops(); err != nil { // before its own, later after them: never less
			return err
		}
	}
	if err := w.files.look(rowSize, func(b []byte) { w.add(readRow(b)) }); err != nil {
		return err
	}
	if w.looks > 1 {
		if err := w.countDrops(); err != nil {
			return err
		}
	}
	var sums bpf.NetSums
	if err := w.objs.Sums.Get(&sums); err != nil {
		return fmt.Errorf("end a look: %w", err)
	}
	w.totals.Open, w.totals.Unsent, w.totals.Unacked, w.totals.Segments = int(sums.Open), sums.Unsent, sums.Unacked, sums.Segs
	if w.looks == 1 {
		w.first, w.began = at, sums.Jiffies
	} else if sums.Jiffies > w.began && w.began > 0 {
		w.jiffy = at.Sub(w.first).Seconds() / float64(sums.Jiffies-w.began)
	}
	return nil
}

func (w *netWatch) countDrops() error {
	n, err := w.t.listenDrops()
	if err != nil {
		// A process gives its network up some time before it is seen to have ended.
		gone := errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.EINVAL) || w.t.exited()
		if w.looks > 1 && gone {
			return nil // its figures are those of the look before
		}
		return err
	}
	if w.dropped[1] = n; w.looks == 1 {
		w.dropped[0] = n
	}
	return nil
}

// States of a socket, as in the kernel.
const stateListen = 10

// rowSize is that of struct row in bpf/net.bpf.c.
const rowSize = 128

func readRow(b []byte) *bpf.NetRow {
	r := new(bpf.NetRow)
	if _, err := binary.Decode(b, binary.LittleEndian, r); err != nil {
		panic(err) // the type is of fixed size, and records are as long as it
	}
	return r
}

func address(a [16]byte, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(a).Unmap(), port)
}

func (w *netWatch) add(r *bpf.NetRow) {
	if r.State == stateListen {
		w.addListen(r)
		return
	}
	peer := address(r.Peer, r.Pport)
	if w.only != nil && !w.only[peer] {
		return
	}
	key := socketKey{r.Ino, r.Lport, r.Pport}
	c := w.conns[key]
	if c == nil {
		if len(w.conns) >= 4*NetConnsMax {
			w.prune()
		}
		c = &seenConn{NetConn: NetConn{Local: address(r.Local, r.Lport), Peer: peer, Inode: r.Ino}}
		w.conns[key] = c
	}
	c.row, c.look = *r, w.looks
	c.see(r)
	if !c.well() {
		w.totals.Unwell++
	}
	if c.Stalled() {
		w.totals.Stalled++
	}
}

// see takes over how a connection stands.
func (c *NetConn) see(r *bpf.NetRow) {
	c.Unsent, c.Unacked, c.Unread, c.Window = r.Unsent, r.Unacked, r.Unread, r.Window
	c.Cwnd, c.MSS, c.Probes, c.Backoff = r.Cwnd, r.Mss, r.Probes, r.Backoff
	c.RTT, c.RTTVar = float64(r.Srtt)/8e6, float64(r.Rttvar)/4e6
	c.Segments, c.Acked, c.Retransmits = r.Segs, r.Acked, r.Retrans
	share := func(n uint32) float64 {
		if r.Age == 0 {
			return 0
		}
		return min(1, float64(n)/float64(r.Age))
	}
	c.Busy, c.WindowLimited, c.BufferLimited = share(r.Busy), share(r.Rwnd), share(r.Sndbuf)
	c.Looks++
	if c.Stalled() {
		c.StalledLooks++
	}
}

func (w *netWatch) addListen(r *bpf.NetRow) {
	l := w.listens[r.Ino]
	if l == nil {
		l = &seenListen{ListenSocket: ListenSocket{Inode: r.Ino}, local: address(r.Local, r.Lport)}
		w.listens[r.Ino] = l
	}
	l.look, l.max, l.Backlog, l.Dropped = w.looks, r.BacklogMax, r.Backlog, uint64(r.Drops)
	l.Peak = max(l.Peak, r.Backlog)
}

// prune keeps the worst connections.
func (w *netWatch) prune() {
	for _, c := range w.sorted()[NetConnsMax:] {
		delete(w.conns, socketKey{c.Inode, c.Local.Port(), c.Peer.Port()})
	}
}

func (w *netWatch) sorted() []*seenConn {
	all := make([]*seenConn, 0, len(w.conns))
	for _, c := range w.conns {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *seenConn) int { return worse(&a.NetConn, &b.NetConn) })
	return all
}

// worst are the connections to report.
func (w *netWatch) worst() []NetConn {
	out := []NetConn{}
	for _, c := range w.sorted() {
		if len(out) == NetConnsMax {
			break
		}
		c.Open = c.look == w.looks
		c.Seconds = float64(c.row.Age) * w.jiffy
		out = append(out, c.NetConn)
	}
	return out
}

// listeners puts sockets of one address together.
func (w *netWatch) listeners() []Listener {
	at := map[netip.AddrPort]*Listener{}
	for _, s := range w.listens {
		l := at[s.local]
		if l == nil {
			l = &Listener{Local: s.local}
			at[s.local] = l
		}
		if s.look == w.looks {
			l.Sockets++
			l.Backlog += s.Backlog
		}
		l.Peak, l.BacklogMax = max(l.Peak, s.Peak), max(l.BacklogMax, s.max)
		l.Dropped += s.Dropped
		l.Parts = append(l.Parts, s.ListenSocket)
	}
	out := []Listener{}
	all := w.dropped[1] - w.dropped[0]
	for _, l := range at {
		l.Drops = min(l.Dropped, all)
		slices.SortFunc(l.Parts, func(a, b ListenSocket) int {
			return cmp.Or(cmp.Compare(b.Dropped, a.Dropped), cmp.Compare(b.Peak, a.Peak), cmp.Compare(a.Inode, b.Inode))
		})
		out = append(out, *l)
	}
	slices.SortFunc(out, func(a, b Listener) int {
		return cmp.Or(cmp.Compare(b.Drops, a.Drops), cmp.Compare(b.Peak, a.Peak), a.Local.Compare(b.Local))
	})
	return out
}

// peers reads what the tracepoints added up.
func (w *netWatch) peers() ([]NetPeer, error) {
	wanted := map[netip.Addr]bool{}
	for p := range w.only {
		wanted[p.Addr()] = true
	}
	out := []NetPeer{}
	var key bpf.NetPeer
	var e bpf.NetEvents
	it := w.objs.Peers.Iterate()
	for it.Next(&key, &e) {
		a := netip.AddrFrom16(key.Addr).Unmap()
		if w.only == nil || wanted[a] {
			out = append(out, NetPeer{a, e.Retrans, e.Resets})
		}
	}
	slices.SortFunc(out, func(a, b NetPeer) int {
		return cmp.Or(cmp.Compare(b.Retransmits, a.Retransmits), cmp.Compare(b.Resets, a.Resets), a.Addr.Compare(b.Addr))
	})
	return out, readErr(it)
}
