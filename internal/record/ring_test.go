package record

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestScanTakesASpanAndOneBefore(t *testing.T) {
	d := newMemory()
	r := testRing(t, d, testSchema(), 1<<20)
	for i := range 10 {
		must(t, r.Append(testRecord(i)))
	}
	f := func(from, to int64, want ...int64) {
		t.Helper()
		if got := times(t, d, noon+from*1000, noon+to*1000); !slices.Equal(got, want) {
			t.Errorf("%d to %d: got %v, want %v", from, to, got, want)
		}
	}
	f(0, 2, 0, 1, 2)
	f(4, 5, 3, 4, 5)
	f(9, 100, 8, 9)
	f(20, 30)
	f(-9, -1)
}

func TestARingForgetsTheOldest(t *testing.T) {
	const most = 24 << 10
	d := newMemory()
	s := testSchema()
	r := testRing(t, d, s, most)
	for i := range 20_000 {
		must(t, r.Append(testRecord(i)))
		if r.Bytes() > most+500 {
			t.Fatalf("record %d: the ring has %d bytes, allowed are %d", i, r.Bytes(), most)
		}
	}
	total := int64(0)
	for _, f := range d.MapFS {
		total += int64(len(f.Data))
	}
	if total != r.Bytes() {
		t.Errorf("the files have %d bytes, the ring thinks %d", total, r.Bytes())
	}
	at := times(t, d, 0, noon*2)
	if first, last := at[0], at[len(at)-1]; last != 19_999 || first == 0 || len(at) != int(last-first)+1 {
		t.Errorf("%d records from %d to %d", len(at), first, last)
	}
	// Another start goes on with the same bound.
	r = testRing(t, d, s, most)
	for i := range 2000 {
		must(t, r.Append(testRecord(20_000+i)))
	}
	if r.Bytes() > most+500 {
		t.Errorf("after a restart the ring has %d bytes, allowed are %d", r.Bytes(), most)
	}
}

func TestOldFilesGoByTheirAge(t *testing.T) {
	d := newMemory()
	r, err := OpenRing(RingConfig{Name: "1s", Disk: d, Schema: testSchema(), BytesMax: func() int64 { return 1 << 30 }, Keep: func() time.Duration { return time.Hour }})
	must(t, err)
	for i := range 3 * 3600 {
		must(t, r.Append(testRecord(i)))
	}
	at := times(t, d, 0, noon*2)
	if first := at[0]; first > 2*3600 || first < 2*3600-600 {
		t.Errorf("the oldest of 3 h is second %d; an hour is to be kept", first)
	}
}

func TestAFullDiskPausesAndGoesOn(t *testing.T) {
	d := newMemory()
	r := testRing(t, d, testSchema(), 1<<20)
	for i := range 5 {
		must(t, r.Append(testRecord(i)))
	}
	d.full = true
	for i := 5; i < 8; i++ {
		if err := r.Append(testRecord(i)); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("record %d: %v", i, err)
		}
	}
	d.full = false
	must(t, r.Mark(&Mark{At: noon + 8000, Kind: MarkPause, Text: "no space"}))
	for i := 8; i < 10; i++ {
		must(t, r.Append(testRecord(i)))
	}
	if got, want := times(t, d, 0, noon*2), []int64{0, 1, 2, 3, 4, -1, 8, 9}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if len(d.MapFS) != 2 {
		t.Errorf("%d files, want 2: tries on a full disk leave none", len(d.MapFS))
	}
}

func TestAClockThatIsSetBackBeginsAFile(t *testing.T) {
	d := newMemory()
	r := testRing(t, d, testSchema(), 1<<20)
	var want []int64
	for i := range 100 {
		rec := testRecord(i)
		if i >= 50 {
			rec.At -= 40_000
		}
		want = append(want, (rec.At-noon)/1000)
		must(t, r.Append(rec))
	}
	// Both times of the hour that came twice, in the order they were written.
	if got := times(t, d, noon+20_000, noon+30_000); !slices.Equal(got, span2(19, 30, 19, 30)) {
		t.Errorf("got %v", got)
	}
	if got := times(t, d, 0, noon*2); !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestAClockThatIsSetForwardForgetsNothing(t *testing.T) {
	d := newMemory()
	r := testRing(t, d, testSchema(), 1<<20)
	const years = 10 * 365 * 24 * 3600 * 1000
	for i := range 30 {
		rec := testRecord(i)
		if i >= 10 && i < 20 {
			rec.At += years
		}
		must(t, r.Append(rec))
	}
	if got := times(t, d, 0, noon+60_000); !slices.Equal(got, span2(0, 9, 20, 29)) {
		t.Errorf("got %v", got)
	}
}

func span2(bounds ...int64) (all []int64) {
	for i := 0; i < len(bounds); i += 2 {
		for v := bounds[i]; v <= bounds[i+1]; v++ {
			all = append(all, v)
		}
	}
	return all
}

func TestACopyReadsLikeTheFiles(t *testing.T) {
	d := newMemory()
	r := testRing(t, d, testSchema(), 24<<10) // several files
	for i := range 500 {
		if i == 300 {
			must(t, r.Mark(&Mark{At: noon + 300_000, Kind: MarkKnob, Text: "a.b 1 → 2"}))
		}
		must(t, r.Append(testRecord(i)))
	}
	q := Query{Ring: "1s", From: noon + 100_000, To: noon + 400_000, Fields: []string{"published", "nowhere"}}
	show := func(b *strings.Builder) func(Item) error {
		return func(it Item) error {
			if it.Mark != nil {
				fmt.Fprintln(b, it.Mark.Text)
				return nil
			}
			fmt.Fprintln(b, it.Schema.Fields, *it.Record)
			return nil
		}
	}
	var want, got strings.Builder
	must(t, Scan(d, q, show(&want)))
	var stream bytes.Buffer
	must(t, Copy(&stream, d, q))
	must(t, Read(&stream, show(&got)))
	if want.String() != got.String() || strings.Count(got.String(), "\n") != 303 {
		t.Errorf("%d lines, want 303; equal: %v", strings.Count(got.String(), "\n"), want.String() == got.String())
	}
}

func TestExtent(t *testing.T) {
	d := newMemory()
	if from, to, err := Extent(d, "1s"); from != 0 || to != 0 || err != nil {
		t.Errorf("of nothing: %d %d %v", from, to, err)
	}
	r := testRing(t, d, testSchema(), 24<<10)
	for i := range 500 {
		must(t, r.Append(testRecord(i)))
	}
	if from, to, err := Extent(d, "1s"); from != noon || to != noon+499_000 || err != nil {
		t.Errorf("got %d %d %v", from-noon, to-noon, err)
	}
}

func TestAFolderIsADisk(t *testing.T) {
	dir := t.TempDir()
	for start := range 3 {
		f, err := OpenFolder(dir)
		must(t, err)
		r := testRing(t, f, testSchema(), 1<<20)
		must(t, r.Append(testRecord(start)))
		must(t, r.Close())
	}
	f, err := OpenFolder(dir)
	must(t, err)
	if got := times(t, f, 0, noon*2); !slices.Equal(got, []int64{0, 1, 2}) {
		t.Errorf("got %v", got)
	}
}
