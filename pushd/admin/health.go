package admin

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// healthz says that the process answers; whether it should get connections is
// asked of readyz.
func (a *API) healthz(w http.ResponseWriter, _ *http.Request) error {
	text := "alive, ready\n"
	if err := a.c.Ready(); err != nil {
		text = "alive, not ready: " + err.Error() + "\n"
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	io.WriteString(w, text)
	return nil
}

func (a *API) readyz(w http.ResponseWriter, _ *http.Request) error {
	if err := a.c.Ready(); err != nil {
		return refuse(http.StatusServiceUnavailable, "not_ready", "%s; send new connections to another node", err)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	io.WriteString(w, "ready\n")
	return nil
}

// version is not bounded: it costs nothing and clients ask it first.
func (a *API) version(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(a.c.Version) // strings only: fails when the reader is gone
	return nil
}

func list(words []string) string { return strings.Join(words, ", ") }
