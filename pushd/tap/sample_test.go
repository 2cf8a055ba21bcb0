package tap

import (
	"fmt"
	"math"
	"testing"
)

func names(form string) (list []string) {
	for i := range 20_000 {
		list = append(list, fmt.Sprintf(form, i))
	}
	return list
}

// The share of users in the sample is what was asked for, whatever they are
// called: within four standard deviations of a fair draw.
func TestShare(t *testing.T) {
	f := func(form string, percent float64) {
		t.Helper()
		in, users := 0, names(form)
		for _, u := range users {
			if In(u, percent) {
				in++
			}
		}
		n, p := float64(len(users)), percent/100
		if off := math.Abs(float64(in) - n*p); off > 4*math.Sqrt(n*p*(1-p)) {
			t.Errorf("%s: %d of %d users are in a sample of %v %%", form, in, len(users), percent)
		}
	}
	for _, form := range []string{"%d", "u-%d", "%08x", "user/%d@shop.example"} {
		for _, percent := range []float64{0, 0.01, 0.1, 1, 5, 33.33, 50, 99.9, 100} {
			f(form, percent)
		}
	}
}

func TestASmallerSampleIsPartOfALargerOne(t *testing.T) {
	sizes := []float64{0, 0.01, 0.02, 0.5, 1, 5, 25, 50, 99.99, 100}
	for _, u := range names("u-%d") {
		for i := 1; i < len(sizes); i++ {
			if In(u, sizes[i-1]) && !In(u, sizes[i]) {
				t.Fatalf("%s is in %v %% but not in %v %%", u, sizes[i-1], sizes[i])
			}
		}
	}
}

// Nodes of different builds must choose the same users.
func TestTheChoiceDoesNotChange(t *testing.T) {
	f := func(user string, want uint64) {
		t.Helper()
		if got := step(user); got != want {
			t.Errorf("%q is at step %d, want %d", user, got, want)
		}
	}
	f("", 9367)
	f("alice", 2071)
	f("bob", 9620)
	f("u-88121", 7203)
}

func TestPercentIsRounded(t *testing.T) {
	u := ""
	for _, n := range names("u-%d") {
		if step(n) == 0 {
			u = n
			break
		}
	}
	f := func(percent float64, want bool) {
		t.Helper()
		if In(u, percent) != want {
			t.Errorf("%s, the first to be chosen, at %v %%: %v", u, percent, !want)
		}
	}
	f(-1, false)
	f(0, false)
	f(0.004, false)
	f(0.006, true)
	f(100, true)
}

func TestChoosingAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { In("user/7@shop.example", 5) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
