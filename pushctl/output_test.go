package main

import (
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

type flatInner struct {
	A int     `json:"a"`
	B float64 `json:"b,omitempty"`
}

type flatRow struct {
	Node string `json:"node"`
	flatInnerAlias
	In    flatInner         `json:"in"`
	None  *flatInner        `json:"none"`
	By    map[string]uint64 `json:"by"`
	Words []string          `json:"words"`
	At    time.Time         `json:"at"`
	Skip  string            `json:"-"`
	own   int
}

type flatInnerAlias struct {
	Conn string `json:"conn"`
}

func TestCSVHasOneHeadingForAllRows(t *testing.T) {
	var b strings.Builder
	w := &csvWriter{w: csv.NewWriter(&b)}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	first := flatRow{Node: "gw-1", flatInnerAlias: flatInnerAlias{"1.2.3"}, In: flatInner{1, 0.5}, By: map[string]uint64{"z": 2, "a": 1},
		Words: []string{"x", "y z"}, At: at, Skip: "no", own: 1}
	if err := w.write([]any{first}); err != nil {
		t.Fatal(err)
	}
	if err := w.write([]any{&flatRow{Node: "gw, 2", By: map[string]uint64{"new": 1}}}); err != nil {
		t.Fatal(err)
	}
	want := "node,conn,in.a,in.b,none.a,none.b,by.a,by.z,words,at\n" +
		"gw-1,1.2.3,1,0.5,0,0,1,2,x y z,2026-01-02T03:04:05Z\n" +
		"\"gw, 2\",,0,0,0,0,,,,\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

func TestCSVOfFrames(t *testing.T) {
	var b strings.Builder
	w := &csvWriter{w: csv.NewWriter(&b)}
	if err := w.write([]any{json.RawMessage(`{"seq":1,"data":{"n":1},"id":"m"}`)}); err != nil {
		t.Fatal(err)
	}
	if want := "data,id,seq\n\"{\"\"n\"\":1}\",m,1\n"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

func TestScreenRedrawsInPlace(t *testing.T) {
	var b strings.Builder
	s := &screen{w: &b, size: func() (int, int) { return 24, 4 }}
	s.draw([]string{"one", "two", "three", "four", "five"})
	if got, want := b.String(), "\x1b[?25l\x1b[2J\x1b[H\x1b[Kone\r\n\x1b[Ktwo\r\n\x1b[K… 3 more lines than thi…\r\n\x1b[J"; got != want {
		t.Errorf("first: %q, want %q", got, want)
	}
	b.Reset()
	s.draw([]string{"1"})
	if got, want := b.String(), "\x1b[H\x1b[K1\r\n\x1b[J"; got != want {
		t.Errorf("second: %q, want %q", got, want)
	}
	s.close()
	if !strings.HasSuffix(b.String(), "\x1b[?25h") {
		t.Error("the cursor stays hidden")
	}
}
