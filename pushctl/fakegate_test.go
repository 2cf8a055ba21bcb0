package main

import (
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/gobwas/ws"
)

// fakeGate is a client listener. Each user gets a story of its own:
// "steady" two messages; "again" is thrown out at once after one message and
// goes on; "barred" is told never to come back.
type fakeGate struct {
	mu    sync.Mutex
	calls []string // query of each connection
}

func newFakeGate() http.Handler { return &fakeGate{} }

func (g *fakeGate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	g.calls = append(g.calls, r.URL.RawQuery)
	g.mu.Unlock()
	q := r.URL.Query()
	user := q.Get("user")
	if r.Header.Get("Authorization") == "Bearer good" {
		user = "steady"
	}
	if user == "unknown" {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"code":"auth","error":"no such user"}`)
		return
	}
	frames := []string{`{"type":"hello","conn":"0.1.1","ping_ms":25000,"epoch":"k3"}`}
	code := 0
	switch {
	case user == "again" && q.Get("last") == "":
		frames = append(frames, `{"seq":1,"pos":"k3-1","data":"one"}`)
		code = 4201
	case user == "again":
		frames = append(frames, `{"seq":1,"pos":"k3-2","data":"behind `+q.Get("last")+`"}`)
	case user == "barred":
		code = 4001
	default:
		frames = append(frames, `{"seq":1,"pos":"k3-1","id":"m-1","user":"steady","data":{"n":1}}`,
			`{"type":"gap","from":2,"to":4,"count":3,"reason":"overflow"}`, `{"seq":5,"pos":"k3-5","group":"ops","data":"two"}`)
	}
	if r.Header.Get("Upgrade") != "" {
		serveWS(w, r, frames, code)
		return
	}
	serveHTTP(w, r, frames, code)
}

func serveHTTP(w http.ResponseWriter, r *http.Request, frames []string, code int) {
	if code != 0 {
		frames = append(frames, fmt.Sprintf(`{"type":"close","code":%d,"reason":"expired"}`, code))
	}
	sse := r.Header.Get("Accept") == "text/event-stream"
	for _, f := range frames {
		if sse {
			fmt.Fprintf(w, ":\n\nid: x\ndata: %s\n\n", f)
		} else {
			fmt.Fprintf(w, "%s\n", f)
		}
	}
	w.(http.Flusher).Flush()
	if code == 0 && r.FormValue("poll") == "" {
		<-r.Context().Done()
	}
}

func serveWS(w http.ResponseWriter, r *http.Request, frames []string, code int) {
	up := ws.HTTPUpgrader{Protocol: func(p string) bool { return p == "push.v1" }}
	conn, _, _, err := up.Upgrade(r, w)
	if err != nil {
		return
	}
	defer conn.Close()
	ws.WriteFrame(conn, ws.NewPingFrame(nil))
	for _, f := range frames {
		ws.WriteFrame(conn, ws.NewTextFrame([]byte(f)))
	}
	if code != 0 {
		ws.WriteFrame(conn, ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusCode(code), "expired")))
	}
	// Until the client has answered: ping with pong, close with close.
	for {
		h, err := ws.ReadHeader(conn)
		if err == nil {
			_, err = io.CopyN(io.Discard, conn, h.Length)
		}
		if err != nil || h.OpCode == ws.OpClose {
			return
		}
	}
}
