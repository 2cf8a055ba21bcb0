package proxy

import (
	"bytes"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// max1 bounds a version 1 line with its CRLF (section 2.1).
const max1 = 107

// parse1 reads "PROXY TCP4 SRC DST SPORT DPORT\r\n" (section 2.1).
func parse1(b []byte) (src, dst netip.AddrPort, n int, err error) {
	end := bytes.IndexByte(b[:min(len(b), max1)], '\n')
	if end < 0 {
		if len(b) >= max1 {
			return src, dst, 0, fmt.Errorf("PROXY v1 line is longer than %d bytes: check the load balancer", max1)
		}
		return src, dst, 0, nil
	}
	line, ok := strings.CutSuffix(string(b[:end]), "\r")
	if !ok || strings.IndexByte(line, '\r') >= 0 {
		return src, dst, 0, fmt.Errorf("PROXY v1 line does not end in CRLF: check the load balancer")
	}
	if line == "PROXY UNKNOWN" || strings.HasPrefix(line, "PROXY UNKNOWN ") {
		return src, dst, end + 1, nil
	}
	f := strings.Split(line, " ")
	if len(f) != 6 || f[1] != "TCP4" && f[1] != "TCP6" {
		return src, dst, 0, fmt.Errorf("PROXY v1 line %q: want PROXY TCP4|TCP6 SRC DST SPORT DPORT", line)
	}
	src, ok1 := endpoint(f[2], f[4], f[1] == "TCP4")
	dst, ok2 := endpoint(f[3], f[5], f[1] == "TCP4")
	if !ok1 || !ok2 {
		return netip.AddrPort{}, netip.AddrPort{}, 0, fmt.Errorf("PROXY v1 line %q: not %s addresses and ports without leading zeros", line, f[1])
	}
	return src, dst, end + 1, nil
}

func endpoint(host, port string, four bool) (netip.AddrPort, bool) {
	a, err := netip.ParseAddr(host)
	if err != nil || a.Is4() != four || a.Zone() != "" {
		return netip.AddrPort{}, false
	}
	p, err := strconv.ParseUint(port, 10, 16)
	if err != nil || strconv.FormatUint(p, 10) != port {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(a, uint16(p)), true
}
