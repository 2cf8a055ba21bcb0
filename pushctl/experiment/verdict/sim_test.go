package verdict

import (
	"math"
	"math/rand/v2"
)

// noise is how two nodes on shared machines disturb what is measured, second
// by second. Sizes are standard deviations of logarithms.
type noise struct {
	white   float64 // of each second alone
	own     float64 // of what a node carries along
	rho     float64 // how much of it stays for the next second
	common  float64 // of what both have in common: neighbours, frequency
	drift   float64 // of a node over the whole run, at most
	spikes  float64 // chance per second that one begins
	spike   float64 // mean size of spikes
	swing   float64 // of the load, common
	lasting int     // seconds of a spike, at most
}

// usual is what was measured of two alike servers on one shared machine: means
// of 3 s lie within ±15 to 20 %.
func usual() noise {
	return noise{white: 0.035, own: 0.03, rho: 0.7, common: 0.04, drift: 0.1, spikes: 0.01, spike: 0.4, swing: 0.2, lasting: 4}
}

// quiet is a machine with little else to do.
func quiet() noise {
	z := usual()
	z.white, z.own, z.common, z.spikes = 0.02, 0.015, 0.02, 0.003
	return z
}

// busy is what was measured of two nodes on two cores with ten runnable
// threads: 8 % from second to second, 7 % in means of 3 s, and seldom more.
func busy() noise {
	z := usual()
	z.white, z.own, z.common, z.spikes = 0.065, 0.05, 0.05, 0.005
	return z
}

// simulation makes the figures of an experiment.
type simulation struct {
	r      *rand.Rand
	noise  noise
	aa, ab int // seconds
	window int
	beside bool               // a second shadow instead of turns
	effect map[string]float64 // relative change with treatment; absolute for absolute metrics
	tilt   float64            // by which the shadow is slower than production, always
	pair   float64            // by which the shadow is slower than the one beside it, always
}

// walk is noise in which neighbours are alike.
func (s *simulation) walk(n int, rho, sd float64) []float64 {
	out := make([]float64, n)
	v := s.r.NormFloat64() * sd
	for i := range out {
		v = rho*v + math.Sqrt(1-rho*rho)*sd*s.r.NormFloat64()
		out[i] = v
	}
	return out
}

// disturb is the logarithm of one node's noise; loud scales it.
func (s *simulation) disturb(common []float64, loud float64) []float64 {
	n, z := len(common), &s.noise
	out := s.walk(n, z.rho, z.own*loud)
	drift := (2*s.r.Float64() - 1) * z.drift
	left, size := 0, 0.0
	for i := range out {
		if left == 0 && s.r.Float64() < z.spikes {
			left, size = 1+s.r.IntN(z.lasting), s.r.ExpFloat64()*z.spike*loud
		}
		if left > 0 {
			left--
			out[i] += size
		}
		out[i] += common[i] + z.white*loud*s.r.NormFloat64() + drift*float64(i)/float64(n)
	}
	return out
}

// load is frames per second, the same on both sides.
func (s *simulation) load(n int) []float64 {
	out := s.walk(n, 0.98, s.noise.swing)
	phase := s.r.Float64() * 6
	for i := range out {
		out[i] = 2000 * math.Exp(out[i]+s.noise.swing*math.Sin(phase+float64(i)/70))
	}
	return out
}

// input makes the figures of both phases, with all that decides.
func (s *simulation) input() Input {
	n := s.aa + s.ab
	plan := s.plan(n)
	load := s.load(n)
	common := s.walk(n, 0.95, s.noise.common)
	in := Input{Window: float64(s.window), Seed: s.r.Uint64()}
	for _, m := range Metrics() {
		if m.Watch {
			continue
		}
		one := Series{Metric: m}
		one.Production = s.side(&m, plan, load, common, Control, 0, false)
		one.Shadow = s.side(&m, plan, load, common, Treatment, s.tilt+s.pair, true)
		if s.beside {
			one.Control = s.side(&m, plan, load, common, Control, s.tilt, false)
		}
		in.Series = append(in.Series, one)
	}
	return in
}

