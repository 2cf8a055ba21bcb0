package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"pushfleet/internal/pushdapi"
	"pushfleet/internal/teewire"
	"pushfleet/pushctl/experiment"
	"pushfleet/pushctl/experiment/drive"
	tee "pushfleet/pushctl/experiment/report"
	"pushfleet/pushctl/table"
)

// teeing is a tee command being obeyed.
type teeing struct {
	*options
	c        *cli.Context
	versions map[string]*pushdapi.Version // by address
}

// teeing reads the global flags of a command that names its nodes itself.
func (e *env) teeing(c *cli.Context, args int) (*teeing, error) {
	o, err := e.rendering(c)
	if err != nil {
		return nil, err
	}
	if err := wantArgs(c, args, args); err != nil {
		return nil, err
	}
	if len(c.StringSlice("node")) > 0 {
		return nil, usagef("%s: name nodes by --from and --to, not by --node", short(c.Command))
	}
	return &teeing{o, c, map[string]*pushdapi.Version{}}, nil
}

// node is the client of the node that a flag names.
func (t *teeing) node(flag, what string) (*pushdapi.Client, error) {
	n, _, err := t.named(flag, what)
	return n, err
}

// named is the same, with what the node calls itself.
func (t *teeing) named(flag, what string) (n *pushdapi.Client, name string, err error) {
	addr := t.c.String(flag)
	if addr == "" {
		return nil, "", usagef("%s: %s? give its address by --%s, for example --%s gw-1:7401", short(t.c.Command), what, flag, flag)
	}
	n = t.client(addr)
	ctx, stop := context.WithTimeout(t.c.Context, t.timeout)
	defer stop()
	v, err := n.Version(ctx)
	if err != nil {
		s := &silentError{asked: 1, silent: []silentNode{{"--" + flag + " " + addr, err}}}
		return nil, "", &hinted{s, strings.ReplaceAll(next(s), "pushctl --node", "pushctl "+short(t.c.Command)+" --"+flag)}
	}
	t.versions[addr] = v
	return n, v.Node, nil
}

// asked is what all tees are asked for, without their nodes: nothing is asked of
// anybody before all flags are right. There is no verdict unless the caller
// plans one.
func (t *teeing) asked() (o experiment.Options, err error) {
	o = experiment.Options{Journals: journals(t.getenv), Mirror: true, Plan: experiment.Plan{AB: t.span("for", 0)}}
	if o.Query, err = t.query(); err == nil {
		o.Allow, err = t.allowed()
	}
	return o, err
}

// allowed are the conditions that do not end it.
func (t *teeing) allowed() ([]string, error) {
	for _, word := range t.c.StringSlice("allow") {
		if !slices.Contains(experiment.Allowable(), word) {
			return nil, usagef("--allow %s: want one of %s", word, strings.Join(experiment.Allowable(), ", "))
		}
	}
	return t.c.StringSlice("allow"), nil
}

// query is what to mirror.
func (t *teeing) query() (q pushdapi.TeeQuery, err error) {
	text := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(t.c.String("sample")), "%"))
	q.Sample, err = strconv.ParseFloat(text, 64)
	if err != nil || !(q.Sample >= 0.01 && q.Sample <= 100) {
		return q, usagef("--sample %s: want a share of users in percent, 0.01%% to 100%%", t.c.String("sample"))
	}
	r, ok := teewire.ParseRedact(t.c.String("redact"))
	if !ok {
		return q, usagef("--redact %s: want payload, names or off", t.c.String("redact"))
	}
	q.Redact = r
	return q, nil
}

