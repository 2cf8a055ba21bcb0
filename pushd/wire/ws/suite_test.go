package ws

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"pushfleet/pushd/wire"
	"pushfleet/pushd/wire/wiretest"
)

func TestSuite(t *testing.T) { wiretest.Suite(t, Codec{}, readAll) }

// readAll is a client built on another implementation.
func readAll(t *testing.T, stream []byte) []wiretest.Event {
	t.Helper()
	head, frames, ok := strings.Cut(string(stream), "\r\n\r\n")
	if !ok || !strings.HasPrefix(head, "HTTP/1.1 101 ") {
		t.Fatalf("response head %.100q", stream)
	}
	r := strings.NewReader(frames)
	var events []wiretest.Event
	for r.Len() > 0 {
		e := readEvent(t, r)
		if events = append(events, e); e.Kind == wiretest.KindClose && r.Len() > 0 {
			t.Fatalf("%d bytes after the Close frame", r.Len())
		}
	}
	return events
}

func readEvent(t *testing.T, r io.Reader) wiretest.Event {
	t.Helper()
	h, err := ws.ReadHeader(r)
	if err != nil || !h.Fin || h.Rsv != 0 || h.Masked {
		t.Fatalf("header %+v: %v", h, err)
	}
	payload := make([]byte, h.Length)
	if _, err := io.ReadFull(r, payload); err != nil || !utf8.Valid(payload[min(len(payload), 2):]) {
		t.Fatalf("payload %.100q: %v", payload, err)
	}
	switch h.OpCode {
	case ws.OpPing:
		return wiretest.Event{Kind: wiretest.KindPing}
	case ws.OpText:
		return wiretest.Event{Kind: wiretest.KindObject, JSON: string(payload)}
	case ws.OpClose:
		code, reason := ws.ParseCloseFrameData(payload)
		return wiretest.Event{Kind: wiretest.KindClose, JSON: fmt.Sprintf(`{"type":"close","code":%d,"reason":"%s"}`, code, reason)}
	}
	t.Fatalf("opcode %d", h.OpCode)
	return wiretest.Event{}
}

// TestLengthForms demands the shortest form of each length.
func TestLengthForms(t *testing.T) {
	f := func(n int, want ...byte) {
		t.Helper()
		if got := appendHeader(nil, opText, n); !bytes.Equal(got, append([]byte{0x81}, want...)) {
			t.Errorf("header of %d bytes = % x, want 81 % x", n, got, want)
		}
	}
	f(0, 0)
	f(125, 125)
	f(126, 126, 0, 126)
	f(65535, 126, 0xff, 0xff)
	f(65536, 127, 0, 0, 0, 0, 0, 1, 0, 0)
}

func TestHello(t *testing.T) {
	// The key and its answer are those of RFC 6455 section 1.3.
	const accept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
	f := func(protocol string, want bool) {
		t.Helper()
		head := string(Codec{}.Hello(nil, &wire.Request{WSKey: "dGhlIHNhbXBsZSBub25jZQ==", WSProtocol: protocol}))
		if !strings.Contains(head, accept) || strings.Contains(head, "Sec-WebSocket-Protocol: push.v1\r\n") != want {
			t.Errorf("protocol %q: head %q", protocol, head)
		}
		if strings.Contains(head, "Extensions") {
			t.Errorf("an extension was negotiated: %q", head)
		}
	}
	f(wire.Subprotocol, true)
	f("", false)
}

func TestCloseEcho(t *testing.T) {
	f := func(code uint16, want ...byte) {
		t.Helper()
		got := AppendCloseCode(nil, code)
		if !bytes.Equal(got, want) || CloseCode(got[2:]) != code {
			t.Errorf("AppendCloseCode(%d) = % x, want % x", code, got, want)
		}
	}
	f(0, 0x88, 0)
	f(4999, 0x88, 2, 0x13, 0x87)
	if got := binary.BigEndian.Uint16(Codec{}.Close(nil, 0)[2:]); got != 1000 {
		t.Errorf("Close(none) has code %d, want 1000", got)
	}
}
