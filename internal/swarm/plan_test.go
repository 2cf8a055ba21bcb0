package swarm

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"pushfleet/internal/push"
)

var (
	testTarget = netip.MustParseAddrPort("127.0.0.1:7400")
	testHost   = host{fdLimit: 20_000, fdsOpen: 10, portLow: 32768, portHigh: 60999,
		fileNr: 1000, fileMax: 2_466_177, freeBytes: 20 << 30}
)

func TestPlanFits(t *testing.T) {
	f := func(o Options, workers, sources int) {
		t.Helper()
		o.Target = testTarget
		p, err := makePlan(o, testHost)
		if err != nil {
			t.Errorf("%d connections: %v", o.Conns, err)
			return
		}
		if p.Workers != workers || p.Sources != sources {
			t.Errorf("%d connections: %d workers, %d sources; want %d, %d", o.Conns, p.Workers, p.Sources, workers, sources)
		}
		if p.FDs > p.FDLimit || p.Workers*p.PerWorker < o.Conns || (p.Workers-1)*p.PerWorker >= o.Conns {
			t.Errorf("%d connections: plan %+v", o.Conns, p)
		}
	}
	f(Options{Conns: 1}, 1, 1)
	f(Options{Conns: 10_000}, 1, 1)
	f(Options{Conns: 19_900}, 1, 2)
	f(Options{Conns: 10_000, Workers: 3}, 3, 1)
	f(Options{Conns: 200_000, Unshare: true}, 11, 18)
	f(Options{Conns: 950_000, Unshare: true}, 49, 85)
	f(Options{Conns: 100, PortsPerSource: 10}, 1, 10)
}

func TestPlanRefuses(t *testing.T) {
	f := func(o Options, change func(*host), want string) {
		t.Helper()
		if !o.Target.IsValid() {
			o.Target = testTarget
		}
		h := testHost
		if change != nil {
			change(&h)
		}
		if p, err := makePlan(o, h); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("plan %v, error %v; want one with %q", p, err, want)
		}
	}
	f(Options{Conns: 0}, nil, "want 1 to")
	f(Options{Conns: ConnsMax + 1}, nil, "want 1 to")
	f(Options{Conns: 1, Target: netip.MustParseAddrPort("[::1]:7400")}, nil, "IPv4")
	f(Options{Conns: 1, Workers: 2}, nil, "2 workers for 1")
	f(Options{Conns: 20_000}, nil, "ulimit -n 20068")
	f(Options{Conns: 950_000, Unshare: true, Workers: 10}, nil, "leave the number of workers to the plan")
	f(Options{Conns: 100, FDsMax: 60, Unshare: true}, nil, "do not fit tables of 60")
	f(Options{Conns: 1_300_000, Unshare: true}, nil, "fs.file-max=2601000")
	f(Options{Conns: 950_000, Unshare: true}, func(h *host) { h.freeBytes = 1 << 30 }, "ask for at most 109,780")
	f(Options{Conns: 10, PortsPerSource: 30_000}, nil, "ip_local_port_range 32768-60999 has 28,232")
	f(Options{Conns: 100, PortsPerSource: 1, Source: netip.MustParseAddr("127.255.255.200")}, nil, "begin lower")
	f(Options{Conns: 30_000, Unshare: true, Target: netip.MustParseAddrPort("192.0.2.1:7400")}, nil, "need 3 source addresses")
	if _, err := makePlan(Options{Conns: 20_000, Target: testTarget}, testHost); !errors.Is(err, ErrNeedsUnshare) {
		t.Errorf("%v is not ErrNeedsUnshare", err)
	}
}

func TestPlanText(t *testing.T) {
	f := func(o Options, want string) {
		t.Helper()
		o.Target = testTarget
		p, err := makePlan(o, testHost)
		if got := p.String(); err != nil || got != want {
			t.Errorf("plan %q, %v\nwant %q", got, err, want)
		}
	}
	f(Options{Conns: 10_000}, "10,000 connections from 127.0.0.2, 10,068 fds of 20,000, 66 MB, ramp 2 s")
	f(Options{Conns: 200_000, Unshare: true, Rate: 10_000}, "200,000 connections from 127.0.0.2 to 127.0.0.19 with 11,292 ports each, "+
		"18,290 fds of 20,000 in each of 11 tables, 992 MB, ramp 20 s")
}

func TestParseMix(t *testing.T) {
	f := func(s string, want ...float64) {
		t.Helper()
		m, err := ParseMix(s, ParseProfile)
		if err != nil {
			t.Errorf("%q: %v", s, err)
			return
		}
		for i, p := range want {
			if d := m[i].Part - p; d > 1e-9 || d < -1e-9 {
				t.Errorf("%q: part %d is %g, want %g", s, i, m[i].Part, p)
			}
		}
	}
	f("fast", 1)
	f("fast,slow=1%,stalled=0.5%", 0.985, 0.01, 0.005)
	f("fast,churn", 0.5, 0.5)
	f("slow=0.25, fast=75%", 0.25, 0.75)
	for _, s := range []string{"", "quick", "slow=1%", "fast=60%,slow=60%", "fast=x", "fast=-1", "fast,slow=NaN"} {
		if m, err := ParseMix(s, ParseProfile); err == nil {
			t.Errorf("%q was read as %v", s, m)
		}
	}
}

func TestPickKeepsShares(t *testing.T) {
	m, err := ParseMix("ws,sse=30%,poll=1%", push.ParseProto)
	if err != nil {
		t.Fatal(err)
	}
	n := map[push.Proto]int{}
	for i := range 10_000 {
		n[m.pick(i, protoStep, push.ProtoNone)]++
	}
	for _, s := range m {
		if got := float64(n[s.What]) / 10_000; got < s.Part-0.002 || got > s.Part+0.002 {
			t.Errorf("%v got %.4f of the connections, want %.4f", s.What, got, s.Part)
		}
	}
}
