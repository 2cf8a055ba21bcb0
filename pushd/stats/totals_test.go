package stats

import (
	"reflect"
	"testing"

	"pushfleet/internal/push"
)

// Every field of Totals must be merged, also those added later.
func TestTotalsAddMergesEveryField(t *testing.T) {
	var a, b Totals
	set := func(v reflect.Value, x int) {
		if v.CanInt() {
			v.SetInt(int64(x))
		} else {
			v.SetUint(uint64(x))
		}
	}
	eachNumber(&a, func(_ string, v reflect.Value, i int) { set(v, i) })
	eachNumber(&b, func(_ string, v reflect.Value, i int) { set(v, 1000) })
	b.Add(&a)
	eachNumber(&b, func(name string, v reflect.Value, i int) {
		var want Totals
		w := reflect.ValueOf(&want).Elem().Field(0)
		set(w, 1000+i)
		if got := v.Convert(w.Type()); got.Uint() != w.Uint() {
			t.Errorf("%s = %v after Add, want %v", name, got, w)
		}
	})
}

func eachNumber(t *Totals, f func(name string, v reflect.Value, i int)) {
	v, n := reflect.ValueOf(t).Elem(), 0
	for k := range v.NumField() {
		name, field := v.Type().Field(k).Name, v.Field(k)
		if field.Kind() != reflect.Array {
			n++
			f(name, field, n)
			continue
		}
		for i := range field.Len() {
			n++
			f(name, field.Index(i), n)
		}
	}
}

func TestTotalsByName(t *testing.T) {
	var c Totals
	c.Dropped[push.DropNone] = 9 // delivered is not a drop
	c.Dropped[push.DropOverflow] = 3
	c.Dropped[push.DropTTL] = 1
	c.Closed[push.CloseSlow] = 2
	c.Open[push.ProtoNone], c.Open[push.ProtoWS] = 4, 5
	if c.DroppedTotal() != 4 || c.ClosedTotal() != 2 || c.Conns() != 9 || c.Handshaking() != 4 {
		t.Errorf("sums: dropped %d, closed %d, conns %d, handshaking %d", c.DroppedTotal(), c.ClosedTotal(), c.Conns(), c.Handshaking())
	}
	if m := c.DroppedBy(); len(m) != 2 || m["overflow"] != 3 || m["ttl"] != 1 {
		t.Errorf("dropped by %v", m)
	}
	if m := c.ClosedBy(); len(m) != 1 || m["slow"] != 2 {
		t.Errorf("closed by %v", m)
	}
	if m := c.OpenBy(); m["ws"] != 5 || m["sse"] != 0 || len(m) != 4 {
		t.Errorf("open by %v", m)
	}
}
