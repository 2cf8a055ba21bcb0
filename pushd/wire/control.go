package wire

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"pushfleet/internal/push"
)

// The types of control frames, for Codec.Control. Each builder below makes the
// JSON of the type that its comment names.
const (
	TypeHello = "hello"
	TypeGap   = "gap"
	TypeDrain = "drain"
	TypePing  = "ping"
	TypePong  = "pong"
	TypeClose = "close"
	TypeOK    = "ok"
	TypeError = "error"
)

// Hello appends a TypeHello object: the connection's name, the heartbeat in
// milliseconds, the node's epoch, and the position to resume from as long as
// no data frame with one has come. An empty pos is left out.
func Hello(dst []byte, conn string, pingMS int, epoch, pos string) []byte {
	dst = appendString(append(dst, `{"type":"hello","conn":`...), conn)
	dst = strconv.AppendInt(append(dst, `,"ping_ms":`...), int64(pingMS), 10)
	dst = appendString(append(dst, `,"epoch":`...), epoch)
	return append(appendPosField(dst, pos), '}')
}

// GapSeq appends a TypeGap object: frames from to to (inclusive sequence
// numbers), of which count were dropped for the reason.
func GapSeq(dst []byte, from, to, count uint32, reason string) []byte {
	dst = appendUint(append(dst, `{"type":"gap","from":`...), from)
	dst = appendUint(append(dst, `,"to":`...), to)
	dst = appendUint(append(dst, `,"count":`...), count)
	dst = appendString(append(dst, `,"reason":`...), reason)
	return append(dst, '}')
}

// GapReplay appends a TypeGap object: messages after the position that the
// client asked for are no longer held. after is the client's own text; pos is
// the position behind the gap, left out when empty.
func GapReplay(dst []byte, after, pos string) []byte {
	dst = appendString(append(dst, `{"type":"gap","reason":"replay","after":`...), after)
	return append(appendPosField(dst, pos), '}')
}

func appendPosField(dst []byte, pos string) []byte {
	if pos == "" {
		return dst
	}
	return appendString(append(dst, `,"pos":`...), pos)
}

// DrainMsg appends a TypeDrain object: come back after so many milliseconds.
func DrainMsg(dst []byte, afterMS int) []byte {
	dst = strconv.AppendInt(append(dst, `{"type":"drain","after_ms":`...), int64(afterMS), 10)
	return append(dst, '}')
}

// OK appends a TypeOK object, the answer to the command with that ref. An
// empty ref is left out; so in Err and Pong.
func OK(dst []byte, ref json.RawMessage) []byte {
	return append(appendRef(append(dst, `{"type":"ok"`...), ref), '}')
}

// Err appends a TypeError object, the answer to a refused command.
func Err(dst []byte, ref json.RawMessage, code, message string) []byte {
	dst = appendRef(append(dst, `{"type":"error"`...), ref)
	dst = appendString(append(dst, `,"code":`...), code)
	dst = appendString(append(dst, `,"message":`...), message)
	return append(dst, '}')
}

// Pong appends a TypePong object, the answer to a client's JSON ping.
func Pong(dst []byte, ref json.RawMessage) []byte {
	return append(appendRef(append(dst, `{"type":"pong"`...), ref), '}')
}

// CloseJSON appends a TypeClose object. The codecs without a Close frame of
// their own send it.
func CloseJSON(dst []byte, r push.CloseReason) []byte {
	dst = appendUint(append(dst, `{"type":"close","code":`...), uint32(r.Code()))
	dst = appendString(append(dst, `,"reason":`...), r.String())
	return append(dst, '}')
}

func appendRef(dst []byte, ref json.RawMessage) []byte {
	if len(ref) == 0 {
		return dst
	}
	return append(append(dst, `,"ref":`...), ref...)
}

func appendUint(dst []byte, n uint32) []byte { return strconv.AppendUint(dst, uint64(n), 10) }

// appendString appends s as a JSON string (RFC 8259 section 7). Bytes that are
// not UTF-8 become U+FFFD, so that a frame is always valid text.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}
