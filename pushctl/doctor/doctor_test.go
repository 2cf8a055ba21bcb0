package doctor

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// healthy is a machine that holds a million connections: files below its root.
func healthy() map[string]string {
	return map[string]string{
		"proc/meminfo":                                "MemTotal: 16000000 kB\nMemAvailable:   12000000 kB\nSwapTotal:       0 kB\n",
		"proc/cpuinfo":                                "processor\t: 0\nmodel: x\n\nprocessor\t: 1\n",
		"proc/self/status":                            "Name:\tpushctl\nCapEff:\t000001ffffffffff\n",
		"proc/self/limits":                            limits("1024", "4096"),
		"proc/sys/fs/nr_open":                         "2097152\n",
		"proc/sys/fs/file-nr":                         "1000\t0\t9223372036854775807\n",
		"proc/sys/net/core/somaxconn":                 "65535\n",
		"proc/sys/net/ipv4/tcp_max_syn_backlog":       "65535\n",
		"proc/sys/net/ipv4/tcp_mem":                   "382413\t509887\t764826\n",
		"proc/sys/net/ipv4/ip_local_port_range":       "1024\t65535\n",
		"proc/sys/vm/overcommit_memory":               "0\n",
		"proc/sys/vm/swappiness":                      "60\n",
		"proc/net/tcp":                                "  sl  local_address rem_address   st\n",
		"sys/kernel/mm/transparent_hugepage/enabled":  "always [madvise] never\n",
		"sys/kernel/btf/vmlinux":                      "\x9f\xeb",
		"sys/kernel/tracing/events/enable":            "0",
		"lib/systemd/system/pushd.service":            "[Service]\nLimitNOFILE=1048576\nMemoryHigh=80%\n",
		"proc/sys/net/netfilter/nf_conntrack_max":     "2097152\n",
		"proc/sys/net/netfilter/nf_conntrack_count":   "100\n",
		"sys/kernel/security/lockdown":                "[none] integrity confidentiality\n",
		"sys/fs/cgroup/system.slice/pushd.service/io": "",
	}
}

func limits(soft, hard string) string {
	return "Limit                     Soft Limit           Hard Limit           Units\n" +
		"Max processes             1000                 1000                 processes\n" +
		"Max open files            " + soft + "                 " + hard + "              files\n"
}

// running adds a pushd with a control group.
func running(m map[string]string) {
	m["proc/77/comm"] = "pushd\n"
	m["proc/77/limits"] = limits("1048576", "1048576")
	m["proc/77/cgroup"] = "0::/system.slice/pushd.service\n"
	m["proc/77/statm"] = "100000 50000 100 0 0 0 0\n"
	m["proc/77/fd/5"] = "->socket:[4242]"
}

