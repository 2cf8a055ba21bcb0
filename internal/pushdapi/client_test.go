package pushdapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTarget(t *testing.T) {
	f := func(addr, network, target, base string) {
		t.Helper()
		n, a, b := Target(addr)
		if n != network || a != target || b != base {
			t.Errorf("Target(%q) = %q, %q, %q; want %q, %q, %q", addr, n, a, b, network, target, base)
		}
	}
	f("/run/pushd/admin.sock", "unix", "/run/pushd/admin.sock", "http://pushd")
	f("./admin.sock", "unix", "./admin.sock", "http://pushd")
	f("unix:///tmp/a", "unix", "/tmp/a", "http://pushd")
	f("unix:a.sock", "unix", "a.sock", "http://pushd")
	f("@pushd", "unix", "@pushd", "http://pushd")
	f("127.0.0.1:7401", "tcp", "127.0.0.1:7401", "http://127.0.0.1:7401")
	f("gw-1", "tcp", "gw-1:7401", "http://gw-1:7401")
	f("::1", "tcp", "[::1]:7401", "http://[::1]:7401")
	f("[::1]", "tcp", "[::1]:7401", "http://[::1]:7401")
	f("http://gw-1:99/", "tcp", "gw-1:99", "http://gw-1:99")
}

// serve returns a client of a server with the handler.
func serve(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	c := New(s.Listener.Addr().String(), Options{})
	t.Cleanup(c.Close)
	return c
}

func TestRequests(t *testing.T) {
	var got, body string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got, body = r.Method+" "+r.URL.RequestURI(), string(b)
		switch {
		case r.URL.Path == "/v1/closed" || r.URL.Path == "/v1/knobs":
			io.WriteString(w, "[]")
		case r.Method == http.MethodDelete && strings.HasPrefix(r.URL.Path, "/v1/conns/"):
			w.WriteHeader(http.StatusNoContent)
		default:
			io.WriteString(w, `{"kicked":2}`)
		}
	})
	f := func(call func(context.Context) error, want, wantBody string) {
		t.Helper()
		if err := call(t.Context()); err != nil {
			t.Errorf("%s: %v", want, err)
		}
		if got != want || body != wantBody {
			t.Errorf("asked %s with %s, want %s with %s", got, body, want, wantBody)
		}
	}
	f(func(ctx context.Context) error { _, err := c.Stats(ctx); return err }, "GET /v1/stats", "")
	f(func(ctx context.Context) error {
		_, err := c.Top(ctx, TopQuery{By: "wait", Window: 10, N: 4, Where: "queued > 3"})
		return err
	}, "GET /v1/top?by=wait&n=4&where=queued+%3E+3&window=10", "")
	f(func(ctx context.Context) error { _, err := c.Top(ctx, TopQuery{}); return err }, "GET /v1/top", "")
	f(func(ctx context.Context) error { _, err := c.Conn(ctx, "7:3.1f20.2"); return err }, "GET /v1/conns/7:3.1f20.2", "")
	f(func(ctx context.Context) error { _, err := c.Closed(ctx, "slow", 5); return err }, "GET /v1/closed?n=5&reason=slow", "")
	f(func(ctx context.Context) error { return c.KickConn(ctx, "3.1f20.2") }, "DELETE /v1/conns/3.1f20.2", "")
	f(func(ctx context.Context) error {
		k, err := c.KickUser(ctx, "a/b c")
		if k.Kicked != 2 {
			t.Errorf("kicked %+v, want 2", k)
		}
		return err
	}, "DELETE /v1/users/a%2Fb%20c/sessions", "")
	f(func(ctx context.Context) error { _, err := c.User(ctx, "u"); return err }, "GET /v1/users/u", "")
	f(func(ctx context.Context) error { _, err := c.Knobs(ctx); return err }, "GET /v1/knobs", "")
	f(func(ctx context.Context) error { _, err := c.Knob(ctx, "a.b"); return err }, "GET /v1/knobs/a.b", "")
	f(func(ctx context.Context) error {
		_, err := c.SetKnob(ctx, "a.b", KnobSet{Value: "1", IfRev: 4})
		return err
	},
		"PUT /v1/knobs/a.b", `{"value":"1","if_rev":4}`)
	f(func(ctx context.Context) error {
		_, err := c.Send(ctx, Send{User: "u", Data: json.RawMessage(`1`), TTL: Duration(time.Second)})
		return err
	}, "POST /v1/send", `{"user":"u","data":1,"ttl":"1s"}`)
	f(func(ctx context.Context) error {
		_, err := c.Broadcast(ctx, Send{Group: "g", Data: json.RawMessage(`1`)})
		return err
	}, "POST /v1/broadcast", `{"group":"g","data":1}`)
	f(func(ctx context.Context) error { _, err := c.Version(ctx); return err }, "GET /v1/version", "")
	f(func(ctx context.Context) error { _, err := c.Profile(ctx, "heap", 0, io.Discard); return err }, "GET /debug/pprof/heap", "")
	f(func(ctx context.Context) error {
		_, err := c.Profile(ctx, "profile", 2*time.Second, io.Discard)
		return err
	}, "GET /debug/pprof/profile?seconds=2", "")
}

