package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"pushfleet/internal/keeperapi"
)

// asked returns what sends a request to a keeper on loopback without tokens.
func asked(t *testing.T, s *Server) func(method, path, body string, header ...string) (status int, e keeperapi.Error) {
	srv := httptest.NewUnstartedServer(s.Handler())
	srv.Config.ConnContext = ConnContext(DoorLocal)
	srv.Start()
	t.Cleanup(srv.Close)
	return func(method, path, body string, header ...string) (status int, e keeperapi.Error) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, srv.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode >= 400 {
			if err := json.NewDecoder(resp.Body).Decode(&e); err != nil {
				t.Fatalf("%s %s: %d without an error: %v", method, path, resp.StatusCode, err)
			}
		}
		return resp.StatusCode, e
	}
}

// Slips are told as such, in JSON, and are no failures of the keeper.
func TestSlipsAreRefused(t *testing.T) {
	_, s := newSolo(t, func() keeperapi.Time { return 1000 })
	ask := asked(t, s)
	f := func(method, path, body string, status int, code keeperapi.Code, header ...string) {
		t.Helper()
		if got, e := ask(method, path, body, header...); got != status || e.Code != code || e.Message == "" {
			t.Errorf("%s %s: %d %+v, want %d %s", method, path, got, e, status, code)
		}
	}
	f("GET", "/v1/nope", "", 404, keeperapi.CodeNotFound)
	f("PUT", "/v1/txn", "", 405, keeperapi.CodeMethod)
	f("DELETE", "/v1/members/zz", "", 404, keeperapi.CodeNotFound)
	f("POST", "/v1/transfer", `{"id":"zz"}`, 404, keeperapi.CodeNotFound)
	f("POST", "/v1/txn", `{}`, 403, keeperapi.CodeCrossOrigin, "Origin", "https://evil.example")
}

// A rollback that does not say where to would take back everything.
func TestRollbackNeedsARevision(t *testing.T) {
	m, s := newSolo(t, func() keeperapi.Time { return 1000 })
	ask := asked(t, s)
	held := func() string {
		h, _ := m.state.HeldBy("n1", "a.max")
		return h.Value
	}
	f := func(path, body string, status int, code keeperapi.Code, want string) {
		t.Helper()
		if got, e := ask("POST", path, body); got != status || e.Code != code {
			t.Errorf("%s %s: %d %+v, want %d %s", path, body, got, e, status, code)
		}
		if v := held(); v != want {
			t.Errorf("%s %s: n1 holds %q, want %q", path, body, v, want)
		}
	}
	f("/v1/txn", `{"now_all":true,"why":"x","changes":[{"knob":"a.max","scope":"fleet","value":"5"}]}`, 200, "", "5")
	f("/v1/rollback", `{}`, 400, keeperapi.CodeMalformed, "5")
	f("/v1/rollback", `{"to":null,"now_all":true,"why":"x"}`, 400, keeperapi.CodeMalformed, "5")
	f("/v1/rollback", `{"to":0,"now_all":true,"why":"x"}`, 200, "", "")
}
