//go:build plant

package node

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"pushfleet/pushd/reactor"
)

// Trouble on demand, to see that probes and pushctl why find it. Only builds
// with the tag plant hold this file; PUSHD_PLANT names the trouble: lock, gc.

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
		case name != "gc" && name != "":
			panic(fmt.Sprintf("PUSHD_PLANT: there is no %q, only lock and gc", name))
		}
	}
	return h
}

// planted is what a node keeps of its troubles.
type planted struct{ lock *plantedLock }

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
	plantedAllocators = 8
	plantedAlive      = 1 << 15 // nodes of 64 bytes, per goroutine
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