func TestErrorsAreTyped(t *testing.T) {
	f := func(status int, body, code, message string) {
		t.Helper()
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			io.WriteString(w, body)
		})
		_, err := c.Stats(t.Context())
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Status != status || e.Code != code || e.Message != message {
			t.Errorf("%d %s: got %#v, want status %d, code %q, message %q", status, body, err, status, code, message)
		}
	}
	f(404, `{"code":"not_found","error":"no such connection"}`, "not_found", "no such connection")
	f(502, "upstream gone\nmore", "http", "502 Bad Gateway: upstream gone")
	f(500, "", "http", "500 Internal Server Error")
}

func TestUnixSocketAndPlainErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.sock")
	c := New(path, Options{})
	_, err := c.Stats(t.Context())
	if err == nil || strings.Contains(err.Error(), "http://") {
		t.Errorf("no socket: error %v, want one without a URL", err)
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"node":"gw-1"}`)
	})}
	go s.Serve(ln)
	defer s.Close()
	if st, err := c.Stats(t.Context()); err != nil || st.Node != "gw-1" {
		t.Errorf("Stats over the socket = %+v, %v", st, err)
	}
}

func TestAnswersAreBounded(t *testing.T) {
	if _, err := readAll(strings.NewReader("12345"), 4); err == nil {
		t.Error("5 bytes read with a bound of 4")
	}
	if b, err := readAll(strings.NewReader("1234"), 4); err != nil || len(b) != 4 {
		t.Errorf("4 bytes with a bound of 4: %q, %v", b, err)
	}
	long := bytes.Repeat([]byte("x"), LineMax+1)
	if err := lines(bytes.NewReader(long), func([]byte) error { return nil }); err == nil {
		t.Error("a line above LineMax was read")
	}
}

func TestTrace(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "{\"user\":%q,\"event\":\"open\"}\n\n{\"event\":\"write\",\"seq\":1}\n", r.URL.Query().Get("user"))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	var events []string
	err := c.Trace(ctx, "u-1", func(e TraceEvent) error {
		events = append(events, e.Event+e.User)
		if len(events) == 2 {
			cancel()
		}
		return nil
	})
	if err != nil || strings.Join(events, " ") != "openu-1 write" {
		t.Errorf("Trace = %v, %v", events, err)
	}
}

func TestTraceEndedByNode(t *testing.T) {
	c := serve(t, func(http.ResponseWriter, *http.Request) {})
	if err := c.Trace(t.Context(), "u", func(TraceEvent) error { return nil }); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the node ended the trace: %v, want an unexpected EOF", err)
	}
}

func TestPublish(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery != "results=each" {
			t.Errorf("query %q", r.URL.RawQuery)
		}
		n := uint64(0)
		err := lines(r.Body, func([]byte) error {
			n++
			fmt.Fprintf(w, "{\"line\":%d,\"delivered\":1}\n", n)
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		fmt.Fprintf(w, "{\"lines\":%d,\"delivered\":%d,\"done\":true}\n", n, n)
	})
	var seen []uint64
	p := c.Publish(t.Context(), true, func(r PublishResult) { seen = append(seen, r.Line) })
	for range 3 {
		if err := p.Send(&Send{User: "u", Data: json.RawMessage(`1`)}); err != nil {
			t.Fatal(err)
		}
	}
	last, err := p.Close()
	if err != nil || !last.Done || last.Lines != 3 || last.Delivered != 3 || len(seen) != 4 {
		t.Errorf("Close = %+v, %v after %v", last, err, seen)
	}
}

func TestPublishRefused(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		io.WriteString(w, `{"code":"draining","error":"the node is stopping"}`)
	})
	p := c.Publish(t.Context(), false, nil)
	_ = p.Send(&Send{User: "u", Data: json.RawMessage(`1`)})
	_, err := p.Close()
	if e, ok := errors.AsType[*Error](err); !ok || e.Code != "draining" {
		t.Errorf("Close = %v, want the refusal", err)
	}
}

func TestPublishCutShort(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
	p := c.Publish(t.Context(), false, nil)
	if _, err := p.Close(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("no last line: %v, want an unexpected EOF", err)
	}
}

func TestStreamsThatDoNotBeginAreLate(t *testing.T) {
	f := func(what string, timeout, patience time.Duration, ask func(context.Context, *Client) error) {
		t.Helper()
		end := make(chan struct{})
		s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-end: // the server's end waits for its requests
			}
		})
		defer close(end)
		s.timeout = timeout
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if err := ask(ctx, s); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s of a node that hangs: %v, want a deadline", what, err)
		}
	}
	trace := func(ctx context.Context, c *Client) error {
		return c.Trace(ctx, "u", func(TraceEvent) error { return nil })
	}
	rec := func(ctx context.Context, c *Client) error {
		_, err := c.Rec(ctx, RecQuery{})
		return err
	}
	bundle := func(ctx context.Context, c *Client) error {
		_, err := c.RecBundle(ctx, "x", io.Discard)
		return err
	}
	const soon, never = time.Millisecond, time.Hour
	f("trace", soon, never, trace)
	f("trace", never, soon, trace)
	f("rec", soon, never, rec)
	f("bundle", soon, never, bundle)
}
