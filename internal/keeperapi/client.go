package keeperapi

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// Port is the port of a keeper's API when an address names none.
const Port = "7410"

// Bounds of what a client reads, in bytes.
const (
	answerMax = 256 << 20
	lineMax   = 256 << 20 // a snapshot is one line
)

// ClientOptions tune a Client. The zero value is ready to use.
type ClientOptions struct {
	// Timeout bounds one call with all its attempts; 0 is 5 s. What a call
	// waits for nodes (Ask.WaitMS) is added.
	Timeout   time.Duration
	Token     string      // sent as bearer; "" = none
	TLS       *tls.Config // of https addresses; nil = the system's roots
	Who       string      // who asks, for the audit; believed where no token says it
	UserAgent string      // "" = keeperapi
}

// Client asks keepers. It asks one address after another until somebody
// answers, the next also when one is slow, and repeats a change that may not
// have arrived under the same idempotency key, so that it is made once. It is
// safe for concurrent use.
type Client struct {
	o     ClientOptions
	sites []*site
	first atomic.Int64 // index of the site that answered last

	silence time.Duration // watchSilence, less in tests
}

// site is one address.
type site struct {
	addr, base string
	dial       func(context.Context) (net.Conn, error) // the bare connection, TLS included
	http       *http.Client
}

// NewClient returns a client of the keepers at these addresses: a socket's
// path (with a slash, or unix:PATH), HOST:PORT, or a URL. A host without
// scheme is asked by http if it is a loopback address, else by https. It
// connects on the first call.
func NewClient(addresses []string, o ClientOptions) *Client {
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Second
	}
	if o.UserAgent == "" {
		o.UserAgent = "keeperapi"
	}
	c := &Client{o: o, silence: watchSilence}
	for _, a := range addresses {
		c.sites = append(c.sites, newSite(a, o))
	}
	return c
}

// Addresses returns what the client was made with.
func (c *Client) Addresses() (out []string) {
	for _, s := range c.sites {
		out = append(out, s.addr)
	}
	return out
}

// Close drops idle connections.
func (c *Client) Close() {
	for _, s := range c.sites {
		s.http.CloseIdleConnections()
	}
}

// Target says how an address is dialled and asked.
func Target(addr string) (network, target, base string) {
	if rest, ok := strings.CutPrefix(addr, "unix:"); ok {
		return "unix", strings.TrimPrefix(rest, "//"), "http://keeper"
	}
	scheme, host := "", addr
	if before, after, ok := strings.Cut(addr, "://"); ok {
		scheme, host = before, strings.TrimRight(after, "/")
	} else if strings.ContainsRune(addr, '/') || strings.HasPrefix(addr, "@") {
		return "unix", addr, "http://keeper"
	}
	if _, _, err := net.SplitHostPort(host); err != nil {
		host = net.JoinHostPort(strings.Trim(host, "[]"), Port)
	}
	if scheme == "" {
		scheme = "https"
		if name, _, _ := net.SplitHostPort(host); name == "localhost" || net.ParseIP(name).IsLoopback() {
			scheme = "http"
		}
	}
	return "tcp", host, scheme + "://" + host
}

func newSite(addr string, o ClientOptions) *site {
	network, target, base := Target(addr)
	dialer := &net.Dialer{Timeout: o.Timeout, KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3,
	}}
	bare := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, network, target)
	}
	s := &site{addr: addr, base: base}
	s.http = &http.Client{Transport: &http.Transport{
		DialContext: bare, TLSClientConfig: o.TLS, MaxIdleConnsPerHost: 4, IdleConnTimeout: 90 * time.Second,
		DisableCompression: true, TLSHandshakeTimeout: o.Timeout,
	}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	s.dial = func(ctx context.Context) (net.Conn, error) {
		conn, err := bare(ctx, "", "")
		if err != nil || !strings.HasPrefix(base, "https:") {
			return conn, err
		}
		cfg := o.TLS.Clone()
		if cfg == nil {
			cfg = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		if cfg.ServerName == "" {
			cfg.ServerName, _, _ = net.SplitHostPort(target)
		}
		secure := tls.Client(conn, cfg)
		if err := secure.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, err
		}
		return secure, nil
	}
	return s
}

func (c *Client) get(ctx context.Context, path string, q url.Values, out any) error {
	return c.call(ctx, request{method: http.MethodGet, path: path, query: q, out: out})
}

func (c *Client) change(ctx context.Context, method, path string, in, out any, wait time.Duration) error {
	return c.call(ctx, request{method: method, path: path, in: in, out: out, key: rand.Text(), wait: wait})
}

// open sends a request and returns the response with a 2xx status; any other
// becomes an *Error.
func (c *Client) open(ctx context.Context, s *site, r request, body *bytes.Reader) (*http.Response, error) {
	u := s.base + r.path
	if len(r.query) > 0 {
		u += "?" + r.query.Encode()
	}
	var content io.Reader
	if body.Len() > 0 {
		content = body
	}
	req, err := http.NewRequestWithContext(ctx, r.method, u, content)
	if err != nil {
		return nil, err
	}
	c.sign(req.Header)
	if r.key != "" {
		// Not in the canonical form, by which net/http would know that it may
		// repeat the request on its own: then an error to dial would no longer
		// say that nothing was sent.
		req.Header["idempotency-key"] = []string{r.key}
	}
	if content != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := s.http.Do(req)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err
		}
		return nil, err
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, errorOf(resp)
}

// sign says who asks.
func (c *Client) sign(h http.Header) {
	h.Set("User-Agent", c.o.UserAgent)
	if c.o.Token != "" {
		h.Set("Authorization", "Bearer "+c.o.Token)
	}
	if c.o.Who != "" {
		h.Set("X-Who", c.o.Who)
	}
}

// errorOf reads the error body of a response.
func errorOf(resp *http.Response) error {
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	e := &Error{}
	if json.Unmarshal(b, e) != nil || e.Message == "" {
		text, _, _ := strings.Cut(strings.TrimSpace(string(b)), "\n")
		e = &Error{Code: CodeFailed, Message: strings.TrimSuffix(resp.Status+": "+text[:min(len(text), 200)], ": ")}
	}
	e.Status = resp.StatusCode
	return e
}
