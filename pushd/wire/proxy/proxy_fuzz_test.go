package proxy

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
)

// FuzzParse holds Parse to its own re-encoding: a header it takes and that
// names addresses says the same when written again, and no part of a header
// that is taken is refused.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\nGET",
		"PROXY TCP6 ::1 ::ffff:1.2.3.4 1 2\r\n",
		"PROXY UNKNOWN\r\n",
		prefix2 + "\x21\x11\x00\x0c\x0a\x00\x00\x01\x0a\x00\x00\x02\x00\x50\x01\xbb",
		prefix2 + "\x21\x11\x00\x13\x0a\x00\x00\x01\x0a\x00\x00\x02\x00\x50\x01\xbb\x03\x00\x04abcd",
		prefix2 + "\x20\x00\x00\x00",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		src, dst, n, err := Parse(b)
		if n < 0 || n > len(b) || n > HeaderMax || err != nil && n != 0 {
			t.Fatalf("n = %d of %d, err %v", n, len(b), err)
		}
		if n == 0 {
			if err == nil && len(b) >= HeaderMax {
				t.Fatalf("%d bytes are not a whole header", len(b))
			}
			return
		}
		for _, cut := range []int{0, 1, 5, 6, 12, 13, n / 2, n - 1} {
			if cut < n {
				if _, _, m, err := Parse(b[:cut]); m != 0 || err != nil {
					t.Fatalf("first %d of %d bytes: n %d, err %v", cut, n, m, err)
				}
			}
		}
		if src.IsValid() != dst.IsValid() {
			t.Fatalf("one address only: %v, %v", src, dst)
		}
		if !src.IsValid() {
			return
		}
		for _, again := range [][]byte{encode1(src, dst), encode2(src, dst)} {
			s, d, m, err := Parse(again)
			if s != src || d != dst || m != len(again) || err != nil {
				t.Fatalf("%q reads %v, %v, %d, %v; want %v, %v", again, s, d, m, err, src, dst)
			}
		}
		if b[0] == 'P' && !bytes.HasPrefix(b, []byte("PROXY TCP6")) && !bytes.Equal(encode1(src, dst), b[:n]) {
			t.Fatalf("took %q, which is not canonical", b[:n])
		}
	})
}

func encode1(src, dst netip.AddrPort) []byte {
	family := "TCP6"
	if src.Addr().Is4() {
		family = "TCP4"
	}
	return fmt.Appendf(nil, "PROXY %s %s %s %d %d\r\n", family, src.Addr(), dst.Addr(), src.Port(), dst.Port())
}

func encode2(src, dst netip.AddrPort) []byte {
	family := byte(tcp6)
	if src.Addr().Is4() {
		family = tcp4
	}
	block := append(src.Addr().AsSlice(), dst.Addr().AsSlice()...)
	block = binary.BigEndian.AppendUint16(block, src.Port())
	block = binary.BigEndian.AppendUint16(block, dst.Port())
	b := append([]byte(prefix2), proxied, family)
	b = binary.BigEndian.AppendUint16(b, uint16(len(block)))
	return append(b, block...)
}
