package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"pushfleet/internal/keeperapi"
)

// disk is a small file system of its own.
type disk struct {
	t   testing.TB
	dir string
}

func newDisk(t testing.TB, dir, size string) *disk {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Fatalf("mount %s: %v", dir, err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return &disk{t, dir}
}

// grow makes room.
func (d *disk) grow(size string) {
	d.t.Helper()
	if err := syscall.Mount("tmpfs", d.dir, "tmpfs", syscall.MS_REMOUNT, "size="+size); err != nil {
		d.t.Fatalf("remount %s: %v", d.dir, err)
	}
}

// fill takes all the room that is left; free gives it back.
func (d *disk) fill() (free func()) {
	d.t.Helper()
	name := filepath.Join(d.dir, "ballast")
	f, err := os.Create(name)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	for chunk := make([]byte, 1<<16); ; {
		if _, err := f.Write(chunk); err != nil {
			break
		}
	}
	return func() { _ = os.Remove(name) }
}

// TestFullDisk fills the disk of the member that leads until it cannot write
// its log, and the disk of a node until it cannot write what it holds. The
// fleet goes on, both say what is wrong, and both recover when there is room.
func TestFullDisk(t *testing.T) {
	k := newKeepers(t, newLAN(t), 3)
	small := newDisk(t, filepath.Join(k.all[0].dir, "state"), "20m") // one segment of the log has 16
	for i := range k.all {
		k.run(i)
	}
	k.leader()
	k.admit()
	c := k.client(patience)
	nodes := startNodes(t, k, 2)
	must(t, c, set(keeperapi.Fleet, knobQueue, "512"))

	t.Run("member", func(t *testing.T) {
		lead(t, k, 0)
		for i := range 10 { // 2 MB each
			bigNode(t, c, i)
		}
		must(t, c, set(keeperapi.Fleet, knobQueue, "513"))
		eventually(t, "all nodes hold it", func() bool { return all(nodes, knobQueue, "513") })
		k.leader(0) // another one than that without room
		eventually(t, "the log says what is wrong", func() bool { return k.all[0].proc.logged("no space left on device") })
		small.grow("200m")
		if !k.all[0].proc.running() {
			t.Logf("the member has ended:\n%s", k.all[0].proc.tail(30))
			k.run(0)
		}
		eventually(t, "the member is back", func() bool {
			s, l := k.status(0), k.status(1)
			return s != nil && l != nil && s.Revision >= l.Revision
		})
		k.leader()
	})
	t.Run("node", func(t *testing.T) { fullNode(t, k, c) })
}

// lead makes a member the leader.
func lead(t *testing.T, k *keepers, i int) {
	t.Helper()
	eventually(t, k.all[i].id+" leads", func() bool {
		at := k.leader()
		if at == i {
			return true
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		_ = k.all[at].local.Transfer(ctx, k.all[i].id) // tried again
		return false
	})
}

// bigNode has a node come that declares two megabytes of knobs, and go.
func bigNode(t *testing.T, c *keeperapi.Client, i int) {
	t.Helper()
	var s keeperapi.Schema
	for j := range 2000 {
		s = append(s, keeperapi.Decl{Name: fmt.Sprintf("big%d.knob%d_max", i, j), Type: "int", Default: "0", Min: "0", Max: "9",
			Acts: "live", Help: strings.Repeat("x", 1000)})
	}
	n := startScribe(t, c, "big", s)
	eventually(t, "the big node is there", func() bool {
		all, err := c.Nodes(t.Context(), keeperapi.Read{})
		for j := range all {
			if err == nil && all[j].ID == "big" && all[j].Schema == s.Hash() {
				return true
			}
		}
		return false
	})
	n.stop()
}

// fullNode: a node that cannot write down a value does not take it, since it
// would lose it with the next start, and says so.
func fullNode(t *testing.T, k *keepers, c *keeperapi.Client) {
	n := newNode(t, k, "n9")
	room := newDisk(t, n.dir, "1m")
	n.run()
	eventually(t, "the node follows", func() bool { return n.holds(knobQueue, "513") })
	free := room.fill()
	r := set("node=n9", knobQueue, "514")
	a := must(t, c, r)
	if a.Applied == nil || len(a.Applied.Nacked) != 1 || !strings.Contains(a.Applied.Nacked[0].Reason, "make room") {
		t.Errorf("applied %+v", a.Applied)
	}
	if !n.holds(knobQueue, "513") || !n.drifts(knobQueue, keeperapi.DriftNacked) {
		t.Errorf("the node holds %+v", n.knob(knobQueue))
	}
	free()
	eventually(t, "the node takes it when there is room", func() bool { return n.holds(knobQueue, "514") && !n.drifts(knobQueue, keeperapi.DriftNacked) })
}
