package knob

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

type allKinds struct {
	Max     *Int      `knob:"shop.carts_max" default:"10k" min:"1" max:"1M" unit:"carts" risk:"high" acts:"new connections" help:"Open carts."`
	Cache   *Int      `knob:"shop.cache_max" default:"64MiB" min:"0" max:"1GiB" unit:"bytes"`
	Timeout *Duration `knob:"shop.timeout" default:"1s" min:"10ms" max:"1m"`
	Within  struct {
		Share *Float `knob:"shop.share" default:"5%" min:"0" max:"100" unit:"percent" acts:"restart"`
		On    *Bool  `knob:"shop.on" default:"true"`
	}
	Policy *Enum `knob:"shop.policy" default:"refuse" values:"wait,refuse" risk:"medium"`
	Other  string
}

func TestBind(t *testing.T) {
	r := NewRegistry()
	var s allKinds
	if err := Bind(r, &s); err != nil {
		t.Fatal(err)
	}
	if s.Max.Get() != 10000 || s.Cache.Get() != 64<<20 || s.Timeout.Get() != time.Second || s.Within.Share.Get() != 5 ||
		!s.Within.On.Get() || s.Policy.Get() != 1 {
		t.Error("a handle does not read its default")
	}
	if _, err := r.SetMany(map[string]string{"shop.timeout": "2s", "shop.on": "off", "shop.policy": "wait"}, "admin", ""); err != nil {
		t.Fatal(err)
	}
	if s.Timeout.Get() != 2*time.Second || s.Within.On.Get() || s.Policy.Get() != 0 {
		t.Error("a handle does not read what was set")
	}
	// It is the same as a declaration by hand.
	by := NewRegistry()
	by.Int(Spec{Name: "shop.carts_max", Unit: "carts", Risk: High, Acts: NewConns, Help: "Open carts."}, 10000, 1, 1e6)
	by.Bytes(Spec{Name: "shop.cache_max"}, 64<<20, 0, 1<<30)
	by.Float(Spec{Name: "shop.share", Unit: "percent", Acts: Restart}, 5, 0, 100)
	for _, want := range by.List() {
		if got, err := r.Get(want.Name); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("bound %+v, %v; by hand %+v", got, err, want)
		}
	}
}

func TestBindRefuses(t *testing.T) {
	f := func(into any, parts ...string) {
		t.Helper()
		r := NewRegistry()
		r.Bool(Spec{Name: "is.taken"}, true)
		err := Bind(r, into)
		if err == nil {
			t.Errorf("%T: no error", into)
			return
		}
		for _, p := range parts {
			if !strings.Contains(err.Error(), p) {
				t.Errorf("%q does not say %q", err, p)
			}
		}
		if len(r.List()) != 1 {
			t.Errorf("%v: yet something was declared", err)
		}
	}
	f(nil, "pointer to a struct")
	f(allKinds{}, "pointer to a struct", "knob.allKinds")
	f((*allKinds)(nil), "pointer to a struct")
	f(&struct{ A *Int }{}, "no field with a tag knob")
	f(&struct {
		A *Int      `knob:"a.a" default:"1" min:"0"`
		B *Duration `knob:"a.b" default:"1" min:"0s" max:"1m"`
		C *Bool     `knob:"a.c"`
		D string    `knob:"a.d" default:"x"`
		E *Enum     `knob:"a.e" default:"x"`
		F *Bool     `knob:"F" default:"on"`
		G *Int      `knob:"a.g" default:"9" min:"0" max:"8"`
		H *Bool     `knob:"a.h" default:"on" risk:"huge" acts:"soon"`
		I *Bool     `knob:"is.taken" default:"on"`
		J *Bool     `knob:"a.j" default:"on"`
		K *Bool     `knob:"a.j" default:"on"`
		l *Bool     `knob:"a.l" default:"on"`
		M *Bool     `knob:"a.m" default:"on"`
	}{}, `field A: knob a.a: the declared maximum "" is empty`, `field B: a.b: "1" has no unit`, "field C",
		"is empty", "field D: is a string, which is no handle", "field E: knob a.e: a choice needs values",
		"field F", "dotted and lower case", "field G", "out of range", `the tag risk is "huge"; there are low, medium or high`,
		`the tag acts is "soon"`, "knob is.taken is declared twice", "knob a.j is declared twice", "field l: cannot be set")
}

func TestOriginsByName(t *testing.T) {
	r := sample()
	_, err := r.Apply(Txn{Set: map[string]string{"tap.on": "on", "queue.policy": "coalesce"}, Source: "admin", Why: "a",
		Origins: map[string]Origin{"tap.on": {"fleet r7", "b"}}})
	if err != nil {
		t.Fatal(err)
	}
	f := func(name, source, why string) {
		t.Helper()
		if s, _ := r.Get(name); s.Source != source || s.Why != why {
			t.Errorf("%s: %q, %q", name, s.Source, s.Why)
		}
	}
	f("tap.on", "fleet r7", "b")
	f("queue.policy", "admin", "a")
}
