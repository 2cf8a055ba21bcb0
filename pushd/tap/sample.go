package tap

import "math"

// steps are what a sample is counted in: hundredths of a percent.
const steps = 10_000

// In tells whether a user is in a sample of percent, which is rounded to 0.01.
// A user who is in a sample is in every larger one. It depends on nothing but
// its arguments, so that all nodes and later runs choose the same users.
func In(user string, percent float64) bool { return step(user) < stepsOf(percent) }

// stepsOf is a share as a number of steps.
func stepsOf(percent float64) uint64 {
	return uint64(math.Round(max(0, percent) * steps / 100))
}

// step is the user's place among the steps, by Lemire's multiply-shift: the
// upper half of the hash, scaled.
func step[T string | []byte](user T) uint64 { return stepAt(hash(user)) }

func stepAt(h uint64) uint64 { return h >> 32 * steps >> 32 }

// hash is FNV-1a, finished by the mixer of MurmurHash3: the upper bits of FNV
// alone hardly depend on the last bytes of a short name.
func hash[T string | []byte](s T) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
