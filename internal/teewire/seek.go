package teewire

import (
	"cmp"
	"errors"
	"io"
	"slices"
)

// SeekTo goes to the block that holds an instant of the node's clock, or to the
// first one behind it: what comes next begins at most a second before. First
// come the head and, as when a tee begins, all connections that are open then,
// as far as records tell: with the groups that they were opened with, and the
// queue that they had last. So everything before is read once, which Info does
// at the same speed.
func (f *Files) SeekTo(at int64) error {
	seg, block := f.find(at)
	f.Rewind()
	if seg == 0 && block == 0 {
		return nil
	}
	open := openConns{}
	r := NewReader(&until{f, seg, block})
	for {
		k, _, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		open.add(k, r)
	}
	f.left, f.before = nil, nil
	if f.seg != seg {
		if err := f.closeFile(); err != nil {
			return err
		}
	}
	f.seg, f.block = seg, block
	f.before = append([][]byte{f.segs[0].head.head}, open.batches(f.beginOf(seg, block))...)
	return nil
}

// find is the first block that ends at or behind an instant, or the end.
func (f *Files) find(at int64) (seg, block int) {
	for i, s := range f.segs {
		for j := range s.blocks {
			if s.blocks[j].last >= at {
				return i, j
			}
		}
	}
	last := len(f.segs) - 1
	return last, len(f.segs[last].blocks)
}

// beginOf is the first time of a block, of the end the last time of all.
func (f *Files) beginOf(seg, block int) int64 {
	if bs := f.segs[seg].blocks; block < len(bs) {
		return bs[block].first
	}
	_, to := f.Span()
	return to
}

// until reads files up to a block.
type until struct {
	f          *Files
	seg, block int
}

// NextBatch implements Batches.
func (u *until) NextBatch() ([]byte, error) {
	for len(u.f.left) == 0 && len(u.f.before) == 0 {
		if u.f.seg == u.seg && u.f.block == u.block {
			return nil, io.EOF
		}
		if u.f.seg < u.seg && u.f.block == len(u.f.segs[u.f.seg].blocks) {
			if err := u.f.nextSegment(); err != nil {
				return nil, err
			}
			continue
		}
		if err := u.f.nextBlock(); err != nil {
			return nil, err
		}
	}
	return u.f.NextBatch()
}

// openConns are the connections that are open at some point of a recording, as
// they would be joined there. Decoded records own their strings.
type openConns map[uint64]*Open

func (cs openConns) add(k Kind, r *Reader) {
	switch k {
	case KindOpen:
		o := r.Open
		cs[o.Conn] = &o
	case KindClose:
		delete(cs, r.Close.Conn)
	case KindOut:
		if o := cs[r.Out.Conn]; o != nil {
			o.Blocked, o.Queued = r.Out.Blocked, r.Out.Queued
		}
	case KindTorn:
		cs.tear(&r.Torn)
	}
}

// tear forgets what has a hole.
func (cs openConns) tear(t *Torn) {
	switch {
	case t.Conn != 0:
		delete(cs, t.Conn)
	case t.User != "":
		for c, o := range cs {
			if slices.Contains(o.Users, t.User) {
				delete(cs, c)
			}
		}
	default:
		clear(cs)
	}
}

// batches writes them down as open since before an instant, the oldest first.
func (cs openConns) batches(at int64) [][]byte {
	all := make([]*Open, 0, len(cs))
	for _, o := range cs {
		all = append(all, o)
	}
	slices.SortFunc(all, func(a, b *Open) int { return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Conn, b.Conn)) })
	var out [][]byte
	b := new(Batch)
	for _, o := range all {
		o.Joined, o.Resume = true, false
		o.Age += timeBetween(o.At, at)
		o.At = at
		if b.Open(o); b.Len() >= blockBytes {
			out = append(out, b.Seal())
			b = new(Batch)
		}
	}
	if b.Records() > 0 {
		out = append(out, b.Seal())
	}
	return out
}
