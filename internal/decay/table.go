package decay

import "math"

// Horizons of the windows, in seconds and in the order of every [3] array of
// this package.
var taus = [3]float64{1, 10, 100}

// Tau returns the horizon in seconds of index 0, 1 or 2.
func Tau(i int) float64 { return taus[i] }

// Index returns the index of the window of 1, 10 or 100 seconds; any other
// number means the middle one.
func Index(seconds int) int {
	switch seconds {
	case 1:
		return 0
	case 100:
		return 2
	}
	return 1
}

// A gap is split into 1024 ms and a rest: exp(-dt/tau) is one entry of each
// table multiplied. Together they are 24 KB, and a row holds the three horizons
// so that a lookup touches one cache line per table.
//
// The small steps are kept as 1-exp(-x): for 1 ms of 100 s the factor is
// 0.99999, and as a float32 its rounding alone would be 0.3 % of the step. That
// error would come back with every update of a busy connection.
type tables struct {
	loss [1024][3]float32 // 1-exp(-i ms/tau)
	keep [2048][3]float32 // exp(-i*1.024 s/tau), 0 below tiny
}

// table never changes after it was computed.
var table = newTables()

func newTables() *tables {
	t := new(tables)
	for i := range t.loss {
		for k, tau := range taus {
			t.loss[i][k] = float32(-math.Expm1(-float64(i) / 1000 / tau))
		}
	}
	for i := range t.keep {
		for k, tau := range taus {
			if e := math.Exp(-float64(i) * 1.024 / tau); e > tiny {
				t.keep[i][k] = float32(e)
			}
		}
	}
	return t
}

const (
	// tiny is where a value counts as gone. It keeps float32 denormals, which
	// cost a hundred times more on x86, out of the sums.
	tiny = 1.0 / (1 << 100)
	// goneMs is the gap after which everything is gone (35 minutes; e^-21 of
	// the slowest window).
	goneMs = 1 << 21
	// backMs is how far behind the record a clock may be and still count as
	// the same instant. Readers and loops read the clock at slightly different
	// times. A gap that looks longer is a gap forward, up to 49 days.
	backMs = 1 << 20
)

// gap returns the ms from at to now on the wrapping clock, 0 when now is a
// little behind.
func gap(now, at uint32) uint32 {
	dt := now - at
	if dt > math.MaxUint32-backMs {
		return 0
	}
	return dt
}

// factors returns exp(-dt/tau) for the three horizons.
func factors(dt uint32) (e [3]float64) {
	if dt >= goneMs {
		return e
	}
	l, k := &table.loss[dt&1023], &table.keep[dt>>10]
	for i := range e {
		e[i] = (1 - float64(l[i])) * float64(k[i])
	}
	return e
}
