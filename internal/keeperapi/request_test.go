package keeperapi

import (
	"encoding/json"
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
