package tune

// Shares of the memory limit between which holding the collector back ends and
// may begin again: in between lies what a collection frees, or holding would
// flicker.
const (
	heapHigh = 90 // percent
	heapLow  = 70
)

// hold tells whether the collector is to be held back, held that it is now.
// backlog is in messages, heap in bytes; from is gc.hold_while_backlog and
// limit gc.memory_limit.
func hold(held bool, backlog, heap, from, limit int64) bool {
	switch {
	case from == 0 || limit == 0 || heap >= limit/100*heapHigh:
		return false
	case held:
		return 2*backlog >= from
	}
	return backlog > from && heap < limit/100*heapLow
}
