package agent

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pushfleet/internal/keeperapi"
)

// someBook has an item of each kind.
func someBook(now time.Time) book {
	b := book{revision: 9, position: 12, ack: keeperapi.Ack{Offered: 9, Applied: 8, Nacked: 9, Reason: "why"}}.clone()
	at := clock{1000, now}
	plain := chainOf(fleet(4, "10s"), 9, at)
	timed := chainOf(until(fleet(5, "1KiB"), 9000, *later("2KiB"), byDefault), 9, at)
	trial := chainOf(guarded(canary(9, "256", &keeperapi.Later{Value: "1024", Layer: keeperapi.LayerFleet, Deadline: 5000}), "conns < 1k", nil), 9, at)
	trial.held.Else = later("1024")
	b.items[ping] = item{want: plain, force: plain, young: now}
	b.items[size] = item{want: timed, force: plain, reason: keeperapi.DriftNacked, why: "no"}
	b.items[messages] = item{want: trial, force: trial.instead(), reason: keeperapi.DriftGuard, why: "conns 2k"}
	b.items[soft] = item{want: chain{revision: 9}, force: timed, reason: keeperapi.DriftCrash, why: "died"}
	return b
}

func TestFileKeepsABook(t *testing.T) {
	now := time.UnixMilli(1_800_000_000_000)
	b := someBook(now)
	text, err := encode(&b, "gw-1", now)
	if err != nil {
		t.Fatal(err)
	}
	back, err := decode(text, "gw-1", now)
	if err != nil {
		t.Fatal(err)
	}
	again, err := encode(&back, "gw-1", now)
	if err != nil || !bytes.Equal(text, again) {
		t.Errorf("%v\n%s, after reading\n%s", err, text, again)
	}
	if it := back.items[messages]; it.want.guard == nil || it.force.held.Value != "1024" || !it.force.later {
		t.Errorf("the trial came back as %+v", it)
	}
	if !json.Valid(text) {
		t.Error("it is no JSON")
	}
}

func TestFileIsRefused(t *testing.T) {
	now := time.Now()
	b := someBook(now)
	text, err := encode(&b, "gw-1", now)
	if err != nil {
		t.Fatal(err)
	}
	f := func(text []byte, part string) {
		t.Helper()
		if _, err := decode(text, "gw-1", now); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v, want %q", err, part)
		}
	}
	f(nil, "damaged")
	f(text[:len(text)/2], "damaged")
	f(bytes.Replace(text, []byte("10s"), []byte("11s"), 1), "checksum is wrong")
	f(sealedText(`{"version":2}`), "has the form 2, this build reads 1")
	f(sealedText(`{"version":1,"node":"gw-2"}`), `belongs to the node "gw-2"`)
	f(sealedText(`{"version":"x"}`), "content cannot be read")
	for i := range text { // no bit can turn without notice
		turned := bytes.Clone(text)
		turned[i] ^= 4
		if got, err := decode(turned, "gw-1", now); err == nil && got.revision != b.revision {
			t.Fatalf("byte %d: taken as revision %d", i, got.revision)
		}
	}
}

// sealedText puts a right checksum before any content.
func sealedText(content string) []byte {
	sum := sha256.Sum256([]byte(content))
	return []byte(`{"sha256":"` + hex.EncodeToString(sum[:]) + `","content":` + content + `}`)
}

func FuzzFile(f *testing.F) {
	now := time.UnixMilli(1_800_000_000_000)
	b := someBook(now)
	text, err := encode(&b, "gw-1", now)
	if err != nil {
		f.Fatal(err)
	}
	var s sealed
	if err := json.Unmarshal(text, &s); err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(s.Content))
	f.Add([]byte(`{"version":1,"node":"gw-1","knobs":{"a.b":{"want":{"held":null,"ends_ms":[1,-9223372036854775808]},"reason":"crash"}}}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		_, _ = decode(content, "gw-1", now) // the seal itself
		b, err := decode(sealedText(string(content)), "gw-1", now)
		if err != nil {
			return
		}
		// Whatever was read can be obeyed and written again.
		b.advance(now)
		_ = b.next(now)
		for _, it := range b.items {
			_, _, _ = it.want.at(now), it.force.at(now), it.force.instead()
		}
		b.acknowledge(book{})
		if _, err := encode(&b, "gw-1", now); err != nil {
			t.Errorf("cannot be written again: %v", err)
		}
	})
}
