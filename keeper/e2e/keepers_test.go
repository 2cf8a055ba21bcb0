package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pushfleet/internal/keeperapi"
	"pushfleet/internal/tlsfile"
	"pushfleet/internal/tlsfile/tlstest"
)

// secret is the token that the tests' clients and nodes bear.
const secret = "secret of the tests"

// keepers are the members of one cluster, each a process on a host of its own,
// with TLS between them and for the API.
type keepers struct {
	t    testing.TB
	lan  *lan
	dir  string
	tls  *tls.Config // of clients
	ca   string      // file
	all  []*keeper
	held []*keeperapi.Client // to be closed
}

// keeper is one member.
type keeper struct {
	id, addr, dir, socket string
	args                  []string
	proc                  *process
	local                 *keeperapi.Client // by its socket
}

// startKeepers runs a cluster until the test ends, and returns when it has a
// leader and a token.
func startKeepers(t testing.TB, l *lan, n int) *keepers {
	t.Helper()
	k := newKeepers(t, l, n)
	for i := range n {
		k.run(i)
	}
	k.leader()
	k.admit()
	return k
}

func newKeepers(t testing.TB, l *lan, n int) *keepers {
	t.Helper()
	k := &keepers{t: t, lan: l, dir: shortDir(t)}
	ca := tlstest.New(t)
	var rafts []string
	for i := range n {
		m := &keeper{id: fmt.Sprintf("k%d", i+1)}
		m.addr, m.dir = l.host(m.id), filepath.Join(k.dir, m.id)
		m.socket = filepath.Join(m.dir, "keeper.sock")
		if err := os.MkdirAll(filepath.Join(m.dir, "state"), 0o755); err != nil {
			t.Fatal(err)
		}
		rafts = append(rafts, net.JoinHostPort(m.addr, "7411"))
		f := ca.Issue(m.dir, m.addr)
		k.ca = f.CA
		m.args = []string{"--id", m.id, "--api", m.api(), "--api-tls-cert", f.Cert, "--api-tls-key", f.Key, "--raft", rafts[i],
			"--raft-tls-ca", f.CA, "--raft-tls-cert", f.Cert, "--raft-tls-key", f.Key, "--socket", m.socket,
			"--state-dir", filepath.Join(m.dir, "state"), "--bootstrap-expect", fmt.Sprint(n), "--log-format", "json"}
		m.local = keeperapi.NewClient([]string{m.socket}, keeperapi.ClientOptions{Timeout: 2 * time.Second})
		k.all = append(k.all, m)
		k.held = append(k.held, m.local)
	}
	for _, m := range k.all {
		for _, r := range rafts {
			m.args = append(m.args, "--join", r)
		}
	}
	var err error
	if k.tls, err = tlsfile.Client(k.ca); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.end)
	return k
}

// api is where a member's API is reached.
func (m *keeper) api() string { return net.JoinHostPort(m.addr, keeperapi.Port) }

// end kills what still runs; tests that care how members end have asked before.
func (k *keepers) end() {
	for _, c := range k.held {
		c.Close()
	}
	for _, m := range k.all {
		if m.proc == nil {
			continue
		}
		if m.proc.running() {
			m.proc.kill()
		}
		if k.t.Failed() {
			k.t.Log(m.proc.tail(60))
		}
	}
}

// run starts a member that is not running.
func (k *keepers) run(i int) {
	k.t.Helper()
	m := k.all[i]
	m.proc = spawn(k.t, m.id, "keeper", m.args...)
}

// admit makes the token of the tests, as root on a member's machine would.
func (k *keepers) admit() {
	k.t.Helper()
	r := keeperapi.TokenRequest{TokenSet: keeperapi.TokenSet{Name: "tests", Role: keeperapi.RoleAdmin, Hash: keeperapi.HashToken(secret)}}
	eventually(k.t, "a token is made", func() bool {
		_, err := k.all[0].local.SetToken(k.t.Context(), r)
		return err == nil || code(err) == keeperapi.CodeExists
	})
}

// client asks these members by TLS, all if none are named.
func (k *keepers) client(timeout time.Duration, members ...int) *keeperapi.Client {
	var addrs []string
	for i, m := range k.all {
		if len(members) == 0 || slices.Contains(members, i) {
			addrs = append(addrs, m.api())
		}
	}
	c := keeperapi.NewClient(addrs, keeperapi.ClientOptions{Timeout: timeout, Token: secret, TLS: k.tls})
	k.held = append(k.held, c)
	return c
}

// addresses are those of all APIs, as a flag takes them.
func (k *keepers) addresses() string {
	var out []string
	for _, m := range k.all {
		out = append(out, m.api())
	}
	return strings.Join(out, ",")
}

// status asks a member itself, however it is cut off; nil if it does not answer.
func (k *keepers) status(i int) *keeperapi.Status {
	if k.all[i].proc == nil || !k.all[i].proc.running() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	s, err := k.all[i].local.Status(ctx)
	if err != nil {
		return nil
	}
	return s
}

// leader waits until the running members agree on a leader among them. Members
// that are known to be stuck are left out.
func (k *keepers) leader(stuck ...int) int {
	k.t.Helper()
	at := -1
	eventually(k.t, "a keeper leads", func() bool {
		at = -1
		var names []string
		for i, m := range k.all {
			if slices.Contains(stuck, i) || m.proc == nil || !m.proc.running() {
				continue
			}
			s := k.status(i)
			if s == nil {
				return false
			}
			names = append(names, s.LeaderID)
			if s.Role == "leader" && s.LeaderID == s.ID {
				at = i
			}
		}
		return at >= 0 && len(slices.Compact(slices.Sorted(slices.Values(names)))) == 1
	})
	return at
}

// code is the code of a keeper's refusal, "" if it is none.
func code(err error) keeperapi.Code {
	if e, ok := asRefusal(err); ok {
		return e.Code
	}
	return ""
}
