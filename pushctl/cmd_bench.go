package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
	"pushfleet/internal/swarm"
	"pushfleet/pushctl/bench"
)

func benchCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "bench", Category: "experiment", Usage: "put load on this machine's node and measure it",
		UsageText: "pushctl bench COMMAND [FLAG]…",
		Description: `Latency counts from the time a message was meant to be sent, so that a node or generator that stalls cannot hide it. A run that proves nothing says so and exits 1. Only loopback addresses are accepted. Ctrl-C ends a run and still reports.

  pushctl bench soak --conns 10000 --rate 1000/s --for 60s`,
		Subcommands: []*cli.Command{
			benchFlood(), benchMsggen(), benchSoak(), benchBroadcast(), benchKeeper(e), benchFloor(), benchCompare(), benchDemo(), benchFloorServer(),
		},
	}
}

func benchFlood() *cli.Command {
	return &cli.Command{
		Name: "flood", Usage: "hold many connections",
		UsageText: "pushctl bench flood [--conns N] [--for TIME]",
		Description: `Prints the plan first and refuses what cannot be held; then, each second, {connected, closed, received}.

  pushctl bench flood --conns 15000 --ramp 2000/s --profile fast,slow=1%,stalled=0.5% --for 60s`,
		Flags: flags(clientFlags(10_000), reportFlag(""),
			&cli.DurationFlag{Name: "for", Usage: "hold them for `TIME`; 0 until interrupted", Value: time.Minute}),
		Action: benchAction(func(b *benchRun) (*bench.Report, error) {
			cl, err := b.clients()
			if err != nil {
				return nil, err
			}
			return bench.RunFlood(b.Context.Context, b.out, b.target, bench.Flood{Clients: cl, For: b.Duration("for"), Report: b.String("report")})
		}),
	}
}

func benchMsggen() *cli.Command {
	return &cli.Command{
		Name: "msggen", Usage: "publish at a steady rate to users that others hold",
		UsageText: "pushctl bench msggen [--rate R] [--for TIME]\npushctl bench msggen --num N --interval TIME --count N",
		Description: `The second form sends --num messages every --interval until --count are sent.

  pushctl bench msggen --rate 1000/s --arrivals poisson --users 10000 --choice zipf --for 60s
  pushctl bench msggen --num 100 --interval 10ms --count 100000`,
		Flags: flags(publishFlags("1000/s"), reportFlag(""),
			&cli.IntFlag{Name: "users", Usage: "users u-0 to u-`N`, less one", Value: 10_000},
			&cli.IntFlag{Name: "num", Usage: "send `N` messages at a time", Value: 1},
			&cli.DurationFlag{Name: "interval", Usage: "every `TIME`, in place of --rate"},
			&cli.Int64Flag{Name: "count", Usage: "end after `N` messages"},
			&cli.DurationFlag{Name: "for", Usage: "end after `TIME`; 0 with --count or until interrupted"}),
		Action: benchAction(func(b *benchRun) (*bench.Report, error) {
			p, err := b.publish()
			if err != nil {
				return nil, err
			}
			p.Users, p.Burst, p.Count = b.Int("users"), b.Int("num"), b.Int64("count")
			if every := b.Duration("interval"); every > 0 {
				p.Rate = float64(max(p.Burst, 1)) / every.Seconds()
			}
			return bench.RunMsggen(b.Context.Context, b.out, b.target, bench.Msggen{Publish: p, For: b.Duration("for"), Report: b.String("report")})
		}),
	}
}

func benchSoak() *cli.Command {
	return &cli.Command{
		Name: "soak", Usage: "connections and messages together, with a plot",
		UsageText: "pushctl bench soak [--conns N] [--rate R] [--for TIME]",
		Description: `Writes NAME.json, NAME.html and NAME.png. --rate max publishes as fast as receipts come back and answers how many deliveries a CPU-second of the node makes.

  pushctl bench soak --conns 10000 --rate 1000/s --for 60s
  pushctl bench soak --rate max --for 10s`,
		Flags: flags(clientFlags(10_000), publishFlags("1000/s"), reportFlag("soak"), allowFlags(),
			&cli.DurationFlag{Name: "for", Usage: "publish for `TIME`", Value: time.Minute},
			&cli.BoolFlag{Name: "pipeline", Usage: "same as --rate max"}),
		Action: benchAction(func(b *benchRun) (*bench.Report, error) {
			cl, err := b.clients()
			if err != nil {
				return nil, err
			}
			p, err := b.publish()
			if err != nil {
				return nil, err
			}
			if b.Bool("pipeline") {
				p.Rate = 0
			}
			return bench.RunSoak(b.Context.Context, b.out, b.target, bench.Soak{Clients: cl, Publish: p, For: b.Duration("for"), Report: b.String("report")})
		}),
	}
}

