package experiment

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAJournalSurvives(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there")
	j := NewJournal(dir, "/run/pushd/admin.sock", "gw-shadow", "gw-1", time.Unix(1_700_000_000, 0))
	kept := []Kept{{Name: "gc.percent", Value: "200%", Source: "default", Tried: []string{"400%"}}}
	if err := j.Write(kept); err != nil {
		t.Fatal(err)
	}
	all, err := Journals(dir)
	if err != nil || len(all) != 1 {
		t.Fatalf("%d journals, %v", len(all), err)
	}
	got := all[0].Entry()
	if diff := cmp.Diff(kept, got.Knobs); diff != "" || got.Shadow != "/run/pushd/admin.sock" || got.Node != "gw-shadow" {
		t.Errorf("%+v %s", got, diff)
	}
	if !got.Alive() {
		t.Error("this process counts as dead")
	}
	got.Start = "1"
	if got.Alive() {
		t.Error("another process with the same number counts as this one")
	}
	got.Place.PID = 1 << 30
	if got.Alive() {
		t.Error("a number that nobody has counts as alive")
	}
	got.Place.Boot = "before"
	if got.Alive() {
		t.Error("alive after the machine started again")
	}
	got.Place.Hostname = "elsewhere"
	if !got.Alive() {
		t.Error("another machine cannot be seen from here")
	}
	if err := all[0].Teed("3f9a1c02"); err != nil {
		t.Error(err)
	}
	if again, err := Journals(dir); err != nil || len(again) != 1 || again[0].Entry().Tee != "3f9a1c02" || !cmp.Equal(kept, again[0].Entry().Knobs) {
		t.Errorf("%d journals, %v", len(again), err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
	if err := all[0].Remove(); err != nil {
		t.Error(err)
	}
	if err := all[0].Remove(); err != nil {
		t.Errorf("removed twice: %v", err)
	}
	if all, err := Journals(dir); len(all) != 0 || err != nil {
		t.Errorf("%d journals, %v", len(all), err)
	}
}

func TestDamagedJournalsAreTold(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name+journalEnd), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("cut", `{"shadow":"x","knobs":[`)
	write("other", `{"name":"x"}`)
	write("good", `{"shadow":"x","node":"n"}`)
	write("long", strings.Repeat(" ", journalBytesMax+1))
	all, err := Journals(dir)
	if len(all) != 1 || all[0].Entry().Node != "n" {
		t.Errorf("%d journals", len(all))
	}
	for _, name := range []string{"cut", "other", "long"} {
		if err == nil || !strings.Contains(err.Error(), name+journalEnd) {
			t.Errorf("%s is not told of: %v", name, err)
		}
	}
}

func FuzzJournal(f *testing.F) {
	f.Add([]byte(`{"shadow":"x","node":"n","place":{"pid":1},"knobs":[{"name":"a","value":"1","tried":["2"]}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, err := parseEntry(b); err == nil {
			e.Alive()
		}
	})
}
