package keeperapi

import (
	"context"
	"encoding/json"
	"io"
	"slices"
	"testing"
)

// TestKnobInfoCarriesChoicesAndValues holds two fields apart that would share
// a name in JSON: what may be chosen, and what is set.
func TestKnobInfoCarriesChoicesAndValues(t *testing.T) {
	in := KnobInfo{Decl: Decl{Name: "a.b", Values: []string{"off", "on"}}, Values: []ScopedValue{{Scope: Fleet, Value: Value{Value: "on"}}}}
	b, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var out KnobInfo
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(out.Decl.Values, in.Decl.Values) || len(out.Values) != 1 || out.Values[0].Value.Value != "on" {
		t.Errorf("%s became %+v", b, out)
	}
}

func TestWorstSaysMost(t *testing.T) {
	own, late := &Error{Message: "no leader"}, context.DeadlineExceeded
	f := func(a, b, want error) {
		t.Helper()
		if got := worst(a, b); got != want {
			t.Errorf("worst(%v, %v) = %v, want %v", a, b, got, want)
		}
	}
	f(nil, late, late)
	f(io.EOF, late, io.EOF)
	f(late, io.EOF, io.EOF)
	f(own, io.EOF, own)
	f(io.EOF, own, own)
	f(late, own, own)
}
