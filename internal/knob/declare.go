package knob

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"time"
)

// kind is the type of a knob's value.
type kind uint8

const (
	kindInt kind = iota
	kindBytes
	kindDuration
	kindFloat
	kindBool
	kindEnum
)

var kindNames = [...]string{"int", "bytes", "duration", "float", "bool", "enum"}

func (k kind) String() string { return wordAt(kindNames[:], int(k)) }

// declared is one knob: static after construction except the last block, which
// the registry's mutex guards.
type declared struct {
	spec          Spec
	kind          kind
	def, min, max int64 // as bits, see cell
	values        []string
	cell          *cell

	source   string
	why      string
	at       time.Time
	revision uint64
	watchers []func(State)
}

// Int declares a whole number between min and max inclusive. Like every
// declaration it panics when the name is taken or the default is out of range:
// both are mistakes of the programmer that the first test finds.
func (r *Registry) Int(s Spec, def, min, max int64) *Int {
	h := &Int{}
	r.declare(&h.cell, &declared{spec: s, kind: kindInt, def: def, min: min, max: max})
	return h
}

// Bytes declares a size in bytes, written 64KiB or 64KB.
func (r *Registry) Bytes(s Spec, def, min, max int64) *Int {
	h := &Int{}
	r.declare(&h.cell, &declared{spec: s, kind: kindBytes, def: def, min: min, max: max})
	return h
}

// Duration declares a span of time, written 250ms or 1m30s.
func (r *Registry) Duration(s Spec, def, min, max time.Duration) *Duration {
	h := &Duration{}
	r.declare(&h.cell, &declared{spec: s, kind: kindDuration, def: int64(def), min: int64(min), max: int64(max)})
	return h
}

// Float declares a real number; with the unit percent it may be written 5%.
func (r *Registry) Float(s Spec, def, min, max float64) *Float {
	h := &Float{}
	r.declare(&h.cell, &declared{spec: s, kind: kindFloat, def: fbits(def), min: fbits(min), max: fbits(max)})
	return h
}

// Bool declares a switch, written on or off.
func (r *Registry) Bool(s Spec, def bool) *Bool {
	h := &Bool{}
	d := int64(0)
	if def {
		d = 1
	}
	r.declare(&h.cell, &declared{spec: s, kind: kindBool, def: d, max: 1, values: boolWords})
	return h
}

// Enum declares a choice among words; def is an index into values.
func (r *Registry) Enum(s Spec, def int, values []string) *Enum {
	h := &Enum{}
	r.declare(&h.cell, &declared{spec: s, kind: kindEnum, def: int64(def),
		max: int64(len(values) - 1), values: slices.Clone(values)})
	return h
}

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$`)

func (r *Registry) declare(c *cell, k *declared) {
	if err := k.sound(); err != nil {
		panic(err.Error())
	}
	k.attach(c)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.add(k); err != nil {
		panic(err.Error())
	}
}

// sound judges the declaration itself.
func (k *declared) sound() error {
	name := k.spec.Name
	if !nameForm.MatchString(name) {
		return fmt.Errorf("knob %q: a name is dotted and lower case, as in queue.bytes_max", name)
	}
	if !k.holds(k.def) {
		return fmt.Errorf("knob %s: the default %s is outside %s", name, k.format(k.def), k.rangeText())
	}
	return nil
}

// attach gives the knob the cell that its handle reads.
func (k *declared) attach(c *cell) {
	c.k, k.cell, k.source = k, c, "default"
	c.bits.Store(k.def)
}

// add needs r.mu.
func (r *Registry) add(k *declared) error {
	if r.knobs[k.spec.Name] != nil {
		return fmt.Errorf("knob %s is declared twice", k.spec.Name)
	}
	r.knobs[k.spec.Name] = k
	return nil
}

// holds tells whether the bits are a value within the declared range.
func (k *declared) holds(bits int64) bool {
	if k.kind == kindFloat {
		v := ffrom(bits)
		return !math.IsNaN(v) && v >= ffrom(k.min) && v <= ffrom(k.max)
	}
	return bits >= k.min && bits <= k.max
}

func fbits(v float64) int64    { return int64(math.Float64bits(v)) }
func ffrom(bits int64) float64 { return math.Float64frombits(uint64(bits)) }
