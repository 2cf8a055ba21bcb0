package tap

import (
	"strings"
	"testing"
)

// Between a look and the call the tee may have become another's.
func TestOnlyTheTeeThatIsNamedIsStopped(t *testing.T) {
	r := newRig(t)
	f := func(id, want string) {
		t.Helper()
		if err := r.tap.StopFor(id, "a test"); code(err) != want {
			t.Errorf("%q: %v, want %q", id, err, want)
		}
	}
	f("", "not_found")
	f("a", "not_found")
	r.begin(Options{Sample: 100, ID: "a", To: "one"}, false)
	f("b", "another")
	if s := r.tap.Status(); s.ID != "a" || !s.Active {
		t.Errorf("the tee that nobody named: %+v", s)
	}
	f("a", "")
	if s := r.wait(); s.end.Reason != EndStopped || s.end.Detail != "by request of a test" {
		t.Errorf("%+v", s.end)
	}
	f("a", "not_found")
	r.begin(Options{Sample: 100, ID: "b", To: "two"}, false)
	f("a", "another")
	if err := r.tap.StopFor("a", "a test"); !strings.Contains(err.Error(), "tee b to two runs since") {
		t.Errorf("who reads instead is not told: %v", err)
	}
	f("", "")
	r.wait()
}
