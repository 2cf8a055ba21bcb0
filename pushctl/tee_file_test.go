package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pushfleet/internal/push"
	"pushfleet/internal/teewire"
	"pushfleet/internal/testnode"
	tee "pushfleet/pushctl/experiment/report"
)

// recording is a file of three blocks: a connection opens, gets a message and
// closes; the last one tells how the tee ended, if it does.
func recording(t *testing.T, ended bool) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "r.tee")
	w, err := teewire.Create(path, teewire.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	const ms = int64(time.Millisecond)
	block := func(fill func(b *teewire.Batch)) {
		var b teewire.Batch
		fill(&b)
		if err := w.Write(b.Seal()); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	block(func(b *teewire.Batch) {
		b.Head(&teewire.Head{Version: teewire.Version, Node: "gw-1", Build: "0.1.0", Wall: time.Unix(1_000_000, 0), Mono: 1000 * ms, Sample: 5})
		b.Open(&teewire.Open{At: 1000 * ms, Conn: 1, Proto: push.ProtoWS, Users: []string{"u-1"}})
	})
	block(func(b *teewire.Batch) {
		b.Publish(&teewire.Message{At: 1050 * ms, User: []byte("u-1"), ID: []byte("m-1"), Data: []byte(`{"n":1}`)})
		b.Out(&teewire.Out{At: 1051 * ms, Conn: 1, Frames: 1, Bytes: 60})
	})
	block(func(b *teewire.Batch) {
		b.Close(&teewire.Close{At: 1100 * ms, Conn: 1, Reason: push.CloseClient})
		if ended {
			b.End(&teewire.End{At: 1100 * ms, Reason: "stopped", Detail: "by request"})
		}
	})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// blocks are where they begin.
func blocks(file []byte) (at []int) {
	for from := 0; ; {
		n := bytes.Index(file[from:], []byte("TBLK"))
		if n < 0 {
			return at
		}
		at = append(at, from+n)
		from += n + 4
	}
}

// flipped changes one byte.
func flipped(file []byte, at int) []byte {
	out := slices.Clone(file)
	out[at] ^= 0x55
	return out
}

// recordings are whole, and not so in every way that can be told apart.
func recordings(t *testing.T) map[string]struct {
	file  []byte
	state teewire.Extent
	code  int
} {
	whole := recording(t, true)
	at := blocks(whole)
	if len(at) != 3 {
		t.Fatalf("%d blocks", len(at))
	}
	index := bytes.Index(whole, []byte("TIDX"))
	return map[string]struct {
		file  []byte
		state teewire.Extent
		code  int
	}{
		"whole":                        {whole, teewire.Whole, exitFine},
		"full before the tee ended":    {recording(t, false), teewire.Whole, exitFine},
		"killed before the index":      {whole[:index], teewire.Whole, exitFine},
		"killed behind a block":        {whole[:at[2]], teewire.Cut, exitPartial},
		"killed within a block":        {whole[:at[2]+60], teewire.Cut, exitPartial},
		"killed within a block's head": {whole[:at[2]+20], teewire.Cut, exitPartial},
		"a block is damaged":           {flipped(whole, at[1]+60), teewire.Damaged, exitFailed},
		"the last block is damaged":    {flipped(whole, at[2]+60), teewire.Damaged, exitFailed},
		"damaged and killed":           {flipped(whole[:at[2]], at[1]+60), teewire.Damaged, exitFailed},
		"a head damaged, no index":     {flipped(whole[:index], at[1]+8), teewire.Damaged, exitFailed},
	}
}

func TestInspectTellsDamageFromAnEnd(t *testing.T) {
	for name, c := range recordings(t) {
		path := filepath.Join(t.TempDir(), "r.tee")
		if err := os.WriteFile(path, c.file, 0o600); err != nil {
			t.Fatal(err)
		}
		out, errs, code := obeyed(t, nil, "tee", "inspect", path, "-o", "json")
		var in struct {
			State   teewire.Extent
			Records map[string]uint64
		}
		if err := json.Unmarshal([]byte(out), &in); err != nil || code != c.code || in.State != c.state || in.Records["open"] != 1 {
			t.Errorf("%s: exit %d, want %d, state %q, want %q, %v in\n%s%s", name, code, c.code, in.State, c.state, err, out, errs)
		}
		if told := strings.Contains(errs, "pushctl tee replay"); told != (code != exitFine) {
			t.Errorf("%s: what to do now is told: %v\n%s", name, told, errs)
		}
		if screen, _, code := obeyed(t, nil, "tee", "inspect", path); code != c.code || !strings.Contains(screen, "traffic of gw-1") ||
			strings.Contains(out, "offset") != strings.Contains(screen, "\n  damaged     ") {
			t.Errorf("%s, on a screen: exit %d\n%s", name, code, screen)
		}
	}
}

func TestReplayTellsDamageFromAnEnd(t *testing.T) {
	n := testnode.Start(t, func(c *testnode.Config) { c.NodeName, c.Shadow = "gw-shadow", true })
	all := recordings(t)
	for _, name := range []string{"whole", "full before the tee ended", "killed within a block", "a block is damaged"} {
		c := all[name]
		path := filepath.Join(t.TempDir(), "r.tee")
		if err := os.WriteFile(path, c.file, 0o600); err != nil {
			t.Fatal(err)
		}
		out, errs, code := obeyed(t, nil, "tee", "replay", path, "--to", n.PrivateAddr(), "-o", "json")
		var r struct {
			State  teewire.Extent
			Detail string
			Driver struct{ Read map[string]uint64 }
		}
		if err := json.Unmarshal([]byte(out), &r); err != nil || code != c.code || r.State != c.state || r.Driver.Read["open"] != 1 {
			t.Errorf("%s: exit %d, want %d, state %q, want %q, %v in\n%s%s", name, code, c.code, r.State, c.state, err, out, errs)
		}
		if cut := strings.Contains(r.Detail, "was cut off"); cut != (c.state == teewire.Cut) {
			t.Errorf("%s: %q", name, r.Detail)
		}
		if told := strings.Contains(errs, "pushctl tee inspect"); told != (code != exitFine) {
			t.Errorf("%s: what to do now is told: %v\n%s", name, told, errs)
		}
	}
}

// Files of a folder that were just begun, or lost, leave the others as they are.
func TestAFolderWithFilesWithoutAHead(t *testing.T) {
	n := testnode.Start(t, func(c *testnode.Config) { c.NodeName, c.Shadow = "gw-shadow", true })
	dir := t.TempDir()
	f := func(name string, file []byte, state teewire.Extent, want int) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), file, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{{"inspect", dir}, {"replay", dir, "--to", n.PrivateAddr()}} {
			out, errs, code := obeyed(t, nil, append(append([]string{"tee"}, args...), "-o", "json")...)
			var r struct {
				State   teewire.Extent
				Records map[string]uint64
				Driver  struct{ Read map[string]uint64 }
			}
			if err := json.Unmarshal([]byte(out), &r); err != nil || code != want || r.State != state || r.Records["open"]+r.Driver.Read["open"] != 1 {
				t.Errorf("%s after %s: exit %d, want %d, state %q, want %q, %v in\n%s%s", args[0], name, code, want, r.State, state, err, out, errs)
			}
		}
	}
	whole := recording(t, true)
	f("00000001.tee", whole, teewire.Whole, exitFine)
	f("00000002.tee", nil, teewire.Cut, exitPartial)
	f("00000002.tee", whole[:40], teewire.Cut, exitPartial)
	f("00000003.tee", whole[:40], teewire.Damaged, exitFailed)
}

