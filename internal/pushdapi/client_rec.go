package pushdapi

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// BundleMax bounds a bundle that a client takes, in bytes.
const BundleMax = 512 << 20

// RecState returns what the node's recorder does.
func (c *Client) RecState(ctx context.Context) (*RecState, error) {
	return fetch[RecState](ctx, c, "/v1/rec/state", nil)
}

// RecFields returns what is recorded.
func (c *Client) RecFields(ctx context.Context) ([]RecField, error) {
	f, err := fetch[[]RecField](ctx, c, "/v1/rec/fields", nil)
	if err != nil {
		return nil, err
	}
	return *f, nil
}

// recTimeout bounds how long records or a bundle may take to come, if the
// client's own timeout is not longer. They must begin to come within that.
const recTimeout = time.Minute

// Rec opens the records of a span, in the form of internal/record. The caller
// closes it; ctx ends it.
func (c *Client) Rec(ctx context.Context, q RecQuery) (io.ReadCloser, error) {
	v := url.Values{"from": {strconv.FormatInt(q.From.UnixMilli(), 10)}, "to": {strconv.FormatInt(q.To.UnixMilli(), 10)}}
	put(v, "ring", q.Ring)
	put(v, "fields", strings.Join(q.Fields, ","))
	ctx, cancel := context.WithTimeout(ctx, max(c.timeout, recTimeout))
	resp, err := c.begin(ctx, "/v1/rec", v)
	if err != nil {
		cancel()
		return nil, err
	}
	return &bounded{resp.Body, cancel}, nil
}

// bounded is a body that frees its time limit when it is closed.
type bounded struct {
	io.ReadCloser
	cancel context.CancelFunc
}

// Close implements io.Closer.
func (b *bounded) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

// RecBundles lists the bundles of the node, the latest first.
func (c *Client) RecBundles(ctx context.Context) ([]RecBundle, error) {
	b, err := fetch[[]RecBundle](ctx, c, "/v1/rec/bundles", nil)
	if err != nil {
		return nil, err
	}
	return *b, nil
}

// RecBundle copies a bundle, a tar in gzip, to w and returns its length.
func (c *Client) RecBundle(ctx context.Context, id string, w io.Writer) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, max(c.timeout, recTimeout))
	defer cancel()
	resp, err := c.begin(ctx, "/v1/rec/bundles/"+url.PathEscape(id), nil)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	n, err := io.Copy(w, io.LimitReader(resp.Body, BundleMax+1))
	if err == nil && n > BundleMax {
		err = fmt.Errorf("bundle larger than %d bytes", BundleMax)
	}
	return n, err
}
