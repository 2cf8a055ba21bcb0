package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/probe"
	"pushfleet/pushctl/table"
)

// processOf asks a node where it runs and finds its process here. A node of
// another host is refused with what to run there: probes need root, and no root
// is lent through a node.
func processOf(c *cli.Context, node *pushdapi.Client) (int, error) {
	v, err := node.Version(c.Context)
	if err != nil {
		return 0, noPlace(c, &silentError{asked: 1, silent: []silentNode{{node.Addr(), err}}})
	}
	if v.Place == nil {
		return 0, &hinted{fmt.Errorf("%s runs pushd %s, which does not say where", node.Addr(), table.Safe(v.Version)),
			"  on its own host   sudo pushctl " + again(c) + " --pid $(pidof pushd)"}
	}
	here := pushdapi.Here()
	if !v.Place.SameHost(here) {
		return 0, elsewhere(c, v)
	}
	return numberHere(v.Place, here)
}

// noPlace adds to an error that a node which hangs can be probed all the same.
func noPlace(c *cli.Context, err error) error {
	if hint := next(err); errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
		return &hinted{err, hint + "\n  without asking it sudo pushctl " + again(c) + " --pid $(pidof pushd)"}
	}
	return err
}

// numberHere is the number that a process of this host has here.
func numberHere(p *pushdapi.Place, here pushdapi.Place) (int, error) {
	if p.PIDs != here.PIDs {
		return probe.PIDIn(p.PIDs, p.PID)
	}
	return p.PID, nil
}

// elsewhere says how to probe a node on its own host.
func elsewhere(c *cli.Context, v *pushdapi.Version) error {
	pid := fmt.Sprint(v.Place.PID)
	if v.Place.PIDs != probe.HostPIDs { // the number in a container is not the host's
		pid = "$(pidof pushd)"
	}
	host := cmp.Or(v.Place.Hostname, "HOST")
	return &hinted{fmt.Errorf("%s runs on host %s, and a probe sees the processes of its own host only", table.Safe(v.Node), table.Safe(host)),
		fmt.Sprintf("  run it there      ssh %s sudo pushctl %s --pid %s", quoted(host), again(c), shielded(pid))}
}

// again is the command line that was given, without --node, for another shell.
func again(c *cli.Context) string {
	words := []string{short(c.Command)}
	for _, f := range c.Command.Flags {
		name := f.Names()[0]
		if !c.IsSet(name) || name == "node" || name == "pid" {
			continue
		}
		if on, ok := c.Value(name).(bool); ok {
			words = append(words, fmt.Sprintf("--%s%s", name, map[bool]string{true: "", false: "=false"}[on]))
			continue
		}
		words = append(words, "--"+name, quoted(fmt.Sprint(c.Value(name))))
	}
	return strings.Join(words, " ")
}

// quoted makes a text one word of a shell.
func quoted(s string) string { return pushdapi.Quote(table.Safe(s)) }

// shielded keeps a command substitution for the shell at the other end of ssh.
func shielded(s string) string {
	if strings.HasPrefix(s, "$(") {
		return "'" + s + "'"
	}
	return s
}

// pushdPath is the main package of a node's program.
const pushdPath = "pushfleet/pushd"

// askMax bounds how long one place is waited for that may not be an API.
const askMax = time.Second

// findAPI is the API of a node that is known by its process only: the first
// place where it listens and that says that it is this process. nil for a
// program that is no node.
func (p *probing) findAPI(ctx context.Context) (*pushdapi.Client, error) {
	if p.target.Bin == nil || p.target.Bin.Path != pushdPath {
		return nil, nil
	}
	places, err := p.target.Listens()
	if err != nil {
		return nil, err
	}
	here := pushdapi.Here()
	for _, at := range places {
		client := pushdapi.New(at, pushdapi.Options{Timeout: min(p.timeout, askMax), UserAgent: "pushctl"})
		if v, err := client.Version(ctx); err == nil && v.Place != nil && v.Place.SameHost(here) {
			if pid, err := numberHere(v.Place, here); err == nil && pid == p.target.PID {
				return client, nil
			}
		}
		client.Close()
	}
	return nil, errors.New("none of the places where it listens answers as a node does")
}
