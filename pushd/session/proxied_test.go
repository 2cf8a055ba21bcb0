package session

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"

	"pushfleet/internal/push"
	"pushfleet/pushd/slab"
)

const signature = "\r\n\r\n\x00\r\nQUIT\n"

// header2 is a PROXY header of version 2.
func header2(command, family byte, block string) string {
	b := append([]byte(signature), command, family)
	return string(binary.BigEndian.AppendUint16(b, uint16(len(block)))) + block
}

func TestProxyHeaderNamesThePeer(t *testing.T) {
	r := startRig(t, true)
	f := func(header, want string, cut ...int) {
		t.Helper()
		c := r.raw()
		if want == "" {
			want = c.LocalAddr().String()
		}
		in := header + request(push.ProtoWS, "user=u")
		for _, n := range cut {
			read := uint64(0)
			r.do(func() { read = r.table.totals.BytesIn })
			c.write(in[:n])
			r.eventually("read", func() bool { return r.table.totals.BytesIn == read+uint64(n) })
			in = in[n:]
		}
		c.write(in)
		c.response(101)
		c.frame()
		got := ""
		r.do(func() { d, _ := r.table.Describe(r.table.handle(1)); got = d.Peer })
		if got != want {
			t.Errorf("%.40q: peer %s, want %s", header, got, want)
		}
		c.reset()
		r.eventually("gone", func() bool { return r.table.Live() == 0 })
	}
	v1 := "PROXY TCP4 192.0.2.7 198.51.100.1 5555 443\r\n"
	f(v1, "192.0.2.7:5555")
	f(v1, "192.0.2.7:5555", 1)
	f(v1, "192.0.2.7:5555", len(v1)-1)
	f(v1, "192.0.2.7:5555", len(v1))
	f(v1, "192.0.2.7:5555", len(v1)+10, 30)
	f("PROXY TCP6 2001:db8::7 2001:db8::1 5555 443\r\n", "[2001:db8::7]:5555")
	f("PROXY UNKNOWN\r\n", "")
	four := header2(0x21, 0x11, "\xc0\x00\x02\x07\xc6\x33\x64\x01\x15\xb3\x01\xbb")
	f(four, "192.0.2.7:5555")
	f(four, "192.0.2.7:5555", 5, 9, 3)
	six := netip.MustParseAddr("2001:db8::7").As16()
	f(header2(0x21, 0x21, string(six[:])+string(six[:])+"\x15\xb3\x01\xbb"), "[2001:db8::7]:5555")
	f(header2(0x20, 0x00, ""), "") // a health check
	f(header2(0x21, 0x11, "\xc0\x00\x02\x07\xc6\x33\x64\x01\x15\xb3\x01\xbb\x04\x00\x02xx"), "192.0.2.7:5555")
}

func TestBadProxyHeadersClose(t *testing.T) {
	t.Parallel()
	r := startRig(t, true, "handshake.timeout", "500ms", "close.wait", "100ms")
	f := func(in string, why push.CloseReason) {
		t.Helper()
		c := r.raw()
		before := r.s.Closed.Totals()[why]
		c.write(in)
		r.eventually(why.String(), func() bool { return r.s.Closed.Totals()[why] == before+1 })
		if rows := r.s.Closed.List(why, 1); why == push.CloseProxy && rows[0].Detail == "" {
			t.Errorf("%.40q: closed without a detail", in)
		}
	}
	f("GET /connect?user=u HTTP/1.1\r\nHost: x\r\n\r\n", push.CloseProxy)
	f("PROXY TCP4 1.2.3.4\r\n", push.CloseProxy)
	f("PROXY TCP4 "+strings.Repeat("1", 200), push.CloseProxy)
	f("\x16\x03\x01", push.CloseProxy)
	f(header2(0x41, 0x11, ""), push.CloseProxy)
	f(header2(0x21, 0x11, strings.Repeat("x", 2000)), push.CloseProxy)
	f("PROXY TC", push.CloseHandshakeTimeout)
	f("", push.CloseHandshakeTimeout)
	f("PROXY UNKNOWN\r\nnonsense", push.CloseBadRequest)
}

func TestProxyHeaderFromAnUntrustedAddress(t *testing.T) {
	f := func(trusted string, want bool) {
		t.Helper()
		r := startRigWith(t, true, func(s *Shared) { s.ProxyTrusted = []netip.Prefix{netip.MustParsePrefix(trusted)} })
		c := r.raw()
		c.write("PROXY TCP4 192.0.2.7 198.51.100.1 5555 443\r\n" + request(push.ProtoStream, "user=u"))
		if want {
			c.response(200)
			r.send("u", "1", slab.Meta{})
			return
		}
		r.eventually("closed", r.closed(push.CloseProxy))
		if row := r.s.Closed.List(push.CloseProxy, 1)[0]; !strings.Contains(row.Detail, "proxy_trusted") || row.Peer != c.LocalAddr().String() {
			t.Errorf("trusting %s: %+v", trusted, row)
		}
	}
	f("127.0.0.0/8", true)
	f("10.0.0.0/8", false)
	f("::1/128", false)
}
