package pushdapi

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"pushfleet/internal/teewire"
)

func TestTeeQuery(t *testing.T) {
	f := func(text string, want TeeQuery, problem string) {
		t.Helper()
		v, err := url.ParseQuery(text)
		if err != nil {
			t.Fatal(err)
		}
		q, err := ParseTeeQuery(v)
		if problem != "" {
			if err == nil || !strings.Contains(err.Error(), problem) {
				t.Errorf("%s: %v, want %q", text, err, problem)
			}
			return
		}
		if err != nil || q != want {
			t.Errorf("%s: %+v, %v, want %+v", text, q, err, want)
		}
		if again, err := ParseTeeQuery(q.values()); err != nil || again != q {
			t.Errorf("%+v is written %s and read as %+v, %v", q, q.values().Encode(), again, err)
		}
	}
	f("sample=5", TeeQuery{Sample: 5}, "")
	f("sample=5%25", TeeQuery{Sample: 5}, "")
	f("sample=0.01&redact=names", TeeQuery{Sample: 0.01, Redact: teewire.RedactNames}, "")
	f("sample=100&redact=off", TeeQuery{Sample: 100, Redact: teewire.RedactOff}, "")
	f("", TeeQuery{}, `sample=""`)
	f("sample=all", TeeQuery{}, `sample="all"`)
	f("sample=0", TeeQuery{}, "0.01 to 100")
	f("sample=0.001", TeeQuery{}, "0.01 to 100")
	f("sample=101", TeeQuery{}, "0.01 to 100")
	f("sample=NaN", TeeQuery{}, "0.01 to 100")
	f("sample=5&redact=most", TeeQuery{}, "payload, names, off")
}

func TestWordsOfTheTap(t *testing.T) {
	if got := strings.Join(TapKinds(), " "); got != "open in out publish close" {
		t.Error(got)
	}
	if got := strings.Join(TapDrops(), " "); got != "buffer cpu rate torn size" {
		t.Error(got)
	}
}

func TestTeeIsAStream(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method+" "+r.URL.RequestURI() != "GET /v1/tee?redact=names&sample=2.5" {
			t.Errorf("asked %s %s", r.Method, r.URL.RequestURI())
		}
		w.Header().Set(TeeIDHeader, "3f9a1c02")
		io.WriteString(w, "pushtee1")
		http.NewResponseController(w).Flush()
		<-r.Context().Done() // the reader leaves
	})
	ctx, leave := context.WithCancel(t.Context())
	s, err := c.Tee(ctx, TeeQuery{Sample: 2.5, Redact: teewire.RedactNames})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.ID != "3f9a1c02" {
		t.Errorf("it is called %q", s.ID)
	}
	magic := make([]byte, 8)
	if _, err := io.ReadFull(s, magic); err != nil || string(magic) != "pushtee1" {
		t.Fatalf("%q, %v", magic, err)
	}
	leave()
	if _, err := io.ReadAll(s); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}

func TestTeesAreStopped(t *testing.T) {
	f := func(id, want string) {
		t.Helper()
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if got := r.Method + " " + r.URL.RequestURI(); got != want {
				t.Errorf("%q: asked %s, want %s", id, got, want)
			}
			w.WriteHeader(http.StatusNoContent)
		})
		if err := c.StopTeeID(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
	f("3f9a1c02", "DELETE /v1/tee?id=3f9a1c02")
	f("a b", "DELETE /v1/tee?id=a+b")
	f("", "DELETE /v1/tee")
}

func TestTeeIsRefused(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusConflict)
		io.WriteString(w, `{"code":"busy","error":"somebody reads already"}`)
	})
	_, err := c.Tee(t.Context(), TeeQuery{Sample: 1})
	if e, ok := errors.AsType[*Error](err); !ok || e.Status != 409 || e.Code != "busy" {
		t.Errorf("%v", err)
	}
}

// A node that is silent is given up, one that streams is not.
func TestTeeWaitsForTheAnswerOnly(t *testing.T) {
	hang := make(chan struct{})
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { <-hang })
	t.Cleanup(func() { close(hang) }) // before the server is closed
	c.timeout = 20 * time.Millisecond
	if _, err := c.Tee(t.Context(), TeeQuery{Sample: 1}); err == nil || !strings.Contains(err.Error(), "has not answered within 20ms") {
		t.Errorf("%v", err)
	}
}
