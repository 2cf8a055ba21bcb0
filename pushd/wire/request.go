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
	Tee        bool   // ?tee=1 or Push-Tee: 1: it mirrors a client of another node; a shadow takes no others

	// AllowOrigin is set by the session, from its own configuration or from
	// Origin. Hello and AppendPreflight write it as Access-Control-Allow-Origin.
	AllowOrigin string
}

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

func parseHead(head []byte) (*Request, *HTTPError) {
	if !cleanLines(head) {
		return nil, bad("bad_head", "the request head has a folded line, a bare CR or LF, or a NUL: end each header with CRLF")
	}
	h, err := http.ReadRequest(bufio.NewReaderSize(bytes.NewReader(head), len(head)))
	if err != nil {
		return nil, bad("bad_head", fmt.Sprintf("the request head does not parse (%v): send a well-formed HTTP/1.1 request", err))
	}
	if e := checkNames(h.Header); e != nil {
		return nil, e
	}
	r, e := readRequest(h)
	if e != nil {
		e.Origin = h.Header.Get("Origin")
		return nil, e
	}
	return r, nil
}

func readRequest(h *http.Request) (*Request, *HTTPError) {
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
