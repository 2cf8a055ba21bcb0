package pushdapi

import "testing"

func TestKnobsInAFewWords(t *testing.T) {
	f := func(s Stats, want string) {
		t.Helper()
		if got := s.Knobs(); got != want {
			t.Errorf("%+v is %q, want %q", s.Follow, got, want)
		}
	}
	f(Stats{KnobRevision: 7}, "r7")
	f(Stats{KnobRevision: 7, Follow: Follow{Mode: FollowOff}}, "r7")
	f(Stats{KnobRevision: 7, Follow: Follow{Mode: FollowKeepers, Revision: 418, Connected: true}}, "r418 (current)")
	f(Stats{Follow: Follow{Mode: FollowEmbedded, Revision: 3, Connected: true, Drift: make([]KnobDrift, 2)}}, "r3 (2 differ)")
	f(Stats{Follow: Follow{Mode: FollowKeepers, Revision: 418, Since: 12.3, Drift: make([]KnobDrift, 2)}}, "r418 (keepers silent for 12s)")
}
