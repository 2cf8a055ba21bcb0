package proxy

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// The fixed part of a version 2 header (section 2.2) and the address blocks.
const (
	fixed2   = 16
	block4   = 12
	block6   = 36
	blockUds = 216

	versionByte = 12
	familyByte  = 13

	local     = 0x20
	proxied   = 0x21
	unspec    = 0x00
	tcp4      = 0x11
	tcp6      = 0x21
	unixSock  = 0x31
	unixDgram = 0x32
)

// parse2 reads a binary header. Datagram families are refused, since they
// cannot describe a TCP connection.
func parse2(b []byte) (src, dst netip.AddrPort, n int, err error) {
	if len(b) > versionByte && b[versionByte] != local && b[versionByte] != proxied {
		return src, dst, 0, fmt.Errorf("PROXY v2 version and command byte %#02x: want 0x20 or 0x21", b[versionByte])
	}
	if len(b) < fixed2 {
		return src, dst, 0, nil
	}
	n = fixed2 + int(binary.BigEndian.Uint16(b[14:]))
	if n > HeaderMax {
		return src, dst, 0, fmt.Errorf("PROXY v2 header of %d bytes: at most %d are taken; let the load balancer send fewer TLVs", n, HeaderMax)
	}
	if len(b) < n {
		return src, dst, 0, nil
	}
	if b[versionByte] == local {
		return src, dst, n, nil // section 2.2: the rest is to be skipped
	}
	src, dst, rest, err := addresses(b[familyByte], b[fixed2:n])
	if err == nil {
		err = checkTLVs(rest)
	}
	if err != nil {
		return netip.AddrPort{}, netip.AddrPort{}, 0, err
	}
	return src, dst, n, nil
}

// addresses reads the address block of a family; rest are the TLVs after it.
func addresses(family byte, b []byte) (src, dst netip.AddrPort, rest []byte, err error) {
	size := 0
	switch family {
	case unspec:
		return src, dst, nil, nil // the block's size is not defined: skip all
	case tcp4:
		size = block4
	case tcp6:
		size = block6
	case unixSock, unixDgram:
		size = blockUds
	default:
		return src, dst, nil, fmt.Errorf("PROXY v2 family byte %#02x: want TCP over IPv4 or IPv6, UNIX or UNSPEC", family)
	}
	if len(b) < size {
		return src, dst, nil, fmt.Errorf("PROXY v2 address block of %d bytes: family %#02x needs %d", len(b), family, size)
	}
	block, rest := b[:size], b[size:]
	if family == tcp4 || family == tcp6 {
		src, dst = pair(block)
	}
	return src, dst, rest, nil
}

// pair splits a block of two addresses and two ports.
func pair(b []byte) (src, dst netip.AddrPort) {
	w := (len(b) - 4) / 2
	from, _ := netip.AddrFromSlice(b[:w])
	to, _ := netip.AddrFromSlice(b[w : 2*w])
	ports := b[2*w:]
	return netip.AddrPortFrom(from, binary.BigEndian.Uint16(ports)),
		netip.AddrPortFrom(to, binary.BigEndian.Uint16(ports[2:]))
}

// checkTLVs holds the TLVs to the space left for them. Their contents, the
// optional checksum included, are not used.
func checkTLVs(b []byte) error {
	for len(b) > 0 {
		if len(b) < 3 {
			return fmt.Errorf("PROXY v2 header ends within a TLV of %d bytes", len(b))
		}
		size := 3 + int(binary.BigEndian.Uint16(b[1:]))
		if size > len(b) {
			return fmt.Errorf("PROXY v2 TLV %#02x of %d bytes exceeds the header", b[0], size)
		}
		b = b[size:]
	}
	return nil
}
