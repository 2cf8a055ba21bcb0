package bench

import (
	"math"
	"math/rand/v2"
	"slices"
)

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	n := len(s)
	if n == 0 {
		return math.NaN()
	}
	return (s[(n-1)/2] + s[n/2]) / 2
}

func maxOf(v []float64) float64 { return slices.Max(v) }

// resamples of a bootstrap; the ends of a 95 % interval then rest on 50 each.
const resamples = 2000

// ratioInterval returns a 95 % interval of mean(b)/mean(a) by bootstrap over
// blocks of neighbouring values, because the seconds of a run resemble their
// neighbours (Künsch's moving blocks). ok is false with fewer than 4 blocks,
// which decide nothing.
func ratioInterval(a, b []float64, block int) (low, high float64, ok bool) {
	if len(a) < 4*block || len(b) < 4*block || mean(a) == 0 {
		return 0, 0, false
	}
	rng := rand.New(rand.NewPCG(1, 1)) // the same reports give the same interval
	ratios := make([]float64, resamples)
	for i := range ratios {
		ratios[i] = resample(b, block, rng) / resample(a, block, rng)
	}
	slices.Sort(ratios)
	return ratios[resamples*25/1000], ratios[resamples*975/1000-1], true
}

// resample is the mean of blocks drawn at random until v's length is reached.
func resample(v []float64, block int, rng *rand.Rand) float64 {
	sum, n := 0.0, 0
	for n < len(v) {
		at := rng.IntN(len(v) - block + 1)
		for _, x := range v[at : at+block] {
			sum += x
			n++
		}
	}
	return sum / float64(n)
}

// pairedInterval returns a 95 % interval of sum(b)/sum(a) over pairs measured
// next to each other, so that the drift of the machine cancels within a pair.
func pairedInterval(a, b []float64) (low, high float64, ok bool) {
	if len(a) != len(b) || len(a) < 4 {
		return 0, 0, false
	}
	rng := rand.New(rand.NewPCG(1, 1))
	ratios := make([]float64, resamples)
	for i := range ratios {
		sa, sb := 0.0, 0.0
		for range a {
			k := rng.IntN(len(a))
			sa += a[k]
			sb += b[k]
		}
		ratios[i] = sb / sa
	}
	slices.Sort(ratios)
	return ratios[resamples*25/1000], ratios[resamples*975/1000-1], true
}
