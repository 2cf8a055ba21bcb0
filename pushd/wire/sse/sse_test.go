package sse

import (
	"strings"
	"testing"

	"pushfleet/pushd/wire"
	"pushfleet/pushd/wire/wiretest"
)

func TestSuite(t *testing.T) {
	wiretest.Suite(t, Codec{}, func(t *testing.T, stream []byte) []wiretest.Event {
		t.Helper()
		body := wiretest.Body(t, stream, "text/event-stream", "close")
		body, ok := strings.CutPrefix(body, "retry: 1000\n\n")
		if !ok {
			t.Fatalf("stream begins %.40q, want the reconnection time", body)
		}
		return events(t, body)
	})
}

func TestBytes(t *testing.T) {
	f := func(got []byte, want string) {
		t.Helper()
		if string(got) != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	head, foot := Codec{}.Head(nil, &wire.Frame{Seq: 7, Pos: 3, Epoch: "k3", Tail: []byte(`"data":1}`)})
	f(head, "30\r\nid: k3-3\ndata: "+`{"seq":7,"pos":"k3-3",`)
	f([]byte(foot), "\n\n\r\n")
	head, _ = Codec{}.Head(nil, &wire.Frame{Seq: 7, Tail: []byte(`"data":1}`)})
	f(head, "1a\r\ndata: "+`{"seq":7,`)
	f(Codec{}.Ping(nil), "3\r\n:\n\n\r\n")
	f(Codec{}.Control(nil, "ok", "", []byte(`{}`)), "14\r\nevent: ok\ndata: {}\n\n\r\n")
	f(Codec{}.Control(nil, "ok", "k3-3", []byte(`{}`)), "1d\r\nid: k3-3\nevent: ok\ndata: {}\n\n\r\n")
}

// events parses an event stream as the HTML standard, section 9.2.6, has it.
func events(t *testing.T, body string) []wiretest.Event {
	t.Helper()
	if !strings.HasSuffix(body, "\n\n") {
		t.Fatalf("the last event is not ended: %q", body)
	}
	var list []wiretest.Event
	for _, block := range strings.Split(strings.TrimSuffix(body, "\n\n"), "\n\n") {
		list = append(list, event(t, block))
	}
	if last := list[len(list)-1]; last.Kind != wiretest.KindClose {
		t.Fatalf("stream ends with %v, want a close event", last)
	}
	return list
}

func event(t *testing.T, block string) wiretest.Event {
	t.Helper()
	e := wiretest.Event{Kind: wiretest.KindObject}
	for _, line := range strings.Split(block, "\n") {
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "":
			e.Kind = wiretest.KindPing
		case "id":
			e.ID = value
		case "event":
			e.Name = value
		case "data":
			if e.JSON != "" {
				t.Fatalf("two data lines in %q", block)
			}
			e.JSON = value
		default:
			t.Fatalf("field %q in %q", field, block)
		}
	}
	if e.Name == wire.TypeClose {
		return wiretest.Event{Kind: wiretest.KindClose, JSON: e.JSON}
	}
	return e
}
