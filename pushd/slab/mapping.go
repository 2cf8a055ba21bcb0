// Package slab keeps state outside the Go heap: fixed records and columns in
// memfd mappings, byte blocks in size classes, and reference-counted messages
// in such blocks. Nothing in a slab holds a Go pointer, so the collector never
// looks at it, however many connections there are; and a memfd can be handed
// to another process.
package slab

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Mapping is a range of memory backed by a memfd. Pages come into being when
// touched, zeroed.
type Mapping struct {
	fd  int
	mem []byte
}

// Map reserves size bytes; name shows in /proc/PID/maps. Nothing is used until
// it is touched, so size may exceed the machine's memory.
func Map(name string, size int64) (*Mapping, error) {
	size = Align(size, int64(unix.Getpagesize()))
	fd, err := unix.MemfdCreate("pushd-"+name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("memfd %s: %w", name, err)
	}
	if err := unix.Ftruncate(fd, size); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("memfd %s of %d bytes: %w", name, size, err)
	}
	mem, err := unix.Mmap(fd, 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_NORESERVE)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("map %s of %d bytes: %w", name, size, err)
	}
	return &Mapping{fd: fd, mem: mem}, nil
}

// Len returns the size of the range in bytes.
func (m *Mapping) Len() int64 { return int64(len(m.mem)) }

// Used returns the bytes of the mapping that exist in memory.
func (m *Mapping) Used() (int64, error) {
	var st unix.Stat_t
	if err := unix.Fstat(m.fd, &st); err != nil {
		return 0, fmt.Errorf("memfd: %w", err)
	}
	return st.Blocks * 512, nil
}

// Discard gives the pages wholly inside [off, off+n) back to the kernel; they
// read as zero afterwards.
func (m *Mapping) Discard(off, n int64) error {
	return unix.Fallocate(m.fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, n)
}

// Close unmaps the range. No slice of it may be used afterwards.
func (m *Mapping) Close() error {
	mem := m.mem
	m.mem = nil
	if mem == nil {
		return nil
	}
	if err := unix.Munmap(mem); err != nil {
		return err
	}
	return unix.Close(m.fd)
}

// Slice is a view of n values of T that begin off bytes into the mapping. T
// must hold no pointers; off must be aligned for T.
func Slice[T any](m *Mapping, off, n int64) []T {
	var zero T
	size := int64(unsafe.Sizeof(zero))
	if off < 0 || n < 0 || off+n*size > int64(len(m.mem)) || off%int64(unsafe.Alignof(zero)) != 0 {
		panic(fmt.Sprintf("slab: view of %d × %d bytes at %d of %d", n, size, off, len(m.mem)))
	}
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&m.mem[off])), n)
}

// Align rounds n up to a multiple of to, a power of two.
func Align(n, to int64) int64 { return (n + to - 1) &^ (to - 1) }

// Layout hands out aligned ranges of one mapping to be.
type Layout struct{ size int64 }

// Take returns the offset of n bytes aligned to a cache line.
func (l *Layout) Take(n int64) int64 {
	off := l.size
	l.size += Align(n, 64)
	return off
}

// Size is the sum of what was taken.
func (l *Layout) Size() int64 { return l.size }