func system(files map[string]string) System {
	root := fstest.MapFS{}
	for name, text := range files {
		if target, ok := strings.CutPrefix(text, "->"); ok {
			root[name] = &fstest.MapFile{Data: []byte(target), Mode: fs.ModeSymlink}
			continue
		}
		root[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return System{Root: root, Clock: func() (bool, time.Duration, error) { return true, 12 * time.Millisecond, nil }}
}

func find(t *testing.T, r Report, check string) Finding {
	t.Helper()
	i := slices.IndexFunc(r.Findings, func(f Finding) bool { return f.Check == check })
	if i < 0 {
		t.Fatalf("no finding %q in %+v", check, r.Findings)
	}
	return r.Findings[i]
}

func TestHealthyMachineHoldsAMillion(t *testing.T) {
	r := Examine(system(healthy()), 1e6)
	for _, f := range r.Findings {
		if f.State != Fine && f.Check != "local ports" || f.State == Fine && (f.Why != "" || f.Fixes != nil) {
			t.Errorf("%+v", f)
		}
	}
	if r.Stops != 0 || r.MemoryBytes != 4_972_000_000 || r.Descriptors != 1_000_512 {
		t.Errorf("%d stops, %d bytes, %d descriptors", r.Stops, r.MemoryBytes, r.Descriptors)
	}
}

func TestWhatIsWrongIsFound(t *testing.T) {
	f := func(check string, state State, line string, edit func(map[string]string)) {
		t.Helper()
		m := healthy()
		edit(m)
		r := Examine(system(m), 1e6)
		got := find(t, r, check)
		if got.State != state || state != Fine && got.Why == "" {
			t.Errorf("%s: %+v, want %s", check, got, state)
		}
		if has := len(got.Fixes) > 0 && got.Fixes[0].Line == line; line != "" && !has || line == "" && len(got.Fixes) > 0 {
			t.Errorf("%s: fixes %+v, want %q", check, got.Fixes, line)
		}
		if (r.Stops > 0) != (state == Stop) {
			t.Errorf("%s: %d stops: %+v", check, r.Stops, r.Findings)
		}
	}
	set := func(name, text string) func(map[string]string) {
		return func(m map[string]string) { m[name] = text }
	}
	drop := func(name string) func(map[string]string) { return func(m map[string]string) { delete(m, name) } }
	with := func(fs ...func(map[string]string)) func(map[string]string) {
		return func(m map[string]string) {
			for _, f := range fs {
				f(m)
			}
		}
	}
	f("memory", Stop, "", set("proc/meminfo", "MemAvailable: 4000000 kB\nSwapTotal: 0 kB\n"))
	f("memory", Warn, "", set("proc/meminfo", "MemAvailable: 5500000 kB\nSwapTotal: 0 kB\n"))
	f("memory", Unknown, "", drop("proc/meminfo"))
	f("MemoryMax", Stop, "MemoryMax=5927M", with(running, set("sys/fs/cgroup/system.slice/pushd.service/memory.max", "1000000000\n")))
	f("MemoryHigh", Stop, "MemoryHigh=5927M", with(running, set("sys/fs/cgroup/system.slice/pushd.service/memory.high", "1000000000\n")))
	f("MemoryHigh", Fine, "", with(running, set("sys/fs/cgroup/system.slice/pushd.service/memory.high", "9000000000\n")))
	f("MemoryMax", Stop, "MemoryMax=5927M", with(running,
		set("proc/77/cgroup", "4:memory:/pushd\n0::/\n"), set("sys/fs/cgroup/memory/pushd/memory.limit_in_bytes", "1000000000\n")))
	unit := func(line string) func(map[string]string) {
		return set("etc/systemd/system/pushd.service.d/memory.conf", "[Service]\n"+line+"\n")
	}
	f("MemoryHigh", Fine, "", unit(""))
	f("MemoryHigh", Stop, "MemoryHigh=5927M", unit("MemoryHigh=20%"))
	f("MemoryMax", Stop, "MemoryMax=5927M", unit("MemoryMax=2G"))
	f("MemoryMax", Fine, "", unit("MemoryMax=8G"))
	f("descriptors", Stop, "LimitNOFILE=1048576", set("lib/systemd/system/pushd.service", "[Service]\nLimitNOFILE=65536:524288\n"))
	f("descriptors", Fine, "", with(set("lib/systemd/system/pushd.service", "[Service]\nLimitNOFILE=4096\n"),
		set("etc/systemd/system/pushd.service.d/more.conf", "[Service]\nLimitNOFILE=1048576\n")))
	f("descriptors", Stop, "LimitNOFILE=1048576", with(running, set("proc/77/limits", limits("20000", "20000")))) // not what the unit says
	f("descriptors", Stop, "", drop("lib/systemd/system/pushd.service"))
	f("descriptors", Unknown, "", with(drop("lib/systemd/system/pushd.service"), drop("proc/self/limits")))
	f("fs.nr_open", Stop, "fs.nr_open = 1048576", set("proc/sys/fs/nr_open", "524288\n"))
	f("fs.nr_open", Warn, "fs.nr_open = 1048576", with(set("proc/sys/fs/nr_open", "1048000\n")))
	f("fs.file-max", Stop, "fs.file-max = 1048576", set("proc/sys/fs/file-nr", "1000 0 1000000\n"))
	f("processors", Warn, "CPUQuota=", with(running, set("sys/fs/cgroup/system.slice/pushd.service/cpu.max", "20000 100000\n")))
	f("processors", Fine, "", with(running, set("sys/fs/cgroup/system.slice/pushd.service/cpu.max", "max 100000\n")))
	f("net.core.somaxconn", Warn, "net.core.somaxconn = 65535", set("proc/sys/net/core/somaxconn", "128\n"))
	f("net.ipv4.tcp_mem", Warn, "net.ipv4.tcp_mem = 75000 100000 150000", set("proc/sys/net/ipv4/tcp_mem", "10 20 30\n"))
	f("nf_conntrack", Stop, "net.netfilter.nf_conntrack_max = 1048576", set("proc/sys/net/netfilter/nf_conntrack_max", "262144\n"))
	f("nf_conntrack", Fine, "", drop("proc/sys/net/netfilter/nf_conntrack_max"))
	f("local ports", Warn, "net.ipv4.ip_local_port_range = 1024 65535", set("proc/sys/net/ipv4/ip_local_port_range", "32768 60999\n"))
	f("swap", Warn, "vm.swappiness = 1", set("proc/meminfo", "MemAvailable: 12000000 kB\nSwapTotal: 2000000 kB\n"))
	f("huge pages", Warn, "w /sys/kernel/mm/transparent_hugepage/enabled - - - - madvise", set("sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n"))
	f("overcommit", Warn, "vm.overcommit_memory = 0", set("proc/sys/vm/overcommit_memory", "2\n"))
	f("probes", Warn, "", drop("sys/kernel/btf/vmlinux"))
	f("probes", Warn, "", drop("sys/kernel/tracing/events/enable"))
	f("probes", Warn, "", set("sys/kernel/security/lockdown", "none integrity [confidentiality]\n"))
	const taken = "  sl  local_address rem_address   st\n   0: 0100007F:1CE8 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0 0 4242 1\n"
	f("port 7400", Unknown, "", set("proc/net/tcp", taken))
	f("port 7400", Fine, "", with(running, set("proc/net/tcp", taken)))
	f("port 7400", Warn, "", with(set("proc/net/tcp6", taken), set("proc/9/comm", "nginx\n"), set("proc/9/fd/3", "->socket:[4242]")))
}

func TestClockAndRights(t *testing.T) {
	s := system(healthy())
	s.Clock = func() (bool, time.Duration, error) { return false, 0, nil }
	if f := find(t, Examine(s, 10), "clock"); f.State != Warn {
		t.Errorf("%+v", f)
	}
	s.Clock = func() (bool, time.Duration, error) { return false, 0, errors.New("not permitted") }
	if f := find(t, Examine(s, 10), "clock"); f.State != Unknown || f.Why != "not permitted" {
		t.Errorf("%+v", f)
	}
	f := func(caps string, uid int, want State) {
		t.Helper()
		m := healthy()
		m["proc/self/status"] = "CapEff:\t" + caps + "\n"
		s := system(m)
		s.UID = uid
		if got := find(t, Examine(s, 10), "probes"); got.State != want {
			t.Errorf("capabilities %s, user %d: %+v", caps, uid, got)
		}
	}
	f("0000000000000000", 0, Fine)
	f("0000000000000000", 1000, Warn)
	f("0000000000200000", 1000, Fine) // CAP_SYS_ADMIN
	f("000000c000000000", 1000, Fine) // CAP_BPF and CAP_PERFMON
	f("0000008000000000", 1000, Warn)
}

func TestAnEmptyMachineIsUnknownNotBroken(t *testing.T) {
	r := Examine(System{Root: fstest.MapFS{}, Clock: func() (bool, time.Duration, error) { return true, 0, nil }, UID: 1000}, 1e6)
	if r.Stops != 0 {
		t.Errorf("%+v", r)
	}
}

func TestUnitBytes(t *testing.T) {
	f := func(text string, want int64) {
		t.Helper()
		if got, ok := unitBytes(text, 1000); ok != (want >= 0) || ok && got != want {
			t.Errorf("%q: %d, %v, want %d", text, got, ok, want)
		}
	}
	f("80%", 800)
	f("1048576", 1<<20)
	f("512M", 512<<20)
	f("2G", 2<<30)
	f("1T", 1<<40)
	f("", -1)
	f("infinity", -1)
	f("%", -1)
	f("9999999999T", -1)
}

func TestUnits(t *testing.T) {
	f := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f(Count(0), "0")
	f(Count(1000512), "1,000,512")
	f(Count(1<<62), "no limit")
	f(Bytes(272), "272 B")
	f(Bytes(4_972_000_000), "5.0 GB")
	f(Bytes(25_400_000_000), "25 GB")
}
