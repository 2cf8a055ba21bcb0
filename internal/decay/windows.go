// Package decay keeps rates, levels and peaks that fade exponentially over 1,
// 10 and 100 s. Nothing ticks: a record is brought up to date when it is
// touched, and read as of any instant. Time is always passed in. Room of
// ARCHITECTURE.md: imports nothing of the project.
package decay

import (
	"math"
	"sync/atomic"
	"unsafe"
)

// Windows is what one connection did lately: 64 bytes, one cache line, no
// pointers, so that it can live outside the Go heap. The zero value is an empty
// record. One goroutine, the owner, writes it; others read it through Load.
//
// Index 0, 1, 2 of each array is the horizon of 1, 10, 100 s.
//
//	In, Out  messages per second offered and written: S ← S·exp(−dt/τ) + n/τ
//	Bytes    bytes per second written
//	Level    mean number queued: A ← q + (A−q)·exp(−dt/τ), q held before
//	Peak     highest number queued, fading: M ← max(M·exp(−dt/τ), q)
//	At       ms of the node's clock up to which all is decayed; wraps
type Windows struct {
	In, Out, Bytes, Level, Peak [3]float32
	At                          uint32
}

// Add brings w to now and counts in messages offered, out messages and bytes
// bytes written. before and after are the numbers queued just before and after.
//
// The peak takes the highest level that the call may have passed through, as if
// all of in came before any of out; so a message that goes straight to an empty
// socket is a peak of 1.
//
// The sums are float32 but computed in float64 and rounded up or down at random
// in proportion to the rest (stochastic rounding). Rounded to nearest, a rate of
// 10,000/s would lose 2 % because each message adds only ten units of the last
// place; at random the errors cancel out.
func (w *Windows) Add(now, in, out, bytes, before, after uint32) {
	dt := gap(now, w.At)
	if dt != 0 {
		w.At = now
	}
	e := [3]float64{}
	if dt < goneMs {
		l, k := &table.loss[dt&1023], &table.keep[dt>>10]
		e[0] = (1 - float64(l[0])) * float64(k[0])
		e[1] = (1 - float64(l[1])) * float64(k[1])
		e[2] = (1 - float64(l[2])) * float64(k[2])
	}
	noise := w.noise(now)
	n, o, b, q := float64(in), float64(out), float64(bytes), float64(before)
	w.In[0] = round(float64(w.In[0])*e[0]+n, noise*mix0)
	w.In[1] = round(float64(w.In[1])*e[1]+n*0.1, noise*mix1)
	w.In[2] = round(float64(w.In[2])*e[2]+n*0.01, noise*mix2)
	w.Out[0] = round(float64(w.Out[0])*e[0]+o, noise*mix3)
	w.Out[1] = round(float64(w.Out[1])*e[1]+o*0.1, noise*mix4)
	w.Out[2] = round(float64(w.Out[2])*e[2]+o*0.01, noise*mix5)
	w.Bytes[0] = round(float64(w.Bytes[0])*e[0]+b, noise*mix6)
	w.Bytes[1] = round(float64(w.Bytes[1])*e[1]+b*0.1, noise*mix7)
	w.Bytes[2] = round(float64(w.Bytes[2])*e[2]+b*0.01, noise*mix8)
	w.Level[0] = round(q+(float64(w.Level[0])-q)*e[0], noise*mix0)
	w.Level[1] = round(q+(float64(w.Level[1])-q)*e[1], noise*mix1)
	w.Level[2] = round(q+(float64(w.Level[2])-q)*e[2], noise*mix2)
	top := float64(max(uint64(before)+uint64(in), uint64(after)))
	w.Peak[0] = round(max(float64(w.Peak[0])*e[0], top), noise*mix3)
	w.Peak[1] = round(max(float64(w.Peak[1])*e[1], top), noise*mix4)
	w.Peak[2] = round(max(float64(w.Peak[2])*e[2], top), noise*mix5)
}

// Odd multipliers with well spread bits: each gives another view of one noise.
const (
	mix0 = 0x9e3779b97f4a7c15
	mix1 = 0xbf58476d1ce4e5b9
	mix2 = 0x94d049bb133111eb
	mix3 = 0xd6e8feb86659fd93
	mix4 = 0xff51afd7ed558ccd
	mix5 = 0xc4ceb9fe1a85ec53
	mix6 = 0xa0761d6478bd642f
	mix7 = 0xe7037ed1a0b428db
	mix8 = 0x8ebc6af09c88c6e3
)

// noise hashes the clock with the sums of 1 s: these move with every message,
// where the slower sums may stand still, so two updates never share it.
func (w *Windows) noise(now uint32) uint64 {
	x := uint64(now)<<32 ^ uint64(math.Float32bits(w.In[0]))<<13 ^ uint64(math.Float32bits(w.Out[0]))
	x *= mix0
	return x ^ x>>29
}

// round turns x ≥ 0 into a float32, up or down with a probability given by the
// 29 bits that do not fit; exact values stay. Below tiny it is 0.
func round(x float64, noise uint64) float32 {
	b := math.Float64bits(x) + noise>>35
	if int64(b) < tinyBits {
		return 0
	}
	return math.Float32frombits(uint32(b>>29 - rebias))
}

const (
	tinyBits = (1023 - 100) << 52 // float64 bits of tiny
	rebias   = (1023 - 127) << 23 // float64 to float32 exponent
	words    = unsafe.Sizeof(Windows{}) / 4
)

// Load copies w while its owner may be writing it, with one atomic load per
// word. The words may come from two neighbouring updates, which is harmless:
// each is a value that was there.
func (w *Windows) Load() (c Windows) {
	from, to := (*[words]uint32)(unsafe.Pointer(w)), (*[words]uint32)(unsafe.Pointer(&c))
	for i := range from {
		to[i] = atomic.LoadUint32(&from[i])
	}
	return c
}

// Store writes c to w with one atomic store per word, for owners whose records
// are watched by the race detector. The plain stores of Add are enough
// otherwise: Go never tears a 32-bit word.
func (w *Windows) Store(c *Windows) {
	from, to := (*[words]uint32)(unsafe.Pointer(c)), (*[words]uint32)(unsafe.Pointer(w))
	for i := range from {
		atomic.StoreUint32(&to[i], from[i])
	}
}
