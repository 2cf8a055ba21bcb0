// Package poll is the long poll: the lines of stream, in a response that ends
// when something has been delivered or the time is up, on a connection that is
// kept for the next request.
package poll

import "pushfleet/pushd/wire"

// Hello is the response head. The connection is kept if the client asked so.
func (Codec) Hello(dst []byte, r *wire.Request) []byte {
	return wire.AppendOK(dst, r, "application/x-ndjson", r.KeepAlive)
}
