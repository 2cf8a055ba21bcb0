package wire

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"time"

	"pushfleet/internal/push"
)

// Path is the one path of the client listener.
const Path = "/connect"

// Request is what a client asks for when it connects.
type Request struct {
	Proto  push.Proto // ProtoNone only when Preflight is set
	Users  []string   // ?user=, each once, in the order given; at most NamesMax
	Groups []string   // ?group=, likewise
	Token  string     // from Authorization, ?token= or a subprotocol, in this order
	Last   string     // Last-Event-ID or ?last=, in this order; not yet parsed, at most LastMax bytes
	Resume bool       // frames carry positions; always on SSE and poll
	Poll   time.Duration

	WSKey      string // Sec-WebSocket-Key
	WSProtocol string // Subprotocol if the client offered it, else empty

	Origin     string
	Host       string
	RemoteHint string // last entry of X-Forwarded-For, at most 64 bytes: for display, never for trust
	KeepAlive  bool   // the client will read another response on this connection
	Preflight  bool   // a CORS preflight: answer with AppendPreflight and close

	// AllowOrigin is set by the session, from its own configuration or from
	// Origin. Hello and AppendPreflight write it as Access-Control-Allow-Origin.
	AllowOrigin string
}

// headEnd is the empty line that ends a request head.
const headEnd = "\r\n\r\n"

// ParseRequest reads one HTTP/1.1 request head from the start of b. The
// caller's buffer bounds the head's size. It returns n = 0 and no error while
// the head is not complete; otherwise n is the number of bytes consumed and
// err, if not nil, is a *HTTPError. One empty line before the request is
// skipped (RFC 9112 section 2.2). b is neither kept nor changed.
func ParseRequest(b []byte) (r *Request, n int, err error) {
	lead := 0
	if bytes.HasPrefix(b, []byte("\r\n")) {
		lead = 2
	}
	head := b[lead:]
	if e := checkStart(head); e != nil {
		return nil, len(b), e
	}
	end := bytes.Index(head, []byte(headEnd))
	if end < 0 {
		return nil, 0, nil
	}
	head = head[:end+len(headEnd)]
	n = lead + len(head)
	r, e := parseHead(head)
	if e != nil {
		return nil, n, e
	}
	return r, n, nil
}

// checkStart refuses at once what can never become a request, so that a TLS or
// binary client is told before the handshake times out.
func checkStart(head []byte) *HTTPError {
	switch {
	case len(head) == 0 || head[0] >= 'A' && head[0] <= 'Z':
		return nil
	case string(head) == "\r": // half of the empty line before a request
		return nil
	case head[0] == 0x16:
		return bad("tls", "this listener speaks plaintext HTTP: use http:// or ws://, or connect through the proxy that ends TLS")
	}
	return bad("not_http", "this is not an HTTP/1.1 request: open GET "+Path)
}

func parseHead(head []byte) (*Request, *HTTPError) {
	if !cleanLines(head) {
		return nil, bad("bad_head", "the request head has a bare CR, a bare LF or a NUL: end lines with CRLF")
	}
	h, err := http.ReadRequest(bufio.NewReaderSize(bytes.NewReader(head), len(head)))
	if err != nil {
		return nil, bad("bad_head", fmt.Sprintf("the request head does not parse (%v): send a well-formed HTTP/1.1 request", err))
	}
	if e := checkHead(h); e != nil {
		return nil, e
	}
	r := &Request{
		Host:       h.Host,
		Origin:     h.Header.Get("Origin"),
		RemoteHint: remoteHint(h.Header),
		KeepAlive:  !hasToken(h.Header, "Connection", "close"),
		Preflight:  h.Method == http.MethodOptions,
	}
	if r.Preflight {
		return r, nil
	}
	if e := chooseProto(r, h); e != nil {
		return nil, e
	}
	if e := readQuery(r, h.URL.RawQuery); e != nil {
		return nil, e
	}
	return r, readHeaders(r, h.Header)
}

// cleanLines holds the head to what every HTTP parser on the way reads alike:
// lines that end in CRLF, no other CR or LF, no NUL.
func cleanLines(head []byte) bool {
	for i, c := range head {
		switch c {
		case 0:
			return false
		case '\r':
			if i+1 == len(head) || head[i+1] != '\n' {
				return false
			}
		case '\n':
			if i == 0 || head[i-1] != '\r' {
				return false
			}
		}
	}
	return true
}

// checkHead refuses what is not GET Path over HTTP/1.1 without a body.
func checkHead(h *http.Request) *HTTPError {
	preflight := h.Method == http.MethodOptions && h.Header.Get("Access-Control-Request-Method") != ""
	switch {
	case h.ProtoMajor != 1 || h.ProtoMinor < 1:
		return &HTTPError{http.StatusHTTPVersionNotSupported, "http_version",
			fmt.Sprintf("%s is not supported: use HTTP/1.1; a proxy in front must be told so (nginx: proxy_http_version 1.1)", h.Proto)}
	case h.URL.Path != Path:
		return &HTTPError{http.StatusNotFound, "not_found", "there is only GET " + Path + " here; the server API is on the private listener"}
	case h.Method != http.MethodGet && !preflight:
		return &HTTPError{http.StatusMethodNotAllowed, "method", "use GET " + Path}
	case h.Host == "":
		return bad("no_host", "the Host header is missing: HTTP/1.1 demands it")
	case h.ContentLength != 0 || len(h.TransferEncoding) > 0:
		return bad("body", "the request has a body: send GET "+Path+" without one")
	}
	return nil
}

// chooseProto picks the transport. The first that is asked for wins: WebSocket,
// SSE, long poll (by readQuery), stream.
func chooseProto(r *Request, h *http.Request) *HTTPError {
	switch {
	case hasToken(h.Header, "Upgrade", "websocket") || h.Header.Get("Sec-Websocket-Key") != "":
		r.Proto = push.ProtoWS
		return readUpgrade(r, h.Header)
	case accepts(h.Header, "text/event-stream"):
		r.Proto, r.Resume = push.ProtoSSE, true
	default:
		r.Proto = push.ProtoStream
	}
	return nil
}

// hasToken says whether the comma-separated list of a header holds the token,
// in any case.
func hasToken(h http.Header, key, token string) bool {
	for _, line := range h.Values(key) {
		for item := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(item), token) {
				return true
			}
		}
	}
	return false
}

// accepts says whether Accept names the media type itself; a wildcard does not
// count, or every curl would be an event source.
func accepts(h http.Header, media string) bool {
	for _, line := range h.Values("Accept") {
		for item := range strings.SplitSeq(line, ",") {
			name, _, _ := strings.Cut(item, ";")
			if strings.EqualFold(strings.TrimSpace(name), media) {
				return true
			}
		}
	}
	return false
}

func remoteHint(h http.Header) string {
	v := h.Values("X-Forwarded-For")
	if len(v) == 0 {
		return ""
	}
	last := v[len(v)-1]
	last = strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
	return last[:min(len(last), 64)]
}

func bad(code, message string) *HTTPError {
	return &HTTPError{http.StatusBadRequest, code, message}
}
