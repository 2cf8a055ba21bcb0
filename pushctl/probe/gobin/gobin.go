// Package gobin reads what a probe needs from a Go executable: the tables that
// the runtime itself uses to print stacks, which strip cannot remove, and the
// bytes at which a breakpoint may be placed. It knows linux/amd64 and Go 1.26
// and refuses everything else. It reads a file and touches no process.
package gobin

import (
	"debug/buildinfo"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// Tested is the Go release whose tables and calling convention this package
// knows.
const Tested = "go1.26"

// sectionMax bounds what is read of one section, in bytes.
const sectionMax = 1 << 30

// Binary is a Go executable. It is static after Open.
type Binary struct {
	Version string // as in go1.26.8
	Path    string // of its main package
	PIE     bool   // is loaded at a base of the kernel's choice

	text, etext uint64 // addresses of the code of Go, as in the file
	tab         *lineTable
	code        section   // holds text
	loads       []segment // executable ones
	byName      map[string]int
}

type section struct {
	addr uint64
	data []byte
}

// from returns the bytes from an address on, nil if it is not inside.
func (s section) from(addr uint64) []byte {
	if addr < s.addr || addr-s.addr >= uint64(len(s.data)) {
		return nil
	}
	return s.data[addr-s.addr:]
}

type segment struct{ addr, off, size uint64 }

// Open reads an executable. Every error says why it cannot be probed.
func Open(r io.ReaderAt) (*Binary, error) {
	info, err := buildinfo.Read(r)
	if err != nil {
		return nil, fmt.Errorf("no Go program: %w", err)
	}
	if !known(info.GoVersion) {
		return nil, fmt.Errorf("built with %s, and only %s is known: its calling convention or tables may differ; build the program with %s",
			info.GoVersion, Tested, Tested)
	}
	f, err := elf.NewFile(r)
	if err != nil {
		return nil, fmt.Errorf("no ELF file: %w", err)
	}
	if f.Machine != elf.EM_X86_64 || f.Data != elf.ELFDATA2LSB {
		return nil, fmt.Errorf("built for %v, and only EM_X86_64 is known", f.Machine)
	}
	b := &Binary{Version: info.GoVersion, Path: info.Path, PIE: f.Type == elf.ET_DYN}
	return b, b.read(f)
}

// known tells whether a version is a release of the tested minor: go1.26,
// go1.26.8, go1.26.8 X:experiment.
func known(version string) bool {
	rest, ok := strings.CutPrefix(version, Tested)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == ' ')
}

func (b *Binary) read(f *elf.File) error {
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD && p.Flags&elf.PF_X != 0 {
			b.loads = append(b.loads, segment{p.Vaddr, p.Off, p.Filesz})
		}
	}
	mod, err := readModule(f)
	if err != nil {
		return err
	}
	b.text, b.etext = mod.text, mod.etext
	if b.code, err = holding(f, mod.text); err != nil {
		return err
	}
	funcdata, err := holding(f, mod.gofunc)
	if err != nil {
		return err
	}
	raw, err := named(f, ".gopclntab", ".data.rel.ro.gopclntab")
	if err != nil {
		return err
	}
	if b.tab, err = newLineTable(raw.data, funcdata.from(mod.gofunc)); err != nil {
		return err
	}
	b.byName = make(map[string]int, b.tab.n)
	for i := range b.tab.n {
		b.byName[b.tab.name(i)] = i
	}
	return nil
}

// module is what is taken of runtime.firstmoduledata.
type module struct{ text, etext, gofunc uint64 }

// Offsets in runtime.moduledata of Go 1.26. The start of the code is taken from
// here because section .text begins elsewhere in externally linked programs.
const (
	moduleMinPC  = 160
	moduleMaxPC  = 168
	moduleText   = 176
	moduleEText  = 184
	moduleGofunc = 320
	moduleSize   = 328
)

func readModule(f *elf.File) (module, error) {
	s, err := named(f, ".go.module")
	if err != nil {
		return module{}, err
	}
	if len(s.data) < moduleSize {
		return module{}, fmt.Errorf("section .go.module has %d bytes, want at least %d: unknown layout", len(s.data), moduleSize)
	}
	relocated := relative(f)
	at := func(off uint64) uint64 {
		if v := binary.LittleEndian.Uint64(s.data[off:]); v != 0 {
			return v
		}
		return relocated[s.addr+off]
	}
	m := module{at(moduleText), at(moduleEText), at(moduleGofunc)}
	if low, high := at(moduleMinPC), at(moduleMaxPC); m.text == 0 || low < m.text || high <= low || m.etext < high {
		return module{}, fmt.Errorf("section .go.module does not hold the layout of %s: text %#x to %#x, functions %#x to %#x",
			Tested, m.text, m.etext, low, high)
	}
	return m, nil
}

// relative returns the addends of relative relocations by address: some linkers
// leave zero in the place itself.
func relative(f *elf.File) map[uint64]uint64 {
	s, err := named(f, ".rela.dyn", ".rela")
	if err != nil {
		return nil
	}
	const entry = 24
	out := map[uint64]uint64{}
	for d := s.data; len(d) >= entry; d = d[entry:] {
		if elf.R_X86_64(binary.LittleEndian.Uint32(d[8:])) == elf.R_X86_64_RELATIVE {
			out[binary.LittleEndian.Uint64(d)] = binary.LittleEndian.Uint64(d[16:])
		}
	}
	return out
}

func named(f *elf.File, names ...string) (section, error) {
	for _, n := range names {
		if s := f.Section(n); s != nil {
			return load(s)
		}
	}
	return section{}, fmt.Errorf("no section %s, which every %s program has: packed or cut by a tool", names[0], Tested)
}

func holding(f *elf.File, addr uint64) (section, error) {
	for _, s := range f.Sections {
		if s.Flags&elf.SHF_ALLOC != 0 && s.Type == elf.SHT_PROGBITS && addr >= s.Addr && addr-s.Addr < s.Size {
			return load(s)
		}
	}
	return section{}, fmt.Errorf("no section holds address %#x", addr)
}

func load(s *elf.Section) (section, error) {
	if s.Size > sectionMax {
		return section{}, fmt.Errorf("section %s has %d bytes, more than %d", s.Name, s.Size, sectionMax)
	}
	data, err := s.Data()
	if err != nil {
		return section{}, fmt.Errorf("section %s: %w", s.Name, err)
	}
	return section{s.Addr, data}, nil
}

// FileOffset is where the byte at an address lies in the file.
func (b *Binary) FileOffset(addr uint64) (uint64, bool) {
	for _, s := range b.loads {
		if addr >= s.addr && addr-s.addr < s.size {
			return addr - s.addr + s.off, true
		}
	}
	return 0, false
}

// Address is the reverse of FileOffset.
func (b *Binary) Address(off uint64) (uint64, bool) {
	for _, s := range b.loads {
		if off >= s.off && off-s.off < s.size {
			return off - s.off + s.addr, true
		}
	}
	return 0, false
}
