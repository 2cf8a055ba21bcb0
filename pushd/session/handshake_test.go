package session

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"pushfleet/internal/push"
	"pushfleet/pushd/slab"
	"pushfleet/pushd/wire/ws/wstest"
)

var protos = []push.Proto{push.ProtoWS, push.ProtoSSE, push.ProtoStream, push.ProtoPoll}

func TestHandshakeInPieces(t *testing.T) {
	r := newRig(t)
	f := func(p push.Proto, cut func(n int) int) {
		t.Helper()
		c := r.raw()
		for req := request(p, "user=u"); req != ""; {
			n := min(cut(len(req)), len(req))
			c.write(req[:n])
			req = req[n:]
		}
		want := 200
		if p == push.ProtoWS {
			want = 101
		}
		c.response(want)
		c.reset()
	}
	for _, p := range protos {
		f(p, func(int) int { return 1 })
		f(p, func(n int) int { return max(1, n-1) }) // all but the last byte
		for range 20 {
			f(p, func(int) int { return 1 + rand.IntN(60) })
		}
	}
	r.eventually("all gone", func() bool { return r.table.Live() == 0 })
}

func TestFramesMayFollowTheRequestAtOnce(t *testing.T) {
	r := newRig(t)
	f := func(frames ...string) {
		t.Helper()
		c := r.raw()
		c.write(request(push.ProtoWS, "user=u") + strings.Join(frames, ""))
		c.response(101)
		c.frame() // hello
		for range frames {
			if a := c.frame(); !strings.Contains(string(a.Payload), `"type":"pong"`) {
				t.Errorf("answer %q", a.Payload)
			}
		}
		c.reset()
	}
	ping := string(wstest.Frame(true, 0, wstest.Text, `{"type":"ping"}`))
	f(ping)
	f(ping, ping, ping)
	c := r.raw() // a half frame behind the request
	c.write(request(push.ProtoWS, "user=u") + ping[:5])
	c.response(101)
	c.frame()
	c.write(ping[5:])
	if a := c.frame(); !strings.Contains(string(a.Payload), `"type":"pong"`) {
		t.Errorf("answer %q", a.Payload)
	}
}

