package verdict

import (
	"cmp"
	"math"
	"slices"
)

// estimate is a shift with its 95 % interval and the probability of one at
// least as large by chance alone.
type estimate struct {
	shift, low, high float64
	p                float64
	se, free         float64 // standard error, and the degrees of freedom it is known with
	n                int     // differences it rests on
	fewest           float64 // smallest p that so many can give
}

// Below rankMin differences signed ranks cannot show enough, and the interval
// is Student's, less one degree of freedom for what was taken away as
// production's.
// Above pairsMax, where the exact probability costs more than it tells,
// neighbours are averaged first.
const (
	rankMin  = 14
	pairsMax = 128
)

// signedRank is Hodges and Lehmann's shift with the interval and the exact
// probability of Wilcoxon's signed ranks. With the order of arms random within
// each pair the sign of a difference is a coin's when there is no effect, so
// the probability holds whatever the noise is like. Ties share their ranks,
// zeros have no sign (Pratt).
func signedRank(d []float64) estimate {
	for len(d) > pairsMax {
		d = halve(d)
	}
	n := len(d)
	if n < rankMin {
		return student(d, 1, min(1, n/fitMin))
	}
	w := walsh(d)
	e := estimate{shift: middle(w), n: n, p: rankP(d), fewest: 2 * math.Pow(0.5, float64(n))}
	k := rankCut(n, 0.025)
	e.low, e.high = w[k], w[len(w)-1-k]
	e.free = float64(n - 1)
	e.se = (e.high - e.low) / 2 / tQuantile(0.975, e.free)
	return e
}

// halve averages neighbours; a last one without is left out.
func halve(d []float64) []float64 {
	out := make([]float64, len(d)/2)
	for i := range out {
		out[i] = (d[2*i] + d[2*i+1]) / 2
	}
	return out
}

// walsh returns the means of all pairs, each value with itself too, in order.
func walsh(d []float64) []float64 {
	w := make([]float64, 0, len(d)*(len(d)+1)/2)
	for i, a := range d {
		for _, b := range d[i:] {
			w = append(w, (a+b)/2)
		}
	}
	slices.Sort(w)
	return w
}

// middle is the median of sorted values.
func middle(sorted []float64) float64 {
	n := len(sorted)
	if n == 0 {
		return math.NaN()
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

func median(x []float64) float64 {
	y := slices.Clone(x)
	slices.Sort(y)
	return middle(y)
}

// rankP is the two-sided probability of the ranks of d under random signs.
func rankP(d []float64) float64 {
	ranks, sum := doubleRanks(d)
	var positive, total int
	for i, r := range ranks {
		if d[i] != 0 {
			total += r
		}
		if d[i] > 0 {
			positive += r
		}
	}
	if total == 0 {
		return 1
	}
	dist := make([]float64, sum+1)
	dist[0] = 1
	top := 0
	for i, r := range ranks {
		if d[i] != 0 {
			top = addSign(dist, top, r)
		}
	}
	var p float64
	for _, v := range dist[:min(positive, total-positive)+1] {
		p += v
	}
	return min(1, 2*p)
}

// addSign takes a rank with a random sign into a distribution of sums of which
// top is the greatest so far.
func addSign(dist []float64, top, rank int) int {
	for s := top + rank; s >= 0; s-- {
		v := 0.0
		if s <= top {
			v = dist[s]
		}
		if s >= rank {
			v += dist[s-rank]
		}
		dist[s] = v / 2
	}
	return top + rank
}

// doubleRanks returns twice the rank of each value's size, so that shared
// ranks are whole, and their sum.
func doubleRanks(d []float64) (ranks []int, sum int) {
	order := make([]int, len(d))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(math.Abs(d[a]), math.Abs(d[b])) })
	ranks = make([]int, len(d))
	for i := 0; i < len(order); {
		j := i + 1
		for j < len(order) && math.Abs(d[order[j]]) == math.Abs(d[order[i]]) {
			j++
		}
		for _, at := range order[i:j] {
			ranks[at] = i + 1 + j // ranks i+1 … j, twice their mean
			sum += ranks[at]
		}
		i = j
	}
	return ranks, sum
}

// rankCut is how many of the sorted Walsh means lie outside each limit of an
// interval that errs with at most probability tail on each side.
func rankCut(n int, tail float64) int {
	dist := make([]float64, n*(n+1)/2+1)
	dist[0] = 1
	top := 0
	for r := 1; r <= n; r++ {
		top = addSign(dist, top, r)
	}
	p := 0.0
	for k, v := range dist {
		if p += v; p > tail {
			return max(0, k-1)
		}
	}
	return 0
}
