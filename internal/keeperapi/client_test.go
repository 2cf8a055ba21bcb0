package keeperapi

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A keeper that dies with a change in hand may have made it, even if nobody
// listens at its address a moment later.
func TestChangeOnAConnectionThatIsLost(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	took := make(chan string, 1) // the key of the change
	go func() {                  // ends with the connection
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		in := bufio.NewReader(conn)
		if _, err := http.ReadRequest(in); err != nil { // the connection is used before
			return
		}
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		io.Copy(io.Discard, r.Body)
		took <- r.Header.Get("Idempotency-Key")
		l.Close()
	}()
	// The change is tried for all of that time.
	c := NewClient([]string{l.Addr().String()}, ClientOptions{Timeout: 3 * time.Second})
	defer c.Close()
	if _, err := c.Nodes(t.Context(), Read{}); err != nil {
		t.Fatal(err)
	}
	_, err = c.Txn(t.Context(), TxnRequest{})
	if e, ok := errors.AsType[*Error](err); !ok || e.Code != CodeUnknownState {
		t.Errorf("got %v, want the outcome to be unknown", err)
	}
	if key := <-took; key == "" {
		t.Error("the change came without a key")
	}
	// To an address where nobody ever listened nothing is sent.
	_, err = c.Txn(t.Context(), TxnRequest{})
	if e, ok := errors.AsType[*Error](err); ok {
		t.Errorf("got %v of code %s, want only that nobody listens", err, e.Code)
	}
}

// What a later attempt is told is the answer only if somebody has judged the
// change.
func TestRefusalAfterALoss(t *testing.T) {
	f := func(code, want Code) {
		t.Helper()
		ctx, giveUp := context.WithCancel(t.Context())
		defer giveUp()
		var calls atomic.Int32
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch calls.Add(1) {
			case 1:
				panic(http.ErrAbortHandler) // the connection is cut off
			case 4:
				giveUp()
			}
			w.WriteHeader(http.StatusConflict)
			json.NewEncoder(w).Encode(&Error{Code: code, Message: "no"})
		}))
		defer s.Close()
		c := NewClient([]string{s.Listener.Addr().String()}, ClientOptions{Timeout: time.Minute})
		defer c.Close()
		_, err := c.Txn(ctx, TxnRequest{})
		if e, ok := errors.AsType[*Error](err); !ok || e.Code != want {
			t.Errorf("%s after a loss: got %v, want code %s", code, err, want)
		}
	}
	f(CodeRevision, CodeRevision)
	f(CodePreflight, CodePreflight)
	f(CodeTimeout, CodeUnknownState)
	f(CodeToken, CodeUnknownState)
	f(CodeFailed, CodeUnknownState)
	f(CodeNoLeader, CodeUnknownState)
}

// A keeper that hangs costs a second, and only once.
func TestKeeperThatHangs(t *testing.T) {
	hang := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}))
	defer slow.Close()
	defer close(hang)
	var mu sync.Mutex
	var keys []string
	good := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		keys = append(keys, r.Header.Get("Idempotency-Key"))
		io.WriteString(w, `{"revision":7}`)
	}))
	defer good.Close()
	c := NewClient([]string{slow.Listener.Addr().String(), good.Listener.Addr().String()}, ClientOptions{Timeout: 30 * time.Second})
	defer c.Close()
	took := func() time.Duration {
		began := time.Now()
		if a, err := c.Txn(t.Context(), TxnRequest{}); err != nil || a.Revision != 7 {
			t.Fatalf("%+v, %v", a, err)
		}
		return time.Since(began)
	}
	if d := took(); d < slowAfter || d > 20*time.Second {
		t.Errorf("the first call took %s", d)
	}
	if c.first.Load() != 1 {
		t.Error("the keeper that hangs is asked first again")
	}
	took()
	if len(keys) != 2 || keys[0] == keys[1] {
		t.Errorf("keys %q", keys)
	}
}

// A watcher does not wait for ever for a keeper that hangs.
func TestWatchOfAKeeperThatHangs(t *testing.T) {
	var again atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("from") == "7" {
			again.Add(1)
			io.WriteString(w, `{"position":8}`+"\n")
			return
		}
		io.WriteString(w, `{"position":7}`+"\n\n")
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	defer s.Close()
	c := NewClient([]string{s.Listener.Addr().String()}, ClientOptions{})
	defer c.Close()
	c.silence = 100 * time.Millisecond
	enough := errors.New("enough")
	err := c.Watch(t.Context(), 0, func(f *WatchFrame) error {
		if f.Position == 8 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || again.Load() == 0 {
		t.Errorf("asked %d times from where it was, then %v", again.Load(), err)
	}
}

func TestCallThatIsOverBeforeItBegins(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := NewClient([]string{"127.0.0.1:1"}, ClientOptions{})
	if n, err := c.Nodes(ctx, Read{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, %v", n, err)
	}
}
