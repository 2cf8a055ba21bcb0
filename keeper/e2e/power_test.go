package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"pushfleet/internal/keeperapi"
)

// drive is an ext4 on a file, mounted at dir. What is not synced is not in the
// file: a copy of it is what a power failure would leave.
type drive struct {
	t      testing.TB
	dir    string
	image  string
	copies int
}

// driveBytes has room for a few segments of a keeper's log.
const driveBytes = 96 << 20

func newDrive(t testing.TB, dir string) *drive {
	t.Helper()
	for _, tool := range []string{"mkfs.ext4", "mount", "strace"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed; scripts/test-deps.sh does it", tool)
		}
	}
	d := &drive{t: t, dir: dir, image: filepath.Join(shortDir(t), "image")}
	if err := os.WriteFile(d.image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(d.image, driveBytes); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=1", d.image).CombinedOutput(); err != nil {
		t.Fatalf("mkfs.ext4: %v: %s", err, out)
	}
	d.mount()
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return d
}

func (d *drive) mount() {
	d.t.Helper()
	if out, err := exec.Command("mount", "-o", "loop", d.image, d.dir).CombinedOutput(); err != nil {
		d.t.Skipf("no disk on a file here: mount: %v: %s", err, out)
	}
}

// freeze copies what is durable now. Nothing may write meanwhile.
func (d *drive) freeze() (image string) {
	d.t.Helper()
	d.copies++
	image = fmt.Sprintf("%s.%d", d.image, d.copies)
	if out, err := exec.Command("cp", "--sparse=always", d.image, image).CombinedOutput(); err != nil {
		d.t.Fatalf("cp: %v: %s", err, out)
	}
	return image
}

// replace puts another image in the drive's place. All processes that were
// started since it was mounted must have ended: ip gives each its own mounts.
func (d *drive) replace(image string) {
	d.t.Helper()
	eventually(d.t, "the drive is let go", func() bool { return syscall.Unmount(d.dir, 0) == nil })
	if err := os.Remove(d.image); err != nil {
		d.t.Fatal(err)
	}
	d.image = image
	d.mount()
}

// stoppedAt runs a command on a host under strace, which stops all of it when
// one of its threads enters its nth sync.
func stoppedAt(t testing.TB, host string, n int, command ...string) *process {
	t.Helper()
	p := launch(t, host, append(strace(n, ""), command...)...)
	p.traced = true
	return p
}

// strace is the command that stops a process at its nth sync of a path, "" for
// any.
func strace(n int, path string) []string {
	out := []string{"strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e",
		fmt.Sprintf("inject=fsync,fdatasync:signal=SIGSTOP:when=%d", n)}
	if path != "" {
		out = append(out, "-P", path)
	}
	return out
}

// stopAt does it to a process that runs already. The tracer ends with it.
func (p *process) stopAt(t testing.TB, n int, path string) (tracer *process) {
	t.Helper()
	return launch(t, p.name, append(strace(n, path), "-p", strconv.Itoa(p.cmd.Process.Pid))...)
}

// stopped tells whether all threads of a process stand still.
func stopped(pid int) bool {
	states, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(states) == 0 {
		return false
	}
	for _, name := range states {
		text, err := os.ReadFile(name)
		_, rest, ok := strings.Cut(string(text), ") ")
		if err != nil || !ok || !strings.HasPrefix(rest, "t") && !strings.HasPrefix(rest, "T") {
			return false
		}
	}
	return true
}

// TestPowerOfAKeeperFails lets the power fail when a thread of a keeper enters
// its first sync, its second and so on: of a start, and then of a keeper in
// which values are set and snapshots taken. Each time it starts again from what
// was on the disk, and everything that was acknowledged is there: log,
// snapshots, terms and identity go through this.
func TestPowerOfAKeeperFails(t *testing.T) {
	const ofStart, ofWork = 8, 12
	k := newKeepers(t, newLAN(t), 1)
	m := k.all[0]
	d := newDrive(t, filepath.Join(m.dir, "state"))
	schema, knobs := linearSchema()
	startScribe(t, m.local, "scribe", schema)
	w := &pairWriter{k: k, knobs: [2]string{knobs[0], knobs[1]}}
	missed := 0
	fail := func(n int, tracer *process) {
		if !w.until(m.proc.stands) {
			missed++ // no thread synced so often
			if pid := m.proc.pid(); pid > 0 {
				_ = syscall.Kill(pid, syscall.SIGSTOP)
			}
			eventually(t, "the keeper stands still", m.proc.stands)
		}
		image := d.freeze()
		m.proc.kill()
		if tracer != nil {
			<-tracer.ended
		}
		d.replace(image)
		k.run(0)
		k.leader()
		w.check(t, n)
	}
	for n := 1; n <= ofStart; n++ {
		m.proc = stoppedAt(t, m.id, n, append([]string{filepath.Join(bin, "keeper")}, m.args...)...)
		fail(n, nil)
		m.proc.kill()
	}
	k.run(0)
	k.leader()
	declared(t, m.local, knobs)
	for n := 1; n <= ofWork; n++ {
		tracer := m.proc.stopAt(t, n, "")
		eventually(t, "the keeper is traced", m.proc.isTraced)
		fail(n, tracer)
	}
	t.Logf("%d changes and %d snapshots were acknowledged; %d of %d failures of power did not come at a sync", w.acked, w.snapshots, missed, ofStart+ofWork)
	if w.acked == 0 || w.snapshots == 0 || missed > ofWork/2 {
		t.Error("that proves too little")
	}
}