// A request that does not become a connection is answered and closed.
func TestRefusedRequests(t *testing.T) {
	r := newRig(t, "close.wait", "1m") // all must end because the client does
	f := func(in string, status int, code string) {
		t.Helper()
		c := r.raw()
		c.write(in)
		resp := c.response(status)
		b, err := io.ReadAll(resp.Body)
		var body frame
		if err != nil || json.Unmarshal(b, &body) != nil || body.str("code") != code || body.str("error") == "" || !resp.Close {
			t.Errorf("%.60q: %q, %v; want code %s and the end of the connection", in, b, err, code)
		}
		if rest := c.rest(); rest != "" {
			t.Errorf("%.60q: %q after the response", in, rest)
		}
		c.Close()
	}
	get := func(target, headers string) string {
		return "GET " + target + " HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n"
	}
	f("POST /connect?user=u HTTP/1.1\r\nHost: x\r\n\r\n", 405, "method")
	f(get("/", ""), 404, "not_found")
	f("GET /connect?user=u HTTP/1.0\r\n\r\n", 505, "http_version")
	f("GET /connect?user=u HTTP/1.1\r\n\r\n", 400, "no_host")
	f(get("/connect", ""), 401, "claims")
	f(get("/connect?user=", ""), 400, "bad_user")
	f(get("/connect?user=u", "Upgrade: websocket\r\nConnection: Upgrade\r\n"), 426, "ws_version")
	f("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "tls")
	f("\x00\x01\x02garbage", 400, "not_http")
	f("get /connect HTTP/1.1\r\n\r\n", 400, "not_http")
	f(get("/connect?user=u", "X: "+strings.Repeat("x", headMax)+"\r\n"), 431, "head_too_large")
	f(get("/connect?user=u", strings.Repeat("X: y\r\n", headMax/6+1)), 431, "head_too_large")
	f("GET /connect?user="+strings.Repeat("u", 20_000), 431, "head_too_large")
	r.eventually("all closed", func() bool { return r.table.Live() == 0 })
	if n := r.s.Closed.Totals()[push.CloseBadRequest]; n != 12 {
		t.Errorf("%d closed as bad requests, want 12", n)
	}
	rows := r.s.Closed.List(push.CloseAuth, 0)
	if len(rows) != 1 || !strings.HasPrefix(rows[0].Detail, "claims: ") {
		t.Errorf("refused for identity: %+v", rows)
	}
}

func TestHeadOfAnySizeUpToTheBoundIsTaken(t *testing.T) {
	r := newRig(t)
	c := r.raw()
	req := request(push.ProtoStream, "user=u")
	padding := "X: " + strings.Repeat("x", headMax-len(req)-len("X: \r\n")) + "\r\n"
	req = req[:len(req)-2] + padding + "\r\n"
	c.write(req[:len(req)/2])
	c.write(req[len(req)/2:])
	c.response(200)
	if len(req) != headMax {
		t.Errorf("a head of %d bytes was tried, want %d", len(req), headMax)
	}
}

func TestSilentHandshakeTimesOut(t *testing.T) {
	t.Parallel()
	r := newRig(t, "handshake.timeout", "500ms")
	f := func(in string) {
		t.Helper()
		c := r.raw()
		c.write(in)
		if rest := c.rest(); rest != "" {
			t.Errorf("%q was answered %q", in, rest)
		}
	}
	f("")
	f("GET /conn")
	rows := r.s.Closed.List(push.CloseHandshakeTimeout, 0)
	if len(rows) != 2 || rows[0].Proto != "none" {
		t.Errorf("closed: %+v", rows)
	}
}

// Under pressure those who have said nothing for longest give way.
func TestHandshakePressureTakesTheOldest(t *testing.T) {
	const limit, extra = 16, 5
	r := newRig(t, "handshake.pending_max", fmt.Sprint(limit))
	open := r.rawWS("user=u") // finished, so never in the way
	var silent []*raw
	for i := range limit + extra {
		silent = append(silent, r.raw())
		r.eventually("accepted", func() bool { return int(r.table.totals.Accepted) == i+2 })
	}
	for i, c := range silent[:extra] {
		if rest := c.rest(); rest != "" {
			t.Errorf("connection %d was told %q", i, rest)
		}
	}
	for _, c := range silent[extra:] {
		c.write(request(push.ProtoStream, "user=u"))
		c.response(200)
	}
	rows := r.s.Closed.List(push.CloseHandshakePressure, 0)
	if len(rows) != extra {
		t.Fatalf("%d gave way, want %d", len(rows), extra)
	}
	for i, c := range silent[:extra] {
		if got := rows[extra-1-i].Peer; got != c.LocalAddr().String() {
			t.Errorf("number %d to give way was %s, want %s", i, got, c.LocalAddr())
		}
	}
	r.send("u", "1", slab.Meta{})
	if f := open.frame(); !strings.Contains(string(f.Payload), `"data":1`) {
		t.Errorf("open connection got %q", f.Payload)
	}
}

func TestFullNodeAnswers503(t *testing.T) {
	r := newRig(t, "conns.max", "2")
	a := r.rawWS("user=a")
	r.rawWS("user=b")
	for range 20 {
		c := r.raw()
		c.write(request(push.ProtoStream, "user=c"))
		resp := c.response(503)
		b, err := io.ReadAll(resp.Body)
		var body frame
		if err != nil || json.Unmarshal(b, &body) != nil || body.str("code") != "max_conns" {
			t.Fatalf("body %q, %v", b, err)
		}
		c.Close()
	}
	a.reset()
	r.eventually("one gone", func() bool { return r.table.Live() == 1 })
	r.rawWS("user=c")
	n := uint64(0)
	r.do(func() { n = r.table.totals.Closed[push.CloseMaxConns] })
	if n != 20 {
		t.Errorf("%d counted as max_conns, want 20", n)
	}
}

func TestPreflightIsAnsweredForListedOrigins(t *testing.T) {
	r := startRigWith(t, false, func(s *Shared) { s.AllowOrigins = []string{"https://a.example"} })
	f := func(origin, want string) {
		t.Helper()
		c := r.raw()
		c.write("OPTIONS /connect HTTP/1.1\r\nHost: x\r\nOrigin: " + origin + "\r\nAccess-Control-Request-Method: GET\r\n\r\n")
		resp := c.response(204)
		if got := resp.Header.Get("Access-Control-Allow-Origin"); got != want {
			t.Errorf("origin %s: allowed %q, want %q", origin, got, want)
		}
		c.rest()
		c = r.raw()
		c.write(request(push.ProtoSSE, "user=u", "Origin: "+origin))
		if got := c.response(200).Header.Get("Access-Control-Allow-Origin"); got != want {
			t.Errorf("origin %s on SSE: allowed %q, want %q", origin, got, want)
		}
		for query, status := range map[string]int{"": 401, "user=u&resume=7": 400} {
			c = r.raw()
			c.write(request(push.ProtoSSE, query, "Origin: "+origin))
			if got := c.response(status).Header.Get("Access-Control-Allow-Origin"); got != want {
				t.Errorf("origin %s, refused with %d: allowed %q, want %q", origin, status, got, want)
			}
		}
	}
	f("https://a.example", "https://a.example")
	f("https://b.example", "")
}
