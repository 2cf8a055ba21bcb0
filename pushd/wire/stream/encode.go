package stream

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

// Close is a close line and the end of the response.
func (Codec) Close(dst []byte, r push.CloseReason) []byte {
	return append(wire.AppendCloseLine(dst, r), wire.LastChunk...)
}
