package pushdapi

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"pushfleet/internal/teewire"
)

// TeeQuery asks a node to mirror its traffic.
type TeeQuery struct {
	// Sample is a share of users in percent, 0.01 to 100. The node's knob
	// tap.sample_percent may allow less.
	Sample float64
	Redact teewire.Redact
}

func (q TeeQuery) values() url.Values {
	return url.Values{"sample": {strconv.FormatFloat(q.Sample, 'f', -1, 64)}, "redact": {q.Redact.String()}}
}

// The parameters of a TeeQuery.
const (
	teeSample = "sample"
	teeRedact = "redact"
)

// TeeParameters lists them.
func TeeParameters() []string { return []string{teeSample, teeRedact} }

// ParseTeeQuery reads a TeeQuery. Redaction is payload if none is named; a
// sample must be.
func ParseTeeQuery(v url.Values) (q TeeQuery, err error) {
	text := v.Get(teeSample)
	q.Sample, err = strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
	if err != nil || !(q.Sample >= 0.01 && q.Sample <= 100) {
		return q, fmt.Errorf("sample=%q: give the share of users to mirror in percent, 0.01 to 100", text)
	}
	if text = v.Get(teeRedact); text != "" {
		var ok bool
		if q.Redact, ok = teewire.ParseRedact(text); !ok {
			return q, fmt.Errorf("redact=%q: choose one of %s", text, strings.Join(redactNames(), ", "))
		}
	}
	return q, nil
}

func redactNames() []string {
	return []string{teewire.RedactPayload.String(), teewire.RedactNames.String(), teewire.RedactOff.String()}
}

// TapKinds are the kinds of records that a tap keeps books of.
func TapKinds() (names []string) {
	for _, k := range []teewire.Kind{teewire.KindOpen, teewire.KindIn, teewire.KindOut, teewire.KindPublish, teewire.KindClose} {
		names = append(names, k.String())
	}
	return names
}

// TapDrops are the reasons for which a tap leaves records out.
func TapDrops() (names []string) {
	for _, d := range teewire.Drops() {
		names = append(names, d.String())
	}
	return names
}

// TeeStream is a tee, for teewire.NewStream.
type TeeStream struct {
	io.ReadCloser
	ID string // as in Tap; "" of a node that gives none
}

// TeeIDHeader names a tee in the head of its stream.
const TeeIDHeader = "Push-Tee-Id"

// Tee has the node mirror its traffic and returns the stream. The caller closes
// it; ctx ends it. The node ends it too, with a record that says why. One tee
// at a time: a second one gets an *Error with status 409.
func (c *Client) Tee(ctx context.Context, q TeeQuery) (*TeeStream, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	late := time.AfterFunc(c.timeout, func() {
		cancel(fmt.Errorf("%s has not answered within %s: is it a node, and alive? pushctl stats asks it", c.addr, c.timeout))
	})
	resp, err := c.open(ctx, http.MethodGet, "/v1/tee", q.values(), nil)
	if !late.Stop() || err != nil {
		if err == nil {
			resp.Body.Close()
		}
		if why := context.Cause(ctx); why != nil {
			err = why
		}
		cancel(nil)
		return nil, err
	}
	return &TeeStream{&bounded{resp.Body, func() { cancel(nil) }}, resp.Header.Get(TeeIDHeader)}, nil
}

// Tap returns what the node's tap does, with the books of the tee that reads
// it, or of the last one.
func (c *Client) Tap(ctx context.Context) (*Tap, error) {
	return fetch[Tap](ctx, c, "/v1/tap", nil)
}

// StopTee ends the tee that reads the node, whichever that is by now. Without
// one the error is an *Error with status 404.
func (c *Client) StopTee(ctx context.Context) error { return c.StopTeeID(ctx, "") }

// StopTeeID ends the tee that a Tap or a TeeStream names, and no other: if
// another one reads, the error is an *Error with status 409. An id of "" is
// StopTee.
func (c *Client) StopTeeID(ctx context.Context, id string) error {
	var v url.Values
	if id != "" {
		v = url.Values{"id": {id}}
	}
	return c.do(ctx, http.MethodDelete, "/v1/tee", v, nil, nil)
}
