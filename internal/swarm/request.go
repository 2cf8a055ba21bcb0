package swarm

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"math/rand/v2"
	"net/url"
	"strconv"

	"pushfleet/internal/push"
)

// newKey returns a Sec-WebSocket-Key and the Sec-WebSocket-Accept that answers
// it (RFC 6455, 4.2.2). One per worker is enough: it proves that the server
// speaks WebSocket, nothing more.
func newKey(rng *rand.Rand) (key, accept string) {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], rng.Uint64())
	binary.LittleEndian.PutUint64(b[8:], rng.Uint64())
	key = base64.StdEncoding.EncodeToString(b[:])
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return key, base64.StdEncoding.EncodeToString(sum[:])
}

// ask sends the request of a connection. It reports whether the connection is
// still there.
func (w *worker) ask(slot uint32, c *record) bool {
	w.request = w.appendRequest(w.request[:0], slot, c)
	c.parse = parseHead
	return w.write(slot, c, w.request)
}

func (w *worker) appendRequest(b []byte, slot uint32, c *record) []byte {
	b = append(b, "GET /connect?"...)
	b = w.appendQuery(b, slot, c)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = w.swarm.opts.Target.AppendTo(b)
	switch c.proto {
	case push.ProtoWS:
		b = append(b, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"+
			"Sec-WebSocket-Protocol: push.v1\r\nSec-WebSocket-Key: "...)
		b = append(b, w.wsKey...)
	case push.ProtoSSE:
		b = append(b, "\r\nAccept: text/event-stream"...)
	default:
		b = append(b, "\r\nAccept: application/x-ndjson"...)
	}
	return append(b, "\r\n\r\n"...)
}

func (w *worker) appendQuery(b []byte, slot uint32, c *record) []byte {
	o := &w.swarm.opts
	if r := w.requests[slot]; r != nil {
		return w.appendLast(r.appendQuery(b, o.PollWait), c)
	}
	i, token := w.first+int(slot), ""
	if o.Token != nil {
		token = o.Token(i)
	}
	if token != "" {
		b = append(append(b, "token="...), url.QueryEscape(token)...)
	} else {
		b = append(append(b, "user="...), url.QueryEscape(o.User(i))...)
	}
	if c.proto == push.ProtoPoll {
		b = append(b, "&poll="...)
		b = strconv.AppendInt(b, max(1, int64(o.PollWait.Seconds())), 10)
	}
	b = w.appendLast(b, c)
	if o.Query != "" {
		b = append(append(b, '&'), o.Query...)
	}
	return b
}

// appendLast asks to go on behind the last position seen, if there is one.
func (w *worker) appendLast(b []byte, c *record) []byte {
	if c.pos > 0 && w.epoch != "" {
		b = append(append(b, "&last="...), w.epoch...)
		b = strconv.AppendUint(append(b, '-'), uint64(c.pos), 10)
	}
	return b
}

const headMax = 16 << 10

// feedHead collects the response head, at most headMax bytes. It returns what
// follows the head, and false when the connection has ended.
func (w *worker) feedHead(slot uint32, c *record, in []byte) ([]byte, bool) {
	head := in
	if c.part != 0 {
		p := w.parts.at(c.part)
		*p = append(*p, in...)
		head = *p
	}
	end := bytes.Index(head, []byte("\r\n\r\n"))
	if end < 0 {
		if len(head) > headMax {
			w.counts.Malformed++
			w.lose(slot, c, "response head too long")
			return nil, false
		}
		if c.part == 0 {
			c.part = w.parts.take()
			p := w.parts.at(c.part)
			*p = append(*p, in...)
		}
		return nil, true
	}
	rest := in[len(in)-(len(head)-end-4):]
	reason := w.checkHead(c, head[:end+2])
	w.parts.give(&c.part)
	if reason != "" {
		w.lose(slot, c, reason)
		return nil, false
	}
	c.parse = parseChunkSize
	if c.proto == push.ProtoWS {
		c.parse = parseFrame
	}
	if c.state == connAsking {
		w.opened(slot, c)
	}
	return rest, true
}

// checkHead returns why the response is not what was asked for, "" if it is.
func (w *worker) checkHead(c *record, head []byte) string {
	status := 0
	if len(head) > 12 && bytes.HasPrefix(head, []byte("HTTP/1.")) {
		status, _ = strconv.Atoi(string(head[9:12]))
	}
	if c.proto == push.ProtoWS {
		switch {
		case status != 101:
			return "http " + strconv.Itoa(status)
		case string(headerValue(head, "sec-websocket-accept")) != w.wsAccept:
			return "wrong Sec-WebSocket-Accept"
		}
		return ""
	}
	switch {
	case status != 200:
		return "http " + strconv.Itoa(status)
	case !bytes.EqualFold(headerValue(head, "transfer-encoding"), []byte("chunked")):
		return "response is not chunked"
	}
	if bytes.EqualFold(headerValue(head, "connection"), []byte("close")) {
		c.flags |= flagBye
	}
	return ""
}

// headerValue returns the value of the first header with this name (lower
// case), nil if there is none.
func headerValue(head []byte, name string) []byte {
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		k, v, found := bytes.Cut(line, []byte(":"))
		if found && bytes.EqualFold(k, []byte(name)) {
			return bytes.TrimSpace(v)
		}
	}
	return nil
}
