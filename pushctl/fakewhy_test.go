package main

import (
	"net/http"
	"strings"
	"time"

	"pushfleet/internal/pushdapi"
)

// watch is the slow client of the evening, watched; its host is not this one.
func (n *fakeNode) watch(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	for _, row := range fakeRows() {
		if row.Conn != id {
			continue
		}
		d, _ := time.ParseDuration(r.FormValue("for"))
		answer(w, fakeWatched(n.name, row, d))
		return
	}
	refuse(w, 404, "not_found", "no connection "+id+" is open")
}

func fakeWatched(node string, row pushdapi.ConnRow, d time.Duration) *pushdapi.Watched {
	s := d.Seconds()
	w := &pushdapi.Watched{Conn: *fakeConn(node, row), OverSeconds: s, Looks: int(40 * s), UsualIn: 11, Offered: uint64(25 * s), Delivered: uint64(10 * s)}
	w.Queue = pushdapi.WatchedQueue{First: row.Queued, Last: row.Queued, Max: row.Queued, OldestSeconds: row.Wait.Seconds, Waiting: 1}
	w.Socket = &pushdapi.WatchedSocket{Segments: 120, RTTMax: 0.212, AckedBytes: uint64(2090 * s)}
	if row.Conn == "3.1f20.2" {
		w.Socket.Busy, w.Socket.RwndLimited, w.Socket.Unsent, w.Socket.UnsentMax = 1, 0.94, 1, 131_000
	}
	w.Loop = pushdapi.WatchedLoop{Loop: 3, LateMean: 0.2e-3, Late: pushdapi.Quantiles{P99: 0.9e-3}, Turn: pushdapi.Quantiles{P99: 0.2e-3}}
	w.Process = pushdapi.WatchedProcess{Cores: 4, CPUSeconds: 0.38 * s, RunQueueSeconds: 0.01 * s}
	return w
}

// user has two connections if it is the slow one, one on a loop that does not
// answer if it is u-busy, else none.
func (n *fakeNode) user(w http.ResponseWriter, r *http.Request) {
	u := pushdapi.UserInfo{User: r.PathValue("u"), Sessions: []pushdapi.ConnRow{}}
	if strings.HasPrefix(u.User, "u-88121") {
		u.Online, u.Sessions = true, []pushdapi.ConnRow{fakeRows()[4], fakeRows()[0]}
	}
	if u.User == "u-busy" {
		u.Online, u.Unanswered = true, 1
	}
	if u.User == "u-77" {
		u.Replay = 12
	}
	answer(w, u)
}
