package main

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
	"pushfleet/internal/keeperapi"
)

// TestKnobFileReadsBack holds that whatever keepers may hold comes back from a
// file as it was, and in one form.
func TestKnobFileReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		file := drawFile(t)
		text := file.encode()
		back, err := decodeKnobs(text)
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if d := cmp.Diff(file, back); d != "" {
			t.Fatalf("%s\nfrom\n%s", d, text)
		}
		if again := back.encode(); again != text {
			t.Fatalf("another form:\n%s\nof\n%s", again, text)
		}
		if as := file.changes(back, true); len(as) > 0 {
			t.Fatalf("changes without any: %+v", as)
		}
	})
}

// TestChangesLeadThere holds that the changes from one file to another, made,
// are the other.
func TestChangesLeadThere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from, to := drawFile(t), drawFile(t)
		got := knobFile{}
		for s := range from {
			got[s] = maps.Clone(from[s])
		}
		for _, a := range from.changes(to, true) {
			if a.Unset {
				delete(got[a.Scope], a.Knob)
				if len(got[a.Scope]) == 0 {
					delete(got, a.Scope)
				}
				continue
			}
			got.put(a.Scope, a.Knob, a.Value)
		}
		if d := cmp.Diff(to, got); d != "" {
			t.Fatal(d)
		}
		for _, a := range from.changes(to, false) {
			if a.Unset {
				t.Fatalf("unset without prune: %+v", a)
			}
		}
	})
}

func drawFile(t *rapid.T) knobFile {
	file := knobFile{}
	scopes := rapid.SampledFrom([]keeperapi.Scope{keeperapi.Fleet, "app=shop", "app=", "node=gw-3", "zone=a:b/c@d"})
	// Some are the beginning of others: a table and a value at once.
	names := rapid.SampledFrom([]string{"a", "a.b", "a.b.c", "queue.messages_max", "gc.percent", "x y.z", "é.ü", "q\"uote", "1.2"})
	for range rapid.IntRange(0, 12).Draw(t, "n") {
		value := rapid.OneOf(rapid.SampledFrom([]string{"1024", "64KiB", "5%", "on", "-3", "007", "1e3", "9223372036854775808", "true", ""}),
			rapid.StringOf(rapid.RuneFrom([]rune("a\"\\\n\t\x00\x7f é<>&\u2028")))).Draw(t, "value")
		file.put(scopes.Draw(t, "scope"), names.Draw(t, "name"), value)
	}
	return file
}

func TestLastingLeavesOutWhatEnds(t *testing.T) {
	base := &keeperapi.Value{Value: "1"}
	ks := []keeperapi.KnobInfo{{Decl: keeperapi.Decl{Name: "k"}, Values: []keeperapi.ScopedValue{
		{Scope: keeperapi.Fleet, Value: keeperapi.Value{Value: "3", Deadline: 9, Before: &keeperapi.Value{Value: "2", Deadline: 20, Before: base}}},
		{Scope: "app=shop", Value: keeperapi.Value{Value: "4", Deadline: 9}},
		{Scope: keeperapi.NodeScope("gw-1"), Value: keeperapi.Value{Value: "5"}},
		{Scope: keeperapi.CanaryScope("ro7"), Value: keeperapi.Value{Value: "6"}}}}}
	want := knobFile{keeperapi.Fleet: {"k": "1"}, "node=gw-1": {"k": "5"}}
	if d := cmp.Diff(want, lasting(ks)); d != "" {
		t.Error(d)
	}
}

func TestTransactionsAreBounded(t *testing.T) {
	file := knobFile{}
	for i := range changesMax {
		file.put(keeperapi.Fleet, fmt.Sprintf("k%d", i), "1")
	}
	if err := fewEnough(knobFile{}.changes(file, false)); err != nil {
		t.Error(err)
	}
	file.put(keeperapi.Fleet, "one.more", "1")
	if err := fewEnough(knobFile{}.changes(file, false)); err == nil || !strings.Contains(err.Error(), "1001 changes") {
		t.Errorf("1001 changes: %v", err)
	}
}

// FuzzDecodeKnobs holds that what is read is written in a form that reads
// back to the same.
func FuzzDecodeKnobs(f *testing.F) {
	f.Add("[fleet]\nqueue.messages_max = 5\n[\"app=shop\"]\n\"a.b\" = \"64KiB\"\nc = 1.5\nd = true")
	f.Add("[fleet.queue]\nx = [1]")
	f.Add("a = 1")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := decodeKnobs(text)
		if err != nil {
			return
		}
		back, err := decodeKnobs(file.encode())
		if err != nil {
			t.Fatalf("%v in\n%s", err, file.encode())
		}
		if d := cmp.Diff(file, back); d != "" {
			t.Fatal(d)
		}
	})
}
