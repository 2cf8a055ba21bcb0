package node

import (
	"testing"

	"pushfleet/internal/knob"
)

func TestChangedKnobs(t *testing.T) {
	r := knob.NewRegistry()
	r.Int(knob.Spec{Name: "a.max", Unit: "messages", Help: "A."}, 10, 1, 100)
	r.Int(knob.Spec{Name: "b.max", Unit: "messages", Help: "B."}, 20, 1, 100)
	if _, err := r.Set("a.max", "11", "config", ""); err != nil {
		t.Fatal(err)
	}
	var c changed
	c.take(r)
	f := func(name, value string, want int) {
		t.Helper()
		if name != "" {
			if _, err := r.Set(name, value, "admin", ""); err != nil {
				t.Fatal(err)
			}
		}
		if n := c.count(r); n != want {
			t.Errorf("%s = %s: %d are changed, want %d", name, value, n, want)
		}
	}
	f("", "", 0)
	f("a.max", "10", 1) // the default is not what it started with
	f("b.max", "21", 2)
	f("b.max", "21", 2)
	f("a.max", "11", 1)
	f("b.max", "20", 0)
}
