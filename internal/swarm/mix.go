package swarm

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Profile is the way a client behaves after its handshake.
type Profile uint8

// The profiles.
const (
	Fast     Profile = iota // reads at once, answers pings
	Slow                    // reads SlowBytes per second through a small receive buffer
	Stalled                 // never reads: its receive window closes
	HalfOpen                // vanished: the kernel drops all that arrives, not even TCP answers
	Silent                  // reads, but never answers a ping
	Churn                   // leaves after a random time and comes back
	ProfileCount
)

var profileNames = [ProfileCount]string{"fast", "slow", "stalled", "half-open", "silent", "churn"}

func (p Profile) String() string {
	if p < ProfileCount {
		return profileNames[p]
	}
	return fmt.Sprintf("unknown(%d)", uint8(p))
}

// ParseProfile reads a profile's name.
func ParseProfile(s string) (Profile, error) {
	for i, n := range profileNames {
		if n == s {
			return Profile(i), nil
		}
	}
	return 0, fmt.Errorf("profile %q is not one of %s", s, strings.Join(profileNames[:], ", "))
}

// Share is one part of a Mix; Part is a fraction of 1.
type Share[T any] struct {
	What T
	Part float64
}

// Mix divides connections among kinds. The parts sum to 1.
type Mix[T any] []Share[T]

// ParseMix reads a list such as "fast,slow=1%,stalled=0.5%": entries without a
// share divide what the others leave.
func ParseMix[T any](s string, parse func(string) (T, error)) (Mix[T], error) {
	var m Mix[T]
	left, open := 1.0, 0
	for _, f := range strings.Split(s, ",") {
		name, share, has := strings.Cut(strings.TrimSpace(f), "=")
		what, err := parse(name)
		if err != nil {
			return nil, err
		}
		part := -1.0
		if has {
			if part, err = parseShare(share); err != nil {
				return nil, fmt.Errorf("share of %s: %w", name, err)
			}
			left -= part
		} else {
			open++
		}
		m = append(m, Share[T]{what, part})
	}
	if left < -1e-9 {
		return nil, fmt.Errorf("%q: the shares sum to more than 100 %%", s)
	}
	if open == 0 && left > 1e-9 {
		return nil, fmt.Errorf("%q: the shares sum to %.4g %%; leave the share off one entry to give it the rest", s, (1-left)*100)
	}
	for i := range m {
		if m[i].Part < 0 {
			m[i].Part = left / float64(open)
		}
	}
	return m, nil
}

func parseShare(s string) (float64, error) {
	num, percent := strings.CutSuffix(strings.TrimSpace(s), "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(num), 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a share such as 1%% or 0.01", s)
	}
	if percent {
		v /= 100
	}
	if !(v >= 0 && v <= 1) {
		return 0, fmt.Errorf("%q is not between 0 and 100 %%", s)
	}
	return v, nil
}

// pick chooses for connection i. Multiples of an irrational step fill the unit
// interval evenly, so that any run of connections has the shares asked for.
func (m Mix[T]) pick(i int, step float64, none T) T {
	if len(m) == 0 {
		return none
	}
	_, x := math.Modf(float64(i)*step + 0.5)
	for _, s := range m {
		if x < s.Part {
			return s.What
		}
		x -= s.Part
	}
	return m[len(m)-1].What
}

// Steps of pick: golden ratio and the plastic number's pair, so that protocol
// and profile are chosen independently.
const (
	protoStep   = 0.6180339887498949
	profileStep = 0.7548776662466927
)
