package wiretest

import (
	"encoding/json"
	"testing"

	"pushfleet/internal/push"
	"pushfleet/pushd/wire"
)

// Kind is what a client saw.
type Kind string

// The kinds.
const (
	KindObject Kind = "object" // a data or control frame's JSON
	KindPing   Kind = "ping"
	KindClose  Kind = "close" // with code and reason, as JSON
	KindEnd    Kind = "end"   // the stream ended as its transport has it
)

// Event is one thing a client saw. Name and ID stay empty on a transport that
// does not carry them.
type Event struct {
	Kind Kind
	JSON string
	Name string // SSE event name
	ID   string // SSE id
}

// script writes a stream and remembers what a client should see.
type script struct {
	codec  wire.Codec
	stream []byte
	want   []Event
	close  push.CloseReason
}

func newScript(c wire.Codec) *script {
	return &script{codec: c, stream: c.Hello(nil, request()), close: push.CloseDrain}
}

// request is the one that the decoders expect the response for.
func request() *wire.Request {
	return &wire.Request{WSKey: "dGhlIHNhbXBsZSBub25jZQ==", WSProtocol: wire.Subprotocol, AllowOrigin: "*", KeepAlive: true}
}

func (s *script) data(f *wire.Frame) {
	head, foot := s.codec.Head(s.stream, f)
	s.stream = append(append(head, f.Tail...), foot...)
	e := Event{Kind: KindObject, JSON: string(wire.AppendDataHead(nil, f)) + string(f.Tail)}
	if f.Pos != 0 {
		e.ID = string(wire.AppendPos(nil, f.Epoch, f.Pos))
	}
	s.want = append(s.want, e)
}

func (s *script) control(typ, pos string, json []byte) {
	s.stream = s.codec.Control(s.stream, typ, pos, json)
	s.want = append(s.want, Event{Kind: KindObject, JSON: string(json), Name: typ, ID: pos})
}

func (s *script) ping() {
	s.stream = s.codec.Ping(s.stream)
	s.want = append(s.want, Event{Kind: KindPing})
}

// check closes the stream and compares what the client sees.
func (s *script) check(t *testing.T, decode Decoder) {
	t.Helper()
	stream := s.codec.Close(s.stream, s.close)
	got := decode(t, stream)
	want := s.want
	if len(got) > 0 && got[len(got)-1].Kind == KindClose {
		want = append(want, Event{Kind: KindClose, JSON: string(wire.CloseJSON(nil, s.close))})
	} else {
		want = append(want, Event{Kind: KindEnd})
		if s.close != push.ClosePollDone {
			t.Errorf("closed for %s without saying so", s.close)
		}
	}
	if len(got) != len(want) {
		t.Fatalf("client saw %d events, want %d", len(got), len(want))
	}
	for i := range want {
		compare(t, i, got[i], want[i])
	}
}

func compare(t *testing.T, i int, got, want Event) {
	t.Helper()
	if got.Kind != want.Kind || got.JSON != want.JSON {
		t.Fatalf("event %d: %s %.300q, want %s %.300q", i, got.Kind, got.JSON, want.Kind, want.JSON)
	}
	if got.Name+got.ID != "" && (got.Name != want.Name || got.ID != want.ID) {
		t.Fatalf("event %d: name %q id %q, want %q and %q", i, got.Name, got.ID, want.Name, want.ID)
	}
	if want.Kind == KindObject && !json.Valid([]byte(got.JSON)) {
		t.Fatalf("event %d is not JSON: %.300q", i, got.JSON)
	}
}
