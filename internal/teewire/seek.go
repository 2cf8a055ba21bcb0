package teewire

import (
	"context"
	"errors"
	"io"
)

// SeekTo goes to the block that holds an instant of the node's clock, or to the
// first one behind it: what comes next begins at most a second before. First, as
// when a tee begins some time before that, come a head, whose messages have a
// hole, and all connections that are open then, with the users and groups that
// they have then, as far as records tell, and the queue that they had last. So
// everything before is read once, faster than Info does. That ends with ctx;
// after an error Files stands anywhere: Rewind, or seek again.
func (f *Files) SeekTo(ctx context.Context, at int64) error {
	seg, block := f.find(at)
	f.Rewind()
	if seg == 0 && block == 0 {
		return nil
	}
	s, err := f.stateAt(ctx, seg, block)
	if err != nil {
		return err
	}
	f.left, f.before = nil, nil
	if f.seg != seg {
		if err := f.closeFile(); err != nil {
			return err
		}
	}
	f.seg, f.block = seg, block
	f.before = s.batches(f.Head, f.beginOf(seg, block))
	return nil
}

// stateAt reads from where f stands up to a block.
func (f *Files) stateAt(ctx context.Context, seg, block int) (*state, error) {
	s, r := newState(), NewReader(&until{ctx, f, seg, block})
	r.skip = 1<<KindHead | 1<<KindPublish | 1<<KindCount | 1<<KindEnd
	for {
		k, _, err := r.Next()
		if errors.Is(err, io.EOF) {
			return s, nil
		}
		if err != nil {
			return nil, err
		}
		s.add(k, r)
	}
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

// beginOf is the earliest time of a block and of all behind it, for parts of a
// node write in turns; of the end the last time of all.
func (f *Files) beginOf(seg, block int) int64 {
	begin, any := int64(0), false
	for i := seg; i < len(f.segs); i++ {
		blocks := f.segs[i].blocks
		if i == seg {
			blocks = blocks[block:]
		}
		for j := range blocks {
			if !any || blocks[j].first < begin {
				begin, any = blocks[j].first, true
			}
		}
	}
	if !any {
		_, begin = f.Span()
	}
	return begin
}

// until reads files up to a block, or the end of ctx.
type until struct {
	ctx        context.Context
	f          *Files
	seg, block int
}

// NextBatch implements Batches.
func (u *until) NextBatch() ([]byte, error) {
	if err := u.ctx.Err(); err != nil {
		return nil, err
	}
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
