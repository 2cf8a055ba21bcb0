package promtest

import (
	"strings"
	"testing"
)

// A reader that sees nothing would make tests that cannot fail.
func TestReaderComplains(t *testing.T) {
	f := func(page, want string) {
		t.Helper()
		if got := strings.Join(Read(page, "reason").Problems, "\n"); !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", page, got, want)
		}
	}
	const head = "# HELP a_total Some help.\n# TYPE a_total counter\n"
	f(head+"a_total 1\n", "")
	f("a_total 1\n", "without help")
	f(head+"b_total 1\n", "without help")
	f(head+"a_total 1\na_total 1\n", "twice")
	f(head+head, "in pieces")
	f("# HELP a Some help.\n# TYPE a counter\n", "a is a counter")
	f(head+`a_total{conn="1.2.3"} 1`+"\n", "label conn")
	f(head+`a_total{vmrange="1...2"} 1`+"\n", "label vmrange")
	f(head+`a_total{reason="x} 1`+"\n", "labels of")
	f(head+"a_total x\n", "value of")
}
