package doctor

import "fmt"

// backlogs are the two queues in front of accept.
func backlogs(l *look, _ plan) (found []Finding) {
	for _, name := range []string{"net.core.somaxconn", "net.ipv4.tcp_max_syn_backlog"} {
		n, ok := l.sysctl(name)
		if !ok {
			found = append(found, unknown(name, sysctlFile(name))...)
			continue
		}
		f := Finding{Check: name, State: Fine, Have: Count(n), Need: Count(backlog)}
		if n < backlog {
			f.State, f.Why = Warn, "when many clients reconnect at once, those above it wait seconds for the next try"
			f.Fixes = setSysctl(name, 65535)
		}
		found = append(found, f)
	}
	return found
}

// socketMemory wants a page of buffer for a tenth of the connections before
// the kernel squeezes all of them. Idle ones take none of it.
func socketMemory(l *look, p plan) []Finding {
	const name = "net.ipv4.tcp_mem"
	v := l.numbers(sysctlFile(name))
	if len(v) != 3 {
		return unknown(name, sysctlFile(name))
	}
	need := p.conns / 10
	f := Finding{Check: name, State: Fine, Have: Bytes(v[1]*pageBytes) + " to pressure", Need: Bytes(need * pageBytes)}
	if v[1] < need {
		f.State, f.Why = Warn, "with one page waiting in every tenth connection the kernel begins to drop packets of all"
		f.Fixes = setSysctl(name, fmt.Sprintf("%d %d %d", max(v[0], need*3/4), need, max(v[2], need*3/2)))
	}
	return one(f)
}

// conntrack is full silently: packets of new connections are dropped.
func conntrack(l *look, p plan) []Finding {
	const name = "net.netfilter.nf_conntrack_max"
	most, ok := l.sysctl(name)
	if !ok {
		return one(Finding{Check: "nf_conntrack", State: Fine, Have: "not in use"})
	}
	used, _ := l.sysctl("net.netfilter.nf_conntrack_count")
	f := Finding{Check: "nf_conntrack", State: Fine, Have: Count(most) + ", used " + Count(used), Need: Count(used + p.conns)}
	if used+p.conns > most {
		f.State, f.Why = Stop, "the firewall follows every connection, and drops new ones when its table is full; better still is a notrack rule for the client port"
		f.Fixes = setSysctl(name, roundUp(used+p.conns))
	}
	return one(f)
}

// localPorts matter to clients and proxies on this machine only.
func localPorts(l *look, p plan) []Finding {
	const name = "net.ipv4.ip_local_port_range"
	v := l.numbers(sysctlFile(name))
	if len(v) != 2 {
		return unknown(name, sysctlFile(name))
	}
	have := v[1] - v[0] + 1
	f := Finding{Check: "local ports", State: Fine, Have: Count(have)}
	if have < p.conns {
		f.Need = Count(p.conns) + " by a proxy"
		f.State, f.Why = Warn, "clients that connect directly do not care. A proxy on this machine has so many connections per pair of addresses: let pushd listen on several of 127.0.0.0/8, or widen the range"
		if have < 60_000 {
			f.Fixes = setSysctl(name, "1024 65535")
		}
	}
	return one(f)
}
