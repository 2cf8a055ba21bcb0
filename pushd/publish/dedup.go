package publish

import (
	"math/bits"
	"sync"
)

// dedup remembers hashes for a window of time in a fixed table. A hash can lie
// in one bucket of eight places only; if all are taken, the oldest makes room,
// so that a burst of ids shortens the window and never grows the memory.
type dedup struct {
	mask    uint64 // number of buckets - 1
	once    sync.Once
	locks   [64]sync.Mutex // a bucket belongs to the lock of its low bits
	buckets []bucket       // made with the first id
}

const bucketSize = 8

type bucket [bucketSize]struct {
	hash uint64 // 0 is free
	at   uint32 // ms clock
	_    uint32
}

func newDedup(entries int) *dedup {
	n := max(1, entries/bucketSize)
	return &dedup{mask: 1<<bits.Len(uint(n-1)) - 1}
}

func (d *dedup) bucket(hash uint64) (*bucket, *sync.Mutex) {
	d.once.Do(func() { d.buckets = make([]bucket, d.mask+1) })
	i := hash & d.mask
	return &d.buckets[i], &d.locks[i&63]
}

// seen tells whether hash was seen less than window ms ago, and remembers it if
// not. hash is not 0.
func (d *dedup) seen(hash uint64, now, window uint32) bool {
	b, mu := d.bucket(hash)
	mu.Lock()
	defer mu.Unlock()
	old, age := 0, uint32(0)
	for i := range b {
		e := &b[i]
		switch {
		case e.hash == hash && now-e.at < window:
			return true
		case e.hash == hash || e.hash == 0: // the same, but long ago, or free
			old, age = i, ^uint32(0)
		case now-e.at > age:
			old, age = i, now-e.at
		}
	}
	b[old].hash, b[old].at = hash, now
	return false
}

// forget undoes seen: the message went nowhere and may be sent again.
func (d *dedup) forget(hash uint64) {
	b, mu := d.bucket(hash)
	mu.Lock()
	defer mu.Unlock()
	for i := range b {
		if b[i].hash == hash {
			b[i].hash = 0
		}
	}
}
