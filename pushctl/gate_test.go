package main

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"pushfleet/internal/pushdapi"
)

func TestGateOf(t *testing.T) {
	f := func(clients []string, want string) {
		t.Helper()
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			answer(w, pushdapi.Stats{Clients: clients})
		}))
		defer s.Close()
		if got := gateOf(t.Context(), pushdapi.New(s.Listener.Addr().String(), pushdapi.Options{})); got != want {
			t.Errorf("a node with clients at %q: %q, want %q", clients, got, want)
		}
	}
	f(nil, gateDefault)
	f([]string{"127.0.0.1:7500", "127.0.0.1:7600"}, "127.0.0.1:7500")
	f([]string{"[::]:7500"}, "127.0.0.1:7500")
	f([]string{"0.0.0.0:7500"}, "127.0.0.1:7500")
	f([]string{"[2001:db8::1]:7500"}, "[2001:db8::1]:7500")
	f([]string{"nonsense", "10.0.0.1:7500"}, "10.0.0.1:7500")
	dead := pushdapi.New(filepath.Join(t.TempDir(), "none.sock"), pushdapi.Options{})
	if got := gateOf(t.Context(), dead); got != gateDefault {
		t.Errorf("a node that is dead: %q", got)
	}
	for addr, want := range map[string]string{"/run/x.sock": "127.0.0.1", "gw-1:7401": "gw-1", "gw-1": "gw-1", "[::1]:7401": "::1"} {
		if got := hostOf(addr); got != want {
			t.Errorf("hostOf(%q) = %q, want %q", addr, got, want)
		}
	}
}
