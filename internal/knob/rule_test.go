package knob

import (
	"testing"
	"time"
)

func TestValuesAreThoseAfterTheTransaction(t *testing.T) {
	r := NewRegistry()
	n := r.Int(Spec{Name: "a.int"}, 1, 0, 9)
	d := r.Duration(Spec{Name: "a.duration"}, time.Second, 0, time.Hour)
	x := r.Float(Spec{Name: "a.float"}, 1, 0, 9)
	b := r.Bool(Spec{Name: "a.bool"}, false)
	e := r.Enum(Spec{Name: "a.enum"}, 0, []string{"x", "y"})
	type all struct {
		n int64
		d time.Duration
		x float64
		b bool
		e int
	}
	var saw all
	r.Constrain("any", func(v Values) bool {
		saw = all{v.Int(n), v.Duration(d), v.Float(x), v.Bool(b), v.Enum(e)}
		return true
	})
	f := func(set map[string]string, want all) {
		t.Helper()
		if _, err := r.Apply(Txn{Set: set, DryRun: true}); err != nil || saw != want {
			t.Errorf("%v: the rule saw %+v, %v; want %+v", set, saw, err, want)
		}
	}
	f(nil, all{1, time.Second, 1, false, 0})
	f(map[string]string{"a.int": "2", "a.bool": "on"}, all{2, time.Second, 1, true, 0})
	f(map[string]string{"a.duration": "2s", "a.float": "2.5", "a.enum": "y"}, all{1, 2 * time.Second, 2.5, false, 1})
}

func TestWords(t *testing.T) {
	f := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f(Low.String()+Medium.String()+High.String(), "lowmediumhigh")
	f(Live.String()+","+NewConns.String()+","+Restart.String(), "live,new connections,restart")
	f(Risk(9).String(), "unknown")
}
