package verdict

import "testing"

func TestWords(t *testing.T) {
	f := func(unit string, v float64, want string) {
		t.Helper()
		if got := (&Metric{Unit: unit}).Value(v); got != want {
			t.Errorf("%v %s = %q, want %q", v, unit, got, want)
		}
	}
	f(Seconds, 9.81e-6, "9.81 µs")
	f(Seconds, 65.139e-6, "65.1 µs")
	f(Seconds, 0.00091, "0.91 ms")
	f(Seconds, 0.0123, "12.3 ms")
	f(Seconds, 2.5, "2.50 s")
	f(Seconds, 0, "0 ms")
	f(Seconds, 3e-9, "3.00 ns")
	f(Bytes, 214, "214 B")
	f(Bytes, 5_312, "5,312 B")
	f(Bytes, 61_400_000, "61.4 MB")
	f(Bytes, 5e12, "5,000 GB")
	f(Ratio, 0.0041, "0.41 %")
	f(Ratio, 0.123, "12.3 %")
	f(Ratio, 0, "0 %")
	f(Ratio, 0.00001, "<0.01 %")
	f(Count, 12345, "12,345")
	f(Count, 0.4, "0.40")
	e := Effect{Metric: Metric{Unit: Seconds}}
	if got := e.Signed(-0.093); got != "−9.3 %" {
		t.Errorf("a share: %q", got)
	}
	e.Metric.Absolute = true
	if got := e.Signed(0.00003); got != "+30.0 µs" {
		t.Errorf("a difference: %q", got)
	}
}
