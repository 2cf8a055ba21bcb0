package keeperapi

import (
	"errors"
	"math/rand/v2"
	"net"
	"strings"
	"time"
)

// How a node looks for the leader. An election takes half a second, so it asks
// often at first; keepers that stay away are asked less and less often. Each
// pause is spread by half, so that a fleet does not ask in step.
const (
	pauseFirst = 50 * time.Millisecond
	pauseSoon  = 250 * time.Millisecond // at most, within the first soonFor
	pauseLate  = 2 * time.Second        // at most, afterwards
	soonFor    = 5 * time.Second        // of an outage
	dialSoon   = time.Second            // for one attempt within soonFor, where there are others to ask
	settled    = 2 * time.Second        // a session that lived so long was a good one
	hopsMax    = 3                      // keepers may name another as leader so often in a row
	byeMax     = time.Minute            // a keeper may send a node away for so long
)

// seeker decides whom to ask next and after which pause. It has no clock.
type seeker struct {
	sites []*site
	o     ClientOptions
	next  int   // in sites
	hint  *site // named as leader, asked next
	hops  int   // hints followed without a session
	deaf  int   // addresses in a row where nobody listens
	avoid *site // a machine that fell silent: asking it takes long, others know more
	pause time.Duration
	spent time.Duration // on this outage
}

func newSeeker(sites []*site, o ClientOptions) *seeker {
	return &seeker{sites: sites, o: o, next: rand.IntN(len(sites)), pause: pauseFirst}
}

// pick returns whom to ask.
func (k *seeker) pick() *site {
	if to := k.hint; to != nil {
		k.hint = nil
		return to
	}
	to := k.advance()
	if to == k.avoid && k.spent < soonFor {
		to = k.advance()
	}
	return to
}

func (k *seeker) advance() *site {
	to := k.sites[k.next]
	k.next = (k.next + 1) % len(k.sites)
	return to
}

// patience is how long one attempt may take: a paused machine takes the
// connection and never answers.
func (k *seeker) patience() time.Duration {
	if len(k.sites) > 1 && k.spent < soonFor {
		return min(dialSoon, k.o.Timeout)
	}
	return k.o.Timeout
}

// spend counts an attempt that led to no session.
func (k *seeker) spend(began, heard time.Time) {
	if heard.IsZero() {
		k.spent += time.Since(began)
	}
}

// failed returns how long to wait after an attempt, or a session that lived for
// a while, ended with err.
func (k *seeker) failed(from *site, err error, lived time.Duration) time.Duration {
	if lived >= settled {
		k.pause, k.spent, k.hops, k.deaf = pauseFirst, 0, 0, 0
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		k.avoid = from
	}
	leader, within := directions(err)
	if to := k.follow(from, leader); to != nil && k.hops < hopsMax {
		k.hint = to
		k.hops++
		return spread(0, within)
	}
	k.hops = 0
	if within > 0 {
		return spread(0, within)
	}
	if lived >= settled { // the leader is gone, another may lead already
		return spread(0, pauseFirst)
	}
	if dialError(err) {
		if k.deaf++; k.deaf%len(k.sites) != 0 {
			return 0
		}
	} else {
		k.deaf = 0
	}
	return k.wait()
}

// wait returns the next pause.
func (k *seeker) wait() time.Duration {
	limit := pauseLate
	if k.spent < soonFor {
		limit = pauseSoon
	}
	d := min(k.pause, limit)
	k.pause = min(2*d, pauseLate)
	k.spent += d
	return spread(d/2, d+d/2)
}

// follow returns the site that a keeper names as leader, nil if there is none
// or it must not be followed: not from TLS to plain text, where the token could
// be read, and not from a keeper afar to a socket of this machine.
func (k *seeker) follow(from *site, leader string) *site {
	if leader == "" {
		return nil
	}
	for _, s := range k.sites {
		if s.addr == leader {
			return s
		}
	}
	network, _, base := Target(leader)
	if network == "unix" || strings.HasPrefix(from.base, "https:") && !strings.HasPrefix(base, "https:") {
		return nil
	}
	return newSite(leader, k.o)
}

// directions returns where a keeper sends a node that it does not want, and
// within which time.
func directions(err error) (leader string, within time.Duration) {
	if e, ok := errors.AsType[*Error](err); ok && e.Code == CodeNotLeader {
		return e.Leader, 0
	}
	if e, ok := errors.AsType[*farewell](err); ok {
		return e.Leader, min(time.Duration(max(e.WithinMS, 0))*time.Millisecond, byeMax)
	}
	return "", 0
}

// spread returns a time between both at random.
func spread(from, to time.Duration) time.Duration {
	if to <= from {
		return from
	}
	return from + rand.N(to-from)
}
