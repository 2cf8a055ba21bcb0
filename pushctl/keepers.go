package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"pushfleet/internal/keeperapi"
)

// rootKeepers are where keepers that root runs have their sockets: a daemon of
// its own, then the member inside a node.
func rootKeepers() []string { return []string{"/run/keeper/keeper.sock", "/run/pushd/keeper.sock"} }

// defaultKeepers are the places where a keeper of this machine answers.
func defaultKeepers(getenv func(string) string) []string {
	places := rootKeepers()
	if dir := getenv("XDG_RUNTIME_DIR"); dir != "" {
		places = append(places, filepath.Join(dir, "keeper", "keeper.sock"), filepath.Join(dir, "pushd", "keeper.sock"))
	}
	return append(places, "127.0.0.1:"+keeperapi.Port)
}

// keepers says whom to ask and how.
type keepers struct {
	addrs     []string // nil: the default places
	ca        string   // PEM file; "" is the system's
	token     string
	tokenFile string // read when token is empty
}

// chooseKeepers takes each from the flags, then an explicit context, then the
// environment, then the current context.
func chooseKeepers(flags keepers, contextName string, getenv func(string) string, conf func() (*config, error)) (keepers, error) {
	fromEnv := keepers{addrs: splitList(getenv("PUSHCTL_KEEPER")), ca: getenv("PUSHCTL_KEEPER_CA"), token: getenv("PUSHCTL_TOKEN")}
	k := flags
	if contextName == "" {
		k = k.or(fromEnv)
	}
	if contextName == "" && k.addrs != nil {
		return k, nil // a context's token is not for keepers named otherwise
	}
	c, err := conf()
	if err != nil {
		return k, err
	}
	name := contextName
	if name == "" {
		name = c.Current
	}
	if name == "" {
		return k, nil
	}
	set, err := c.context(name)
	if err != nil {
		return k, err
	}
	k = k.or(keepers{addrs: set.Keepers, ca: set.KeeperCA, tokenFile: set.TokenFile}).or(fromEnv)
	if k.addrs == nil {
		return k, usagef("context %q in %s has no keepers: add keepers = [\"host:%s\"], or give --keeper", name, c.path, keeperapi.Port)
	}
	return k, nil
}

// or fills what is missing from another.
func (k keepers) or(other keepers) keepers {
	if len(k.addrs) == 0 {
		k.addrs = other.addrs
	}
	if k.ca == "" {
		k.ca = other.ca
	}
	if k.token == "" && k.tokenFile == "" {
		k.token, k.tokenFile = other.token, other.tokenFile
	}
	return k
}

// secret returns the token, read from its file if need be.
func (k keepers) secret() (string, error) {
	if k.token != "" || k.tokenFile == "" {
		return k.token, nil
	}
	b, err := os.ReadFile(k.tokenFile)
	if err != nil {
		return "", fmt.Errorf("token: %w: give another file with --token-file", err)
	}
	token := strings.TrimSpace(string(b))
	if token == "" {
		return "", fmt.Errorf("token: %s is empty: an admin makes one with pushctl keeper tokens add", k.tokenFile)
	}
	return token, nil
}

// findKeeper returns the first of the default places where somebody listens.
func findKeeper(ctx context.Context, places []string) (string, error) {
	failed := &unreachable{addrs: places, here: true}
	for _, p := range places {
		network, target, _ := keeperapi.Target(p)
		d := net.Dialer{Timeout: time.Second}
		conn, err := d.DialContext(ctx, network, target)
		if err == nil {
			conn.Close()
			return p, nil
		}
		// One that exists and is not ours to open says more than none.
		if errors.Is(err, fs.ErrPermission) {
			return "", &unreachable{addrs: []string{p}, error: err}
		}
		failed.error = err
	}
	return "", failed
}

// fleet is what keepers are asked about, by one command.
type fleet struct {
	*options
	*keeperapi.Client
	read keeperapi.Read
	need keeperapi.Role // that the command takes
}

// fleet makes ready to ask the keepers that the flags name.
func (e *env) fleet(c *cli.Context) (*fleet, error) {
	o, err := e.rendering(c)
	if err != nil {
		return nil, err
	}
	flags := keepers{addrs: c.StringSlice("keeper"), ca: c.String("keeper-ca"), tokenFile: c.String("token-file")}
	k, err := chooseKeepers(flags, c.String("context"), e.getenv, e.config)
	if err != nil {
		return nil, err
	}
	f, err := o.fleet(c.Context, k)
	if err != nil {
		return nil, err
	}
	f.read.Stale = c.Bool("stale")
	return f, nil
}

func (o *options) fleet(ctx context.Context, k keepers) (*fleet, error) {
	token, err := k.secret()
	if err != nil {
		return nil, err
	}
	tls, err := trust(k.ca)
	if err != nil {
		return nil, err
	}
	if k.addrs == nil {
		addr, err := findKeeper(ctx, defaultKeepers(o.getenv))
		if err != nil {
			return nil, err
		}
		k.addrs = []string{addr}
	}
	client := keeperapi.NewClient(k.addrs, keeperapi.ClientOptions{
		Timeout: o.timeout, Token: token, TLS: tls, Who: o.who(), UserAgent: "pushctl"})
	return &fleet{options: o, Client: client}, nil
}

// who is the person at the keyboard, for the audit: behind sudo the one who
// called it.
func (e *env) who() string {
	user := e.getenv("SUDO_USER")
	if user == "" {
		user = e.getenv("USER")
	}
	switch {
	case user == "":
		return e.hostname
	case e.hostname == "":
		return user
	}
	return user + "@" + e.hostname
}

// onFleet is the action of a command that asks keepers: it checks the number
// of arguments, and says what to do about refusals. need is the role that the
// command takes.
func (e *env) onFleet(least, most int, need keeperapi.Role, f func(*fleet, *cli.Context) error) cli.ActionFunc {
	return func(c *cli.Context) error {
		if err := wantArgs(c, least, most); err != nil {
			return err
		}
		fl, err := e.fleet(c)
		if u, ok := errors.AsType[*unreachable](err); ok {
			return &hinted{u, unreachableHint(u.error)}
		}
		if err != nil {
			return err
		}
		defer fl.Close()
		fl.need = need
		return fl.explain(c.Context, f(fl, c))
	}
}
