package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"pushfleet/pushctl/table"
)

// protocols are the ways to listen.
func protocols() []string { return []string{"ws", "sse", "stream", "poll"} }

func listenCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "listen", Category: "by hand", Usage: "connect as a client and print what arrives",
		UsageText: "pushctl listen USER [--proto ws|sse|stream|poll] [--count N]",
		Description: `Speaks to the client listener, as an application would: it answers pings, resumes where it was after a break, and obeys close codes: 4000-4099 end it, 4100-4199 make it wait, 4200-4299 bring it back at once. -o ndjson prints frames as they came.

  pushctl listen u-88121
  pushctl listen u-88121 --proto sse --count 1 -o ndjson
  pushctl listen --token "$JWT" --addr wss://push.example.com`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "proto", Usage: "`PROTO`: ws, sse, stream or poll", Value: "ws"},
			&cli.StringFlag{Name: "addr", Usage: "client listener at `ADDR`: host:port or an http(s) or ws(s) URL (the node's own)"},
			&cli.StringFlag{Name: "token", Usage: "identity: the JWT `TOKEN`", EnvVars: []string{"PUSHCTL_TOKEN"}},
			&cli.StringSliceFlag{Name: "group", Usage: "join `GROUP`; repeat for several"},
			&cli.IntFlag{Name: "count", Usage: "leave after `N` messages"},
			&cli.StringFlag{Name: "last", Usage: "resume behind position `POS`"},
		},
		Action: func(c *cli.Context) error {
			o, err := e.options(c)
			if err != nil {
				return err
			}
			least := 1
			if c.String("token") != "" {
				least = 0
			}
			if err := wantArgs(c, least, 1); err != nil {
				return err
			}
			if err := oneOf("--proto", c.String("proto"), protocols()); err != nil {
				return err
			}
			if c.Int("count") < 0 {
				return usagef("--count %d: want at least 1", c.Int("count"))
			}
			l := &listener{options: o, print: o.printer(), user: c.Args().First(), token: c.String("token"),
				groups: c.StringSlice("group"), last: c.String("last"), proto: c.String("proto"), count: c.Int("count")}
			if l.base, l.secure, err = clientAddr(c.String("addr")); err != nil {
				return err
			}
			if l.base == "" {
				l.base = gateDefault
				if nodes, err := o.clients(c.Context); err == nil { // a machine with clients only has none
					l.base = gateOf(c.Context, nodes[0])
				}
			}
			return l.run(c.Context)
		},
	}
}

// clientAddr takes a scheme off an address.
func clientAddr(addr string) (base string, secure bool, err error) {
	scheme, rest, ok := strings.Cut(addr, "://")
	if !ok {
		return addr, false, nil
	}
	rest = strings.TrimSuffix(rest, "/")
	switch scheme {
	case "http", "ws":
		return rest, false, nil
	case "https", "wss":
		return rest, true, nil
	}
	return "", false, usagef("--addr %s: want host:port, http, https, ws or wss", addr)
}

// listener is one client that stays connected.
type listener struct {
	*options
	print               func(*view) error
	user, token, proto  string
	base                string // host:port
	secure              bool
	groups              []string
	count               int // messages to wait for, 0 without end
	last                string
	seen                int
	drainAfter          time.Duration // asked for by a drain frame
	draining            bool
	ping                time.Duration // heartbeat that the node announced
	connected, everBeen bool
	transport           *http.Transport // of sse, stream and poll
}

// errEnough ends a listener that has seen all it was asked to.
var errEnough = errors.New("enough")

// ending is how one connection ended.
type ending struct {
	code   int    // close code, 0 if there was none
	reason string // its text
	err    error  // of the transport, or of what we did with a frame
}

func (e ending) String() string {
	switch {
	case e.code != 0 && e.reason != "":
		return fmt.Sprintf("closed with %d %s", e.code, table.Safe(e.reason))
	case e.code != 0:
		return fmt.Sprintf("closed with %d", e.code)
	case e.err != nil:
		return cause(e.err)
	}
	return "ended"
}

// run connects until told to stop.
func (l *listener) run(ctx context.Context) error {
	for tries := 0; ; tries++ {
		begun := time.Now()
		l.connected, l.draining, l.drainAfter = false, false, 0
		end := l.connect(ctx)
		if l.connected {
			l.everBeen = true
			if time.Since(begun) > time.Second {
				tries = 0
			}
		}
		switch {
		case errors.Is(end.err, errEnough):
			return nil
		case ctx.Err() != nil:
			return nil
		}
		again, wait := l.verdict(end, tries)
		if !again {
			return l.final(end)
		}
		if l.proto != "poll" || end.code != 1000 {
			back := "in " + table.Seconds(wait.Seconds())
			if wait == 0 {
				back = "at once"
			}
			fmt.Fprintf(l.err, "%s; back %s\n", end, back)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// connect runs one connection to its end.
func (l *listener) connect(ctx context.Context) ending {
	if l.proto == "ws" {
		return l.connectWS(ctx)
	}
	return l.connectHTTP(ctx)
}

// verdict says whether to come back, and after which wait. tries counts
// connections that did not last.
func (l *listener) verdict(e ending, tries int) (again bool, wait time.Duration) {
	backOff := min(30*time.Second, 500*time.Millisecond<<min(tries, 10))
	backOff = backOff/2 + rand.N(backOff/2+1)
	if r, ok := errors.AsType[*refusal](e.err); ok {
		if r.retryAfter > 0 {
			return true, r.retryAfter
		}
		return r.status == 429 || r.status >= 500, backOff
	}
	switch {
	case !l.everBeen && e.code == 0:
		return false, 0
	case e.code == 1000:
		return l.proto == "poll", 0
	case e.code == 1002, e.code == 1003, e.code >= 1007 && e.code <= 1010:
		return false, 0
	case e.code >= 4000 && e.code <= 4099:
		return false, 0
	case e.code >= 4200 && e.code <= 4299 && tries < 3:
		return true, 0
	case l.draining:
		return true, l.drainAfter
	}
	return true, backOff
}

// final is the error that a listener ends with.
func (l *listener) final(e ending) error {
	switch {
	case e.code == 1000:
		return nil
	case e.code != 0:
		return errors.New(e.String())
	case !l.everBeen && next(&silentError{asked: 1, silent: []silentNode{{l.base, e.err}}}) != "":
		return &hinted{fmt.Errorf("%s: %s", l.base, cause(e.err)),
			"  start one         make run   or   systemctl start pushd\n  point elsewhere   pushctl listen --addr HOST:7400 …"}
	}
	return fmt.Errorf("%s: %w", l.base, e.err)
}
