package decay

import (
	"math/rand/v2"
	"testing"
)

// The floor: what a counter in the same record costs.
func BenchmarkPlainIncrementHot(b *testing.B) {
	var w Windows
	for i := range b.N {
		w.At += uint32(i)
	}
	sink = w.At
}

func BenchmarkAddHot(b *testing.B) {
	var w Windows
	now := uint32(0)
	for i := range b.N {
		now += uint32(i) & 1
		w.Add(now, 1, 1, 200, 0, 0)
	}
	sink = w.At
}

// What a loop does per connection and turn: update and write the keys.
func BenchmarkAddAndKeysHot(b *testing.B) {
	var w Windows
	var k Keys
	now := uint64(0)
	for i := range b.N {
		now += uint64(i) & 1
		w.Add(uint32(now), 1, 1, 200, 0, 0)
		k = w.Keys(now)
	}
	sink = k.In10
}

func BenchmarkAddHotMixedGaps(b *testing.B) {
	var w Windows
	rng := rand.New(rand.NewPCG(1, 2))
	gaps := make([]uint32, 4096)
	for i := range gaps {
		gaps[i] = uint32(rng.ExpFloat64() * 5000)
	}
	b.ResetTimer()
	now := uint32(0)
	for i := range b.N {
		now += gaps[i&4095]
		w.Add(now, 1, 0, 0, 1, 2)
	}
	sink = w.At
}

const million = 1 << 20

func randomOrder() []uint32 {
	order := make([]uint32, 1<<16)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range order {
		order[i] = rng.Uint32() & (million - 1)
	}
	return order
}

// The floor of an update whose record is not in the cache. Between two updates a
// loop does thousands of other instructions, so one miss never overlaps the
// next; the index depends on the record before to keep the processor from
// doing just that.
func BenchmarkPlainIncrementRandomOfMillionAlone(b *testing.B) {
	w := make([]Windows, million)
	order, salt, last := randomOrder(), uint32(0), uint32(0)
	b.ResetTimer()
	for i := range b.N {
		if i&0xffff == 0 {
			salt += 0x9e3779b9
		}
		r := &w[(order[i&0xffff]^salt^last)&(million-1)]
		r.At++
		last = r.At >> 31
	}
}

func BenchmarkAddRandomOfMillionAlone(b *testing.B) {
	w := make([]Windows, million)
	order, salt, last := randomOrder(), uint32(0), uint32(0)
	b.ResetTimer()
	for i := range b.N {
		if i&0xffff == 0 {
			salt += 0x9e3779b9
		}
		r := &w[(order[i&0xffff]^salt^last)&(million-1)]
		r.Add(uint32(i>>4), 1, 1, 200, 0, 0)
		last = uint32(r.Peak[2]) >> 31
	}
}

// Many updates in a row, where misses overlap as far as the processor can.
func BenchmarkPlainIncrementRandomOfMillion(b *testing.B) {
	w := make([]Windows, million)
	order, salt := randomOrder(), uint32(0)
	b.ResetTimer()
	for i := range b.N {
		if i&0xffff == 0 {
			salt += 0x9e3779b9
		}
		w[(order[i&0xffff]^salt)&(million-1)].At++
	}
}

func BenchmarkAddRandomOfMillion(b *testing.B) {
	w := make([]Windows, million)
	order, salt := randomOrder(), uint32(0)
	b.ResetTimer()
	for i := range b.N {
		if i&0xffff == 0 {
			salt += 0x9e3779b9
		}
		w[(order[i&0xffff]^salt)&(million-1)].Add(uint32(i>>4), 1, 1, 200, 0, 0)
	}
}

var sink uint32
