package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"pushfleet/pushctl/bench"
)

func benchKeeper(e *env) *cli.Command {
	return &cli.Command{
		Name: "keeper", Usage: "how fast a change of a knob reaches many nodes",
		UsageText: "pushctl bench keeper [--watchers N,N] [--sets N] [--writers N --for TIME]",
		Description: `Opens sessions as nodes of a group of their own, which declare one knob of their own: nothing real changes, only the history of bench.value stays. A set is over when the last node has confirmed it. --etcd has an etcd cluster take turns with the same crowd of watchers.

  pushctl bench keeper --watchers 1,100,1000 --sets 200
  pushctl bench keeper --watchers 1 --writers 64 --for 10s    # kill the leader meanwhile`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "watchers", Usage: "crowds of `N,N` nodes, in rising order", Value: "1,100,1000"},
			&cli.IntFlag{Name: "sets", Usage: "`N` changes for each crowd", Value: 100},
			&cli.IntFlag{Name: "writers", Usage: "`N` writers at a time, that do not wait for nodes", Value: 64},
			&cli.DurationFlag{Name: "for", Usage: "they write for `TIME`; 0 for not at all", Value: 5 * time.Second},
			&cli.StringSliceFlag{Name: "etcd", Usage: "compare with the etcd cluster whose client is at `URL`, http://127.0.0.1:2379; repeat for each member"},
		},
		Action: func(c *cli.Context) error {
			f, err := e.fleet(c)
			if err != nil {
				return err
			}
			if err := wantArgs(c, 0, 0); err != nil {
				return err
			}
			k := bench.Keeper{Sets: c.Int("sets"), Writers: c.Int("writers"), For: c.Duration("for"), Etcd: c.StringSlice("etcd")}
			for _, w := range splitList(c.String("watchers")) {
				n, err := strconv.Atoi(w)
				if err != nil || n < 1 || n > 20_000 {
					return usagef("bench keeper: --watchers %q: want numbers from 1 to 20000", w)
				}
				k.Watchers = append(k.Watchers, n)
			}
			if k.Sets < 1 || k.Writers < 1 {
				return usagef("bench keeper: --sets and --writers must be above 0")
			}
			k.Client = f.Client
			out := &bench.Out{Now: e.now}
			if f.forPeople() {
				out.Progress = e.out
			}
			r, err := bench.RunKeeper(c.Context, out, k)
			if err != nil {
				return fmt.Errorf("bench keeper: %w", err)
			}
			if f.forPeople() {
				return nil
			}
			return f.print(&view{docs: []any{r}, rows: []any{r}})
		},
	}
}
