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
	"net/url"
	"strings"
	"time"
)

// PrivatePort is the port of a node's private listener when an address names
// none.
const PrivatePort = "7401"

// Bounds of what a client reads, in bytes. A node that answers more is not
// believed.
const (
	BodyMax    = 64 << 20 // one JSON answer
	LineMax    = 1 << 20  // one line of a stream
	ProfileMax = 1 << 30  // one profile
)

// Options tune a Client. The zero value is ready to use.
type Options struct {
	// Timeout bounds one request that is not a stream or a profile; 0 is 5 s.
	Timeout time.Duration
	// UserAgent names the program in the node's log; empty is "pushdapi".
	UserAgent string
}

// Client asks one node. It is safe for concurrent use.
type Client struct {
	addr    string
	base    string
	timeout time.Duration
	agent   string
	http    *http.Client
}

// New returns a client of the node at addr: the path of its admin socket
// (anything with a slash, or unix:PATH, or @NAME for an abstract one), a
// private address HOST:PORT, a bare HOST (port 7401) or an http URL. It
// connects on the first request.
func New(addr string, o Options) *Client {
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Second
	}
	if o.UserAgent == "" {
		o.UserAgent = "pushdapi"
	}
	network, target, base := Target(addr)
	dialer := &net.Dialer{Timeout: o.Timeout}
	tr := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, target)
		},
		MaxIdleConnsPerHost: 16,
		IdleConnTimeout:     90 * time.Second,
		DisableCompression:  true,
	}
	return &Client{addr: addr, base: base, timeout: o.Timeout, agent: o.UserAgent,
		http: &http.Client{Transport: tr}}
}

// Target says how an address is dialled: network ("unix" or "tcp"), address,
// and the base URL of requests.
func Target(addr string) (network, target, base string) {
	if rest, ok := strings.CutPrefix(addr, "unix:"); ok {
		return "unix", strings.TrimPrefix(rest, "//"), "http://pushd"
	}
	if rest, ok := strings.CutPrefix(addr, "http://"); ok {
		addr = strings.TrimRight(rest, "/")
	}
	if strings.ContainsRune(addr, '/') || strings.HasPrefix(addr, "@") {
		return "unix", addr, "http://pushd"
	}
	if _, _, err := net.SplitHostPort(addr); err != nil {
		addr = net.JoinHostPort(strings.Trim(addr, "[]"), PrivatePort)
	}
	return "tcp", addr, "http://" + addr
}

// Addr returns the address the client was made with.
func (c *Client) Addr() string { return c.addr }

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// get asks for path and decodes the JSON answer into out.
func (c *Client) get(ctx context.Context, path string, query url.Values, out any) error {
	return c.do(ctx, http.MethodGet, path, query, nil, out)
}

// do sends one bounded request. in (nil for none) is sent as JSON, the answer
// is decoded into out unless that is nil.
func (c *Client) do(ctx context.Context, method, path string, query url.Values, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		body = bytes.NewReader(b)
	}
	resp, err := c.open(ctx, method, path, query, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if out == nil {
		_, err := io.Copy(io.Discard, io.LimitReader(resp.Body, BodyMax))
		return err
	}
	b, err := readAll(resp.Body, BodyMax)
	if err != nil {
		return fmt.Errorf("read answer to %s %s: %w", method, path, err)
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("answer to %s %s is not what pushd says: %w", method, path, err)
	}
	return nil
}

// open sends a request and returns the response with a 2xx status; any other
// status becomes an *Error. The caller closes the body.
func (c *Client) open(ctx context.Context, method, path string, query url.Values, body io.Reader) (*http.Response, error) {
	u := c.base + path
	if len(query) > 0 {
		u += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, u, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", c.agent)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, plain(err)
	}
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, errorOf(resp)
}

// errorOf reads the error body of a response; a body that is none of pushd's
// becomes an Error with the code "http".
func errorOf(resp *http.Response) error {
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	e := &Error{}
	if json.Unmarshal(b, e) != nil || e.Message == "" {
		text := strings.TrimSpace(string(b))
		if i := strings.IndexByte(text, '\n'); i >= 0 {
			text = text[:i]
		}
		if len(text) > 200 {
			text = text[:200]
		}
		e = &Error{Code: "http", Message: strings.TrimSuffix(resp.Status+": "+text, ": ")}
	}
	e.Status = resp.StatusCode
	return e
}

// plain takes the URL out of a transport error: it repeats what the caller
// knows, and for a unix socket it names a host that does not exist.
func plain(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// readAll reads at most limit bytes and refuses more.
func readAll(r io.Reader, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(b)) > limit {
		return nil, fmt.Errorf("larger than %d bytes", limit)
	}
	return b, err
}