func TestReportsThatAreDamaged(t *testing.T) {
	var whole bytes.Buffer
	r := &tee.Report{Form: tee.Form, Begin: time.Unix(1_000_000, 0), End: time.Unix(1_000_060, 0),
		From: tee.Side{Name: "gw-1", Address: "gw-1:7401"}, To: tee.Side{Name: "gw-9", Address: "gw-9:7401"}}
	if err := r.WriteJSON(&whole); err != nil {
		t.Fatal(err)
	}
	f := func(name, text string, code int, shown bool, says string) {
		t.Helper()
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(strings.TrimSuffix(path, ".json")+".html", nil, 0o600); err != nil {
			t.Fatal(err)
		}
		out, errs, got := obeyed(t, nil, "tee", "report", path)
		if got != code || strings.Contains(out, "gw-9") != shown || !strings.Contains(errs, says) {
			t.Errorf("exit %d, want %d; want %q in\n%s\n%s", got, code, says, errs, out)
		}
	}
	f("x.json", whole.String(), exitFine, true, "")
	f("x.json", whole.String()+"\n \n", exitFine, true, "")
	f("x.json", whole.String()[:whole.Len()/2], exitFailed, false, "it was cut off")
	f("x.json", whole.String()[:whole.Len()/2], exitFailed, false, "x.html may be whole")
	f("x.json", "", exitFailed, false, "it was cut off")
	damaged := strings.Replace(whole.String(), `"begin": `, `"begin": \`, 1)
	f("x.json", damaged, exitFailed, false, fmt.Sprintf("at byte %d\n", strings.Index(damaged, `\`)+1))
	f("x.json", whole.String()+"{", exitFailed, true, "there is more")
	f("x.json", `{"form":1}`, exitFailed, false, "does not say what was mirrored when")
	f("x.json", `{"form":"1"}`, exitFailed, false, "form")
	f("x.tee", "pushtees", exitFailed, false, "pushctl tee inspect")
}
