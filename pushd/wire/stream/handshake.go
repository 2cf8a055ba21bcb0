// Package stream is the plain transport: one JSON object per line, each line
// one chunk of an HTTP/1.1 response. curl -N shows it as it is.
package stream

import "pushfleet/pushd/wire"

// Hello is the response head. The connection ends with the response.
func (Codec) Hello(dst []byte, r *wire.Request) []byte {
	return wire.AppendOK(dst, r, "application/x-ndjson", false)
}
