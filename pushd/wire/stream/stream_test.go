package stream

import (
	"testing"

	"pushfleet/pushd/wire/wiretest"
)

func TestSuite(t *testing.T) {
	wiretest.Suite(t, Codec{}, func(t *testing.T, stream []byte) []wiretest.Event {
		t.Helper()
		return wiretest.Lines(t, wiretest.Body(t, stream, "application/x-ndjson", "close"))
	})
}
