package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"pushfleet/internal/keeperapi"
)

// answered writes the error that a handler returns.
func (s *Server) answered(f func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		err := f(w, r)
		if err == nil {
			s.requests.count(resultOK)
			return
		}
		e := errorOf(err)
		s.requests.count(string(e.Code))
		if e.Code == keeperapi.CodeFailed {
			s.cfg.Log.Error("request", "method", r.Method, "path", r.URL.Path, "err", err)
		}
		writeError(w, e)
	})
}

// errorOf puts any error in the form of the API.
func errorOf(err error) *keeperapi.Error {
	if e, ok := errors.AsType[*keeperapi.Error](err); ok {
		return e
	}
	if errors.Is(err, context.Canceled) { // nobody reads this
		return refuse(keeperapi.CodeTimeout, "the asker hung up, or the keeper is stopping; what was asked may have been done")
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return refuse(keeperapi.CodeTimeout, "no majority of the keepers answered in time; see pushctl keeper status")
	}
	return refuse(keeperapi.CodeFailed, "%s; the keeper's log says more", err)
}

func refuse(code keeperapi.Code, format string, args ...any) *keeperapi.Error {
	return &keeperapi.Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// statusOf is the HTTP status of a code.
func statusOf(c keeperapi.Code) int {
	switch c {
	case keeperapi.CodeToken:
		return http.StatusUnauthorized
	case keeperapi.CodeRole, keeperapi.CodeCrossOrigin:
		return http.StatusForbidden
	case keeperapi.CodeUnknownKnob, keeperapi.CodeUnknownNode, keeperapi.CodeUnknownName, keeperapi.CodeNotFound:
		return http.StatusNotFound
	case keeperapi.CodeMethod:
		return http.StatusMethodNotAllowed
	case keeperapi.CodeRevision, keeperapi.CodeFrozen, keeperapi.CodeRollout, keeperapi.CodeSoaking,
		keeperapi.CodeExists, keeperapi.CodeReused, keeperapi.CodePreflight, keeperapi.CodeGuard, keeperapi.CodeHistory:
		return http.StatusConflict
	case keeperapi.CodeNotLeader, keeperapi.CodeNoLeader, keeperapi.CodeBusy:
		return http.StatusServiceUnavailable
	case keeperapi.CodeTimeout, keeperapi.CodeUnknownState:
		return http.StatusGatewayTimeout
	case keeperapi.CodeFailed:
		return http.StatusInternalServerError
	}
	return http.StatusBadRequest
}

func writeError(w http.ResponseWriter, e *keeperapi.Error) {
	b, _ := json.Marshal(e) // texts always encode
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(statusOf(e.Code))
	w.Write(append(b, '\n'))
}

func writeJSON(w http.ResponseWriter, v any) error {
	if v == nil {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(append(b, '\n'))
	return nil
}

// body decodes one JSON object of known fields.
func body[T any](r *http.Request) (*T, error) {
	b, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, bodyMax))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, refuse(keeperapi.CodeTooLong, "the body is longer than %d bytes: split the change", bodyMax)
	} else if err != nil {
		return nil, refuse(keeperapi.CodeMalformed, "the body cannot be read: %s", err)
	}
	v := new(T)
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return nil, refuse(keeperapi.CodeMalformed, "the body is not what %s takes: %s", r.URL.Path, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, refuse(keeperapi.CodeMalformed, "something follows the JSON object; send one object only")
	}
	return v, nil
}
