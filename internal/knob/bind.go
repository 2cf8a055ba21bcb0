package knob

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Bind declares a knob for each field of a struct that has a tag knob, and puts
// the handle into the field. into is a pointer to the struct; structs within it
// are bound too. A field is a *Int, *Duration, *Float, *Bool or *Enum:
//
//	type settings struct {
//		Timeout *knob.Duration `knob:"shop.timeout" default:"1s" min:"10ms" max:"1m" help:"Wait for the shop."`
//		Cache   *knob.Int      `knob:"shop.cache_max" unit:"bytes" default:"64MiB" min:"1MiB" max:"4GiB"`
//		Policy  *knob.Enum     `knob:"shop.policy" default:"wait" values:"wait,refuse" risk:"medium" acts:"restart"`
//	}
//
// Texts are read as Set reads them. The unit bytes makes a size of an *Int;
// numbers and times need min and max, choices need values. risk is low, medium
// or high, acts is live, new connections or restart; the first is meant when
// none is given. The error joins what is wrong with every field; then nothing
// is declared.
func Bind(r *Registry, into any) error {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("knobs are bound to a pointer to a struct, not to %T", into)
	}
	var b binding
	b.walk(v.Elem())
	if len(b.problems) == 0 && len(b.fields) == 0 {
		return fmt.Errorf("%T has no field with a tag knob", into)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	b.judgeNames(r)
	if len(b.problems) > 0 {
		return errors.Join(b.problems...)
	}
	for _, f := range b.fields {
		f.attach()
		r.knobs[f.knob.spec.Name] = f.knob
	}
	return nil
}

// binding gathers the fields of one struct.
type binding struct {
	fields   []bound
	problems []error
}

type bound struct {
	knob  *declared
	field reflect.Value
}

func (b *binding) walk(v reflect.Value) {
	for at, field := range v.Fields() {
		_, tagged := at.Tag.Lookup("knob")
		switch {
		case tagged && !at.IsExported():
			b.refuse(at, errors.New("cannot be set: begin its name with a capital"))
		case tagged:
			k, err := declaredBy(at)
			if err != nil {
				b.refuse(at, err)
				continue
			}
			b.fields = append(b.fields, bound{k, field})
		case field.Kind() == reflect.Struct && at.IsExported():
			b.walk(field)
		}
	}
}

func (b *binding) refuse(at reflect.StructField, err error) {
	b.problems = append(b.problems, fmt.Errorf("field %s: %w", at.Name, err))
}

// judgeNames finds names that are taken; it needs r.mu.
func (b *binding) judgeNames(r *Registry) {
	seen := map[string]bool{}
	for _, f := range b.fields {
		name := f.knob.spec.Name
		if r.knobs[name] != nil || seen[name] {
			b.problems = append(b.problems, fmt.Errorf("knob %s is declared twice", name))
		}
		seen[name] = true
	}
}

// attach makes the handle.
func (f bound) attach() {
	h := reflect.New(f.field.Type().Elem())
	f.field.Set(h)
	f.knob.attach(h.Interface().(handle).cellOf())
}

// handle is any of the handles.
type handle interface{ cellOf() *cell }

func (c *cell) cellOf() *cell { return c }

// declaredBy reads a field's type and tags.
func declaredBy(at reflect.StructField) (*declared, error) {
	tag := at.Tag.Get
	d := Form{Name: tag("knob"), Unit: tag("unit"), Default: tag("default"), Min: tag("min"), Max: tag("max")}
	switch at.Type {
	case reflect.TypeFor[*Int]():
		if d.Type = "int"; d.Unit == "bytes" {
			d.Type, d.Unit = "bytes", ""
		}
	case reflect.TypeFor[*Duration]():
		d.Type = "duration"
	case reflect.TypeFor[*Float]():
		d.Type = "float"
	case reflect.TypeFor[*Bool]():
		d.Type = "bool"
	case reflect.TypeFor[*Enum]():
		d.Type = "enum"
		d.Values = slices.DeleteFunc(strings.Split(tag("values"), ","), func(s string) bool { return s == "" })
	default:
		return nil, fmt.Errorf("is a %s, which is no handle: make it a *knob.Int, Duration, Float, Bool or Enum", at.Type)
	}
	k, err := d.declared()
	if err != nil {
		return nil, err
	}
	k.spec.Help = tag("help")
	risk, err1 := wordIn(tag("risk"), "risk", riskNames[:])
	acts, err2 := wordIn(tag("acts"), "acts", actsNames[:])
	def, err3 := k.parse(d.Default)
	k.spec.Risk, k.spec.Acts, k.def = Risk(risk), Acts(acts), def
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	return k, k.sound()
}

// wordIn finds a tag's word; none is the first.
func wordIn(word, tag string, words []string) (int, error) {
	if word == "" {
		return 0, nil
	}
	at := slices.Index(words, word)
	if at < 0 {
		return 0, fmt.Errorf("the tag %s is %q; there are %s", tag, word, orList(words))
	}
	return at, nil
}
