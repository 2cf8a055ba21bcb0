// Package testkeeper starts whole keepers in a test's own process, on loopback
// with ports of the kernel's choice.
package testkeeper

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pushfleet/internal/keeperapi"
	"pushfleet/keeper/member"
	"pushfleet/keeper/nodes"
	"pushfleet/keeper/store"
)

// Config is the configuration that a test may edit.
type Config = member.Config

// Cluster is a number of members.
type Cluster struct {
	Configs []Config
	members []*member.Member // nil while stopped
	t       testing.TB
}

// Timing is that of tests: nodes are heard often, and may be late as a machine is
// that stands still for some seconds.
func Timing() nodes.Timing {
	return nodes.Timing{Beat: 200 * time.Millisecond, Lease: 10 * time.Second, Renew: 300 * time.Millisecond,
		Gather: 10 * time.Millisecond, Check: 5 * time.Second, Write: 10 * time.Second}
}

// Start runs n members that found a cluster, until the test ends, and returns
// when one leads. edit, if not nil, changes each configuration first.
func Start(t testing.TB, n int, edit func(i int, c *Config)) *Cluster {
	t.Helper()
	c := &Cluster{t: t, members: make([]*member.Member, n)}
	var rafts []string
	for range n {
		rafts = append(rafts, free(t))
	}
	for i := range n {
		dir, err := os.MkdirTemp("", "keeper") // a socket's path must be short
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		cfg := Config{
			Store: store.Config{ID: fmt.Sprintf("k%d", i+1), Dir: filepath.Join(dir, "state"), Listen: rafts[i], Expect: n, Join: rafts},
			API:   []string{free(t)}, Socket: filepath.Join(dir, "keeper.sock"), Log: slog.New(slog.DiscardHandler), Timing: Timing(),
		}
		if edit != nil {
			edit(i, &cfg)
		}
		c.Configs = append(c.Configs, cfg)
	}
	t.Cleanup(c.stopAll)
	for i := range n {
		c.Run(i)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for _, m := range c.members {
		if err := m.Ready(ctx); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// free returns an address whose port was free a moment ago. It is none that the
// kernel gives to who connects, so that nobody else is likely to take it.
func free(t testing.TB) string {
	var err error
	for range 100 {
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000))); err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal(err)
	return ""
}

// Run starts a member that is stopped.
func (c *Cluster) Run(i int) {
	c.t.Helper()
	m, err := member.Open(c.Configs[i])
	if err != nil {
		c.t.Fatal(err)
	}
	c.members[i] = m
}

// Stop stops a member in good order.
func (c *Cluster) Stop(i int) {
	c.t.Helper()
	m := c.members[i]
	c.members[i] = nil
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := m.Stop(ctx); err != nil {
		c.t.Errorf("stop %s: %v", c.Configs[i].Store.ID, err)
	}
}

func (c *Cluster) stopAll() {
	for i, m := range c.members {
		if m != nil {
			c.Stop(i)
		}
	}
}

// Member returns a running member.
func (c *Cluster) Member(i int) *member.Member { return c.members[i] }

// Leader returns the index of the member that leads, and waits for one.
func (c *Cluster) Leader() int {
	c.t.Helper()
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		for i, m := range c.members {
			if m != nil && m.Leads() {
				return i
			}
		}
	}
	c.t.Fatal("nobody leads")
	return -1
}

// Addresses are those of all APIs.
func (c *Cluster) Addresses() (out []string) {
	for _, cfg := range c.Configs {
		out = append(out, cfg.API[0])
	}
	return out
}

// Client asks all members by TCP.
func (c *Cluster) Client() *keeperapi.Client {
	return keeperapi.NewClient(c.Addresses(), keeperapi.ClientOptions{Timeout: 10 * time.Second, Who: "tester"})
}

// Get asks one member by TCP and returns the answer's status and body.
func (c *Cluster) Get(t testing.TB, i int, path string) (status int, body string) {
	t.Helper()
	resp, err := http.Get("http://" + c.Configs[i].API[0] + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// Posted is what a keeper answered to PostTxn, or its refusal.
type Posted struct {
	keeperapi.Answer
	Code keeperapi.Code `json:"code"`
}

// PostTxn sends a transaction under an idempotency key to one member.
func (c *Cluster) PostTxn(i int, key string, r keeperapi.TxnRequest) (out Posted) {
	c.t.Helper()
	b, err := json.Marshal(r)
	if err != nil {
		c.t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, "http://"+c.Configs[i].API[0]+"/v1/txn", bytes.NewReader(b))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Idempotency-Key", key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		c.t.Fatal(err)
	}
	return out
}
