package admin

import (
	"net/http"

	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushd/stats"
)

// ClosedMax bounds the rows of GET /v1/closed, ClosedDefault is the number
// when none is asked for.
const (
	ClosedMax     = 10_000
	ClosedDefault = 100
)

func (a *API) stats(r *http.Request) (any, error) {
	if _, err := query(r); err != nil {
		return nil, err
	}
	s, err := a.c.Source.Stats(r.Context())
	return s, err
}

func (a *API) top(r *http.Request) (any, error) {
	q, err := query(r, "by", "window", "n", "where")
	if err != nil {
		return nil, err
	}
	window, err := number(q, "window", 100)
	if err != nil {
		return nil, err
	}
	n, err := number(q, "n", stats.RowsMax)
	if err != nil {
		return nil, err
	}
	ask, err := stats.ParseQuery(q.Get("by"), window, n, q.Get("where"))
	if err != nil {
		return nil, badQuery("%s", err)
	}
	ask.Node = a.c.Version.Node
	top, err := a.c.Source.Top(r.Context(), ask)
	if top.Rows == nil {
		top.Rows = []pushdapi.ConnRow{}
	}
	return top, err
}

// connOf reads the connection that the path names.
func connOf(r *http.Request) (push.Handle, error) {
	h, err := push.ParseHandle(r.PathValue("id"))
	if err != nil {
		return 0, refuse(http.StatusBadRequest, "bad_conn", "%s; copy the id from pushctl top", err)
	}
	_, err = query(r)
	return h, err
}

func (a *API) conn(r *http.Request) (any, error) {
	h, err := connOf(r)
	if err != nil {
		return nil, err
	}
	c, err := a.c.Source.Conn(r.Context(), h)
	return c, err
}

func (a *API) kick(r *http.Request) (any, error) {
	h, err := connOf(r)
	if err != nil {
		return nil, err
	}
	if err := a.c.Source.Kick(r.Context(), h, push.CloseKicked); err != nil {
		return nil, err
	}
	a.c.Log.Info("connection kicked", "conn", h.String(), "from", r.RemoteAddr)
	return nil, nil
}

func (a *API) closed(r *http.Request) (any, error) {
	q, err := query(r, "reason", "n")
	if err != nil {
		return nil, err
	}
	n, err := number(q, "n", ClosedMax)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		n = ClosedDefault
	}
	reason := push.CloseNone // any
	if word := q.Get("reason"); word != "" {
		if reason, err = push.ParseCloseReason(word); err != nil || reason == push.CloseNone {
			return nil, badQuery("reason %q does not exist; choose one of %s", word, list(push.CloseReasonNames()))
		}
	}
	if a.c.Closed == nil {
		return []pushdapi.ClosedRow{}, nil
	}
	return a.c.Closed.List(reason, n), nil
}
