package wire

import (
	"math/bits"

	"pushfleet/internal/push"
)

// LastChunk ends a chunked response (RFC 9112 section 7.1), without trailers.
const LastChunk = "0\r\n\r\n"

const hex = "0123456789abcdef"

// AppendChunkHead appends the size line of a chunk of n bytes, n > 0. The
// chunk's data must be followed by CRLF.
func AppendChunkHead(dst []byte, n int) []byte {
	for shift := (bits.Len(uint(n)) - 1) / 4 * 4; shift >= 0; shift -= 4 {
		dst = append(dst, hex[uint(n)>>shift&15])
	}
	return append(dst, '\r', '\n')
}

// LineFoot is what follows the tail of a data frame in a line transport.
const LineFoot = "\n\r\n"

// AppendLineHead starts a data frame that is one JSON line and one chunk, as
// stream and poll send it. After it come f.Tail and LineFoot.
func AppendLineHead(dst []byte, f *Frame) []byte {
	dst = AppendChunkHead(dst, DataHeadLen(f)+len(f.Tail)+len("\n"))
	return AppendDataHead(dst, f)
}

// AppendLine appends one whole JSON line as one chunk.
func AppendLine(dst, json []byte) []byte {
	dst = AppendChunkHead(dst, len(json)+len("\n"))
	dst = append(dst, json...)
	return append(dst, LineFoot...)
}

// AppendCloseLine appends the close object of reason r as one line and chunk.
func AppendCloseLine(dst []byte, r push.CloseReason) []byte {
	var room [96]byte
	return AppendLine(dst, CloseJSON(room[:0], r))
}

// AppendPingLine appends {"type":"ping"} as one line and chunk.
func AppendPingLine(dst []byte) []byte { return append(dst, pingLine...) }

const pingLine = "10\r\n" + `{"type":"ping"}` + LineFoot
