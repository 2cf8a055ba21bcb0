package record

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWhatIsWrittenIsRead(t *testing.T) {
	f := func(fields int, seed uint64) {
		t.Helper()
		r := rand.New(rand.NewPCG(seed, 1))
		s := &Schema{EveryMS: 1000, Fields: make([]Field, fields)}
		e := NewEncoder(s)
		b, err := e.Header(nil)
		must(t, err)
		var want []Record
		rec := Record{At: noon, V: make([]int64, fields)}
		for range 3*keyEvery + 7 {
			rec.At += int64(r.IntN(5000)) - 1000
			rec.Mono += int64(r.IntN(2000))
			wild(r, &rec)
			b = e.Record(b, &rec)
			kept := Record{At: rec.At, Mono: rec.Mono, V: make([]int64, fields)}
			for i, v := range rec.V {
				kept.V[i] = clamp(v)
			}
			want = append(want, kept)
		}
		var got []Record
		must(t, Read(bytes.NewReader(b), func(it Item) error {
			if it.Record == nil {
				t.Errorf("%d fields: %+v", fields, it)
				return nil
			}
			got = append(got, Record{At: it.Record.At, Mono: it.Record.Mono, V: slices.Clone(it.Record.V)})
			return nil
		}))
		if len(got) != len(want) {
			t.Fatalf("%d records read of %d", len(got), len(want))
		}
		for i := range want {
			if !slices.Equal(got[i].V, want[i].V) || got[i].At != want[i].At || got[i].Mono != want[i].Mono {
				t.Fatalf("record %d: got %v, want %v", i, got[i], want[i])
			}
		}
	}
	f(0, 1)
	f(1, 2)
	f(7, 3)
	f(300, 4)
	f(1000, 5)
}

func TestExtremesKeepTheirForm(t *testing.T) {
	f := func(in, want int64) {
		t.Helper()
		s := &Schema{Fields: make([]Field, 1)}
		e := NewEncoder(s)
		b, err := e.Header(nil)
		must(t, err)
		for _, v := range []int64{in, 0, -in, in, Missing, in} {
			b = e.Record(b, &Record{V: []int64{v}})
		}
		var last int64
		must(t, Read(bytes.NewReader(b), func(it Item) error {
			if it.Record == nil {
				t.Fatalf("%d: %+v", in, it)
			}
			last = it.Record.V[0]
			return nil
		}))
		if last != want {
			t.Errorf("%d came back as %d, want %d", in, last, want)
		}
	}
	f(0, 0)
	f(-1, -1)
	f(valueMax, valueMax)
	f(1<<63-1, valueMax)
	f(-1<<63+1, -valueMax)
}

// TestDamageCostsOneKeyAtMost flips each byte of a file in turn: everything
// before the damage and everything from the next key on is read as it was.
func TestDamageCostsOneKeyAtMost(t *testing.T) {
	s := testSchema()
	e := NewEncoder(s)
	b, err := e.Header(nil)
	must(t, err)
	head := len(b)
	var ends []int
	for i := range 3 * keyEvery {
		b = e.Record(b, testRecord(i))
		ends = append(ends, len(b))
	}
	for at := head; at < len(b); at++ {
		bad := slices.Clone(b)
		bad[at] ^= 0x5a
		hit, _ := slices.BinarySearch(ends, at+1)
		seen := map[int64]bool{}
		damage := false
		must(t, Read(bytes.NewReader(bad), func(it Item) error {
			damage = damage || it.Damage != ""
			if it.Record == nil {
				return nil
			}
			i := (it.Record.At - noon) / 1000
			if !slices.Equal(it.Record.V, testRecord(int(i)).V) {
				t.Fatalf("byte %d: record %d reads as %v", at, i, it.Record.V)
			}
			seen[i] = true
			return nil
		}))
		next := (hit/keyEvery + 1) * keyEvery
		for i := range 3 * keyEvery {
			if (i < hit || i >= next) && !seen[int64(i)] {
				t.Fatalf("byte %d is in record %d, and record %d is lost", at, hit, i)
			}
		}
		if seen[int64(hit)] || !damage {
			t.Fatalf("byte %d: the damaged record %d was read, or nothing said (%v)", at, hit, damage)
		}
	}
}

// TestATornEndLosesOnlyItself cuts a file at each byte.
func TestATornEndLosesOnlyItself(t *testing.T) {
	e := NewEncoder(testSchema())
	b, err := e.Header(nil)
	must(t, err)
	ends := []int{len(b)}
	for i := range keyEvery + 5 {
		b = e.Record(b, testRecord(i))
		ends = append(ends, len(b))
	}
	for cut := ends[0]; cut <= len(b); cut++ {
		n := 0
		must(t, Read(bytes.NewReader(b[:cut]), func(it Item) error {
			if it.Record != nil {
				n++
			}
			return nil
		}))
		want, whole := slices.BinarySearch(ends, cut)
		if !whole {
			want--
		}
		if n != want {
			t.Fatalf("of %d bytes %d records were read, want %d", cut, n, want)
		}
	}
}

func TestANewerFormIsRefused(t *testing.T) {
	b := appendFrame(nil, frameHeader, []byte(`{"format":2}`))
	if _, err := NewDecoder(bytes.NewReader(b)).Next(); !errors.Is(err, ErrNewer) {
		t.Errorf("got %v", err)
	}
}

func TestALaterBuildMayHaveOtherFields(t *testing.T) {
	d := newMemory()
	old, grown := testSchema(), testSchema()
	grown.Run, grown.Fields = "b", append([]Field{{Name: "new", Kind: Gauge}}, grown.Fields...)
	r := testRing(t, d, old, 1<<20)
	must(t, r.Append(testRecord(0)))
	must(t, r.Close())
	r = testRing(t, d, grown, 1<<20)
	rec := testRecord(1)
	rec.V = append([]int64{7}, rec.V...)
	must(t, r.Append(rec))
	var got [][]int64
	must(t, Scan(d, Query{Ring: "1s", From: noon, To: noon + 5000, Fields: []string{"new", "queued"}}, func(it Item) error {
		got = append(got, slices.Clone(it.Record.V))
		return nil
	}))
	if diff := cmp.Diff([][]int64{{Missing, 100}, {7, 101}}, got); diff != "" {
		t.Error(diff)
	}
}

func TestALongMarkIsCut(t *testing.T) {
	e := NewEncoder(testSchema())
	b, err := e.Header(nil)
	must(t, err)
	b = e.Mark(b, &Mark{At: noon, Kind: MarkPause, Text: strings.Repeat("x", 5000)})
	it, err := NewDecoder(bytes.NewReader(b)).Next()
	must(t, err)
	if it.Mark == nil || len(it.Mark.Text) != markMax {
		t.Errorf("%+v", it)
	}
}

func TestTheErrorOfAStreamIsTold(t *testing.T) {
	e := NewEncoder(testSchema())
	b, err := e.Header(nil)
	must(t, err)
	b = e.Record(b, testRecord(0))
	r := io.MultiReader(bytes.NewReader(b), &failing{})
	if err := Read(r, func(Item) error { return nil }); !errors.Is(err, errStop) {
		t.Errorf("got %v", err)
	}
}

type failing struct{}

func (*failing) Read([]byte) (int, error) { return 0, errStop }
