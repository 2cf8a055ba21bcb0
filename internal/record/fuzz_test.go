package record

import (
	"bytes"
	"testing"
)

// FuzzDecoder reads any bytes: no panic, an end, and what it reads can be
// written and read again.
func FuzzDecoder(f *testing.F) {
	e := NewEncoder(testSchema())
	b, err := e.Header(nil)
	if err != nil {
		f.Fatal(err)
	}
	for i := range 4 {
		b = e.Record(b, testRecord(i))
	}
	b = e.Mark(b, &Mark{At: noon, Kind: MarkKnob, Text: "x"})
	f.Add(b)
	f.Add(b[:len(b)/2])
	f.Add(append([]byte{frameKey, 3, 1, 2, 3}, b...))
	f.Add(appendFrame(b, frameKey, []byte{0, 0, tokenSame, 200}))
	f.Fuzz(func(t *testing.T, b []byte) {
		var c copier
		var out bytes.Buffer
		c.w = &out
		records := 0
		err := Read(bytes.NewReader(b), func(it Item) error {
			if it.Record != nil {
				if len(it.Record.V) != len(it.Schema.Fields) {
					t.Fatalf("%d numbers for %d fields", len(it.Record.V), len(it.Schema.Fields))
				}
				records++
			}
			return c.item(it)
		})
		if err != nil {
			return
		}
		if err := c.flush(); err != nil {
			t.Fatal(err)
		}
		again := 0
		if err := Read(&out, func(it Item) error {
			if it.Record != nil {
				again++
			}
			return nil
		}); err != nil || again != records {
			t.Fatalf("%d records, %d of them again: %v", records, again, err)
		}
	})
}
