package probe

import (
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestJudgeNet(t *testing.T) {
	f := func(r NetReport, want ...string) {
		t.Helper()
		got := judgeNet(&r)
		if len(got) != len(want) {
			t.Fatalf("%+v, want %q", got, want)
		}
		for i, f := range got {
			if f.What != want[i] || len(f.Do) == 0 {
				t.Errorf("%+v, want %q", f, want[i])
			}
		}
	}
	peer, local := netip.MustParseAddrPort("203.0.113.7:51234"), netip.MustParseAddrPort("10.0.0.1:80")
	conns := func(cs ...NetConn) []NetConn {
		for i := range cs {
			cs[i].Peer = peer
		}
		return cs
	}
	f(NetReport{})
	f(NetReport{Listeners: []Listener{{Local: local, Drops: 1, BacklogMax: 128}}, Totals: NetTotals{Drops: 1}},
		"10.0.0.1:80 turned away 1 connection because its queue of 128 was full")
	f(NetReport{Connections: conns(NetConn{WindowLimited: 0.94}), Totals: NetTotals{Limited: 1}},
		"1 client does not read fast enough: the window of 203.0.113.7:51234 kept data back for 94 % of the time")
	f(NetReport{Connections: conns(NetConn{WindowLimited: 0.09}, NetConn{WindowLimited: 0.1}), Totals: NetTotals{Limited: 2}},
		"2 clients do not read fast enough: the window of 203.0.113.7:51234 kept data back for 10 % of the time")
	f(NetReport{Totals: NetTotals{Retransmits: 50, Segments: 1000}, Peers: []NetPeer{{Addr: peer.Addr(), Retransmits: 49}}},
		"the network loses: 50 segments sent again, 5.0 %, of them 49 to 203.0.113.7")
	// Few of very many, but to one they were many; and single ones happen.
	f(NetReport{Totals: NetTotals{Retransmits: 50, Segments: 1e6}, Peers: []NetPeer{{Addr: peer.Addr(), Retransmits: 50}},
		Connections: conns(NetConn{Retransmits: 4, Segments: 4}, NetConn{Retransmits: 6, Segments: 60})},
		"the network loses on the way to 203.0.113.7:51234: 6 segments sent again, 10.0 %")
	f(NetReport{Totals: NetTotals{Retransmits: 4, Segments: 8}, Peers: []NetPeer{{Addr: peer.Addr(), Retransmits: 4}}})
	f(NetReport{Connections: conns(NetConn{Unread: 1 << 20, Open: true}, NetConn{Unread: 2 << 20, Open: true}, NetConn{Unread: 4 << 20})},
		"the process leaves data unread on 2 connections, most from 203.0.113.7:51234: 2048 KiB")
	f(NetReport{Listeners: []Listener{{Local: local, Drops: 2, BacklogMax: 16}}, Totals: NetTotals{Drops: 2, Limited: 1}, Connections: conns(NetConn{WindowLimited: 1})},
		"10.0.0.1:80 turned away 2 connections because its queue of 16 was full",
		"1 client does not read fast enough: the window of 203.0.113.7:51234 kept data back for 100 % of the time")
}

func TestWorse(t *testing.T) {
	a := netip.MustParseAddrPort("10.0.0.1:1")
	f := func(bad, better NetConn) {
		t.Helper()
		bad.Peer, better.Peer = a, a
		if worse(&bad, &better) >= 0 || worse(&better, &bad) <= 0 {
			t.Errorf("%+v is not worse than %+v", bad, better)
		}
	}
	f(NetConn{Unsent: 1, MSS: 1448, WindowLimited: 0.1}, NetConn{WindowLimited: 1}) // stalled now
	f(NetConn{WindowLimited: 0.5}, NetConn{WindowLimited: 0.4})
	f(NetConn{Retransmits: 9, Segments: 100}, NetConn{WindowLimited: 0.5}) // 9 % lost
	f(NetConn{Unsent: 2, Window: 9}, NetConn{Unsent: 1, Window: 9})
	f(NetConn{Unread: 2}, NetConn{Unread: 1})
}

func TestLoss(t *testing.T) {
	f := func(again, sent uint64, want float64) {
		t.Helper()
		if got := loss(again, sent); got != want {
			t.Errorf("%d of %d: %v, want %v", again, sent, got, want)
		}
	}
	f(0, 0, 0)
	f(5, 100, 0.05)
	f(5, 0, 1) // sent by connections that are gone
	f(5, 4, 1)
}

// TestRecords cuts what a reader yields in pieces of any length.
func TestRecords(t *testing.T) {
	f := func(in string, size int, want string, ok bool) {
		t.Helper()
		var got []string
		err := records(&slowly{strings.NewReader(in)}, size, func(b []byte) { got = append(got, string(b)) })
		if strings.Join(got, "|") != want || (err == nil) != ok {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	f("", 3, "", true)
	f("abcdef", 3, "abc|def", true)
	f("abcde", 3, "abc", false)
}

// slowly yields two bytes at a time, with pauses as the kernel makes them.
type slowly struct{ r *strings.Reader }

func (s *slowly) Read(b []byte) (int, error) {
	if s.r.Len()%4 == 2 {
		n, _ := s.r.Read(b[:2])
		return n, unix.EAGAIN
	}
	return s.r.Read(b[:2])
}
