package poll

import (
	"strings"
	"testing"

	"pushfleet/internal/push"
	"pushfleet/pushd/wire"
	"pushfleet/pushd/wire/wiretest"
)

func TestSuite(t *testing.T) {
	wiretest.Suite(t, Codec{}, func(t *testing.T, stream []byte) []wiretest.Event {
		t.Helper()
		return wiretest.Lines(t, wiretest.Body(t, stream, "application/x-ndjson", "keep-alive"))
	})
}

func TestKeepAliveIsTheClients(t *testing.T) {
	f := func(keep bool, want string) {
		t.Helper()
		head := string(Codec{}.Hello(nil, &wire.Request{KeepAlive: keep}))
		if !strings.Contains(head, "\r\nConnection: "+want+"\r\n") {
			t.Errorf("keep-alive %v: head %q, want Connection: %s", keep, head, want)
		}
	}
	f(true, "keep-alive")
	f(false, "close")
}

func TestDoneIsNoGoodbye(t *testing.T) {
	if got := string(Codec{}.Close(nil, push.ClosePollDone)); got != wire.LastChunk {
		t.Errorf("Close(poll_done) = %q, want %q", got, wire.LastChunk)
	}
}
