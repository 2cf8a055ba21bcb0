package tap

import (
	"sync"

	"pushfleet/internal/teewire"
)

// The size of a chunk: as the flusher is woken when one is full, a large one
// costs less; each shard should get some.
const (
	chunkMin = 8 << 10
	chunkMax = 128 << 10
	// recordSmall is what a chunk has room for beyond its size, so that it need
	// not grow for the record that fills it.
	recordSmall = 8 << 10
)

// chunkSize shares buffer bytes among shards, each of which fills one chunk
// while others are on their way.
func chunkSize(buffer int64, shards int) int {
	return int(min(chunkMax, max(chunkMin, buffer/int64(4*shards))))
}

// chunk is a batch of one shard and what it holds of the pool.
type chunk struct {
	teewire.Batch
	extra int64 // for large records
}

// pool hands out chunks until all that are out would hold more than max bytes.
type pool struct {
	size int // of a chunk
	max  func() int64

	mu   sync.Mutex
	free []*chunk
	used int64
}

func (p *pool) cost() int64 { return int64(p.size + recordSmall) }

// take returns an empty chunk, nil if there is no room.
func (p *pool) take(source uint32) *chunk {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.used+p.cost() > p.max() {
		return nil
	}
	p.used += p.cost()
	c := (*chunk)(nil)
	if n := len(p.free); n > 0 {
		c, p.free = p.free[n-1], p.free[:n-1]
	} else {
		c = &chunk{}
		c.Grow(int(p.cost()))
	}
	c.Source = source
	return c
}

// more makes room for a large record of n bytes.
func (p *pool) more(c *chunk, n int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.used+int64(n) > p.max() {
		return false
	}
	p.used += int64(n)
	c.extra += int64(n)
	for len(p.free) > 0 && p.used+int64(len(p.free))*p.cost() > p.max() {
		p.free = p.free[:len(p.free)-1]
	}
	clear(p.free[len(p.free):cap(p.free)])
	return true
}

// give takes a chunk back and keeps it: those that were out together are within
// the bound. One that has grown is left to the collector.
func (p *pool) give(c *chunk) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used -= p.cost() + c.extra
	if c.extra == 0 && p.used+int64(len(p.free)+1)*p.cost() <= p.max() {
		c.Reset()
		p.free = append(p.free, c)
	}
}

// empty leaves what is kept to the collector: the books of a tee stay for long
// after it, its buffers need not.
func (p *pool) empty() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = nil
}

// roomy tells whether three quarters are free.
func (p *pool) roomy() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.used < p.max()/4+p.cost()
}
