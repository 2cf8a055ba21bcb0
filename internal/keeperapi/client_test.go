package keeperapi

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
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
	c := NewClient([]string{l.Addr().String()}, ClientOptions{Timeout: 300 * time.Millisecond})
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
		calls := 0
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if calls++; calls == 1 {
				panic(http.ErrAbortHandler) // the connection is cut off
			}
			w.WriteHeader(http.StatusConflict)
			json.NewEncoder(w).Encode(&Error{Code: code, Message: "no"})
		}))
		defer s.Close()
		c := NewClient([]string{s.Listener.Addr().String()}, ClientOptions{Timeout: 200 * time.Millisecond})
		defer c.Close()
		_, err := c.Txn(t.Context(), TxnRequest{})
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
