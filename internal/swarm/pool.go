package swarm

// pool lends buffers to the few connections that need one at a time. Index 0
// is never lent, so that it can mean none.
type pool struct {
	keep int // a buffer that grew beyond this is not kept
	bufs [][]byte
	free []uint32
}

const (
	partKeep = 4 << 10
	outKeep  = 4 << 10
)

// take lends an empty buffer.
func (p *pool) take() uint32 {
	if n := len(p.free); n > 0 {
		i := p.free[n-1]
		p.free = p.free[:n-1]
		return i
	}
	p.bufs = append(p.bufs, make([]byte, 0, 512))
	return uint32(len(p.bufs))
}

// at returns the buffer lent as i.
func (p *pool) at(i uint32) *[]byte { return &p.bufs[i-1] }

// give takes a buffer back and clears the borrower's index.
func (p *pool) give(i *uint32) {
	if *i == 0 {
		return
	}
	b := p.at(*i)
	if cap(*b) > p.keep {
		*b = make([]byte, 0, 512)
	}
	*b = (*b)[:0]
	p.free = append(p.free, *i)
	*i = 0
}