// plan is phase and arm of each second.
func (s *simulation) plan(n int) []Point {
	var out []Point
	for phase, length := range []int{s.aa, s.ab} {
		arms := Schedule(length/s.window+1, s.r.Uint64())
		for i := range length {
			p := Point{At: float64(len(out)), Phase: Phase(phase), Arm: arms[i/s.window]}
			if s.beside {
				p.Arm = Treatment
			}
			out = append(out, p)
		}
	}
	return out[:n]
}

// side makes the figures of one node. tried is the node that treatment acts on.
func (s *simulation) side(m *Metric, plan []Point, load, common []float64, _ Arm, slower float64, tried bool) []Point {
	shape := s.shape(m, load, common)
	out := make([]Point, len(plan))
	for i, p := range plan {
		by := 0.0
		if tried && p.Phase == PhaseAB && p.Arm == Treatment {
			by = s.effect[m.Name]
		}
		out[i] = p
		out[i].Num, out[i].Den = shape(i, by, slower)
	}
	return out
}

// shape is how a metric comes about: numerator and denominator of a second.
func (s *simulation) shape(m *Metric, load, common []float64) func(i int, by, slower float64) (float64, float64) {
	n := len(load)
	quiet := s.disturb(common, 1)
	loud := s.disturb(common, 4)
	lumps := s.walk(n, 0.9, 0.3)
	cached := 0.0
	switch m.Name {
	case CPUPerMessage: // cheaper at high load, where writes are joined
		return func(i int, by, slower float64) (float64, float64) {
			return load[i] * 10e-6 * math.Pow(load[i]/2000, -0.3) * math.Exp(quiet[i]+slower) * (1 + by), load[i]
		}
	case MemoryPerConn: // read every five seconds
		return func(i int, by, slower float64) (float64, float64) {
			if i%5 == 0 {
				cached = 3e6 * math.Exp(quiet[i]/10) * (1 + by)
			}
			return cached, 10_000
		}
	case GCCPU: // a collection now and then
		return func(i int, by, _ float64) (float64, float64) {
			cpu := load[i] * 10e-6
			gc := 0.0
			if s.r.Float64() < 0.3 {
				gc = cpu * 0.01 * math.Exp(quiet[i])
			}
			return gc + cpu*by, cpu
		}
	case DeliverP50:
		return func(i int, by, slower float64) (float64, float64) {
			return 100e-6 * math.Exp(loud[i]+slower) * (1 + by), 0
		}
	case DeliverP99:
		return func(i int, by, slower float64) (float64, float64) {
			return 1e-3 * math.Exp(loud[i]+slower) * (1 + by), 0
		}
	case QueueWait: // some stalled clients come and go
		return func(i int, by, _ float64) (float64, float64) {
			return load[i] * (2e-3*math.Exp(lumps[i]) + by), load[i]
		}
	}
	return func(i int, by, _ float64) (float64, float64) { // drops in bursts
		burst := 0.0
		if s.r.Float64() < 0.03 {
			burst = s.r.ExpFloat64() * 0.01
		}
		return load[i] * (burst + by), load[i]
	}
}

// seen are standard deviations of CPU per message, production's own, of 1 s
// and of means of 3 s.
func (s *simulation) seen(n int) (one, three float64) {
	x := s.disturb(make([]float64, n), 1)
	var y []float64
	for i := 0; i+3 <= n; i += 3 {
		y = append(y, (x[i]+x[i+1]+x[i+2])/3)
	}
	return deviation(x), deviation(y)
}

func deviation(x []float64) float64 {
	var mean, sum float64
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		sum += (v - mean) * (v - mean)
	}
	return math.Sqrt(sum / float64(len(x)))
}
