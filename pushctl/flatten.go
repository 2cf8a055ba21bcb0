package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// flattener turns a value into columns named by the path of its JSON fields:
// connections.by_proto.ws. All fields of a struct are columns, empty or not,
// so that the heading does not depend on the figures; keys of maps are those
// at hand. A type within itself (what a value was before) is left out.
type flattener struct {
	out    map[string]string
	order  []string
	within map[reflect.Type]bool // behind the pointers on the way here
}

func (f *flattener) put(path, text string) {
	if _, ok := f.out[path]; !ok {
		f.order = append(f.order, path)
	}
	f.out[path] = text
}

func (f *flattener) value(path string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		f.pointer(path, v)
		return
	case reflect.Interface:
		if !v.IsNil() {
			f.value(path, v.Elem())
		}
		return
	}
	switch v.Type() {
	case reflect.TypeFor[time.Time]():
		f.put(path, timeText(v.Interface().(time.Time)))
		return
	case reflect.TypeFor[json.RawMessage]():
		f.raw(path, v.Bytes())
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		f.fields(path, v)
	case reflect.Map:
		for _, k := range slices.Sorted(maps.Keys(stringKeys(v))) {
			f.value(join(path, k), v.MapIndex(reflect.ValueOf(k).Convert(v.Type().Key())))
		}
	case reflect.Slice:
		f.put(path, sliceText(v))
	default:
		f.put(path, fmt.Sprint(v.Interface()))
	}
}

// pointer flattens what is pointed to, or the same columns empty.
func (f *flattener) pointer(path string, v reflect.Value) {
	t := v.Type().Elem()
	if f.within[t] {
		return
	}
	if f.within == nil {
		f.within = map[reflect.Type]bool{}
	}
	f.within[t] = true
	defer delete(f.within, t)
	if v.IsNil() {
		f.value(path, reflect.Zero(t))
		return
	}
	f.value(path, v.Elem())
}

func (f *flattener) fields(path string, v reflect.Value) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if !field.IsExported() && !field.Anonymous {
			continue
		}
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case name == "-":
		case field.Anonymous && name == "":
			f.value(path, v.Field(i))
		case name == "":
			f.value(join(path, field.Name), v.Field(i))
		default:
			f.value(join(path, name), v.Field(i))
		}
	}
}

// raw flattens JSON that was never a Go type, a frame for example.
func (f *flattener) raw(path string, b json.RawMessage) {
	var m map[string]json.RawMessage
	if json.Unmarshal(b, &m) != nil || m == nil {
		f.put(path, string(b))
		return
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		var s string
		if json.Unmarshal(m[k], &s) == nil {
			f.put(join(path, k), s)
		} else {
			f.put(join(path, k), string(m[k]))
		}
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func stringKeys(v reflect.Value) map[string]struct{} {
	keys := map[string]struct{}{}
	for _, k := range v.MapKeys() {
		keys[k.String()] = struct{}{}
	}
	return keys
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339Nano)
}

// sliceText joins words by spaces; lists of anything else stay JSON.
func sliceText(v reflect.Value) string {
	if words, ok := v.Interface().([]string); ok {
		return strings.Join(words, " ")
	}
	b, err := json.Marshal(v.Interface())
	if err != nil || v.Len() == 0 {
		return ""
	}
	return string(b)
}
