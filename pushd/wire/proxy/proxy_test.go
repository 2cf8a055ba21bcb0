package proxy

import (
	"net/netip"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	const (
		four  = "\x21\x11\x00\x0c\x0a\x00\x00\x01\x0a\x00\x00\x02\x00\x50\x01\xbb"
		six   = "\x21\x21\x00\x24"
		addr6 = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"
	)
	f := func(in, src, dst string) {
		t.Helper()
		for _, after := range []string{"", "GET /connect HTTP/1.1\r\n", "\x00"} {
			gotSrc, gotDst, n, err := Parse([]byte(in + after))
			if err != nil || n != len(in) || gotSrc != addrPort(src) || gotDst != addrPort(dst) {
				t.Errorf("Parse(%q) = %v, %v, %d, %v; want %s, %s, %d", in+after, gotSrc, gotDst, n, err, src, dst, len(in))
			}
		}
		for i := range in {
			if a, b, n, err := Parse([]byte(in[:i])); err != nil || n != 0 || a.IsValid() || b.IsValid() {
				t.Errorf("Parse(%q), a part = %v, %v, %d, %v; want incomplete", in[:i], a, b, n, err)
			}
		}
	}
	f("PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n", "192.0.2.1:56324", "198.51.100.7:443")
	f("PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n", "0.0.0.0:0", "255.255.255.255:65535")
	f("PROXY TCP6 2001:db8::1 ::1 1 2\r\n", "[2001:db8::1]:1", "[::1]:2")
	f("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
		"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535")
	f("PROXY UNKNOWN\r\n", "", "")
	f("PROXY UNKNOWN ffff::1 what ever 1 2\r\n", "", "")

	f(prefix2+four, "10.0.0.1:80", "10.0.0.2:443")
	f(prefix2+six+addr6+addr6+"\x00\x01\xff\xff", "[2001:db8::1]:1", "[2001:db8::1]:65535")
	f(prefix2+"\x21\x11\x00\x13"+four[4:]+"\x03\x00\x04abcd", "10.0.0.1:80", "10.0.0.2:443")
	f(prefix2+"\x21\x11\x02\x08"+four[4:]+"\x04\x01\xf9"+strings.Repeat("x", 505), "10.0.0.1:80", "10.0.0.2:443")
	f(prefix2+"\x20\x00\x00\x00", "", "")
	f(prefix2+"\x20\x11\x00\x03abc", "", "")
	f(prefix2+"\x21\x00\x00\x05abcde", "", "")
	f(prefix2+"\x21\x31\x00\xd8"+strings.Repeat("/", 216), "", "")
}

func TestParseRefuses(t *testing.T) {
	f := func(in string) {
		t.Helper()
		if src, dst, n, err := Parse([]byte(in)); err == nil || n != 0 || src.IsValid() || dst.IsValid() {
			t.Errorf("Parse(%q) = %v, %v, %d, %v; want an error", in, src, dst, n, err)
		}
	}
	f("GET / HTTP/1.1\r\n")
	f("\x16\x03\x01")
	f("proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n")
	f("PROXY\r\n")
	f("PROXY \r\n")
	f("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n")
	f("PROXY TCP4 1.2.3.4\r1.2.3.4 1 2\r\n")
	f("PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n")
	f("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n")
	f("PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n")
	f("PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\n")
	f("PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n")
	f("PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n")
	f("PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n")
	f("PROXY TCP4 ::1 ::1 1 2\r\n")
	f("PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n")
	f("PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n")
	f("PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n")
	f("PROXY UNKNOWNX\r\n")
	f("PROXY UNKNOWN " + strings.Repeat("x", 107) + "\r\n")
	f("PROXY UNKNOWN " + strings.Repeat("x", 92) + "\r\n") // 108 bytes

	f(prefix2 + "\x11")                         // version 1
	f(prefix2 + "\x22")                         // unknown command
	f(prefix2 + "\x21\x12\x00\x0c123456789012") // UDP over IPv4
	f(prefix2 + "\x21\x11\x00\x0b12345678901")  // block too short
	f(prefix2 + "\x21\x41\x00\x00")             // unknown family
	f(prefix2 + "\x21\x11\x02\x09")             // 537 bytes, refused before they arrive
	f(prefix2 + "\x21\x11\x00\x0e123456789012\x01\x00")
	f(prefix2 + "\x21\x11\x00\x10123456789012\x01\x00\x02x")
	f("\r\n\r\n\x00\r\nQUIT\r")
}

func addrPort(s string) netip.AddrPort {
	if s == "" {
		return netip.AddrPort{}
	}
	return netip.MustParseAddrPort(s)
}