// shadow is the node that flag names, with its driver; clients is the flag of
// its client listener.
func (t *teeing) shadow(flag, clients string, production *pushdapi.Client, o drive.Options) (experiment.Shadow, *drive.Driver, error) {
	n, name, err := t.named(flag, "which node is the shadow")
	if err == nil {
		err = experiment.Busy(journals(t.getenv), n.Addr(), name)
	}
	if err != nil {
		return experiment.Shadow{}, nil, err
	}
	o.Shadow, o.Production = n, production
	if text := t.c.String(clients); text != "" {
		if o.Clients, err = netip.ParseAddrPort(text); err != nil || !o.Clients.Addr().Is4() {
			return experiment.Shadow{}, nil, usagef("--%s %s: want an IPv4 address and port such as 127.0.0.1:7400", clients, text)
		}
	}
	if o.Amplify = t.c.Int("amplify"); o.Amplify < 1 || o.Amplify > amplifyMax {
		return experiment.Shadow{}, nil, usagef("--amplify %d: want 1 to %d", o.Amplify, amplifyMax)
	}
	if o.Token, err = t.tokens(); err != nil {
		return experiment.Shadow{}, nil, err
	}
	d, err := drive.New(o)
	if err != nil {
		err = fmt.Errorf("--%s: %w", flag, err)
		if !o.Clients.IsValid() && strings.Contains(err.Error(), "takes clients") {
			err = &hinted{err, "  say where         --" + clients + " IP:PORT"}
		}
		return experiment.Shadow{}, nil, err
	}
	return experiment.Shadow{Node: n, Driver: d}, d, nil
}

// amplifyMax bounds --amplify.
const amplifyMax = 1000

// span is the value of a flag that is a time, def if it is not given.
func (t *teeing) span(flag string, def time.Duration) time.Duration {
	if s, ok := t.c.Generic(flag).(*span); ok && s.d > 0 {
		return s.d
	}
	return def
}

// sides reaches the nodes of a tee and prepares to drive its shadows. What it
// returns gives up drivers that were not run.
func (t *teeing) sides(o *experiment.Options) (unused func(), err error) {
	var ready []*drive.Driver
	unused = func() {
		for _, d := range ready {
			_ = d.Close() // of a driver that has run nothing is left
		}
	}
	from, err := t.node("from", "whose traffic")
	if err != nil {
		return unused, err
	}
	o.Production = from
	to, d, err := t.shadow("to", "clients", from, drive.Options{})
	if err != nil {
		return unused, err
	}
	o.To, ready = to, append(ready, d)
	if t.c.String("control") == "" {
		return unused, nil
	}
	control, d, err := t.shadow("control", "control-clients", from, drive.Options{})
	if err != nil {
		unused()
		return func() {}, err
	}
	o.Control, ready = &control, append(ready, d)
	return unused, nil
}

// run makes an experiment and shows how far it is.
func (t *teeing) run(o experiment.Options) (*tee.Report, error) {
	show := newTeeScreen(t.options)
	o.Tell = show.tell
	r, err := experiment.Run(t.c.Context, o)
	show.close()
	return r, t.hint(err)
}

// hint adds what to do to refusals.
func (t *teeing) hint(err error) error {
	e, ok := errors.AsType[*pushdapi.Error](err)
	switch {
	case ok && e.Status == 409 && e.Code == "busy":
		from := " --from " + quoted(t.c.String("from"))
		return &hinted{err, "  look at it        pushctl tee status" + from + "\n  end it            pushctl tee stop" + from}
	case ok && e.Status == 404 && strings.Contains(err.Error(), "knob"):
		return &hinted{err, "  all names         pushctl knob list --local"}
	case errors.Is(err, context.DeadlineExceeded):
		return &hinted{err, "  wait longer       pushctl --timeout 30s …"}
	}
	return err
}

// ended is what comes of a tee without a verdict that was stopped, on the screen
// and as exit status: whoever interrupts it has what he wants.
func ended(s *tee.Stop) (lines []string, err error) {
	if s == nil || s.Reason == "" || s.Reason == experiment.StopInterrupted {
		return nil, nil
	}
	return table.Wrap("ended ("+s.Reason+"): "+table.Safe(s.Detail), "  ", table.Columns), &shownError{errors.New(s.Detail)}
}

// journals is the folder where experiments note what they change.
func journals(getenv func(string) string) string {
	if dir := getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "pushctl")
	}
	if home := getenv("HOME"); home != "" {
		return filepath.Join(home, ".local", "state", "pushctl")
	}
	return filepath.Join(os.TempDir(), "pushctl-"+strconv.Itoa(os.Getuid()))
}
