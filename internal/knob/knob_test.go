package knob

import (
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestHandleReadsWhatWasSet(t *testing.T) {
	r := NewRegistry()
	n := r.Int(Spec{Name: "queue.messages_max"}, 512, 1, 65536)
	b := r.Bytes(Spec{Name: "queue.bytes_max"}, 1<<16, 0, 1<<30)
	d := r.Duration(Spec{Name: "heartbeat.ping"}, time.Second, 0, time.Hour)
	x := r.Float(Spec{Name: "tap.sample", Unit: "percent"}, 1, 0, 100)
	on := r.Bool(Spec{Name: "tap.on"}, true)
	e := r.Enum(Spec{Name: "queue.policy"}, 1, []string{"a", "b", "c"})
	if n.Get() != 512 || b.Get() != 1<<16 || d.Get() != time.Second || x.Get() != 1 || !on.Get() || e.Get() != 1 {
		t.Fatal("a handle does not read its default")
	}
	for name, text := range map[string]string{"queue.messages_max": "7", "queue.bytes_max": "1KiB",
		"heartbeat.ping": "2s", "tap.sample": "2.5%", "tap.on": "off", "queue.policy": "c"} {
		if _, err := r.Set(name, text, "admin", ""); err != nil {
			t.Error(err)
		}
	}
	if n.Get() != 7 || b.Get() != 1024 || d.Get() != 2*time.Second || x.Get() != 2.5 || on.Get() || e.Get() != 2 {
		t.Error("a handle does not read what was set")
	}
	if n.Name() != "queue.messages_max" {
		t.Errorf("Name() = %q", n.Name())
	}
}

func TestStateSaysWhoWhenWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRegistry()
		r.Int(Spec{Name: "queue.messages_max", Unit: "messages", Help: "Bound.", Risk: Medium, Acts: NewConns}, 512, 16, 65536)
		start := time.Now()
		time.Sleep(time.Minute) // virtual
		if _, err := r.Set("queue.messages_max", "1024", "admin", "INC-311"); err != nil {
			t.Fatal(err)
		}
		got, err := r.Get("queue.messages_max")
		if err != nil {
			t.Fatal(err)
		}
		want := State{Name: "queue.messages_max", Type: "int", Unit: "messages", Help: "Bound.", Value: "1024",
			Default: "512", Min: "16", Max: "65536", Risk: Medium, Acts: NewConns, Source: "admin",
			At: start.Add(time.Minute), Why: "INC-311", Revision: 1}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("state\n%+v, want\n%+v", got, want)
		}
	})
}

func TestListIsSortedAndUnitIsNotSaidTwice(t *testing.T) {
	units := map[string]string{}
	last := ""
	for _, s := range sample().List() {
		if s.Name < last {
			t.Errorf("%s comes after %s", s.Name, last)
		}
		last = s.Name
		units[s.Name] = s.Value + " " + s.Unit
		if s.Source != "default" || !s.At.IsZero() {
			t.Errorf("%s: untouched, but source %q at %v", s.Name, s.Source, s.At)
		}
	}
	if units["queue.messages_max"] != "512 messages" || units["gc.percent"] != "100% " || units["queue.bytes_max"] != "64KiB " {
		t.Errorf("values with units: %q", units)
	}
}

func TestRevisionGrowsByOnePerChange(t *testing.T) {
	r := sample()
	set := func(want uint64, values map[string]string) {
		t.Helper()
		c, err := r.SetMany(values, "config", "")
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Revision(); got != want || c[0].Revision != want {
			t.Errorf("after %v: revision %d, change says %d, want %d", values, got, c[0].Revision, want)
		}
	}
	set(1, map[string]string{"tap.on": "on"})
	set(1, map[string]string{"tap.on": "on"}) // nothing changed
	set(2, map[string]string{"tap.on": "off", "queue.messages_max": "3", "queue.policy": "coalesce"})
	if s, _ := r.Get("tap.sample"); s.Revision != 0 {
		t.Errorf("an untouched knob claims revision %d", s.Revision)
	}
	if s, _ := r.Get("queue.policy"); s.Revision != 2 {
		t.Errorf("queue.policy changed at revision %d, want 2", s.Revision)
	}
}

