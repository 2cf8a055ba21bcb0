package poll

import (
	"pushfleet/internal/push"
	"pushfleet/pushd/wire"
)

// Codec implements wire.Codec.
type Codec struct{}

// Head starts one line.
func (Codec) Head(dst []byte, f *wire.Frame) ([]byte, string) {
	return wire.AppendLineHead(dst, f), wire.LineFoot
}

// Control is one line; its type is in the JSON.
func (Codec) Control(dst []byte, _, _ string, json []byte) []byte { return wire.AppendLine(dst, json) }

// Ping is the line {"type":"ping"}.
func (Codec) Ping(dst []byte) []byte { return wire.AppendPingLine(dst) }

// End ends the response of one poll; the next request may follow.
func End(dst []byte) []byte { return append(dst, wire.LastChunk...) }

// Close ends the response, after a close line unless the poll is merely done.
func (Codec) Close(dst []byte, r push.CloseReason) []byte {
	if r != push.ClosePollDone {
		dst = wire.AppendCloseLine(dst, r)
	}
	return End(dst)
}
