package wire

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pushfleet/internal/push"
)

const wsHeaders = "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

// get is a request for the path and query with further header lines.
func get(target, headers string) string {
	return "GET " + target + " HTTP/1.1\r\nHost: push.example\r\n" + headers + "\r\n"
}

func TestParseRequest(t *testing.T) {
	f := func(in string, want Request) {
		t.Helper()
		want.Host = "push.example"
		r, n, err := ParseRequest([]byte(in + "\x81\x00"))
		if err != nil || n != len(in) || !reflect.DeepEqual(*r, want) {
			t.Errorf("%q:\n got %+v, %d, %v\nwant %+v, %d", in, r, n, err, want, len(in))
		}
		for i := range len(in) {
			if r, n, err := ParseRequest([]byte(in[:i])); r != nil || n != 0 || err != nil {
				t.Fatalf("part %q: %+v, %d, %v; want incomplete", in[:i], r, n, err)
			}
		}
	}
	const key = "dGhlIHNhbXBsZSBub25jZQ=="
	f(get("/connect", ""), Request{Proto: push.ProtoStream, KeepAlive: true})
	f("\r\n"+get("/connect", "Connection: close\r\n"), Request{Proto: push.ProtoStream})
	f(get("http://push.example/connect?", "Accept: */*\r\n"), Request{Proto: push.ProtoStream, KeepAlive: true})
	f(get("/connect?user=ann&user=b%20b&user=ann&group=g&x=1", "Content-Length: 0\r\n"),
		Request{Proto: push.ProtoStream, Users: []string{"ann", "b b"}, Groups: []string{"g"}, KeepAlive: true})
	f(get("/connect?resume=1&last=k3-7", "Origin: https://a.example\r\n"),
		Request{Proto: push.ProtoStream, Resume: true, Last: "k3-7", Origin: "https://a.example", KeepAlive: true})
	f(get("/connect?last=k3-7", "Accept: text/html, Text/Event-Stream;q=0.9\r\nLast-Event-ID: k3-9\r\n"),
		Request{Proto: push.ProtoSSE, Resume: true, Last: "k3-9", KeepAlive: true})
	f(get("/connect?poll=30", "X-Forwarded-For: 6.6.6.6, 192.0.2.1\r\n"),
		Request{Proto: push.ProtoPoll, Resume: true, Poll: 30 * time.Second, RemoteHint: "192.0.2.1", KeepAlive: true})
	f(get("/connect?poll=0", ""), Request{Proto: push.ProtoPoll, Resume: true, Poll: PollMin, KeepAlive: true})
	f(get("/connect?poll=9999", ""), Request{Proto: push.ProtoPoll, Resume: true, Poll: PollMax, KeepAlive: true})
	f(get("/connect?poll=30", "Accept: text/event-stream\r\n"), Request{Proto: push.ProtoSSE, Resume: true, KeepAlive: true})
	f(get("/connect?token=q", "Authorization: bearer  a.b.c\r\n"), Request{Proto: push.ProtoStream, Token: "a.b.c", KeepAlive: true})
	f(get("/connect?tee=1", ""), Request{Proto: push.ProtoStream, Tee: true, KeepAlive: true})
	f(get("/connect?tee=0", "Push-Tee: 1\r\n"), Request{Proto: push.ProtoStream, Tee: true, KeepAlive: true})
	f(get("/connect?tee=yes", "Push-Tee: yes\r\n"), Request{Proto: push.ProtoStream, KeepAlive: true})
	f(get("/connect?token=q", "Authorization: Basic eDp5\r\n"), Request{Proto: push.ProtoStream, Token: "q", KeepAlive: true})
	f(get("/connect", wsHeaders), Request{Proto: push.ProtoWS, WSKey: key, KeepAlive: true})
	f(get("/connect?resume=1", wsHeaders+"Sec-WebSocket-Protocol: chat, push.v1\r\nSec-WebSocket-Protocol: push.token.a.b.c\r\n"),
		Request{Proto: push.ProtoWS, WSKey: key, WSProtocol: Subprotocol, Token: "a.b.c", Resume: true, KeepAlive: true})
	f(get("/connect?token=q&poll=x", wsHeaders+"Sec-WebSocket-Protocol: push.token.a, PUSH.V1\r\nSec-WebSocket-Extensions: permessage-deflate\r\n"),
		Request{Proto: push.ProtoWS, WSKey: key, Token: "q", KeepAlive: true})
	f("OPTIONS /connect HTTP/1.1\r\nHost: push.example\r\nOrigin: https://a.example\r\nAccess-Control-Request-Method: GET\r\n\r\n",
		Request{Origin: "https://a.example", Preflight: true, KeepAlive: true})
}

