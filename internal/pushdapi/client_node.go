package pushdapi

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
)

// TopQuery asks for the worst connections. Zero values leave the choice to
// the node.
type TopQuery struct {
	By     string // queued, bytes, wait, drain, in, out, drops, rtt
	Window int    // 1, 10 or 100 seconds
	N      int    // rows
	Where  string // filter expression, evaluated on the node
}

func (q TopQuery) values() url.Values {
	v := url.Values{}
	put(v, "by", q.By)
	putInt(v, "window", q.Window)
	putInt(v, "n", q.N)
	put(v, "where", q.Where)
	return v
}

// Stats returns the node at a glance.
func (c *Client) Stats(ctx context.Context) (*Stats, error) {
	return fetch[Stats](ctx, c, "/v1/stats", nil)
}

// Top returns the worst connections by a column.
func (c *Client) Top(ctx context.Context, q TopQuery) (*Top, error) {
	return fetch[Top](ctx, c, "/v1/top", q.values())
}

// Conn explains the connection with this id, as printed by top.
func (c *Client) Conn(ctx context.Context, id string) (*Conn, error) {
	return fetch[Conn](ctx, c, "/v1/conns/"+url.PathEscape(id), nil)
}

// Closed returns connections that are gone, latest first. An empty reason asks
// for all, n <= 0 for as many as the node likes.
func (c *Client) Closed(ctx context.Context, reason string, n int) ([]ClosedRow, error) {
	v := url.Values{}
	put(v, "reason", reason)
	putInt(v, "n", n)
	rows, err := fetch[[]ClosedRow](ctx, c, "/v1/closed", v)
	if err != nil {
		return nil, err
	}
	return *rows, nil
}

// KickConn closes one connection with reason kicked.
func (c *Client) KickConn(ctx context.Context, id string) error {
	return c.do(ctx, http.MethodDelete, "/v1/conns/"+url.PathEscape(id), nil, nil, nil)
}

// Kicked is the answer to KickUser. Unanswered are connections that are closed
// as soon as their loop, which is busy, gets to it.
type Kicked struct {
	Kicked     int `json:"kicked"`
	Unanswered int `json:"unanswered,omitempty"`
}

// KickUser closes every connection of a user and returns how many.
func (c *Client) KickUser(ctx context.Context, user string) (k Kicked, err error) {
	err = c.do(ctx, http.MethodDelete, "/v1/users/"+url.PathEscape(user)+"/sessions", nil, nil, &k)
	return k, err
}

// User returns a user's sessions.
func (c *Client) User(ctx context.Context, user string) (*UserInfo, error) {
	return fetch[UserInfo](ctx, c, "/v1/users/"+url.PathEscape(user), nil)
}

// Version returns what the node runs.
func (c *Client) Version(ctx context.Context) (*Version, error) {
	return fetch[Version](ctx, c, "/v1/version", nil)
}

// fetch gets path and decodes the answer into a T.
func fetch[T any](ctx context.Context, c *Client, path string, q url.Values) (*T, error) {
	v := new(T)
	if err := c.get(ctx, path, q, v); err != nil {
		return nil, err
	}
	return v, nil
}

func put(v url.Values, key, value string) {
	if value != "" {
		v.Set(key, value)
	}
}

func putInt(v url.Values, key string, n int) {
	if n > 0 {
		v.Set(key, strconv.Itoa(n))
	}
}
