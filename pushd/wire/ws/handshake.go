// Package ws is the WebSocket transport (RFC 6455): the handshake, frames to
// the client, and a decoder for frames from it. Extensions are never
// negotiated, so no frame is compressed.
package ws

import (
	"crypto/sha1"
	"encoding/base64"

	"pushfleet/pushd/wire"
)

// guid is the constant of RFC 6455 section 1.3.
const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// Hello is the 101 response. It selects the subprotocol if the client offered
// it; a browser that offered others only will close the connection.
func (Codec) Hello(dst []byte, r *wire.Request) []byte {
	dst = append(dst, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	sum := sha1.Sum([]byte(r.WSKey + guid))
	dst = base64.StdEncoding.AppendEncode(dst, sum[:])
	if r.WSProtocol != "" {
		dst = append(append(dst, "\r\nSec-WebSocket-Protocol: "...), r.WSProtocol...)
	}
	return append(dst, "\r\n\r\n"...)
}
