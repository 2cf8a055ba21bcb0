package record

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"testing"
)

// TestSeekSkipsNothing compares a scan that seeks with reading all.
func TestSeekSkipsNothing(t *testing.T) {
	d := newMemory()
	r := testRing(t, d, testSchema(), 1<<20)
	must(t, r.Mark(&Mark{At: noon - 5, Kind: MarkStart}))
	for i := range 5 * keyEvery {
		if i%50 == 7 {
			must(t, r.Mark(&Mark{At: noon + int64(i)*1000, Kind: MarkKnob, Text: fmt.Sprint(i)}))
		}
		must(t, r.Append(testRecord(i)))
	}
	text := d.MapFS[r.segs[0].Name].Data
	for from := int64(-3); from < 5*keyEvery+3; from++ {
		head, rest := seek(text, noon+from*1000)
		var got []string
		must(t, Read(io.MultiReader(bytes.NewReader(head), bytes.NewReader(rest)), within(noon+from*1000, &got)))
		var want []string
		must(t, Read(bytes.NewReader(text), within(noon+from*1000, &want)))
		if !slices.Equal(got, want) {
			t.Fatalf("from second %d: %d items, want %d", from, len(got), len(want))
		}
	}
	if head, rest := seek(text, noon+4*keyEvery*1000); len(head) == 0 || len(rest) > len(text)/2 {
		t.Errorf("of %d bytes %d are read for the last fifth", len(text), len(rest))
	}
}

// within lists what lies at or behind a time, and the record before.
func within(from int64, to *[]string) func(Item) error {
	lead := ""
	return func(it Item) error {
		switch {
		case it.Mark != nil && it.Mark.At >= from:
			*to = append(*to, it.Mark.Text)
		case it.Record != nil && it.Record.At < from:
			lead = fmt.Sprint(it.Record.V)
		case it.Record != nil:
			if lead != "" {
				*to = append(*to, lead)
				lead = ""
			}
			*to = append(*to, fmt.Sprint(it.Record.V))
		}
		return nil
	}
}