func TestParseRequestRefuses(t *testing.T) {
	f := func(in string, status int, code string) {
		t.Helper()
		r, n, err := ParseRequest([]byte(in))
		var e *HTTPError
		if !errors.As(err, &e) || r != nil || n != len(in) || e.Status != status || e.Code != code || e.Message == "" {
			t.Errorf("%.120q = %+v, %d, %#v; want %d %s", in, r, n, err, status, code)
		}
	}
	f("\x16\x03\x01\x02", 400, "tls")
	f("\x00", 400, "not_http")
	f("get /connect", 400, "not_http")
	f("\r\n\r\nGET /connect", 400, "not_http")
	f("GET /connect HTTP/1.0\r\n\r\n", 505, "http_version")
	f("PRI * HTTP/2.0\r\n\r\n", 505, "http_version")
	f("GET /connect\r\n\r\n", 400, "bad_head")
	f("GET /connect HTTP/1.1\r\n\r\n", 400, "no_host")
	f(get("/connect", "Host: other\r\n"), 400, "bad_head")
	f(get("/connect", "No colon\r\n"), 400, "bad_head")
	f(get("/connect", "A: b\x00\r\n"), 400, "bad_head")
	f(get("/connect", "A: b\nC: d\r\n"), 400, "bad_head")
	f(get("/connect", "A: b\rC: d\r\n"), 400, "bad_head")
	f(get("/connect", "A : b\r\n"), 400, "bad_head")
	f(get("/connect", "Content-Length : 5\r\n"), 400, "bad_head")
	f(get("/connect", "A: b\r\n folded\r\n"), 400, "bad_head")
	f(get("/connect", ": b\r\n"), 400, "bad_head")
	f(get("/connect", "Content-Length: x\r\n"), 400, "bad_head")
	f(get("/", ""), 404, "not_found")
	f(get("/healthz", ""), 404, "not_found")
	f(get("/connect/", ""), 404, "not_found")
	f("POST /connect HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n", 405, "method")
	f("OPTIONS /connect HTTP/1.1\r\nHost: a\r\n\r\n", 405, "method")
	f(get("/connect", "Content-Length: 3\r\n"), 400, "body")
	f(get("/connect", "Transfer-Encoding: chunked\r\n"), 400, "body")

	f(get("/connect", strings.Replace(wsHeaders, "13", "8", 1)), 426, "ws_version")
	f(get("/connect", strings.Replace(wsHeaders, "Sec-WebSocket-Version: 13\r\n", "", 1)), 426, "ws_version")
	f(get("/connect", strings.Replace(wsHeaders, "dGhl", "dG=l", 1)), 400, "ws_key")
	f(get("/connect", strings.Replace(wsHeaders, "dGhl", "", 1)), 400, "ws_key")
	f(get("/connect", wsHeaders+"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"), 400, "ws_key")
	f(get("/connect", strings.Replace(wsHeaders, "Upgrade: websocket\r\n", "", 1)), 400, "upgrade")
	f(get("/connect", strings.Replace(wsHeaders, ", Upgrade", "", 1)), 400, "upgrade")

	f(get("/connect?user=", ""), 400, "bad_user")
	f(get("/connect?user=%ff", ""), 400, "bad_user")
	f(get("/connect?user=a%0ab", ""), 400, "bad_user")
	f(get("/connect?user=a%c2%85", ""), 400, "bad_user")
	f(get("/connect?user="+strings.Repeat("u", push.UserIDMax+1), ""), 400, "bad_user")
	f(get("/connect?group="+strings.Repeat("g", push.GroupIDMax+1), ""), 400, "bad_group")
	f(get("/connect?"+many("user", NamesMax+1), ""), 400, "bad_user")
	f(get("/connect?user=a;user=b", ""), 400, "bad_query")
	f(get("/connect?user=%zz", ""), 400, "bad_query")
	f(get("/connect?poll=", ""), 400, "bad_poll")
	f(get("/connect?poll=-1", ""), 400, "bad_poll")
	f(get("/connect?poll=1.5", ""), 400, "bad_poll")
	f(get("/connect?poll=30s", ""), 400, "bad_poll")
	f(get("/connect?resume=yes", ""), 400, "bad_resume")
	f(get("/connect?last="+strings.Repeat("1", LastMax+1), ""), 400, "bad_last")
	f(get("/connect?token="+strings.Repeat("t", TokenMax+1), ""), 400, "bad_token")
}

func TestNamesUpToTheBound(t *testing.T) {
	r, _, err := ParseRequest([]byte(get("/connect?"+many("user", NamesMax)+"&user=u0", "")))
	if err != nil || len(r.Users) != NamesMax {
		t.Fatalf("%d users: %v", NamesMax, err)
	}
	long := strings.Repeat("u", push.UserIDMax)
	r, _, err = ParseRequest([]byte(get("/connect?user="+long, "")))
	if err != nil || !slices.Equal(r.Users, []string{long}) {
		t.Errorf("user of %d bytes: %v", len(long), err)
	}
}

func many(key string, n int) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf("%s=u%d", key, i))
	}
	return strings.Join(list, "&")
}

func TestRequestKeepsNothingOfTheBuffer(t *testing.T) {
	b := []byte(get("/connect?user=ann&token=t", wsHeaders+"Origin: o\r\n"))
	r, _, err := ParseRequest(b)
	if err != nil {
		t.Fatal(err)
	}
	want := *r
	want.Users = slices.Clone(r.Users)
	for i := range b {
		b[i] = '#'
	}
	if !reflect.DeepEqual(*r, want) || r.Users[0] != "ann" || r.Host != "push.example" || r.Origin != "o" {
		t.Errorf("the request changed with the buffer: %+v", r)
	}
}
