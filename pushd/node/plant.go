//go:build plant

package node

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"pushfleet/pushd/reactor"
)

// Trouble on demand, to see that probes and pushctl why find it. Only builds
// with the tag plant hold this file; PUSHD_PLANT names the trouble: lock, gc,
// handicap.

// plant makes the trouble that the environment names. The first loop brings
// what is there once for the node.
func (n *Node) plant(loop int, h reactor.Handler) reactor.Handler {
	for name := range strings.SplitSeq(os.Getenv("PUSHD_PLANT"), ",") {
		switch {
		case name == "lock":
			if loop == 0 {
				n.planted.lock = &plantedLock{}
				go n.planted.lock.keep(n.stop) // ended by Stop
			}
			h = &lockedHandler{h, n.planted.lock}
		case name == "gc" && loop == 0:
			for range plantedAllocators {
				go plantedStorm(n.stop) // ended by Stop
			}
		case name == "handicap":
			if loop == 0 {
				n.planted.handicap = &plantedHandicap{}
			}
			h = &handicappedHandler{Handler: h, handicap: n.planted.handicap}
		case name != "gc" && name != "":
			panic(fmt.Sprintf("PUSHD_PLANT: there is no %q, only lock, gc and handicap", name))
		}
	}
	return h
}

// planted is what a node keeps of its troubles.
type planted struct {
	lock     *plantedLock
	handicap *plantedHandicap
}

// plantedLock is a lock that somebody keeps nearly all the time.
type plantedLock struct{ mu sync.Mutex }

// How long the lock is kept at a time, and left alone.
const (
	plantedKeep  = 60 * time.Millisecond
	plantedLeave = time.Millisecond
)

func (p *plantedLock) keep(stop <-chan struct{}) {
	for {
		p.mu.Lock()
		time.Sleep(plantedKeep)
		p.mu.Unlock()
		select {
		case <-stop:
			return
		case <-time.After(plantedLeave):
		}
	}
}

// takeOnLoop is the line that a probe must name.
//
//go:noinline
func (p *plantedLock) takeOnLoop() {
	p.mu.Lock()
	p.mu.Unlock()
}

// lockedHandler takes the lock once a turn.
type lockedHandler struct {
	reactor.Handler
	lock *plantedLock
}

// Turn implements reactor.Handler.
func (h *lockedHandler) Turn() bool {
	h.lock.takeOnLoop()
	return h.Handler.Turn()
}

// The storm of the collector: goroutines that allocate all the time, each with
// pointers to mark.
const (
	plantedAllocators = 40
	plantedAlive      = 1 << 14 // nodes of 64 bytes, per goroutine
)

type plantedNode struct {
	next *plantedNode
	pad  [7]uint64
}

// plantedStorm keeps a list alive and replaces it.
func plantedStorm(stop <-chan struct{}) {
	for {
		var list *plantedNode
		for range plantedAlive {
			list = &plantedNode{next: list}
		}
		runtime.KeepAlive(list)
		select {
		case <-stop:
			return
		default:
		}
	}
}

// plantedHandicap has the process compute a fifth more than it would, whatever
// that is.
type plantedHandicap struct {
	burned atomic.Int64  // ns
	sum    atomic.Uint64 // of what was computed for nothing
}

// One part in so many is burned, of what was computed otherwise. Looking costs
// too, so that it is done in few turns; and loops have clients to serve.
const (
	plantedPart  = 5
	plantedTurns = 16
	plantedLeast = 200 * time.Microsecond
	plantedMost  = 2 * time.Millisecond
	plantedSteps = 5000 // between two looks, some microseconds
)

// burn does its share of what is owed.
func (p *plantedHandicap) burn() {
	burned := p.burned.Load()
	owed := (plantedCPU(unix.CLOCK_PROCESS_CPUTIME_ID)-burned)/plantedPart - burned
	if owed < int64(plantedLeast) {
		return
	}
	owed = min(owed, int64(plantedMost))
	if !p.burned.CompareAndSwap(burned, burned+owed) {
		return // another loop does
	}
	n := p.sum.Load()
	runtime.LockOSThread() // whose time is measured
	defer runtime.UnlockOSThread()
	for end := plantedCPU(unix.CLOCK_THREAD_CPUTIME_ID) + owed; plantedCPU(unix.CLOCK_THREAD_CPUTIME_ID) < end; {
		for i := range uint64(plantedSteps) {
			n = n*31 + i
		}
	}
	p.sum.Store(n)
}

// plantedCPU is what a clock of processor time says, in ns.
func plantedCPU(clock int32) int64 {
	var ts unix.Timespec
	if unix.ClockGettime(clock, &ts) != nil {
		return 0
	}
	return ts.Nano()
}

// handicappedHandler burns a little now and then.
type handicappedHandler struct {
	reactor.Handler
	handicap *plantedHandicap
	turns    int
}

// Turn implements reactor.Handler.
func (h *handicappedHandler) Turn() bool {
	if h.turns++; h.turns%plantedTurns == 0 {
		h.handicap.burn()
	}
	return h.Handler.Turn()
}
