package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"pushfleet/internal/pushdapi"
	"pushfleet/internal/teewire"
	"pushfleet/pushctl/experiment"
	"pushfleet/pushctl/experiment/drive"
)

func teeCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "tee", Category: "experiment", Usage: "try it on a shadow that is fed with live traffic",
		UsageText: "pushctl tee run|start|stop|status|record|replay|inspect|report",
		Description: `A share of the users of a node is mirrored, whole connections with all they do and all they are sent, to a shadow: a node that nobody else uses, best started with pushd --shadow. Production never waits for it.

  pushctl tee run --from gw-1 --to gw-shadow --sample 5% --set gc.percent=400
  pushctl tee status
  pushctl tee stop`,
		Subcommands: []*cli.Command{
			teeRunCommand(e), teeStartCommand(e), teeStopCommand(e), teeStatusCommand(e), teeRecordCommand(e),
			teeReplayCommand(e), teeInspectCommand(e), teeReportCommand(e),
		},
	}
}

// mirrorFlags are those of commands that mirror a node.
func mirrorFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "from", Usage: "mirror the node at `ADDR`: socket path or host:port"},
		&cli.StringFlag{Name: "sample", Usage: "mirror `SHARE` of its users, 0.01% to 100%", Value: "5%"},
		&cli.StringFlag{Name: "redact", Usage: "replace `WHAT` before it leaves the node: payload, names (and payload) or off", Value: "payload"},
	}
}

// shadowFlags are those of commands that drive a shadow.
func shadowFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "to", Usage: "the shadow at `ADDR`: socket path or host:port"},
		&cli.StringFlag{Name: "clients", Usage: "its client listener at `ADDR`, when it does not tell the right one"},
		&cli.IntFlag{Name: "amplify", Usage: "open `N` connections for each that is mirrored, of users u, u~2, u~3, …", Value: 1},
		&cli.StringFlag{Name: "secret-file", Usage: "sign tokens for the shadow with the secret in `FILE` (HS256), if it asks for any"},
		&cli.StringFlag{Name: "audience", Usage: "put audience `NAME` in these tokens"},
		&cli.StringFlag{Name: "issuer", Usage: "put issuer `NAME` in these tokens"},
	}
}

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
