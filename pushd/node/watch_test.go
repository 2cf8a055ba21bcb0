package node

import (
	"math"
	"slices"
	"testing"

	"pushfleet/internal/pushdapi"
)

func TestUsualRateLeavesTheLastSecondsOut(t *testing.T) {
	// rates of a connection of some age to which old/s was published, and for
	// the last burst seconds now/s.
	rates := func(old, now, burst, age float64) pushdapi.Windows {
		rate := func(tau float64) float64 {
			part := func(from, to float64) float64 { return math.Exp(-from/tau) - math.Exp(-to/tau) }
			return (now*part(0, burst) + old*part(burst, age)) / part(0, age)
		}
		return pushdapi.Windows{S1: rate(1), S10: rate(10), S100: rate(100)}
	}
	f := func(old, now, burst, age, low, high float64) {
		t.Helper()
		if v := usual(rates(old, now, burst, age), age); v < low || v > high {
			t.Errorf("%v/s, then %v/s for %v s, of %v s: usual %v, want %v to %v", old, now, burst, age, v, low, high)
		}
	}
	f(20, 20, 0, 3600, 19.99, 20.01)
	f(20, 20, 0, 12, 19.99, 20.01)
	f(20, 500, 0.5, 3600, 20, 21)
	f(20, 500, 3, 3600, 20, 32)
	f(20, 500, 3, 15, 20, 60) // where the window of 100 s says 120
	f(0, 500, 1, 60, 0, 15)
	f(500, 0, 3, 60, 450, 500)
	f(20, 20, 0, 3, 0, 0) // too young to tell
}

func TestThrottled(t *testing.T) {
	f := func(stat string, want float64, ok bool) {
		t.Helper()
		if s, found := throttledIn(stat); math.Abs(s-want) > 1e-9 || found != ok {
			t.Errorf("%q: %v %v, want %v %v", stat, s, found, want, ok)
		}
	}
	f("usage_usec 1\nnr_throttled 3\nthrottled_usec 2500000\n", 2.5, true)
	f("nr_periods 9\nnr_throttled 3\nthrottled_time 2500000000\n", 2.5, true)
	f("usage_usec 1\n", 0, false)
	f("", 0, false)
}

func TestControlGroupsOfTheCPU(t *testing.T) {
	f := func(groups string, want ...string) {
		t.Helper()
		if got := cpuGroups(groups); !slices.Contains(got, want[0]) || !slices.Contains(got, want[1]) {
			t.Errorf("%q: %q, want among them %q", groups, got, want)
		}
	}
	f("0::/system.slice/pushd.service\n", "/sys/fs/cgroup/system.slice/pushd.service", "/sys/fs/cgroup")
	f("3:memory:/m\n2:cpu,cpuacct:/pushd\n0::/\n", "/sys/fs/cgroup/cpu,cpuacct/pushd", "/sys/fs/cgroup/cpu/pushd")
	if got := cpuGroups("bad\n4:cpuset:/a\n"); got != nil {
		t.Errorf("%q", got)
	}
}

func TestAThreadNumberUsedAgain(t *testing.T) {
	if d := (threadTimes{3, 1}).since(threadTimes{2, 0.5}); d != (threadTimes{1, 0.5}) {
		t.Error(d)
	}
	if d := (threadTimes{1, 0.1}).since(threadTimes{2, 0.5}); d != (threadTimes{1, 0.1}) {
		t.Error(d)
	}
}
