package store

import "sync"

// signal holds a value and tells those who wait when it changes. Its zero value
// is ready. Waiters that do not look in time see only the latest value.
type signal[T comparable] struct {
	mu      sync.Mutex
	value   T
	changed chan struct{} // made when somebody asks, closed with the next change
	ended   bool
}

// get returns the value and a channel that is closed when it changes.
func (s *signal[T]) get() (T, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed == nil {
		s.changed = make(chan struct{})
		if s.ended {
			close(s.changed)
		}
	}
	return s.value, s.changed
}

// set changes the value and tells whether it was another one.
func (s *signal[T]) set(v T) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.value == v {
		return false
	}
	s.value = v
	if s.changed != nil && !s.ended {
		close(s.changed)
		s.changed = nil
	}
	return true
}

// end wakes all waiters, now and later.
func (s *signal[T]) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed != nil && !s.ended {
		close(s.changed)
	}
	s.ended = true
}
