package verdict

import "math"

// student is the mean with Student's interval. inflate is how much larger the
// variance of the mean is than independent values would make it, fitted how
// many parameters were taken from the values before.
func student(d []float64, inflate float64, fitted int) estimate {
	n := float64(len(d))
	var mean, sum float64
	for _, v := range d {
		mean += v / n
	}
	for _, v := range d {
		sum += (v - mean) * (v - mean)
	}
	if n < 2 {
		return estimate{shift: mean, low: mean, high: mean, p: 1, n: len(d)}
	}
	return normal(mean, math.Sqrt(inflate*sum/(n-1)/n), max(1, n/inflate-1-float64(fitted)), len(d))
}

// normal is an estimate of n values with a standard error.
func normal(shift, se, free float64, n int) estimate {
	half := se * tQuantile(0.975, free)
	e := estimate{shift: shift, low: shift - half, high: shift + half, p: 1, se: se, free: free, n: n}
	switch {
	case se > 0:
		e.p = tTwoSided(shift/se, free)
	case shift != 0:
		e.p = 0
	}
	return e
}

// blocksMin is how many blocks are left when neighbours are joined.
const blocksMin = 12

// blocks is student for values in time whose neighbours are alike: it joins
// them for as long as that is so and enough are left, and takes what likeness
// remains into the variance.
func blocks(d []float64) estimate {
	r := neighbours(d)
	for r > 0.1 && len(d)/2 >= blocksMin {
		d = halve(d)
		r = neighbours(d)
	}
	return student(d, alike(d, 1), 0)
}

// alike is by how much the variance of a mean grows because neighbours are
// alike. fitted parameters make them look less so.
func alike(d []float64, fitted int) float64 {
	if len(d) < 4 {
		return 1
	}
	r := neighbours(d) + float64(fitted)/float64(len(d))
	r = min(max(r, 0), 0.8)
	return (1 + r) / (1 - r)
}

// neighbours is the correlation of values with those that follow them.
func neighbours(d []float64) float64 {
	var mean, own, next float64
	for _, v := range d {
		mean += v / float64(len(d))
	}
	for i, v := range d {
		own += (v - mean) * (v - mean)
		if i > 0 {
			next += (v - mean) * (d[i-1] - mean)
		}
	}
	if own == 0 {
		return 0
	}
	return next / own
}

// tTwoSided is the probability that Student's t with free degrees of freedom
// is farther from 0 than t.
func tTwoSided(t, free float64) float64 { return betaBelow(free/(free+t*t), free/2, 0.5) }

// tQuantile is the value that Student's t exceeds with probability 1-p, for p
// above a half.
func tQuantile(p, free float64) float64 {
	if !(free > 0) {
		return math.NaN()
	}
	low, high := 0.0, 1.0
	for high < 1e9 && tTwoSided(high, free) > 2*(1-p) {
		high *= 2
	}
	for range 80 {
		if mid := (low + high) / 2; tTwoSided(mid, free) > 2*(1-p) {
			low = mid
		} else {
			high = mid
		}
	}
	return (low + high) / 2
}

// betaBelow is the regularized incomplete beta function of x.
func betaBelow(x, a, b float64) float64 {
	switch {
	case x <= 0:
		return 0
	case x >= 1:
		return 1
	case x > (a+1)/(a+b+2): // where the fraction converges slowly
		return 1 - betaBelow(1-x, b, a)
	}
	ga, _ := math.Lgamma(a)
	gb, _ := math.Lgamma(b)
	gab, _ := math.Lgamma(a + b)
	front := math.Exp(gab - ga - gb + a*math.Log(x) + b*math.Log1p(-x))
	return front / a * betaFraction(x, a, b)
}

// betaFraction is the continued fraction of the incomplete beta function, by
// Lentz's method.
func betaFraction(x, a, b float64) float64 {
	const tiny = 1e-300
	away := func(v float64) float64 { // from zero
		if math.Abs(v) < tiny {
			return tiny
		}
		return v
	}
	c, d := 1.0, 1/away(1-(a+b)*x/(a+1))
	f := d
	for m := 1.0; m < 400; m++ {
		even := m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		odd := -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		step := 1.0
		for _, k := range [2]float64{even, odd} {
			d = 1 / away(1+k*d)
			c = away(1 + k/c)
			step = d * c
			f *= step
		}
		if math.Abs(step-1) < 1e-14 {
			break
		}
	}
	return f
}
