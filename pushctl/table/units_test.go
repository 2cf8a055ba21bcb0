package table

import (
	"math"
	"testing"
)

func TestCount(t *testing.T) {
	f := func(n int64, want string) {
		t.Helper()
		if got := Count(n); got != want {
			t.Errorf("Count(%d) = %q, want %q", n, got, want)
		}
	}
	f(0, "0")
	f(999, "999")
	f(1000, "1,000")
	f(48210, "48,210")
	f(1048576, "1,048,576")
	f(-1234567, "-1,234,567")
}

func TestFigure(t *testing.T) {
	f := func(v float64, want string) {
		t.Helper()
		if got := Figure(v); got != want {
			t.Errorf("Figure(%v) = %q, want %q", v, got, want)
		}
	}
	f(0, "–")
	f(0.01, "<0.1")
	f(25.1, "25.1")
	f(12, "12.0")
	f(999.94, "999.9")
	f(999.96, "1,000")
	f(12410.4, "12,410")
	f(3.04e6, "3.0M")
	f(math.NaN(), "–")
	f(math.Inf(1), "–")
}

func TestRate(t *testing.T) {
	f := func(v float64, want string) {
		t.Helper()
		if got := Rate(v); got != want {
			t.Errorf("Rate(%v) = %q, want %q", v, got, want)
		}
	}
	f(0, "–")
	f(0.4, "0.4/s")
	f(0.01, "<0.1/s")
	f(3, "3/s")
	f(9.94, "9.9/s")
	f(9.96, "10/s")
	f(12409.6, "12,410/s")
	f(999_999.6, "1.0M/s")
	f(12.4e6, "12M/s")
}

func TestBytes(t *testing.T) {
	f := func(n int64, want string) {
		t.Helper()
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %q, want %q", n, got, want)
		}
	}
	f(0, "0 B")
	f(214, "214 B")
	f(999, "999 B")
	f(1000, "1.0 KB")
	f(8100, "8.1 KB")
	f(9960, "10 KB")
	f(214_000, "214 KB")
	f(999_600, "1.0 MB")
	f(61_200_000, "61 MB")
	f(3_400_000_000, "3.4 GB")
	f(1_000_000_000_000_000, "1,000 TB")
}

func TestPercent(t *testing.T) {
	f := func(v float64, want string) {
		t.Helper()
		if got := Percent(v); got != want {
			t.Errorf("Percent(%v) = %q, want %q", v, got, want)
		}
	}
	f(0, "0 %")
	f(0.01, "<0.1 %")
	f(0.4, "0.4 %")
	f(38, "38 %")
	f(94.4, "94 %")
	f(112, "112 %")
}

func TestSeconds(t *testing.T) {
	f := func(s float64, text, cell string) {
		t.Helper()
		if got := Seconds(s); got != text {
			t.Errorf("Seconds(%v) = %q, want %q", s, got, text)
		}
		if got := Cell(s); got != cell {
			t.Errorf("Cell(%v) = %q, want %q", s, got, cell)
		}
	}
	f(0, "0 s", "0s")
	f(80e-6, "80 µs", "80 µs")
	f(1e-9, "1 µs", "1 µs")
	f(0.0009, "0.9 ms", "0.9 ms")
	f(0.00994, "9.9 ms", "9.9 ms")
	f(0.212, "212 ms", "212 ms")
	f(0.9996, "1 s", "1s")
	f(2.1, "2.1 s", "2.1s")
	f(7, "7 s", "7s")
	f(20.8, "20.8 s", "20.8s")
	f(59.96, "1m00s", "1m00s")
	f(104, "1m44s", "1m44s")
	f(7860, "2h 11m", "2h11m")
	f(3599.6, "1h 0m", "1h0m")
	f(273600, "3d 4h", "3d4h")
	f(-2, "-2 s", "-2s")
	f(math.Inf(1), "–", "–")
}
