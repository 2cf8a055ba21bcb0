package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"pushfleet/pushctl/table"
)

// profiles are the kinds that a node serves.
func profiles() []string {
	return []string{"heap", "goroutine", "profile", "mutex", "block", "allocs", "trace"}
}

func pprofCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "pprof", Category: "inside", Usage: "fetch a profile of the node's process",
		UsageText: "pushctl pprof [KIND] [--seconds N] [-f FILE]",
		Description: `KIND is heap, goroutine, profile (CPU; the default), mutex, block, allocs or trace. The file is for go tool pprof, or go tool trace.

  pushctl pprof
  pushctl pprof heap -f heap.pb.gz
  pushctl pprof allocs --seconds 30      only what is allocated meanwhile`,
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "seconds", Usage: "watch for `N` seconds (profile, mutex, block: 10; trace: 1; the others show the state)"},
			&cli.StringFlag{Name: "file", Aliases: []string{"f"}, Usage: "write to `FILE` instead of NODE-KIND-TIME.pb.gz"},
		},
		Action: func(c *cli.Context) error {
			o, err := e.options(c)
			if err != nil {
				return err
			}
			if err := wantArgs(c, 0, 1); err != nil {
				return err
			}
			kind := c.Args().First()
			if kind == "" {
				kind = "profile"
			}
			if err := oneOf("pprof", kind, profiles()); err != nil {
				return err
			}
			return fetchProfile(c, o, kind)
		},
	}
}

// fetched is the document of pprof.
type fetched struct {
	File  string `json:"file"`
	Bytes int64  `json:"bytes"`
	Open  string `json:"open"` // command that reads the file
}

func fetchProfile(c *cli.Context, o *options, kind string) error {
	nodes, err := o.clients(c.Context)
	if err != nil {
		return err
	}
	if len(nodes) > 1 {
		return usagef("pprof: one node at a time: name it with --node")
	}
	n := c.Int("seconds")
	if n < 0 || n > profileMax || (n == 0 && c.IsSet("seconds")) {
		return usagef("--seconds %d: want 1 to %d", n, profileMax)
	}
	if n == 0 {
		n = defaultSeconds(kind)
	}
	node := nodes[0]
	file := c.String("file")
	if file == "" {
		file = profileFile(nodeName(c.Context, node), kind, o.now())
	}
	f, err := os.CreateTemp(dirOf(file), ".pushctl-*")
	if failed, ok := errors.AsType[*fs.PathError](err); ok { // whose path is one that nobody named
		return fmt.Errorf("-f %s: %w", file, failed.Err)
	}
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already when all went well
	size, err := node.Profile(c.Context, kind, time.Duration(n)*time.Second, f)
	if cerr := f.Close(); err == nil && cerr != nil {
		return cerr
	}
	if err != nil {
		return &silentError{asked: 1, silent: []silentNode{{node.Addr(), err}}}
	}
	if err := os.Rename(f.Name(), file); err != nil {
		return err
	}
	tool := "go tool pprof "
	if kind == "trace" {
		tool = "go tool trace "
	}
	d := fetched{file, size, tool + file}
	return o.print(&view{lines: func() []string {
		return []string{fmt.Sprintf("%s  %s", d.File, table.Bytes(d.Bytes)), d.Open}
	}, docs: []any{d}, rows: []any{d}})
}

// profileMax is the longest that a node watches, in seconds.
const profileMax = 60

// defaultSeconds is how long a profile watches if nothing is said; 0 is a look
// at the state. Waits for locks are only sampled while somebody watches.
func defaultSeconds(kind string) int {
	switch kind {
	case "profile", "mutex", "block":
		return 10
	case "trace":
		return 1 // one second of events is megabytes
	}
	return 0
}

func dirOf(file string) string {
	if i := strings.LastIndexByte(file, '/'); i >= 0 {
		return file[:i+1]
	}
	return "."
}

// profileFile names a profile after its node, kind and time, in letters that
// need no quoting.
func profileFile(node, kind string, at time.Time) string {
	node = strings.Trim(regexp.MustCompile(`[^A-Za-z0-9._-]+`).ReplaceAllString(node, "-"), "-.")
	ext := ".pb.gz"
	if kind == "trace" {
		ext = ".trace"
	}
	return fmt.Sprintf("%s-%s-%s%s", node, kind, at.Format("20060102T150405"), ext)
}
