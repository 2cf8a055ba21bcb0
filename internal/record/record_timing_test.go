package record

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// daySeconds is a full day of seconds.
const daySeconds = 86_400

// writeDay fills a folder with a day of a busy node: 200 fields, of which most
// counters move every second.
func writeDay(b *testing.B) (*Folder, int64) {
	b.Helper()
	f, err := OpenFolder(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	s := &Schema{Node: "gw-1", Run: "a", EveryMS: 1000}
	for i := range 200 {
		kind := []Kind{Counter, Counter, Gauge, Peak}[i%4]
		s.Fields = append(s.Fields, Field{Name: "field" + string(rune('a'+i/26)) + string(rune('a'+i%26)), Kind: kind, Help: "A field of which something is said in a sentence."})
	}
	r, err := OpenRing(RingConfig{Name: "1s", Disk: f, Schema: s, BytesMax: func() int64 { return 64 << 20 }, Keep: func() time.Duration { return 24 * time.Hour }})
	if err != nil {
		b.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	rec := &Record{V: make([]int64, len(s.Fields))}
	for i := range daySeconds {
		rec.At, rec.Mono = noon+int64(i)*1000, int64(i)*1000
		for k := range rec.V {
			switch {
			case k%3 == 0: // quiet
			case s.Fields[k].Kind == Counter:
				rec.V[k] += rnd.Int64N(int64(math.Pow(10, float64(k%6))))
			case rnd.IntN(4) == 0:
				rec.V[k] = rnd.Int64N(100_000)
			}
		}
		if err := r.Append(rec); err != nil {
			b.Fatal(err)
		}
	}
	if err := r.Close(); err != nil {
		b.Fatal(err)
	}
	return f, r.Bytes()
}

// BenchmarkDay asks a full day of records what pushctl rec asks: one moment in
// the middle with all fields, and when a condition held.
func BenchmarkDay(b *testing.B) {
	f, size := writeDay(b)
	at := int64(noon + daySeconds*1000*2/3 + 59_000)
	b.Run("at", func(b *testing.B) {
		for b.Loop() {
			n := 0
			if err := Scan(f, Query{Ring: "1s", From: at - 10_000, To: at}, func(it Item) error { n++; return nil }); err != nil || n < 10 {
				b.Fatal(n, err)
			}
		}
		b.ReportMetric(float64(size)/1e6, "MB/day")
	})
	b.Run("find", func(b *testing.B) {
		for b.Loop() {
			find, err := NewFinder("fieldac > 99990 && fieldab > 5/s", 1000)
			if err != nil {
				b.Fatal(err)
			}
			var g Figures
			if err := Scan(f, Query{Ring: "1s", From: noon, To: noon + daySeconds*1000, Fields: find.Names()}, func(it Item) error {
				g.Add(it.Schema, it.Record)
				find.Add(&g)
				return nil
			}); err != nil || len(find.Found()) == 0 {
				b.Fatal(len(find.Found()), err)
			}
		}
	})
}

// BenchmarkEncode is the cost of one record of 200 fields.
func BenchmarkEncode(b *testing.B) {
	s := &Schema{Fields: make([]Field, 200)}
	e := NewEncoder(s)
	buf, err := e.Header(nil)
	if err != nil {
		b.Fatal(err)
	}
	rec := &Record{V: make([]int64, 200)}
	b.ReportAllocs()
	for b.Loop() {
		rec.At += 1000
		for k := 0; k < len(rec.V); k += 2 {
			rec.V[k] += int64(k) * 100
		}
		buf = e.Record(buf[:0], rec)
	}
	b.ReportMetric(float64(len(buf)), "B/record")
}
