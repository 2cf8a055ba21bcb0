package session

import (
	"net/http"

	"pushfleet/pushd/wire"
)

// shadowOnly answers a client of its own on a node that is a shadow. What a
// shadow is sent was sent by another node already, so it must reach nobody.
var shadowOnly = &wire.HTTPError{Status: http.StatusServiceUnavailable, Code: "shadow",
	Message: "this node is a shadow, which takes the clients of a tee only; connect to another one"}
