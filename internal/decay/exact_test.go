package decay

import "math"

// exact does the same arithmetic in float64 with math.Exp and an unwrapped
// clock; it also knows the steady state that each rate was heading for.
type exact struct {
	in, out, bytes, level, peak [3]float64
	at                          uint64
}

func (x *exact) add(now uint64, in, out, bytes, before, after uint32) {
	dt := float64(now-x.at) / 1000
	x.at = now
	for i, tau := range taus {
		e := math.Exp(-dt / tau)
		x.in[i] = x.in[i]*e + float64(in)/tau
		x.out[i] = x.out[i]*e + float64(out)/tau
		x.bytes[i] = x.bytes[i]*e + float64(bytes)/tau
		x.level[i] = float64(before) + (x.level[i]-float64(before))*e
		x.peak[i] = max(x.peak[i]*e, float64(before)+float64(in), float64(after))
	}
}

// worst returns the largest relative error of w, as of now with q queued,
// against x. Values below 5 % of steady count as 5 % of it.
func (x *exact) worst(w *Windows, now uint64, q uint32, steady [5]float64) (worst float64, where string) {
	s := w.Snapshot(uint32(now), AgeUnknown, q)
	dt := float64(now-x.at) / 1000
	for i, tau := range taus {
		e := math.Exp(-dt / tau)
		level := float64(q) + (x.level[i]-float64(q))*e
		for k, pair := range [5][2]float64{
			{s.In[i], x.in[i] * e}, {s.Out[i], x.out[i] * e}, {s.Bytes[i], x.bytes[i] * e},
			{s.Level[i], level}, {s.Peak[i], max(x.peak[i]*e, float64(q))},
		} {
			base := max(pair[1], 0.05*steady[k])
			if base == 0 {
				continue
			}
			if err := math.Abs(pair[0]-pair[1]) / base; err > worst {
				worst = err
				where = [5]string{"in", "out", "bytes", "level", "peak"}[k] + [3]string{" 1 s", " 10 s", " 100 s"}[i]
			}
		}
	}
	return worst, where
}
