package router

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"pushfleet/internal/push"
)

const timedUsers = 1 << 20

func timed(b *testing.B, q *Resume) (*bench, [][]byte) {
	r := newBench(b, 2*timedUsers, "replay.bytes_max", "1GiB")
	names := make([][]byte, timedUsers)
	for i := range names {
		names[i] = fmt.Appendf(nil, "user-%d", i)
		if _, err := r.Login(string(names[i]), h(uint32(i)), 0, q); err != nil {
			b.Fatal(err)
		}
	}
	rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	return r, names
}

func BenchmarkRoute1M(b *testing.B) {
	r, _ := timed(b, nil)
	defer r.close()
	dst := make([]push.Handle, 0, 4)
	name := []byte("user-1048575")
	rnd := rand.New(rand.NewPCG(1, 2))
	b.ReportAllocs()
	for b.Loop() {
		// Made here: a million names in memory would be cache misses of their own.
		name = strconv.AppendUint(name[:5], uint64(rnd.Uint32N(timedUsers)), 10)
		r.Route(name, 0, dst)
	}
}

// With the cost of making and freeing the message.
func BenchmarkRouteRing(b *testing.B) {
	r, names := timed(b, &Resume{})
	defer r.close()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		r.publish(string(names[i&0xffff]), "0123456789", 0)
		i++
	}
}

func BenchmarkLoginDrop(b *testing.B) {
	r, _ := timed(b, nil)
	defer r.close()
	b.ReportAllocs()
	i := uint32(0)
	for b.Loop() {
		l, _ := r.Login("somebody-new", h(i), 0, nil)
		r.Drop(h(i), l)
	}
}

func BenchmarkMembersWalk(b *testing.B) {
	m := newMembers()
	for i := range uint32(100_000) {
		m.Add(1, i, 0)
	}
	b.ReportAllocs()
	cursor := uint32(0)
	for b.Loop() {
		cursor, _ = m.Walk(1, cursor, 64, func(uint32) {})
	}
}
