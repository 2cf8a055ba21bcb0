package recorder

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushfleet/internal/record"
)

// kernelNumbers are the fields of the kernel's files, those without a number
// left out.
func kernelNumbers(t *testing.T, texts map[string]string) (map[string]int64, *sampler) {
	t.Helper()
	proc, blocks := fakeProc(t, texts)
	s := newSampler(blocks, nil)
	s.kernel = kernelSources(2, disks(blocks))
	s.open(proc)
	t.Cleanup(s.close)
	got := map[string]int64{}
	for _, k := range s.kernel {
		v := make([]int64, len(k.fields))
		k.read(&s.buf, v)
		for i, f := range k.fields {
			if v[i] != record.Missing {
				got[f.Name] = v[i]
			}
		}
	}
	return got, s
}

func TestKernel(t *testing.T) {
	got, _ := kernelNumbers(t, procTexts())
	want := map[string]int64{
		"cpu.user": 105, "cpu.system": 60, "cpu.idle": 900, "cpu.iowait": 7, "cpu.irq": 1, "cpu.softirq": 30, "cpu.steal": 2,
		"cpu0.user": 55, "cpu0.system": 30, "cpu0.irq": 1, "cpu0.softirq": 10, "cpu1.user": 50, "cpu1.system": 30, "cpu1.irq": 0, "cpu1.softirq": 20,
		"kernel.interrupts": 3216580, "kernel.switches": 6772000, "kernel.forks": 4321, "kernel.softirqs": 777, "cpu.runnable": 3, "cpu.blocked": 1,
		"cpu.wait": 3000, "stall.cpu": 404798490, "stall.cpu_full": 12, "stall.memory": 8, "stall.memory_full": 4,
		"mem.total": 8000, "mem.free": 1000, "mem.available": 5000, "mem.cached": 300, "mem.dirty": 4, "mem.slab": 77, "mem.swap_free": 0,
		"mem.faults": 123, "mem.major_faults": 4, "mem.stalls": 11, "mem.oom_kills": 1,
		"disk.reads": 10, "disk.read_bytes": 200, "disk.writes": 40, "disk.write_bytes": 600, "disk.busy": 80,
		"lo.bytes": 1000, "lo.packets": 10,
		"net.rx_bytes": 550, "net.rx_packets": 6, "net.rx_errors": 1, "net.rx_drops": 2, "net.tx_bytes": 770, "net.tx_packets": 8, "net.tx_errors": 3, "net.tx_drops": 4,
		"tcp.dials": 11, "tcp.accepts": 12, "tcp.established": 13, "tcp.retransmits": 14,
		"tcp.syn_cookies": 1, "tcp.listen_overflows": 2, "tcp.listen_drops": 3,
		"sockets": 17, "tcp.in_use": 1, "tcp.orphans": 2, "tcp.time_wait": 39, "tcp.allocated": 169, "tcp.memory": 4,
		"net.processed": 256, "net.backlog_drops": 1, "net.squeezed": 5, "process.rss": 250,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestAFileThatIsHiddenIsAGap is what ProcSubset=pid does to /proc.
func TestAFileThatIsHiddenIsAGap(t *testing.T) {
	texts := procTexts()
	for name := range texts {
		if !strings.HasPrefix(name, "self/") {
			delete(texts, name)
		}
	}
	got, s := kernelNumbers(t, texts)
	if got["net.rx_bytes"] != 550 || got["process.rss"] != 250 {
		t.Errorf("what is not hidden: %v", got)
	}
	if _, ok := got["cpu.user"]; ok {
		t.Error("cpu.user has a number from nowhere")
	}
	var files []string
	for _, g := range s.gaps() {
		files = append(files, g.path)
		if !strings.Contains(g.why, "ProcSubset=pid") || len(g.fields) == 0 {
			t.Errorf("%s: %q %v", g.path, g.why, g.fields)
		}
	}
	if diff := cmp.Diff([]string{"stat", "schedstat", "pressure/cpu", "pressure/memory", "pressure/io", "meminfo", "vmstat", "diskstats"}, files); diff != "" {
		t.Error(diff)
	}
}

// TestTextsThatNobodyExpects must not break anything: kernels change.
func TestTextsThatNobodyExpects(t *testing.T) {
	for _, text := range []string{"", "\n", "cpu", "cpu \ncpu9999999999999999999999 1 2 3\ncpu-1 4\n", "a", "a b", "Tcp:\n", "Tcp: A B\n", "Tcp: CurrEstab\nTcp:\n",
		"TCP: inuse\n", "some total=\nfull total=x\nmore total=1\n", strings.Repeat("x ", 1000), "intr\nctxt -1\n", "lo:", "99999999999999999999999999"} {
		texts := procTexts()
		for name := range texts {
			texts[name] = text
		}
		kernelNumbers(t, texts)
	}
}

func TestALongFileIsReadWhole(t *testing.T) {
	texts := procTexts()
	texts["vmstat"] = strings.Repeat("nothing_of_ours 1\n", 20_000) + "pgfault 77\n"
	if got, _ := kernelNumbers(t, texts); got["mem.faults"] != 77 {
		t.Errorf("behind 360 KB: %d", got["mem.faults"])
	}
}

// TestThisMachine reads the real files: what is there must make sense.
func TestThisMachine(t *testing.T) {
	if _, err := os.Stat("/proc/stat"); err != nil {
		t.Skip("no /proc/stat: ", err)
	}
	s := newSampler("/sys/block", func(_ context.Context, f *Figures) { *f = Figures{} })
	s.open("/proc")
	defer s.close()
	var r record.Record
	s.take(t.Context(), time.Now(), &r)
	at := record.Schema{Fields: s.fields}
	for _, name := range []string{"cpu.user", "cpu.idle", "cpu0.user", "kernel.switches", "mem.total", "mem.faults", "lo.bytes", "process.rss", "process.user", "go.goroutines", "go.heap", "go.scheds"} {
		if v := r.V[at.Index(name)]; v < 0 || v == 0 && name != "lo.bytes" && name != "process.user" {
			t.Errorf("%s is %d", name, v)
		}
	}
	if n := testing.AllocsPerRun(20, func() { s.take(context.Background(), time.Now(), &r) }); n > 2 {
		t.Errorf("a record allocates %v times", n)
	}
}

func TestNamesAreOnceAndReadable(t *testing.T) {
	s := newSampler("/sys/block", nil)
	seen := map[string]bool{}
	for _, f := range s.fields {
		if seen[f.Name] {
			t.Errorf("%s is there twice", f.Name)
		}
		seen[f.Name] = true
		if _, err := record.NewFinder(f.Name+" > 1", 1); err != nil {
			t.Errorf("%s cannot be searched for: %v", f.Name, err)
		}
		if f.Kind != record.Counter && f.Kind != record.Gauge && f.Kind != record.Peak {
			t.Errorf("%s is a %q", f.Name, f.Kind)
		}
	}
}

func TestReasons(t *testing.T) {
	_, err := os.Open(filepath.Join(t.TempDir(), "nowhere"))
	if got := reason(err); !strings.Contains(got, "hidden") {
		t.Error(got)
	}
	if got := reason(os.ErrPermission); !strings.Contains(got, "permission") {
		t.Error(got)
	}
}
