package sse

import (
	"pushfleet/internal/push"
	"pushfleet/pushd/wire"
)

// Codec implements wire.Codec.
type Codec struct{}

const (
	idKey    = "id: "
	dataKey  = "data: "
	eventKey = "event: "
	foot     = "\n\n\r\n"
	ping     = "3\r\n:\n\n\r\n"
)

// Head starts one event; a frame with a position gets it as its id too.
func (Codec) Head(dst []byte, f *wire.Frame) ([]byte, string) {
	size := len(dataKey) + wire.DataHeadLen(f) + len(f.Tail) + len("\n\n")
	if f.Pos != 0 {
		size += len(idKey) + wire.PosLen(f.Epoch, f.Pos) + len("\n")
	}
	dst = wire.AppendChunkHead(dst, size)
	if f.Pos != 0 {
		dst = wire.AppendPos(append(dst, idKey...), f.Epoch, f.Pos)
		dst = append(dst, '\n')
	}
	return wire.AppendDataHead(append(dst, dataKey...), f), foot
}

// Control is an event named after its type. A position gets to be its id, so
// that an EventSource knows where to go on before it has seen any data.
func (Codec) Control(dst []byte, typ, pos string, json []byte) []byte {
	size := len(eventKey) + len(typ) + len("\n") + len(dataKey) + len(json) + len("\n\n")
	if pos != "" {
		size += len(idKey) + len(pos) + len("\n")
	}
	dst = wire.AppendChunkHead(dst, size)
	if pos != "" {
		dst = append(append(append(dst, idKey...), pos...), '\n')
	}
	dst = append(append(dst, eventKey...), typ...)
	dst = append(append(dst, '\n'), dataKey...)
	return append(append(dst, json...), foot...)
}

// Ping is a comment, which an EventSource does not report.
func (Codec) Ping(dst []byte) []byte { return append(dst, ping...) }

// Close is a close event and the end of the response.
func (c Codec) Close(dst []byte, r push.CloseReason) []byte {
	var room [96]byte
	dst = c.Control(dst, wire.TypeClose, "", wire.CloseJSON(room[:0], r))
	return append(dst, wire.LastChunk...)
}
