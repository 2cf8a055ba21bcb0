// Package proxy reads the PROXY protocol header, version 1 or 2, that a load
// balancer puts before the first bytes of a connection to name the client. It
// follows https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt and is
// strict: whoever may send the header is trusted, and what he sends must be
// well formed to the letter.
package proxy

import (
	"bytes"
	"errors"
	"net/netip"
)

// HeaderMax bounds a header in bytes. Version 1 needs at most 107; version 2
// has no bound of its own, and 536 is the least that any receiver must take in
// one piece. A sender with more TLVs is refused.
const HeaderMax = 536

const (
	prefix1 = "PROXY "
	prefix2 = "\r\n\r\n\x00\r\nQUIT\n"
)

// ErrMissing says that the input does not begin with a PROXY header.
var ErrMissing = errors.New("no PROXY header: let the load balancer send one (send-proxy), or remove its address from the trusted proxies")

// Parse reads one header at the start of b and the n bytes that it takes up.
// n = 0 without an error means that b holds only a part of a header. The
// addresses are zero when the header names none: LOCAL (a health check of the
// load balancer), UNKNOWN, UNSPEC, and UNIX.
func Parse(b []byte) (src, dst netip.AddrPort, n int, err error) {
	switch {
	case begins(b, prefix1):
		return parse1(b)
	case begins(b, prefix2):
		return parse2(b)
	}
	return src, dst, 0, ErrMissing
}

// begins says whether b begins with the prefix, as far as b goes.
func begins(b []byte, prefix string) bool {
	n := min(len(b), len(prefix))
	return bytes.Equal(b[:n], []byte(prefix[:n]))
}
