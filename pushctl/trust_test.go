package main

import (
	"bytes"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pushfleet/internal/keeperapi"
)

// TestKeepersOverTLS holds that a keeper's certificate is checked, by the file
// that is given, and that a stranger's is said to be one.
func TestKeepersOverTLS(t *testing.T) {
	s := httptest.NewTLSServer(newFakeKeeper(true).handler())
	defer s.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	o := &options{env: testEnv(), timeout: 5 * time.Second}
	fl, err := o.fleet(t.Context(), keepers{addrs: []string{s.URL}, ca: ca})
	if err != nil {
		t.Fatal(err)
	}
	defer fl.Close()
	if ks, err := fl.Knobs(t.Context(), keeperapi.Read{}); err != nil || len(ks) == 0 {
		t.Errorf("%d knobs, %v", len(ks), err)
	}

	o.timeout = 2 * time.Second
	stranger, err := o.fleet(t.Context(), keepers{addrs: []string{s.URL}})
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	_, err = stranger.Knobs(t.Context(), keeperapi.Read{})
	var b bytes.Buffer
	report(&b, stranger.explain(t.Context(), err))
	if !strings.Contains(b.String(), "certificate signed by unknown authority") || !strings.Contains(b.String(), "pushctl --keeper-ca FILE") {
		t.Errorf("a stranger: %s", b.String())
	}
}

func TestTrustNeedsCertificates(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{empty, filepath.Join(t.TempDir(), "none.pem")} {
		if _, err := trust(file); err == nil || !strings.Contains(err.Error(), "--keeper-ca") {
			t.Errorf("%s: %v", file, err)
		}
	}
	if c, err := trust(""); c != nil || err != nil {
		t.Errorf("no file: %v, %v", c, err)
	}
}
