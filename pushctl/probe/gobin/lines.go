package gobin

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"sort"
)

// lineTable is .gopclntab of Go 1.20 and later: functions by address, with
// tables of values over their code.
type lineTable struct {
	n                              int
	funcs, names, cus, files, vals []byte
	data                           []byte // go:func.*, nil if it is not known
}

const (
	lineMagic    = 0xfffffff1
	lineHeader   = 72
	funcHead     = 44         // runtime._func without its trailing arrays
	pcdataInline = 2          // index of the table of inlined calls over pc
	dataInline   = 3          // index of the tree of inlined calls
	inlineSize   = 16         // runtime.inlinedCall
	inlineDepth  = 64         // deeper than the compiler inlines
	noData       = ^uint32(0) // marks a missing function datum
)

var errLines = errors.New("section .gopclntab is damaged")

func newLineTable(raw, data []byte) (*lineTable, error) {
	if len(raw) < lineHeader || binary.LittleEndian.Uint32(raw) != lineMagic || raw[6] != 1 || raw[7] != 8 {
		return nil, fmt.Errorf("section .gopclntab has not the form of %s", Tested)
	}
	word := func(i int) uint64 { return binary.LittleEndian.Uint64(raw[8+8*i:]) }
	part := func(i int) []byte {
		if off := word(i); off < uint64(len(raw)) {
			return raw[off:]
		}
		return nil
	}
	t := &lineTable{names: part(3), cus: part(4), files: part(5), vals: part(6), funcs: part(7), data: data}
	if n := word(0); t.funcs == nil || n == 0 || n > uint64(len(t.funcs)-4)/8 {
		return nil, errLines
	}
	t.n = int(word(0))
	return t, nil
}

// u32 reads a little-endian word, 0 outside of d.
func u32(d []byte, off int) uint32 {
	if off < 0 || off > len(d)-4 {
		return 0
	}
	return binary.LittleEndian.Uint32(d[off:])
}

func text(d []byte, off uint32) string {
	if uint64(off) >= uint64(len(d)) {
		return ""
	}
	d = d[off:]
	if end := bytes.IndexByte(d, 0); end >= 0 {
		return string(d[:end])
	}
	return ""
}

// start is the offset of a function from the start of the code; start(n) is the
// end of the last one.
func (t *lineTable) start(i int) uint32 { return u32(t.funcs, 8*i) }

// head is runtime._func of a function and what follows it.
func (t *lineTable) head(i int) []byte {
	off := u32(t.funcs, 8*i+4)
	if uint64(off)+funcHead > uint64(len(t.funcs)) {
		return nil
	}
	return t.funcs[off:]
}

func (t *lineTable) name(i int) string { return text(t.names, u32(t.head(i), 4)) }

// find returns the function that holds an offset, -1 if none does.
func (t *lineTable) find(off uint32) int {
	i := sort.Search(t.n, func(i int) bool { return t.start(i) > off }) - 1
	if i < 0 || off >= t.start(t.n) {
		return -1
	}
	return i
}

// value looks up a table of values at an offset into a function; a table at 0
// does not exist.
func (t *lineTable) value(table, off uint32) (int32, bool) {
	if table == 0 || uint64(table) >= uint64(len(t.vals)) {
		return 0, false
	}
	d, pc, v := t.vals[table:], uint64(0), int32(-1)
	for first := true; ; first = false {
		delta, n := binary.Uvarint(d)
		if n <= 0 || delta == 0 && !first {
			return 0, false
		}
		d = d[n:]
		step, m := binary.Uvarint(d)
		if m <= 0 {
			return 0, false
		}
		d = d[m:]
		u := uint32(delta)
		v += int32(u>>1) ^ -int32(u&1)
		if pc += step; uint64(off) < pc {
			return v, true
		}
	}
}

// Frame is a place in the source.
type Frame struct {
	Func string `json:"func"`
	File string `json:"file,omitempty"` // as the compiler saw it
	Line int    `json:"line,omitempty"`
}

// frames returns the place of an offset, innermost inlined call first, nil if
// it belongs to no function.
func (t *lineTable) frames(off uint32) []Frame {
	i := t.find(off)
	if i < 0 {
		return nil
	}
	h, in := t.head(i), off-t.start(i)
	var out []Frame
	for range inlineDepth {
		f := t.place(h, in)
		call := t.inlined(h, in)
		if call == nil {
			f.Func = t.name(i)
			return append(out, f)
		}
		f.Func = text(t.names, u32(call, 4))
		out = append(out, f)
		in = u32(call, 8) // the call's own position
	}
	return out
}

// place is file and line of an offset into a function.
func (t *lineTable) place(h []byte, in uint32) Frame {
	var f Frame
	if line, ok := t.value(u32(h, 24), in); ok {
		f.Line = int(line)
	}
	if no, ok := t.value(u32(h, 20), in); ok && no >= 0 {
		f.File = text(t.files, u32(t.cus, 4*(int(u32(h, 32))+int(no))))
	}
	return f
}

// inlined returns the runtime.inlinedCall that covers an offset, nil for code
// of the function itself.
func (t *lineTable) inlined(h []byte, in uint32) []byte {
	npc := int(u32(h, 28))
	if len(h) < funcHead || npc <= pcdataInline || int(h[funcHead-1]) <= dataInline {
		return nil
	}
	no, ok := t.value(u32(h, funcHead+4*pcdataInline), in)
	tree := u32(h, funcHead+4*npc+4*dataInline)
	if !ok || no < 0 || tree == noData {
		return nil
	}
	if off := uint64(tree) + uint64(no)*inlineSize; off+inlineSize <= uint64(len(t.data)) {
		return t.data[off : off+inlineSize]
	}
	return nil
}

// Frames returns the source of an address as in the file, innermost inlined
// call first; nil outside of Go's code.
func (b *Binary) Frames(addr uint64) []Frame {
	if addr < b.text || addr >= b.etext {
		return nil
	}
	return b.tab.frames(uint32(addr - b.text))
}
