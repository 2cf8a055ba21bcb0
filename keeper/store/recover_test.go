package store

import (
	"crypto/sha256"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestRecover(t *testing.T) {
	t.Parallel()
	f := func(kind LogKind, snapshot bool) {
		t.Helper()
		c := newCluster3(t, newPipeNet(), func(cfg *Config) { cfg.LogKind = kind })
		c.write("a")
		c.write("b")
		if snapshot {
			for _, m := range c.members {
				c.agree("a", "b")
				if err := m.Snapshot(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			c.write("c")
		}
		want := c.tapes[c.leader().cfg.ID].all()
		c.agree(want...)
		for _, id := range []string{"k1", "k2", "k3"} {
			c.kill(id)
		}
		// k2 and k3 are lost for good.
		cfg := c.configOf("k1")
		peers := []Member{{ID: "k1", Address: c.address("k1")}}
		before := hashDir(t, cfg.Dir)
		dry, err := Recover(cfg, peers, true)
		if err != nil {
			t.Fatal(err)
		}
		if after := hashDir(t, cfg.Dir); !reflect.DeepEqual(after, before) {
			t.Errorf("the dry run changed the directory:\n%v\n%v", before, after)
		}
		if dry.Done || len(dry.Before) != 3 || len(dry.After) != 1 || !reflect.DeepEqual(dry.Dropped, []string{"k2", "k3"}) ||
			(dry.SnapshotIndex > 0) != snapshot || dry.LastIndex == 0 || dry.Uncertain == 0 {
			t.Errorf("dry run: %+v", dry)
		}
		real, err := Recover(c.configOf("k1"), peers, false)
		dry.Done = true
		if err != nil || !reflect.DeepEqual(real, dry) {
			t.Errorf("recovered %+v, %v; the dry run said %+v", real, err, dry)
		}
		if again, err := Recover(c.configOf("k1"), peers, true); err != nil || again.Cluster != real.Cluster {
			t.Errorf("once more: %+v, %v", again, err)
		}
		c.start("k1")
		c.ready("k1")
		// One that was given up comes back: it is not of this cluster any more.
		lost := c.start("k2", func(cfg *Config) { cfg.Join = []string{c.address("k1")} })
		c.eventually("refusal", func() bool {
			err := lost.join(t.Context())
			return err != nil && strings.Contains(err.Error(), "another cluster")
		})
		c.kill("k2")
		c.write("d")
		c.agree(append(want, "d")...)
		c.join("k4")
		c.agree(append(want, "d")...)
	}
	f(WAL, false)
	f(WAL, true)
	f(Bolt, true)
}

func TestRecoverRefuses(t *testing.T) {
	t.Parallel()
	c := foundCluster(t, 1, newPipeNet())
	one := []Member{{ID: "k1", Address: "k1:1"}}
	f := func(id string, peers ...Member) {
		t.Helper()
		if r, err := Recover(c.configOf(id), peers, false); err == nil || r.Done {
			t.Errorf("recovered %+v", r)
		}
	}
	c.write("a")
	f("k1", one...) // it is running
	c.kill("k1")
	f("k1")
	f("k1", Member{ID: "k2", Address: "k2:1"})
	f("k1", append(one, Member{ID: "k1", Address: "k2:1"})...)
	f("k1", append(one, Member{ID: "k2", Address: "k1:1"})...)
	f("k2", Member{ID: "k2", Address: "k2:1"}) // has no state
	c.start("k1")
	c.ready("k1")
	c.agree("a")
}

// hashDir returns a checksum of every file.
func hashDir(t *testing.T, dir string) map[string][32]byte {
	t.Helper()
	sums := map[string][32]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		sums[path] = sha256.Sum256(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sums
}
