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
	f(Seconds, 3e-9, "3 ns")
	f(Bytes, 214, "214 B")
	f(Bytes, 5_312, "5,312 B")
	f(Bytes, 61_400_000, "61.4 MB")
	f(Bytes, 5e12, "5,000 GB")
	f(Ratio, 0.0041, "0.41 %")
	f(Ratio, 0.123, "12.3 %")
	f(Ratio, 1, "100 %")
	f(Ratio, 0, "0 %")
	f(Ratio, 0.00001, "0.00 %")
	f(Count, 12345, "12,345")
	f(Count, 0.4, "0.40")
	f(Count, -2, "−2.00")
}

func TestChanges(t *testing.T) {
	f := func(m Metric, change, low, high float64, want, interval string) {
		t.Helper()
		e := Effect{Metric: m, Low: low, High: high}
		if got := e.Signed(change); got != want {
			t.Errorf("%+v: %v = %q, want %q", m, change, got, want)
		}
		if got := e.Interval(); got != interval {
			t.Errorf("%+v: %v to %v = %q, want %q", m, low, high, got, interval)
		}
	}
	f(Metric{Unit: Seconds}, -0.093, -0.11, 0.074, "−9.3 %", "−11.0…+7.4 %")
	f(Metric{Unit: Seconds}, 0, 0, 0, "0 %", "0…0 %")
	f(Metric{Unit: Seconds, Absolute: true}, 0.00003, -0.00009, 0.0002, "+30.0 µs", "−90…+200 µs")
	f(Metric{Unit: Ratio, Absolute: true}, -0.0029, -0.0033, -0.0025, "−0.29 pt", "−0.33…−0.25 pt")
	f(Metric{Unit: Ratio, Absolute: true}, 1e-7, -1e-6, 1e-6, "0 pt", "0…0 pt")
	f(Metric{Unit: Bytes, Absolute: true}, 12_345, -5, 12_345, "+12.3 KB", "0…+12.3 KB")
}
