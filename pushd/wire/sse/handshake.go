// Package sse is the server-sent events transport: data frames with an id for
// the browser's Last-Event-ID, control frames as named events, each one chunk
// of an HTTP/1.1 response.
package sse

import "pushfleet/pushd/wire"

// retry is how long an EventSource waits before it reconnects. It goes out at
// once with the head, so that the browser's open event does too.
const retry = "d\r\nretry: 1000\n\n\r\n"

// Hello is the response head and the reconnection time. The connection ends
// with the response.
func (Codec) Hello(dst []byte, r *wire.Request) []byte {
	return append(wire.AppendOK(dst, r, "text/event-stream", false), retry...)
}
