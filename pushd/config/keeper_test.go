package config

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"pushfleet/internal/settings"
)

func TestKeeperIsInsideUnlessNamed(t *testing.T) {
	p := place{env: map[string]string{"HOME": "/h"}, files: map[string]string{"/token": "s3cret\n"}}
	f := func(args string, embedded, off bool, addresses string) *Config {
		t.Helper()
		c, err := p.load("--state-dir /s --admin-socket /run/x/admin.sock " + args)
		if err != nil {
			t.Fatalf("%s: %v", args, err)
		}
		if k := &c.Keeper; k.Embedded() != embedded || k.Off() != off || fmt.Sprint(k.Addresses) != addresses {
			t.Errorf("%s: %+v, inside %t, off %t", args, *k, k.Embedded(), k.Off())
		}
		return &c
	}
	c := f("", true, false, "[]")
	if c.KeeperSocket() != "/run/x/keeper.sock" || c.KeeperDir() != "/s/keeper" {
		t.Errorf("socket %s, state %s", c.KeeperSocket(), c.KeeperDir())
	}
	if c = f("--keeper-socket /k.sock", true, false, "[]"); c.KeeperSocket() != "/k.sock" {
		t.Errorf("socket %s", c.KeeperSocket())
	}
	f("--keeper off", false, true, "[off]")
	f("--keeper off --private 127.0.0.1:7410", false, true, "[off]") // nobody else has the port
	c = f("--keeper 10.0.0.1,10.0.0.2:7420 --keeper /run/keeper.sock --keeper-token-file /token", false, false,
		"[10.0.0.1 10.0.0.2:7420 /run/keeper.sock]")
	if o, err := c.KeeperClient(p.readFile); err != nil || o.Token != "s3cret" || o.TLS != nil {
		t.Errorf("client %+v, %v", o, err)
	}
	if c = f("--shadow", true, false, "[]"); !c.Shadow {
		t.Error("no shadow")
	}
	f("--shadow --keeper off", false, true, "[off]")
	c = f("--label app=shop,zone=eu-1", true, false, "[]")
	if m := c.Keeper.LabelMap(); !maps.Equal(m, map[string]string{"app": "shop", "zone": "eu-1"}) {
		t.Errorf("labels %v", m)
	}
}

func TestKeeperRootsAreRead(t *testing.T) {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	root := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	p := place{files: map[string]string{"/ca": string(root)}}
	c, err := p.load("--state-dir /s --keeper 10.0.0.1 --keeper-ca /ca")
	if err != nil {
		t.Fatal(err)
	}
	o, err := c.KeeperClient(p.readFile)
	if err != nil || o.TLS == nil {
		t.Fatalf("client %+v, %v", o, err)
	}
	if _, err := s.Certificate().Verify(x509.VerifyOptions{Roots: o.TLS.RootCAs}); err != nil {
		t.Error(err)
	}
}

func TestKeeperProblems(t *testing.T) {
	p := place{env: map[string]string{"HOME": "/h"}, files: map[string]string{
		"/empty": "\n", "/two": "a\nb\n", "/pem": "-----BEGIN CERTIFICATE-----\nROOT\n-----END CERTIFICATE-----\n"}}
	f := func(args string, parts ...string) {
		t.Helper()
		_, err := p.load(args)
		var problems settings.Problems
		if !errors.As(err, &problems) {
			t.Errorf("%s: %v, want problems", args, err)
			return
		}
		for _, part := range parts {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q does not say %q", args, err, part)
			}
		}
	}
	f("--keeper off,10.0.0.1", "off stands alone")
	f("--keeper 10.0.0.1,10.0.0.1", "named twice")
	f("--keeper unix:keeper.sock", "absolute path")
	f("--keeper ftp://10.0.0.1", "http and https")
	f("--keeper http://10.0.0.1:7410", "without TLS", "write https://")
	f("--keeper 10.0.0.1:x", "HOST:PORT")
	f("--keeper 10.0.0.1:0", "port 0")
	f("--keeper 10.0.0.1 --keeper-token-file /none", "keeper_token_file: open /none")
	f("--keeper 10.0.0.1 --keeper-token-file /empty", "does not hold one token", "pushctl keeper tokens add")
	f("--keeper 10.0.0.1 --keeper-token-file /two", "does not hold one token")
	f("--keeper 10.0.0.1 --keeper-ca /pem", "no PEM certificate in /pem", "flag --keeper-ca")
	f("--keeper-token-file /two", "add --keeper HOST:PORT")
	f("--keeper off --keeper-ca /pem", "or leave it out")
	f("--keeper-api 0.0.0.0:7410", "has no TLS", "run the program keeper")
	f("--keeper-raft 10.0.0.1:7411", "keeper_raft", "other machines")
	f("--keeper-api 127.0.0.1:7401", "already used by private")
	f("--keeper-api 127.0.0.1:7411", "already used by keeper_api")
	f("--keeper-socket k.sock", "absolute")
	f("--keeper-socket /a.sock --admin-socket /a.sock", "already used by admin_socket")
	f("--label shop", "write NAME=VALUE")
	f("--label node=gw-1", "scopes of their own")
	f("--label app=", "letters, digits")
	f("--label app=a --label app=b", "given twice")
	many := strings.Join(slices.Collect(func(yield func(string) bool) {
		for i := range labelsMax + 1 {
			if !yield(fmt.Sprintf("l%d=x", i)) {
				return
			}
		}
	}), ",")
	f("--label "+many, "33 labels")
	f("--shadow --keeper 10.0.0.1", "shadow: a shadow obeys no fleet", "--keeper off")
}

func TestKeeperAddresses(t *testing.T) {
	f := func(addr string, good bool) {
		t.Helper()
		if err := checkKeeperAddress(addr); (err == nil) != good {
			t.Errorf("%s: %v", addr, err)
		}
	}
	f("10.0.0.1", true)
	f("keeper-1.example:7410", true)
	f("https://keeper-1.example", true)
	f("[::1]:7410", true)
	f("http://127.0.0.1:7410", true)
	f("localhost", true)
	f("/run/keeper/keeper.sock", true)
	f("unix:/run/keeper/keeper.sock", true)
	f("keeper 1", false)
	f("https://a/b", false)
	f("", false)
	f(":7410", false)
	f("http://keeper-1.example", false)
}
