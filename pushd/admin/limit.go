package admin

import (
	"net/http"
	"sync/atomic"

	"pushfleet/internal/knob"
	"pushfleet/internal/pushdapi"
)

// limiter admits at most as many at once as its knob says at the moment.
type limiter struct {
	n   atomic.Int64
	max *knob.Int
}

// enter admits one, spare above the bound; whoever is admitted calls leave.
func (l *limiter) enter(spare int64) error {
	bound := l.max.Get()
	if l.n.Add(1) > bound+spare {
		l.n.Add(-1)
		return busy("%d requests of this kind are being answered; ask again in a second, or raise %s", bound, l.max.Name())
	}
	return nil
}

func (l *limiter) leave() { l.n.Add(-1) }

func busy(format string, args ...any) *pushdapi.Error {
	return refuse(http.StatusServiceUnavailable, "busy", format, args...)
}