func benchBroadcast() *cli.Command {
	return &cli.Command{
		Name: "broadcast", Usage: "broadcasts to all connections, alone and over traffic",
		UsageText: "pushctl bench broadcast [--conns N]",
		Description: `How much CPU a million deliveries cost, when the last client has it, and what unicast traffic feels meanwhile.

  pushctl bench broadcast --conns 10000 --bytes 256`,
		Flags: flags(clientFlags(10_000), reportFlag(""), allowFlags(),
			&cli.IntFlag{Name: "bytes", Usage: "`N` bytes of data in a broadcast", Value: 256},
			&cli.IntFlag{Name: "rounds", Usage: "`N` broadcasts of each sort", Value: 10},
			&cli.StringFlag{Name: "rate", Usage: "unicast messages meanwhile, `R` per second", Value: "2000/s"}),
		Action: benchAction(func(b *benchRun) (*bench.Report, error) {
			cl, err := b.clients()
			if err != nil {
				return nil, err
			}
			rate, err := bench.ParseRate(b.String("rate"))
			if err != nil {
				return nil, usageError{err}
			}
			return bench.RunBroadcast(b.Context.Context, b.out, b.target, bench.Broadcast{Clients: cl, Rounds: b.Int("rounds"),
				Bytes: b.Int("bytes"), Rate: rate, Size: 200, Report: b.String("report")})
		}),
	}
}

func benchFloor() *cli.Command {
	return &cli.Command{
		Name: "floor", Usage: "the node against a bare server, turn by turn",
		UsageText: "pushctl bench floor [--conns N] [--rates R,R]",
		Description: `The bare server is one thread, one epoll and one write per message: what this machine cannot go below. Both take turns in the same minutes, so that the machine's moods meet both alike; look at the ratios.

  pushctl bench floor --conns 9000 --rates 100/s,1000/s,10000/s --rounds 6`,
		Flags: flags(clientFlags(9_000), reportFlag(""), allowFlags(),
			&cli.StringFlag{Name: "rates", Usage: "messages per second, `R,R,…`", Value: "1000/s"},
			&cli.IntFlag{Name: "size", Usage: "`N` bytes of data in a message", Value: 200},
			&cli.IntFlag{Name: "bytes", Usage: "`N` bytes of data in a broadcast, 0 for none", Value: 256},
			&cli.IntFlag{Name: "rounds", Usage: "`N` turns of each side", Value: 6},
			&cli.DurationFlag{Name: "phase", Usage: "each phase takes `TIME`", Value: 4 * time.Second}),
		Action: benchAction(func(b *benchRun) (*bench.Report, error) {
			cl, err := b.clients()
			if err != nil {
				return nil, err
			}
			f := bench.Floor{Clients: cl, Size: b.Int("size"), Cast: b.Int("bytes"), Rounds: b.Int("rounds"),
				Phase: b.Duration("phase"), Report: b.String("report"), Server: floorServerProcess}
			for _, s := range strings.Split(b.String("rates"), ",") {
				rate, err := bench.ParseRate(s)
				if err != nil || rate == 0 {
					return nil, usagef("--rates %s: want rates such as 100/s,1000/s (full speed is always measured)", b.String("rates"))
				}
				f.Rates = append(f.Rates, rate)
			}
			return bench.RunFloor(b.Context.Context, b.out, b.target, f)
		}),
	}
}

// floorServerProcess is this program again, as the bare server.
func floorServerProcess() *exec.Cmd {
	// Not os.Executable: the file may have been rebuilt meanwhile.
	return exec.Command("/proc/self/exe", "bench", "floor-server")
}

func benchFloorServer() *cli.Command {
	return &cli.Command{
		Name: "floor-server", Hidden: true, Usage: "the bare server of bench floor",
		UsageText: "pushctl bench floor-server [--listen ADDR]",
		Flags:     []cli.Flag{&cli.StringFlag{Name: "listen", Usage: "serve on `ADDR`", Value: "127.0.0.1:0"}},
		Action: func(c *cli.Context) error {
			addr, err := netip.ParseAddrPort(c.String("listen"))
			if err != nil || !addr.Addr().Is4() || !addr.Addr().IsLoopback() {
				return usagef("--listen %s: want a loopback address and port such as 127.0.0.1:0", c.String("listen"))
			}
			// Its thread never returns to Go's scheduler, so nobody would
			// handle the interrupt.
			context.AfterFunc(c.Context, func() { os.Exit(0) })
			return bench.ServeFloor(addr, c.App.Writer)
		},
	}
}

