package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"pushfleet/internal/pushdapi"
)

// refusal is an HTTP answer in place of a connection.
type refusal struct {
	status     int
	message    string
	retryAfter time.Duration
}

func (r *refusal) Error() string { return fmt.Sprintf("refused with %d: %s", r.status, r.message) }

func newRefusal(status int, header string, body []byte) *refusal {
	r := &refusal{status: status, message: http.StatusText(status)}
	var e pushdapi.Error
	if json.Unmarshal(body, &e) == nil && e.Message != "" {
		r.message = e.Message
	} else if text, _, _ := strings.Cut(strings.TrimSpace(string(body)), "\n"); text != "" {
		r.message = text
	}
	if n, err := strconv.Atoi(header); err == nil && n > 0 {
		r.retryAfter = min(time.Minute, time.Duration(n)*time.Second)
	}
	return r
}

// connectHTTP runs one SSE, stream or poll response to its end.
func (l *listener) connectHTTP(ctx context.Context) ending {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	scheme := "http://"
	if l.secure {
		scheme = "https://"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+l.base+l.path(), nil)
	if err != nil {
		return ending{err: err}
	}
	if l.proto == "sse" {
		req.Header.Set("Accept", "text/event-stream")
	}
	if l.token != "" {
		req.Header.Set("Authorization", "Bearer "+l.token)
	}
	if l.transport == nil {
		l.transport = &http.Transport{DialContext: (&net.Dialer{Timeout: l.timeout}).DialContext, DisableCompression: true}
	}
	resp, err := l.transport.RoundTrip(req)
	if err != nil {
		return ending{err: bare(err)}
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
		return ending{err: newRefusal(resp.StatusCode, resp.Header.Get("Retry-After"), b)}
	}
	// The watchdog ends a response that has gone quiet.
	dog := time.AfterFunc(l.silence(), func() { cancel(errQuiet) })
	defer dog.Stop()
	end := l.readBody(resp.Body, func() { dog.Reset(l.silence()) })
	if context.Cause(ctx) == errQuiet {
		end.err = errQuiet
	}
	return end
}

var errQuiet = errors.New("nothing heard, not even a ping")

// readBody reads lines until the response ends. A long poll is read to its last
// byte, so that the next one can use the connection.
func (l *listener) readBody(body io.Reader, alive func()) ending {
	end := ending{err: io.ErrUnexpectedEOF}
	if l.proto == "poll" {
		end = ending{code: 1000}
	}
	s := bufio.NewScanner(body)
	s.Buffer(make([]byte, 0, 64<<10), frameMax)
	for s.Scan() {
		alive()
		line := s.Bytes()
		if l.proto == "sse" {
			// Every field but data repeats what the frame itself says.
			data, ok := bytes.CutPrefix(line, []byte("data:"))
			if !ok {
				continue
			}
			line = data
		}
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		f, err := l.frame(line)
		if err != nil {
			return ending{err: err}
		}
		if e, ok := f.closed(); ok {
			if end = e; l.proto != "poll" {
				return end
			}
		}
	}
	if err := s.Err(); err != nil {
		return ending{err: err}
	}
	return end
}

// bare takes the request out of a transport error.
func bare(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}
