package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"pushfleet/internal/pushdapi"
)

// handler answers a request, or returns an error with nothing written.
type handler func(http.ResponseWriter, *http.Request) error

// results are the label values of pushd_admin_requests_total.
var results = []string{"ok", "invalid", "not_found", "conflict", "busy", "not_ready", "timeout", "failed"}

func requestsName(result string) string {
	return `pushd_admin_requests_total{result="` + result + `"}`
}

// handle counts what became of each request and writes its error.
func (a *API) handle(f handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		result := "ok"
		if err := f(w, r); err != nil {
			result = a.fail(w, r, err)
		}
		a.requests.GetOrCreateCounter(requestsName(result)).Inc()
	})
}

// answer serves what f returns as JSON; nil is 204. f runs within the limits
// of concurrency and time, the answer is sent after its place is free again,
// so that a slow reader holds none.
func (a *API) answer(f func(*http.Request) (any, error)) http.Handler {
	bounded := func(r *http.Request) ([]byte, error) {
		if err := a.work.enter(0); err != nil {
			return nil, err
		}
		defer a.work.leave()
		ctx, cancel := context.WithTimeout(r.Context(), a.c.Limits.Timeout.Get())
		defer cancel()
		v, err := f(r.WithContext(ctx))
		if v == nil || err != nil {
			return nil, err
		}
		b, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("encode answer: %w", err)
		}
		return append(b, '\n'), nil
	}
	return a.handle(func(w http.ResponseWriter, r *http.Request) error {
		b, err := bounded(r)
		if err != nil {
			return err
		}
		if b == nil {
			w.WriteHeader(http.StatusNoContent)
			return nil
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write(b)
		return nil
	})
}

// fail writes the error of a request and returns its word for the counter.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) string {
	e := a.errorOf(err)
	if e.Status >= 500 && e.Code == "failed" {
		a.c.Log.Error("admin request", "method", r.Method, "path", r.URL.Path, "err", err)
	}
	if e.Code == "busy" {
		w.Header().Set("Retry-After", "1")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.Status)
	b, _ := json.Marshal(e) // two strings
	w.Write(append(b, '\n'))
	return resultOf(e)
}

// errorOf puts any error in the form of the API.
func (a *API) errorOf(err error) *pushdapi.Error {
	if e, ok := errors.AsType[*pushdapi.Error](err); ok && e.Status >= 400 {
		return e
	}
	switch {
	case errors.Is(err, ErrNotFound):
		return refuse(http.StatusNotFound, "not_found",
			"there is no such connection on %s; see who is connected with pushctl top, or who was with pushctl closed", a.nodeName())
	case errors.Is(err, context.DeadlineExceeded):
		return refuse(http.StatusGatewayTimeout, "timeout",
			"no answer within %s; a loop may be silent (pushctl stats names it); raise %s to wait longer",
			a.c.Limits.Timeout.Get(), a.c.Limits.Timeout.Name())
	}
	return refuse(http.StatusInternalServerError, "failed", "%s; the node's log says more", err)
}

func (a *API) nodeName() string {
	if a.c.Version.Node == "" {
		return "this node"
	}
	return a.c.Version.Node
}

func resultOf(e *pushdapi.Error) string {
	switch {
	case e.Status == http.StatusNotFound:
		return "not_found"
	case e.Status == http.StatusConflict:
		return "conflict"
	case e.Status < 500:
		return "invalid"
	case e.Code == "busy" || e.Code == "timeout" || e.Code == "not_ready":
		return e.Code
	}
	return "failed"
}

// refuse makes an error for the asker: code is one stable word, the message
// ends with what to do.
func refuse(status int, code, format string, args ...any) *pushdapi.Error {
	return &pushdapi.Error{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}