func benchCompare() *cli.Command {
	return &cli.Command{
		Name: "compare", Usage: "two reports side by side",
		UsageText: "pushctl bench compare A.json B.json",
		Description: `Where both reports have samples by second, a 95 % interval of the ratio says whether the difference is more than the machine's moods.

  pushctl bench compare before.json after.json`,
		Action: func(c *cli.Context) error {
			o, err := benchOptions(c)
			if err != nil {
				return err
			}
			if err := wantArgs(c, 2, 2); err != nil {
				return err
			}
			var rs [2]*bench.Report
			for i := range rs {
				if rs[i], err = bench.ReadReport(c.Args().Get(i)); err != nil {
					return err
				}
			}
			cmp := bench.Compare(c.Args().Get(0), rs[0], c.Args().Get(1), rs[1])
			if o.forPeople() {
				return cmp.WriteText(o.out)
			}
			rows := make([]any, len(cmp.Rows))
			for i := range rows {
				rows[i] = cmp.Rows[i]
			}
			return o.print(&view{docs: []any{cmp}, rows: rows})
		},
	}
}

func benchDemo() *cli.Command {
	return &cli.Command{
		Name: "demo", Usage: "a little traffic to look at, until interrupted",
		UsageText: "pushctl bench demo",
		Description: `Clients on all transports, of them one slow, one stalled and one that comes and goes.

  pushctl bench demo &
  pushctl top --by wait -w`,
		Flags: flags([]cli.Flag{addrFlag()},
			&cli.IntFlag{Name: "conns", Usage: "`N` connections", Value: 50},
			&cli.StringFlag{Name: "rate", Usage: "`R` messages per second", Value: "200/s"}),
		Action: benchAction(func(b *benchRun) (*bench.Report, error) {
			rate, err := bench.ParseRate(b.String("rate"))
			if err != nil || rate == 0 {
				return nil, usagef("--rate %s: want a number per second such as 200/s", b.String("rate"))
			}
			return nil, bench.RunDemo(b.Context.Context, b.out, b.target, bench.Demo{Conns: b.Int("conns"), Rate: rate})
		}),
	}
}

func flags(first []cli.Flag, more ...any) []cli.Flag {
	out := first
	for _, m := range more {
		switch m := m.(type) {
		case []cli.Flag:
			out = append(out, m...)
		case cli.Flag:
			out = append(out, m)
		}
	}
	return out
}

func addrFlag() cli.Flag {
	return &cli.StringFlag{Name: "addr", Usage: "the node's client listener at `ADDR`, loopback only (what the node says)"}
}

func clientFlags(conns int) []cli.Flag {
	return []cli.Flag{
		addrFlag(),
		&cli.IntFlag{Name: "conns", Aliases: []string{"n"}, Usage: "hold `N` connections", Value: conns},
		&cli.StringFlag{Name: "ramp", Usage: "open `R` per second", Value: "5000/s"},
		&cli.StringFlag{Name: "proto", Usage: "`MIX` of ws, sse, stream, poll, as in ws,sse=10%", Value: "ws"},
		&cli.StringFlag{Name: "profile", Usage: "`MIX` of fast, slow, stalled, half-open, silent, churn, as in fast,slow=1%", Value: "fast"},
		&cli.IntFlag{Name: "slow-bytes", Usage: "a slow reader reads `N` bytes per second", Value: 200},
		&cli.DurationFlag{Name: "churn", Usage: "a churning client stays for `TIME` on average", Value: 10 * time.Second},
		&cli.BoolFlag{Name: "reconnect", Usage: "come back after the node closes a connection"},
		&cli.StringFlag{Name: "unshare", Usage: "a descriptor table for each worker: auto, on or off", Value: "auto"},
		&cli.IntFlag{Name: "workers", Usage: "`N` event loops on the client side; 0 chooses"},
	}
}

func publishFlags(rate string) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "rate", Usage: "publish `R` messages per second, or max", Value: rate},
		&cli.StringFlag{Name: "arrivals", Usage: "constant or poisson `GAPS` between messages", Value: "constant"},
		&cli.StringFlag{Name: "choice", Usage: "users by `LAW`: uniform or zipf (zipf=1.2)", Value: "uniform"},
		&cli.IntFlag{Name: "size", Usage: "`N` bytes of data in a message", Value: 200},
		&cli.IntFlag{Name: "window", Usage: "with --rate max, `N` messages under way; 0 chooses"},
	}
}

