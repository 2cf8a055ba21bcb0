package node

import (
	"sync"
	"time"

	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
)

// look is the kernel's view of a socket at one moment.
type look struct {
	at  time.Time
	tcp *pushdapi.TCP
}

// lookApart is the least time between two looks that are compared, lookKeep
// the longest; lookMax bounds how many are remembered.
const (
	lookApart = 400 * time.Millisecond
	lookKeep  = time.Minute
	lookMax   = 4096
)

// shares remembers the last look at sockets that somebody asked about.
type shares struct {
	mu sync.Mutex
	m  map[push.Handle]look
}

func (s *shares) recall(h push.Handle, now time.Time) *look {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l, ok := s.m[h]; ok && now.Sub(l.at) >= lookApart && now.Sub(l.at) < lookKeep {
		return &l
	}
	return nil
}

func (s *shares) remember(h push.Handle, l look) {
	if l.tcp == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil {
		s.m = map[push.Handle]look{}
	}
	if len(s.m) < lookMax {
		s.m[h] = l
	}
}

// forget drops what is too old to compare with.
func (s *shares) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for h, l := range s.m {
		if time.Since(l.at) > lookKeep {
			delete(s.m, h)
		}
	}
}

// share compares two looks; nil when there is nothing to compare.
func (l *look) share(at time.Time, tcp *pushdapi.TCP) *pushdapi.TCPShare {
	if l == nil || l.tcp == nil || tcp == nil {
		return nil
	}
	over := at.Sub(l.at).Seconds()
	if over <= 0 {
		return nil
	}
	part := func(now, before float64) float64 { return min(1, max(0, (now-before)/over)) }
	s := &pushdapi.TCPShare{OverSeconds: over,
		Busy:          part(tcp.BusySeconds, l.tcp.BusySeconds),
		RwndLimited:   part(tcp.RwndLimited, l.tcp.RwndLimited),
		SndbufLimited: part(tcp.SndbufLimited, l.tcp.SndbufLimited),
	}
	if sent := tcp.SegmentsOut - l.tcp.SegmentsOut; sent > 0 {
		s.Retransmits = float64(tcp.Retransmits-l.tcp.Retransmits) / float64(sent)
	}
	return s
}
