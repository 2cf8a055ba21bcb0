package verdict

import (
	"cmp"
	"math"
	"slices"
)

// clipAt is how many deviations from the median of its window a second may
// lie.
const clipAt = 2

// clip pulls seconds that stand out back to what is usual in their window, so
// that one in which the machine was elsewhere does not decide for it. It does
// not know which arm a window has, which keeps the judgement honest. Only for
// metrics that are compared as ratios: of what is mostly zero it would leave
// nothing.
func (s *side) clip(windows []slot) {
	var all []apart
	for i := range windows {
		all = append(all, s.apart(&windows[i])...)
	}
	away := make([]float64, len(all))
	for i, a := range all {
		away[i] = math.Abs(a.by)
	}
	// 1.4826 makes a median a standard deviation where noise is normal.
	limit := clipAt * 1.4826 * median(away)
	if !(limit > 0) {
		return
	}
	for _, a := range all {
		if near := min(max(a.by, -limit), limit); near != a.by {
			s.points[a.at].Num *= math.Exp(near - a.by)
		}
	}
}

// apart is how far the logarithm of a second lies from the median of its
// window.
type apart struct {
	at int
	by float64
}

func (s *side) apart(w *slot) []apart {
	var out []apart
	var logs []float64
	for i := s.from(w.from); i < len(s.points) && s.points[i].At < w.to; i++ {
		v := s.points[i].Num
		if s.ratio {
			v /= s.points[i].Den
		}
		if v > 0 && finite(v) && finite(s.points[i].Num) {
			out, logs = append(out, apart{i, math.Log(v)}), append(logs, math.Log(v))
		}
	}
	usual := median(logs)
	for i := range out {
		out[i].by -= usual
	}
	return out
}

// from is where the seconds from at on begin.
func (s *side) from(at float64) int {
	i, _ := slices.BinarySearchFunc(s.points, at, func(p Point, t float64) int { return cmp.Compare(p.At, t) })
	return i
}
