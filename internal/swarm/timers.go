package swarm

// timer is one thing to do at a time, 16 bytes, without pointers. A connection
// that was closed meanwhile has another generation, which makes its old timers
// void.
type timer struct {
	due  int64 // ns, Clock
	slot uint32
	gen  uint16
	kind timerKind
}

type timerKind uint8

const (
	timerDial timerKind = iota
	timerHandshake
	timerRead
	timerLeave
)

// timers is a binary heap with the earliest first.
type timers []timer

func (h *timers) push(t timer) {
	*h = append(*h, t)
	s := *h
	i := len(s) - 1
	for i > 0 {
		up := (i - 1) / 2
		if s[up].due <= s[i].due {
			break
		}
		s[up], s[i] = s[i], s[up]
		i = up
	}
}

func (h *timers) pop() timer {
	s := *h
	top, last := s[0], len(s)-1
	s[0] = s[last]
	s = s[:last]
	*h = s
	for i := 0; ; {
		low := 2*i + 1
		if low >= len(s) {
			break
		}
		if r := low + 1; r < len(s) && s[r].due < s[low].due {
			low = r
		}
		if s[i].due <= s[low].due {
			break
		}
		s[i], s[low] = s[low], s[i]
		i = low
	}
	return top
}
