package admin

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"pushfleet/internal/pushdapi"
)

// fakeRecorder has one bundle and answers with what it was asked.
type fakeRecorder struct {
	asked pushdapi.RecQuery
	fail  error // after the first bytes of Copy
}

func (f *fakeRecorder) Summary() pushdapi.RecState {
	return pushdapi.RecState{Node: "gw-1", On: true, Records: 7, Bytes: 900, Rings: []pushdapi.RecRing{{Ring: "1s", Bytes: 900}}}
}

// Last lacks the waits for memory, as a kernel without PSI does.
func (f *fakeRecorder) Last(names []string) []float64 {
	out := make([]float64, len(names))
	for i, name := range names {
		if out[i] = float64(100 * (i + 1)); name == "stall.memory" {
			out[i] = math.NaN()
		}
	}
	return out
}

func (f *fakeRecorder) State(context.Context) (pushdapi.RecState, error) { return f.Summary(), nil }

func (f *fakeRecorder) Fields() []pushdapi.RecField {
	return []pushdapi.RecField{{Name: "queued", Kind: "peak"}}
}

func (f *fakeRecorder) Copy(w io.Writer, q pushdapi.RecQuery) error {
	f.asked = q
	if _, err := io.WriteString(w, "records"); err != nil {
		return err
	}
	return f.fail
}

func (f *fakeRecorder) Bundles() ([]pushdapi.RecBundle, error) {
	return []pushdapi.RecBundle{{ID: "b1", Why: "slow"}}, nil
}

func (f *fakeRecorder) Bundle(id string) (io.ReadCloser, int64, error) {
	if id != "b1" {
		return nil, 0, fs.ErrNotExist
	}
	return io.NopCloser(strings.NewReader("bundle")), 6, nil
}

func TestClientReadsTheRecorder(t *testing.T) {
	b := newBench(t)
	rec := &fakeRecorder{}
	b.c.Recorder = rec
	ctx := t.Context()
	if s, err := b.client.RecState(ctx); err != nil || s.Records != 7 || !s.On {
		t.Errorf("state: %+v, %v", s, err)
	}
	if f, err := b.client.RecFields(ctx); err != nil || len(f) != 1 || f[0].Name != "queued" {
		t.Errorf("fields: %+v, %v", f, err)
	}
	if l, err := b.client.RecBundles(ctx); err != nil || len(l) != 1 || l[0].ID != "b1" {
		t.Errorf("bundles: %+v, %v", l, err)
	}
	var out bytes.Buffer
	if n, err := b.client.RecBundle(ctx, "b1", &out); err != nil || n != 6 || out.String() != "bundle" {
		t.Errorf("bundle: %d %q, %v", n, out.String(), err)
	}
	q := pushdapi.RecQuery{Ring: "10s", From: time.UnixMilli(1000), To: time.UnixMilli(2000), Fields: []string{"queued", "cpu.user"}}
	body, err := b.client.Rec(ctx, q)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if text, err := io.ReadAll(body); err != nil || string(text) != "records" {
		t.Errorf("records: %q, %v", text, err)
	}
	if rec.asked.Ring != "10s" || !rec.asked.From.Equal(q.From) || !rec.asked.To.Equal(q.To) || !slices.Equal(rec.asked.Fields, q.Fields) {
		t.Errorf("asked %+v", rec.asked)
	}
}

// TestACutOffRecordIsSeen: a reader must not take half of it for the whole.
func TestACutOffRecordIsSeen(t *testing.T) {
	b := newBench(t)
	b.c.Recorder = &fakeRecorder{fail: errors.New("disk gone")}
	body, err := b.client.Rec(t.Context(), pushdapi.RecQuery{From: time.UnixMilli(1), To: time.UnixMilli(2)})
	if err == nil {
		_, err = io.ReadAll(body)
		body.Close()
	}
	if err == nil {
		t.Error("it reads like a whole one")
	}
	if n := b.work.n.Load(); n != 0 {
		t.Errorf("%d places are still taken", n)
	}
}

func TestRecRefusals(t *testing.T) {
	b := newBench(t)
	b.refused(t, "GET", "/v1/rec/state", "", http.StatusNotFound, "not_found", "no recorder", "--file")
	b.c.Recorder = &fakeRecorder{}
	b.refused(t, "GET", "/v1/rec?from=x&to=1", "", http.StatusBadRequest, "bad_query", "from", "milliseconds")
	b.refused(t, "GET", "/v1/rec?from=1", "", http.StatusBadRequest, "bad_query", "to=")
	b.refused(t, "GET", "/v1/rec?from=1&to=2&ring=5s", "", http.StatusBadRequest, "bad_query", "10s")
	b.refused(t, "GET", "/v1/rec?from=1&to=2&fields="+strings.Repeat("a,", 600), "", http.StatusBadRequest, "bad_query", "at most")
	b.refused(t, "GET", "/v1/rec/bundles/nope", "", http.StatusNotFound, "not_found", "pushctl rec bundles")
	b.refused(t, "GET", "/v1/rec/fields?x=1", "", http.StatusBadRequest, "bad_query", "x")
}
