package ws

import (
	"testing"
	"unicode/utf8"
)

// TestUTF8AgreesAtEveryCut compares with the standard library over all
// sequences of up to three interesting bytes and a fourth, cut everywhere.
func TestUTF8AgreesAtEveryCut(t *testing.T) {
	edges := []byte{0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff}
	var b [4]byte
	for _, b[0] = range edges {
		for _, b[1] = range edges {
			for _, b[2] = range edges {
				for _, b[3] = range edges {
					for cuts := range 8 {
						if got, want := takePieces(b, cuts), utf8.Valid(b[:]); got != want {
							t.Fatalf("% x cut as %03b: %v, want %v", b, cuts, got, want)
						}
					}
				}
			}
		}
	}
}

// takePieces feeds b, cut after byte i where bit i of cuts is set.
func takePieces(b [4]byte, cuts int) bool {
	s, from := utf8Start, 0
	for i := range b {
		if i == len(b)-1 || cuts>>i&1 == 1 {
			var ok bool
			if s, ok = s.take(b[from : i+1]); !ok {
				return false
			}
			from = i + 1
		}
	}
	return s == utf8Start
}
