package ws

import (
	"encoding/binary"
	"math/bits"
)

// unmask applies the masking key to b in place (RFC 6455 section 5.3), eight
// bytes at a time, and returns the key turned to where the next byte of the
// payload needs it. key holds the four key bytes in little-endian order.
func unmask(b []byte, key uint32) uint32 {
	wide := uint64(key)<<32 | uint64(key)
	for len(b) >= 32 {
		xor8(b[0:8:8], wide)
		xor8(b[8:16:16], wide)
		xor8(b[16:24:24], wide)
		xor8(b[24:32:32], wide)
		b = b[32:]
	}
	for len(b) >= 8 {
		xor8(b[:8:8], wide)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= byte(key)
		key = bits.RotateLeft32(key, -8)
	}
	return key
}

func xor8(b []byte, wide uint64) {
	binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^wide)
}
