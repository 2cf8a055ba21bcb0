package probe

import (
	"fmt"
	"strings"

	"github.com/cilium/ebpf"
)

// Slots of the map of counters, as in bpf/headers/probe.h.
const (
	slotHits = iota
	slotStarts
	slotAggs
	slotStacks
	slotEvents
	slotUnmatched
	slots
)

// Lost counts what a probe saw and could not keep, by reason. A figure above
// zero means that the others are too low.
type Lost struct {
	Starts    uint64 `json:"starts"`    // more waits at once than the probe remembers
	Sites     uint64 `json:"sites"`     // more places than the probe remembers
	Stacks    uint64 `json:"stacks"`    // waits whose stack was not kept
	Events    uint64 `json:"events"`    // the ring buffer was full
	Missed    uint64 `json:"missed"`    // the kernel did not run the probe because one ran already
	Unmatched uint64 `json:"unmatched"` // ends whose begin lies before the probe or in a pause; no loss
	Cut       uint64 `json:"cut"`       // waits that a pause of the probe cut off; no loss
}

// Total is the number of losses; ends without a begin are none.
func (l *Lost) Total() uint64 { return l.Starts + l.Sites + l.Stacks + l.Events + l.Missed }

// String names the reasons that occurred: "3 starts, 1 stacks", "0" if none.
func (l *Lost) String() string {
	var out []string
	for _, p := range []struct {
		n    uint64
		name string
	}{{l.Starts, "starts"}, {l.Sites, "sites"}, {l.Stacks, "stacks"}, {l.Events, "events"}, {l.Missed, "missed"}} {
		if p.n > 0 {
			out = append(out, fmt.Sprintf("%d %s", p.n, p.name))
		}
	}
	if out == nil {
		return "0"
	}
	return strings.Join(out, ", ")
}

// readCounters returns how often the probe ran, and what was lost.
func readCounters(m *ebpf.Map) (hits uint64, l Lost, err error) {
	var v [slots]uint64
	for i := range v {
		if err := m.Lookup(uint32(i), &v[i]); err != nil {
			return 0, l, fmt.Errorf("read counters: %w", err)
		}
	}
	return v[slotHits], Lost{Starts: v[slotStarts], Sites: v[slotAggs], Stacks: v[slotStacks], Events: v[slotEvents], Unmatched: v[slotUnmatched]}, nil
}
