package main

import (
	"net/http"
	"time"

	"pushfleet/internal/pushdapi"
)

// tapRoutes are those of a node's tap; gw-1 is mirrored, the others are not.
func (n *fakeNode) tapRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/tap", func(w http.ResponseWriter, _ *http.Request) {
		if n.name != "gw-1" {
			answer(w, pushdapi.Tap{EndedAt: fakeTime().Add(-2 * time.Hour), EndReason: "stopped", EndDetail: "by pushctl tee stop"})
			return
		}
		answer(w, pushdapi.Tap{ID: "3f9a1c02", Active: true, Since: fakeTime().Add(-90 * time.Second), To: "pushctl at 10.0.0.7", Asked: 5, Sample: 2.5,
			Redact: "payload", Connections: 1207, Joined: 1190, Torn: 3, Sent: map[string]uint64{"open": 1300, "out": 120_000, "publish": 44_000},
			Dropped: map[string]uint64{"out": 41}, DroppedBy: map[string]uint64{"buffer": 30, "torn": 11}, Bytes: 31_000_000, BufferBytes: 12_000, CPUPercent: 0.8})
	})
	mux.HandleFunc("DELETE /v1/tee", func(w http.ResponseWriter, r *http.Request) {
		if id := r.URL.Query().Get("id"); n.name == "gw-1" && id != "3f9a1c02" {
			refuse(w, 409, "another", "tee "+id+" does not read gw-1: tee 3f9a1c02 to pushctl at 10.0.0.7 runs since 14:01:37")
		}
	})
	mux.HandleFunc("GET /v1/tee", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, 409, "busy", "tee 3f9a1c02 to pushctl at 10.0.0.7 runs since 14:01:37; there can be one at a time")
	})
}