func reportFlag(base string) cli.Flag {
	return &cli.StringFlag{Name: "report", Usage: "write `NAME`.json, .html and .png; empty for none", Value: base}
}

func allowFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "allow-invalid", Usage: "exit 0 though the generator was late or missed its rate"},
		&cli.BoolFlag{Name: "allow-loss", Usage: "exit 0 though messages went wrong"},
	}
}

// benchRun is one bench command being obeyed.
type benchRun struct {
	*cli.Context
	out    *bench.Out
	target *bench.Target
}

// benchOptions reads the global flags with the program's own streams.
func benchOptions(c *cli.Context) (*options, error) {
	e := host()
	e.out, e.err = c.App.Writer, c.App.ErrWriter
	return e.options(c)
}

// benchAction finds the node, runs f and prints its report. Lines for people
// go to standard error when the output is data.
func benchAction(f func(*benchRun) (*bench.Report, error)) cli.ActionFunc {
	return func(c *cli.Context) error {
		o, err := benchOptions(c)
		if err != nil {
			return err
		}
		if err := wantArgs(c, 0, 0); err != nil {
			return err
		}
		nodes, err := o.clients(c.Context)
		if err != nil {
			return err
		}
		if c.Duration("for") < 0 {
			return usagef("--for %s: want a time above zero, such as 60s", c.Duration("for"))
		}
		if len(nodes) > 1 {
			return usagef("bench loads one node; name one with --node")
		}
		b := &benchRun{Context: c, out: &bench.Out{Progress: o.out, Now: o.now}}
		if !o.forPeople() {
			b.out.Progress = o.err
		}
		// A broadcast to a million takes longer than a question.
		node := pushdapi.New(nodes[0].Addr(), pushdapi.Options{Timeout: max(o.timeout, 10*time.Second), UserAgent: "pushctl-bench"})
		defer node.Close()
		addr := c.String("addr")
		if addr == "" && flagOf(c, "addr") != nil {
			if _, err := bench.NewTarget("", node); err != nil { // before it is asked
				return usageError{err}
			}
			addr = gateOf(c.Context, node)
		}
		if b.target, err = bench.NewTarget(addr, node); err != nil {
			return usageError{err}
		}
		r, err := f(b)
		if r == nil || err != nil {
			return err
		}
		if err := printReport(o, r); err != nil {
			return err
		}
		return r.Err(c.Bool("allow-invalid"), c.Bool("allow-loss"))
	}
}

// printReport writes the report as data; people have read it already.
func printReport(o *options, r *bench.Report) error {
	if o.forPeople() {
		return nil
	}
	rows := make([]any, len(r.Figures))
	for i := range rows {
		rows[i] = r.Figures[i]
	}
	return o.print(&view{docs: []any{r}, rows: rows})
}

// clients reads the flags about connections.
func (b *benchRun) clients() (bench.Clients, error) {
	c := bench.Clients{Unshare: b.String("unshare")}
	c.Conns = b.Int("conns")
	rate, err := bench.ParseRate(b.String("ramp"))
	if err != nil || rate == 0 {
		return c, usagef("--ramp %s: want connections per second such as 500/s", b.String("ramp"))
	}
	c.Rate = rate
	if c.Protos, err = swarm.ParseMix(b.String("proto"), push.ParseProto); err != nil {
		return c, usageError{fmt.Errorf("--proto: %w", err)}
	}
	if c.Profiles, err = swarm.ParseMix(b.String("profile"), swarm.ParseProfile); err != nil {
		return c, usageError{fmt.Errorf("--profile: %w", err)}
	}
	switch c.Unshare {
	case "auto", "on", "off":
	default:
		return c, usagef("--unshare %s: want auto, on or off", c.Unshare)
	}
	c.SlowBytes, c.ChurnMean = b.Int("slow-bytes"), b.Duration("churn")
	c.Reconnect, c.Workers = b.Bool("reconnect"), b.Int("workers")
	return c, nil
}

// publish reads the flags about messages.
func (b *benchRun) publish() (bench.Publish, error) {
	rate, err := bench.ParseRate(b.String("rate"))
	if err != nil {
		return bench.Publish{}, usageError{err}
	}
	return bench.Publish{Rate: rate, Arrivals: b.String("arrivals"), Choice: b.String("choice"),
		Size: b.Int("size"), Window: b.Int("window"), Seed: 1}, nil
}