// pairWriter sets two knobs to the same value in one transaction.
type pairWriter struct {
	k         *keepers
	knobs     [2]string
	value     int    // last tried
	revision  uint64 // last acknowledged
	acked     int
	snapshots int
}

// until writes until f is true, or for a while in which much was written, and
// tells which.
func (w *pairWriter) until(f func() bool) bool {
	c := keeperapi.NewClient([]string{w.k.all[0].socket}, keeperapi.ClientOptions{Timeout: 500 * time.Millisecond})
	defer c.Close()
	acked := w.acked
	for began := time.Now(); time.Since(began) < 4*time.Second || w.acked < acked+300 && time.Since(began) < patience; {
		if f() {
			return true
		}
		if stopped(w.k.all[0].proc.pid()) { // nobody would answer
			continue
		}
		w.value++
		r := set(keeperapi.Fleet, w.knobs[0], strconv.Itoa(w.value), w.knobs[1], strconv.Itoa(w.value))
		r.WaitMS = 0
		if a, err := c.Txn(w.k.t.Context(), r); err == nil {
			w.revision = a.Revision
			w.acked++
		}
		if w.value%7 == 0 && c.Snapshot(w.k.t.Context()) == nil {
			w.snapshots++
		}
	}
	return f()
}

// check looks for what was acknowledged last, and for half a transaction.
func (w *pairWriter) check(t *testing.T, n int) {
	t.Helper()
	var last [2]keeperapi.KnobInfo
	for i, name := range w.knobs {
		eventually(t, "the keeper answers", func() bool {
			info, err := w.k.all[0].local.Knob(t.Context(), name, keeperapi.Read{})
			if w.revision == 0 && code(err) == keeperapi.CodeUnknownKnob { // the node that declares it has not come yet
				return true
			}
			if err == nil {
				last[i] = *info
			}
			return err == nil
		})
	}
	if last[0].Last < w.revision || last[0].Last != last[1].Last {
		t.Fatalf("power failed at sync %d: r%d and r%d are there, r%d was acknowledged", n, last[0].Last, last[1].Last, w.revision)
	}
	if w.revision > 0 && last[0].Values[0].Value.Value != last[1].Values[0].Value.Value {
		t.Fatalf("power failed at sync %d: half a transaction is there: %+v", n, last)
	}
}

// TestPowerOfANodeFails lets the power of a node fail at the sync of the file in
// which it writes down a new value, and at that of the folder. It comes back, with no keeper to ask, on the value
// that it had lived with: never on the default, or on a damaged file.
func TestPowerOfANodeFails(t *testing.T) {
	k := startKeepers(t, newLAN(t), 1)
	c := k.client(patience)
	n := newNode(t, k, "n1")
	d := newDrive(t, n.dir)
	n.run()
	follow(t, c, 1)
	must(t, c, set(keeperapi.Fleet, knobQueue, "512"))
	settled(t, n)
	n.proc.term(t)
	base := d.freeze()
	for i, path := range []string{filepath.Join(n.dir, "knobs.json.new"), n.dir} {
		d.replace(cloned(t, base, i))
		n.run()
		follow(t, c, 1)
		tracer := n.proc.stopAt(t, 1, path)
		eventually(t, "the node is traced", n.proc.isTraced)
		value, at := 1000*(i+1), time.Now()
		turn := func() { // a thread that the tracer had not reached yet went through
			value, at = value+1, time.Now()
			r := set(keeperapi.Fleet, knobQueue, strconv.Itoa(value))
			r.WaitMS = 0
			must(t, c, r)
		}
		turn()
		eventually(t, "the node stands still at the sync of "+path, func() bool {
			if time.Since(at) > 10*time.Second {
				turn()
			}
			return n.proc.stands()
		})
		image := d.freeze()
		n.proc.kill()
		<-tracer.ended
		d.replace(image)
		k.lan.unplug(n.id)
		n.run()
		eventually(t, "the node serves", func() bool { return n.state() != nil })
		if v := n.knob(knobQueue); v == nil || v.Value != "512" || n.proc.logged("cannot be used") {
			t.Errorf("power failed at the sync of %s: the node holds %+v:\n%s", path, v, n.proc.tail(20))
		}
		n.proc.kill()
		k.lan.plug(n.id)
		must(t, c, set(keeperapi.Fleet, knobQueue, "512"))
	}
}

// cloned is a copy of an image.
func cloned(t testing.TB, image string, n int) string {
	t.Helper()
	out := fmt.Sprintf("%s-%d", image, n)
	if text, err := exec.Command("cp", "--sparse=always", image, out).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v: %s", err, text)
	}
	return out
}

// isTraced tells whether a tracer holds all threads of the process.
func (p *process) isTraced() bool {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", p.cmd.Process.Pid))
	if err != nil || len(threads) == 0 {
		return false
	}
	for _, name := range threads {
		text, err := os.ReadFile(name)
		if err == nil && !strings.Contains(string(text), "TracerPid:") || strings.Contains(string(text), "TracerPid:\t0\n") {
			return false
		}
	}
	return true
}
