package verdict

import "math/rand/v2"

// Defaults of an experiment with one shadow, in seconds.
const (
	DefaultWindow = 10
	DefaultSettle = 2
	DefaultAlpha  = 0.01
)

// Schedule returns the arms of windows that follow one another: pairs of both
// arms, in each pair in random order. That order is what the judgement rests
// on: whatever disturbs the machines, however slowly it changes and however
// alike neighbouring seconds are, cannot know it. The same seed gives the same
// order. An A/A phase follows such a schedule too, with arms that do not
// differ.
func Schedule(windows int, seed uint64) []Arm {
	r := rand.New(rand.NewPCG(seed, 0x7465655f74656521))
	arms := make([]Arm, 0, windows+1)
	for len(arms) < windows {
		first := Arm(r.IntN(2))
		arms = append(arms, first, 1-first)
	}
	return arms[:windows]
}
