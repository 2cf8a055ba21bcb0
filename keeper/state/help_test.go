package state

import (
	"encoding/json"
	"testing"

	"pushfleet/internal/keeperapi"
)

// start is 2026-11-21 00:00 UTC, when the stories begin.
const start keeperapi.Time = 1795219200000

// fleetSchema is what a node of the stories declares.
func fleetSchema() keeperapi.Schema {
	return keeperapi.Schema{
		{Name: "queue.messages_max", Type: "int", Unit: "messages", Default: "1024", Min: "16", Max: "65536", Risk: "medium", Acts: "live"},
		{Name: "queue.bytes_max", Type: "bytes", Default: "64KiB", Min: "1KiB", Max: "16MiB"},
		{Name: "heartbeat.ping", Type: "duration", Default: "25s", Min: "1s", Max: "1h"},
		{Name: "tap.sample", Type: "float", Default: "0%", Min: "0%", Max: "100%"},
		{Name: "tap.on", Type: "bool", Default: "off", Values: []string{"off", "on"}},
		{Name: "queue.policy", Type: "enum", Default: "drop-oldest", Values: []string{"drop-oldest", "coalesce", "disconnect"}},
	}
}

// oldSchema is of an earlier build: a smaller range and fewer knobs.
func oldSchema() keeperapi.Schema {
	s := fleetSchema()[:3]
	s[0].Max = "4096"
	return s
}

func encode(t testing.TB, c Command) []byte {
	t.Helper()
	b, err := Encode(c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// apply runs a command and reads the result.
func apply(t testing.TB, s *State, c Command) keeperapi.Result {
	t.Helper()
	var r keeperapi.Result
	if err := json.Unmarshal(s.Apply(0, encode(t, c)), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// must is apply of a command that may not be refused.
func must(t testing.TB, s *State, c Command) keeperapi.Result {
	t.Helper()
	r := apply(t, s, c)
	if r.Error != nil {
		t.Fatalf("%s: %s", c.Op, r.Error.Message)
	}
	return r
}

func joinOf(id string, labels map[string]string, sc keeperapi.Schema, leaseMS int64) keeperapi.Join {
	return keeperapi.Join{ID: id, Version: "0.1.0", Labels: labels, Schema: sc.Hash(), Definition: sc, LeaseMS: leaseMS}
}

func snapshot(t testing.TB, s *State) string {
	t.Helper()
	b, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
