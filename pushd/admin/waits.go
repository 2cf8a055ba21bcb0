package admin

import (
	"runtime"
	"sync"

	"pushfleet/internal/knob"
)

// Rates at which waiting is sampled while a profile of it is timed and its
// knob is at 0.
const (
	mutexFraction = 20     // one of so many waits for a lock
	blockRate     = 10_000 // on average one sample per so many ns of waiting
)

// waits says how much of waiting for locks and channels the runtime samples.
// The rates belong to the process: of two APIs in it the last one to set them
// counts.
type waits struct {
	limits *Knobs

	mu           sync.Mutex
	timed        string // kind of the profile that is timed now
	mutex, block int    // in force by this API
}

// obey puts the knobs in force, and their changes if r has declared them.
func (w *waits) obey(r *knob.Registry, limits *Knobs) {
	w.limits = limits
	w.set()
	for _, name := range []string{limits.Mutex.Name(), limits.Block.Name()} {
		if _, err := r.Get(name); err == nil {
			r.OnChange(name, func(knob.State) { w.set() })
		}
	}
}

// sample has the runtime sample what a timed profile of waiting shows and
// returns what ends it. The caller sees to it that one profile is timed at once.
func (w *waits) sample(kind string) (stop func()) {
	w.time(kind)
	return func() { w.time("") }
}

func (w *waits) time(kind string) {
	w.mu.Lock()
	w.timed = kind
	w.mu.Unlock()
	w.set()
}

// set tells the runtime only what has changed: the rates may be somebody
// else's.
func (w *waits) set() {
	w.mu.Lock()
	defer w.mu.Unlock()
	mutex, block := int(w.limits.Mutex.Get()), int(w.limits.Block.Get())
	if w.timed == "mutex" && mutex == 0 {
		mutex = mutexFraction
	}
	if w.timed == "block" && block == 0 {
		block = blockRate
	}
	if mutex != w.mutex {
		runtime.SetMutexProfileFraction(mutex)
		w.mutex = mutex
	}
	if block != w.block {
		runtime.SetBlockProfileRate(block)
		w.block = block
	}
}
