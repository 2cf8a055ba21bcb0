package wire

import (
	"bufio"
	"bytes"
	"net/http"
	"reflect"
	"testing"

	"pushfleet/internal/push"
)

// FuzzParseRequest holds the parser to its bounds, to one answer however the
// head arrives, and to what net/http understands of the same bytes.
func FuzzParseRequest(f *testing.F) {
	for _, s := range []string{
		get("/connect", ""), get("/connect?user=a&group=g&poll=5&last=k-1", "Last-Event-ID: k-2\r\n"),
		get("/connect?resume=1", wsHeaders+"Sec-WebSocket-Protocol: push.v1, push.token.x\r\n"),
		get("/connect", "Accept: text/event-stream\r\nAuthorization: Bearer t\r\nX-Forwarded-For: a, b\r\n"),
		"\r\n" + get("http://h/connect", "Connection: close\r\nContent-Length: 0\r\n"),
		"OPTIONS /connect HTTP/1.1\r\nHost: a\r\nAccess-Control-Request-Method: GET\r\n\r\n",
		"GET /connect HTTP/1.0\r\n\r\n", "\x16\x03\x01", get("/connect", "A: b\nC: d\r\n"),
	} {
		f.Add([]byte(s), uint16(7))
	}
	f.Fuzz(func(t *testing.T, b []byte, at uint16) {
		r, n, err := ParseRequest(b)
		if n < 0 || n > len(b) || err != nil && r != nil || n == 0 && r != nil || n > 0 && r == nil && err == nil {
			t.Fatalf("%+v, n %d of %d, %v", r, n, len(b), err)
		}
		if err != nil {
			readResponse(t, AppendHTTPError(nil, err.(*HTTPError), ""))
			return
		}
		if n == 0 {
			return
		}
		again, m, err := ParseRequest(b[:n])
		if m != n || err != nil || !reflect.DeepEqual(r, again) {
			t.Fatalf("the head alone: %+v, %d, %v; with what follows: %+v, %d", again, m, err, r, n)
		}
		if p, m, err := ParseRequest(b[:int(at)%n]); p != nil || m != 0 || err != nil {
			t.Fatalf("first %d of %d bytes: %+v, %d, %v", int(at)%n, n, p, m, err)
		}
		checkRequest(t, r, b[:n])
	})
}

func checkRequest(t *testing.T, r *Request, head []byte) {
	h, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(bytes.TrimPrefix(head, []byte("\r\n")))))
	if err != nil || h.URL.Path != Path || h.Host != r.Host || (r.Proto == push.ProtoNone) != r.Preflight {
		t.Fatalf("took %q as %+v; net/http: %+v, %v", head, r, h, err)
	}
	if len(r.Users) > NamesMax || len(r.Last) > LastMax || len(r.Token) > TokenMax {
		t.Fatalf("a bound is not held: %+v", r)
	}
	for _, user := range r.Users {
		if !validName(user, push.UserIDMax) {
			t.Fatalf("user %q", user)
		}
	}
	if poll := r.Proto == push.ProtoPoll; poll != (r.Poll >= PollMin && r.Poll <= PollMax) || (r.Proto == push.ProtoWS) != validKey(r.WSKey) {
		t.Fatalf("%+v", r)
	}
	r.AllowOrigin = r.Origin
	readResponse(t, append(AppendOK(nil, r, "x/y", r.KeepAlive), LastChunk...))
}
