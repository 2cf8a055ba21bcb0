package pushdapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// begin opens a stream. The node must begin to answer within the client's
// timeout; what follows may take its time. Who reads it closes the body.
func (c *Client) begin(ctx context.Context, path string, query url.Values) (*http.Response, error) {
	ctx, cancel := context.WithCancel(ctx)
	late := time.AfterFunc(c.timeout, cancel)
	resp, err := c.open(ctx, http.MethodGet, path, query, nil)
	inTime := late.Stop()
	if err == nil && inTime {
		resp.Body = &bounded{resp.Body, cancel}
		return resp, nil
	}
	cancel()
	if err == nil {
		resp.Body.Close()
	}
	if !inTime {
		err = context.DeadlineExceeded
	}
	return nil, err
}

// Trace follows one user and calls f for each event, until ctx ends (then the
// error is nil), f returns an error, or the node ends the stream. A node that
// has not begun to answer when its time is up is an error.
func (c *Client) Trace(ctx context.Context, user string, f func(TraceEvent) error) error {
	resp, err := c.begin(ctx, "/v1/trace", url.Values{"user": {user}})
	if errors.Is(err, context.Canceled) {
		return ended(ctx, err)
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	err = lines(resp.Body, func(line []byte) error {
		var ev TraceEvent
		if err := json.Unmarshal(line, &ev); err != nil {
			return fmt.Errorf("trace event: %w", err)
		}
		return f(ev)
	})
	if err == nil && ctx.Err() == nil {
		err = fmt.Errorf("trace: %w: the node ended it", io.ErrUnexpectedEOF)
	}
	return ended(ctx, err)
}

// ended forgets an error that only says that ctx ended by itself.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return nil
	}
	return err
}

// Profile copies one of the node's profiles to w and returns its length. kind
// is a name under /debug/pprof: heap, goroutine, profile, mutex, block,
// allocs, trace. d > 0 asks for the activity during d; profile and trace need
// it. The form is always pprof's own, never text: the text of all goroutines
// stops the world for as long as it takes to print.
func (c *Client) Profile(ctx context.Context, kind string, d time.Duration, w io.Writer) (int64, error) {
	q := url.Values{}
	if d > 0 {
		q.Set("seconds", strconv.Itoa(max(1, int(d.Round(time.Second)/time.Second))))
	}
	ctx, cancel := context.WithTimeout(ctx, d+max(c.timeout, 30*time.Second))
	defer cancel()
	resp, err := c.open(ctx, http.MethodGet, "/debug/pprof/"+url.PathEscape(kind), q, nil)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	n, err := io.Copy(w, io.LimitReader(resp.Body, ProfileMax+1))
	if err == nil && n > ProfileMax {
		err = fmt.Errorf("profile larger than %d bytes", ProfileMax)
	}
	return n, err
}
