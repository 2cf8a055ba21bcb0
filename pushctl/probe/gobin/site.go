package gobin

import (
	"fmt"

	"golang.org/x/arch/x86/x86asm"
)

// Site is where a function can be probed, in addresses as in the file.
type Site struct {
	Func    string
	Entry   uint64   // its first push %rbp: behind the check for stack, so hit once per call
	Returns []uint64 // every RET
}

// Bytes that breakpoints are placed on.
const (
	pushRBP = 0x55
	ret     = 0xc3
)

// prologueMax is how far behind its start a function saves its frame pointer.
const prologueMax = 96

// Site finds the places of a function by its full name. Every error says why
// it cannot be probed.
func (b *Binary) Site(name string) (Site, error) {
	i, ok := b.byName[name]
	if !ok {
		return Site{}, fmt.Errorf("the program has no function %s", name)
	}
	start := b.text + uint64(b.tab.start(i))
	code := b.code.from(start)
	size := uint64(b.tab.start(i+1)) - uint64(b.tab.start(i))
	if size == 0 || size > uint64(len(code)) {
		return Site{}, fmt.Errorf("%s: its code is not where the tables say", name)
	}
	s, err := scan(start, code[:size])
	if err != nil {
		return Site{}, fmt.Errorf("%s: %w", name, err)
	}
	s.Func = name
	for _, a := range append([]uint64{s.Entry}, s.Returns...) {
		if _, ok := b.FileOffset(a); !ok {
			return Site{}, fmt.Errorf("%s: address %#x is in no executable segment", name, a)
		}
	}
	return s, nil
}

// scan decodes a function and collects its places.
func scan(start uint64, code []byte) (Site, error) {
	var s Site
	prologue := true
	for off := 0; off < len(code); {
		in, err := x86asm.Decode(code[off:], 64)
		if err != nil {
			return Site{}, fmt.Errorf("unknown instruction at +%#x: %w", off, err)
		}
		at := start + uint64(off)
		switch {
		case in.Op == x86asm.RET && code[off] == ret:
			s.Returns = append(s.Returns, at)
			prologue = false
		case in.Op == x86asm.CALL, off > prologueMax:
			prologue = false
		case prologue && code[off] == pushRBP:
			s.Entry, prologue = at, false
		}
		off += in.Len
	}
	switch {
	case s.Entry == 0:
		return Site{}, fmt.Errorf("it does not begin with push %%rbp as %s makes it", Tested)
	case len(s.Returns) == 0:
		return Site{}, fmt.Errorf("it never returns")
	}
	return s, nil
}

// Has tells whether the program is linked with a function.
func (b *Binary) Has(name string) bool {
	_, ok := b.byName[name]
	return ok
}
