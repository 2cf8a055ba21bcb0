package main

import (
	"bytes"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"pushfleet/pushctl/doctor"
	"pushfleet/pushctl/table"
)

// cramped is a machine with a limit that stops and one that warns.
func cramped() doctor.System {
	return doctor.System{Clock: func() (bool, time.Duration, error) { return true, 0, nil }, Root: fstest.MapFS{
		"proc/meminfo":                     {Data: []byte("MemAvailable: 12000000 kB\nSwapTotal: 0 kB\n")},
		"proc/sys/fs/nr_open":              {Data: []byte("1048576\n")},
		"lib/systemd/system/pushd.service": {Data: []byte("[Service]\nLimitNOFILE=65536\n")},
		"proc/sys/net/core/somaxconn":      {Data: []byte("128\n")},
	}}
}

func TestDoctorScreen(t *testing.T) {
	r := doctor.Examine(cramped(), 200_000)
	r.Findings = r.Findings[:6]
	got := strings.Join(doctorScreen(&r, "gw-1", table.Style{}), "\n")
	const want = `200,000 connections on gw-1 take 994 MB and 200,512 descriptors

         CHECK               HAVE                      NEED
stop     descriptors         65,536, by pushd.service  200,512
warn     net.core.somaxconn  128                       4,096
unknown  fs.file-max         –
fine     memory              12 GB free                994 MB
fine     fs.nr_open          1,048,576                 200,512
fine     processors          –

descriptors: each connection is a descriptor; --unshare-files gives every loop a
  table of its own, where the limit cannot be raised

net.core.somaxconn: when many clients reconnect at once, those above it wait
  seconds for the next try

fs.file-max: /proc/sys/fs/file-nr cannot be read

To change, for those that you agree with; nothing was changed:

  /etc/systemd/system/pushd.service.d/limits.conf
    [Service]
    LimitNOFILE=262144
  then: systemctl daemon-reload && systemctl restart pushd

  /etc/sysctl.d/90-pushfleet.conf
    net.core.somaxconn = 65535
  then: sysctl --system`
	if got != want {
		t.Errorf("screen\n%s\nwant\n%s", got, want)
	}
}

func TestDoctorFailsWhenSomethingStops(t *testing.T) {
	f := func(conns int64, format, want, wantErr string) {
		t.Helper()
		var out bytes.Buffer
		o := &options{env: &env{out: &out}, format: format}
		err := o.examine(cramped(), conns)
		if (err == nil) != (wantErr == "") || err != nil && (!strings.Contains(err.Error(), wantErr) || exitCode(err) != exitFailed) {
			t.Errorf("%d: %v, want %q", conns, err, wantErr)
		}
		if !strings.Contains(out.String(), want) {
			t.Errorf("%d: %q is not in\n%s", conns, want, out.String())
		}
	}
	f(1000, "table", "1,000 connections on this machine", "")
	f(1000, "json", `"stops": 0`, "")
	f(200_000, "json", `"line": "LimitNOFILE=262144"`, "1 limit stops this machine from holding 200,000 connections")
	f(200_000, "csv", "descriptors,stop,", "1 limit stops")
	f(16_000_000, "table", "To change", "limits stop this machine")
}

func TestParsePlan(t *testing.T) {
	f := func(text string, want int64) {
		t.Helper()
		got, err := parsePlan(text)
		if got != want || (err != nil) != (want == 0) {
			t.Errorf("%q: %d, %v, want %d", text, got, err, want)
		}
	}
	f("100000", 100_000)
	f("100,000", 100_000)
	f("200k", 200_000)
	f("1m", 1_000_000)
	f("1.5M", 1_500_000)
	f("0", 0)
	f("-1", 0)
	f("many", 0)
	f("1000m", 0)
	f("NaN", 0)
}

func TestDoctorLooksAtThisMachine(t *testing.T) {
	var out, errs bytes.Buffer
	e := host()
	e.out, e.err = &out, &errs
	if code := run([]string{"doctor", "--conns", "10", "-o", "json"}, e); code != exitFine && code != exitFailed || !strings.Contains(out.String(), `"check": "memory"`) {
		t.Errorf("exit %d\n%s%s", code, out.String(), errs.String())
	}
	if code := run([]string{"doctor", "--conns", "x"}, e); code != exitUsage {
		t.Errorf("exit %d for a wrong number", code)
	}
}
