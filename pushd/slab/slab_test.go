package slab

import (
	"bytes"
	"math/rand/v2"
	"sync"
	"testing"
	"unsafe"

	"pushfleet/internal/push"
)

func TestMappingUsesMemoryOnlyWhenTouched(t *testing.T) {
	m, err := Map("test", 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if used, err := m.Used(); used != 0 || err != nil {
		t.Fatalf("untouched mapping uses %d bytes, %v", used, err)
	}
	s := Slice[uint64](m, 4096, 1024)
	s[0], s[1023] = 1, 2
	used, err := m.Used()
	if err != nil || used < 8192 || used > 16384 {
		t.Fatalf("two touched pages use %d bytes, %v", used, err)
	}
	if err := m.Discard(4096, 8192); err != nil {
		t.Fatal(err)
	}
	if s[0] != 0 || s[1023] != 0 {
		t.Errorf("discarded memory reads %d, %d; want zeros", s[0], s[1023])
	}
}

func TestSliceRefusesWhatDoesNotFit(t *testing.T) {
	m, err := Map("test", 4096)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	f := func(off, n int64) {
		t.Helper()
		defer func() {
			if recover() == nil {
				t.Errorf("Slice(%d, %d) of 4096 bytes did not panic", off, n)
			}
		}()
		Slice[uint64](m, off, n)
	}
	f(0, 513)
	f(4, 1)
	f(-8, 1)
	f(4096, 1)
}

// TestBlocksHoldTheirBytes allocates and frees at random and checks that no
// two live blocks overlap and that everything comes back.
func TestBlocksHoldTheirBytes(t *testing.T) {
	b, err := NewBlocks("test", 256<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	type held struct {
		r    Ref
		n    int
		mark byte
	}
	rng := rand.New(rand.NewPCG(1, 2))
	var live []held
	sizes := []int{1, 63, 64, 65, 96, 200, 1000, 4096, 5000, 70_000, BlockMax}
	for i := 0; i < 20_000; i++ {
		if len(live) > 200 || rng.IntN(3) == 0 && len(live) > 0 {
			j := rng.IntN(len(live))
			h := live[j]
			mem := b.Bytes(h.r, h.n)
			if mem[0] != h.mark || mem[h.n-1] != h.mark {
				t.Fatalf("block %d of %d bytes was overwritten", h.r, h.n)
			}
			b.Free(h.r)
			live[j] = live[len(live)-1]
			live = live[:len(live)-1]
			continue
		}
		n := sizes[rng.IntN(len(sizes))]
		if n == BlockMax && rng.IntN(20) > 0 {
			n = 128
		}
		r, ok := b.Alloc(n)
		if !ok {
			t.Fatalf("no block of %d bytes with %d in use", n, b.Used())
		}
		if r == 0 || b.Size(r) < n {
			t.Fatalf("block %d of %d bytes for %d", r, b.Size(r), n)
		}
		mem := b.Bytes(r, n)
		mark := byte(i)
		mem[0], mem[n-1] = mark, mark
		live = append(live, held{r, n, mark})
	}
	for _, h := range live {
		b.Free(h.r)
	}
	if b.Used() != 0 {
		t.Errorf("%d bytes in use after all were freed", b.Used())
	}
	resident, _ := b.m.Used()
	if limit := int64(len(classes)) * chunkSize; resident > limit {
		t.Errorf("%d bytes resident when empty, want at most one chunk per class (%d)", resident, limit)
	}
}

func TestBlocksEnd(t *testing.T) {
	b, err := NewBlocks("test", 2*chunkSize)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if _, ok := b.Alloc(BlockMax + 1); ok {
		t.Error("a block larger than BlockMax was handed out")
	}
	r, ok := b.Alloc(BlockMax)
	if !ok {
		t.Fatal("the largest block does not fit two chunks")
	}
	if _, ok := b.Alloc(BlockMax); ok {
		t.Error("a second largest block fits where it cannot")
	}
	if _, ok := b.Alloc(64); !ok {
		t.Error("the first chunk is not usable for small blocks")
	}
	b.Free(r)
}

func TestMessagesCountReferencesAndBudget(t *testing.T) {
	budget := int64(1000)
	m, err := NewMessages(64<<20, func() int64 { return budget })
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	r, tail, ok := m.New(5, Meta{At: 7, Class: push.ClassStored})
	if !ok {
		t.Fatal("no message within the budget")
	}
	copy(tail, "hello")
	m.Retain(r, 2)
	m.Release(r)
	bin := m.NewBin(4)
	bin.Release(r)
	if got := m.Tail(r); !bytes.Equal(got, []byte("hello")) || m.Meta(r).At != 7 || m.Meta(r).Class != push.ClassStored {
		t.Fatalf("message reads %q %+v", got, m.Meta(r))
	}
	bin.Release(r)
	bin.Flush()
	if m.Bytes() != 0 {
		t.Fatalf("%d bytes in use after the last reference", m.Bytes())
	}
	n := 0
	for ; n < 100; n++ {
		if _, _, ok := m.New(100, Meta{}); !ok {
			break
		}
	}
	if n == 0 || n > 10 {
		t.Errorf("budget of %d bytes took %d messages of 132 bytes", budget, n)
	}
}

func TestMessagesConcurrently(t *testing.T) {
	m, err := NewMessages(64<<20, func() int64 { return 64 << 20 })
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	ch := make(chan Ref, 128)
	var wg sync.WaitGroup
	for g := 0; g < 2; g++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			bin := m.NewBin(16)
			defer bin.Flush()
			for r := range ch {
				if got := m.Tail(r); got[0] != got[len(got)-1] {
					t.Error("tail torn")
				}
				bin.Release(r)
			}
		}()
	}
	for i := 0; i < 20_000; i++ {
		r, tail, ok := m.New(100+i%300, Meta{})
		if !ok {
			t.Fatal("budget used up")
		}
		tail[0], tail[len(tail)-1] = byte(i), byte(i)
		m.Retain(r, 1)
		ch <- r
		ch <- r
	}
	close(ch)
	wg.Wait()
	if m.Bytes() != 0 {
		t.Errorf("%d bytes left", m.Bytes())
	}
}

func TestSlots(t *testing.T) {
	s := NewSlots(make([]uint32, 4))
	var got []uint32
	for {
		i, ok := s.Take()
		if !ok {
			break
		}
		got = append(got, i)
	}
	if len(got) != 3 || got[0] != 1 || got[2] != 3 || s.Live() != 3 || s.High() != 4 {
		t.Fatalf("took %v, live %d, high %d", got, s.Live(), s.High())
	}
	s.Give(2)
	if i, ok := s.Take(); i != 2 || !ok {
		t.Errorf("took %d, %v; want the slot freed last", i, ok)
	}
}

func TestMetaStaysSmall(t *testing.T) {
	if n := unsafe.Sizeof(Meta{}); n != 32 {
		t.Errorf("Meta is %d bytes, want 32", n)
	}
}
