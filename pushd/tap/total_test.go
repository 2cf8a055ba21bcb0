package tap

import "testing"

// The books of all tees are those of each together.
func TestTotal(t *testing.T) {
	r := newRig(t)
	f := func(wantClose, wantEnd uint64) {
		t.Helper()
		s := r.tap.Total()
		if s.Sent["close"] != wantClose || s.Sent["end"] != wantEnd {
			t.Errorf("%d closes and %d ends, want %d and %d", s.Sent["close"], s.Sent["end"], wantClose, wantEnd)
		}
		for kind, seen := range s.Seen {
			if seen != s.Sent[kind]+s.Dropped[kind] {
				t.Errorf("%s: seen %d, sent %d, dropped %d", kind, seen, s.Sent[kind], s.Dropped[kind])
			}
		}
	}
	f(0, 0)
	bytes := uint64(0)
	for i := range uint64(3) {
		r.begin(all, false)
		r.open(1, "u").close()
		f(i+1, i)
		r.end()
		f(i+1, i+1)
		bytes += r.tap.Status().Bytes
	}
	if s := r.tap.Total(); s.Bytes != bytes || s.Active || s.Sample != 0 {
		t.Errorf("total %+v, want %d bytes", s, bytes)
	}
}