func TestSetManyIsAllOrNone(t *testing.T) {
	r := sample()
	_, err := r.SetMany(map[string]string{"tap.on": "on", "queue.messages_max": "x", "queue.polcy": "coalesce"}, "admin", "")
	if err == nil {
		t.Fatal("took a wrong transaction")
	}
	for _, part := range []string{"queue.messages_max", "did you mean queue.policy"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	if s, _ := r.Get("tap.on"); s.Value != "off" || r.Revision() != 0 {
		t.Errorf("half of a refused transaction is in force: %+v, revision %d", s, r.Revision())
	}
}

func TestApplyIfRevisionAndDryRun(t *testing.T) {
	r := sample()
	told := 0
	r.OnChange("tap.on", func(State) { told++ })
	txn := Txn{Set: map[string]string{"tap.on": "on"}, DryRun: true}
	if c, err := r.Apply(txn); err != nil || c[0].Old != "off" || c[0].New != "on" || c[0].Revision != 1 {
		t.Errorf("dry run: %+v, %v", c, err)
	}
	if r.Revision() != 0 || told != 0 {
		t.Error("a dry run changed something")
	}
	txn.DryRun, txn.IfRev = false, 7
	var e *Error
	if _, err := r.Apply(txn); !errors.As(err, &e) || e.Code != CodeRevision {
		t.Errorf("with a stale revision: %v", err)
	}
	txn.IfRev = 0
	if _, err := r.Apply(txn); err != nil || told != 1 {
		t.Errorf("apply: %v, watchers told %d times", err, told)
	}
	txn.IfRev, txn.Set = 1, map[string]string{"tap.on": "off"}
	if _, err := r.Apply(txn); err != nil || r.Revision() != 2 {
		t.Errorf("with the right revision: %v, now at %d", err, r.Revision())
	}
}

func TestConstrain(t *testing.T) {
	r := NewRegistry()
	ping := r.Duration(Spec{Name: "heartbeat.ping"}, 25*time.Second, time.Second, time.Hour)
	timeout := r.Duration(Spec{Name: "heartbeat.timeout"}, time.Minute, time.Second, time.Hour)
	const rule = "heartbeat.ping must be shorter than heartbeat.timeout"
	r.Constrain(rule, func(v Values) bool { return v.Duration(ping) < v.Duration(timeout) })

	var e *Error
	if _, err := r.Set("heartbeat.ping", "2m", "admin", ""); !errors.As(err, &e) || e.Code != CodeRule ||
		!strings.Contains(e.Message, rule) || !strings.Contains(e.Message, "heartbeat.ping=2m") {
		t.Errorf("broke the rule: %v", err)
	}
	if ping.Get() != 25*time.Second {
		t.Error("a refused value is in force")
	}
	if _, err := r.SetMany(map[string]string{"heartbeat.ping": "2m", "heartbeat.timeout": "5m"}, "admin", ""); err != nil {
		t.Errorf("both together keep the rule, but: %v", err)
	}
	mustPanic(t, "a rule that the values in force break", func() {
		r.Constrain("never", func(Values) bool { return false })
	})
}

func TestDeclarationMistakesPanic(t *testing.T) {
	f := func(what string, declare func(r *Registry)) {
		t.Helper()
		mustPanic(t, what, func() { declare(sample()) })
	}
	f("twice", func(r *Registry) { r.Bool(Spec{Name: "tap.on"}, true) })
	f("default out of range", func(r *Registry) { r.Int(Spec{Name: "a.b"}, 0, 1, 2) })
	f("upper case", func(r *Registry) { r.Bool(Spec{Name: "Tap.on2"}, true) })
	f("no dot", func(r *Registry) { r.Bool(Spec{Name: "tap"}, true) })
	f("enum default", func(r *Registry) { r.Enum(Spec{Name: "a.b"}, 2, []string{"x", "y"}) })
	f("watching the unknown", func(r *Registry) { r.OnChange("a.b", func(State) {}) })
}

func TestWatchersSeeChangesInOrder(t *testing.T) {
	r := NewRegistry()
	n := r.Int(Spec{Name: "queue.messages_max"}, 0, 0, 1<<30)
	var seen []uint64
	r.OnChange("queue.messages_max", func(s State) {
		seen = append(seen, s.Revision)
		if now, err := r.Get(s.Name); err != nil || now.Value != s.Value {
			t.Errorf("in the watcher the registry says %s, %v; told %s", now.Value, err, s.Value)
		}
	})
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for j := range 50 {
				if _, err := r.Set("queue.messages_max", formatInt(1000*i+j+1), "admin", ""); err != nil {
					t.Error(err)
				}
				_ = n.Get()
			}
		})
	}
	all.Wait()
	if len(seen) != 200 {
		t.Fatalf("told %d times, want 200", len(seen))
	}
	for i, rev := range seen {
		if rev != uint64(i+1) {
			t.Fatalf("call %d was for revision %d", i, rev)
		}
	}
}

func TestReadingAllocatesNothing(t *testing.T) {
	r := NewRegistry()
	n := r.Int(Spec{Name: "a.int"}, 1, 0, 9)
	d := r.Duration(Spec{Name: "a.duration"}, 1, 0, 9)
	x := r.Float(Spec{Name: "a.float"}, 1, 0, 9)
	if got := testing.AllocsPerRun(100, func() {
		if n.Get()+int64(d.Get())+int64(x.Get()) != 3 {
			t.Error("read a wrong value")
		}
	}); got != 0 {
		t.Errorf("%v allocations per read", got)
	}
}

func mustPanic(t *testing.T, what string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s: no panic", what)
		}
	}()
	f()
}

func formatInt(n int) string { return (&declared{kind: kindInt}).format(int64(n)) }
