package main

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/table"
)

func recFieldsCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "fields", Usage: "what is recorded",
		UsageText: "pushctl rec fields [WORD] [--file DIR]",
		Description: `WORD leaves those whose name or text contains it.

  pushctl rec fields retransmit
  pushctl rec fields -o wide`,
		Flags:  []cli.Flag{fileFlag()},
		Action: e.onMemories(0, 1, recFields),
	}
}

func recFields(o *options, c *cli.Context, ms []memory) error {
	fields, err := ms[0].fields(c.Context)
	if err != nil {
		return (&remembered[int]{asked: 1, silent: []silentNode{{ms[0].name(), err}}}).err()
	}
	word := strings.ToLower(c.Args().First())
	fields = slices.DeleteFunc(fields, func(f pushdapi.RecField) bool {
		return !strings.Contains(f.Name, word) && !strings.Contains(strings.ToLower(f.Help), word)
	})
	if len(fields) == 0 {
		return fmt.Errorf("no field has %q in its name or text; pushctl rec fields lists all", word)
	}
	return o.print(&view{lines: func() []string { return table.RecFields(fields, o.wide(), o.style) }, docs: []any{whole(fields)}, rows: anys(fields)})
}

func recStatusCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "status", Usage: "whether it records, what it costs and what it cannot see",
		UsageText: "pushctl rec status [--file DIR]",
		Description: `  pushctl rec status
  pushctl rec status --file /var/lib/pushd/recorder`,
		Flags:  []cli.Flag{fileFlag()},
		Action: e.onMemories(0, 0, recStatus),
	}
}

func recStatus(o *options, c *cli.Context, ms []memory) error {
	r := recall(c.Context, ms, func(ctx context.Context, m memory) (*pushdapi.RecState, error) { return m.state(ctx) })
	if len(r.vals) == 0 {
		return r.err()
	}
	v := &view{lines: func() (lines []string) {
		for i, s := range r.vals {
			if i > 0 {
				lines = append(lines, "")
			}
			lines = append(lines, table.RecStatus(s, len(c.StringSlice("file")) > 0, o.style)...)
		}
		return lines
	}}
	for _, s := range r.vals {
		v.docs, v.rows = append(v.docs, s), append(v.rows, s)
	}
	return errors.Join(o.print(v), r.err())
}

func recBundlesCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "bundles", Usage: "what was saved when something was slow",
		UsageText: "pushctl rec bundles",
		Description: `A trigger (recorder.trigger_wait, recorder.trigger_sched) saves the records around it each 100 ms, profiles, the worst connections and the figures of the node. The latest first.

  pushctl rec bundles
  pushctl rec bundle 20261128T140307`,
		Action: func(c *cli.Context) error {
			o, nodes, err := recNodes(e, c, 0)
			if err != nil {
				return err
			}
			a := ask(c.Context, nodes, func(ctx context.Context, n *pushdapi.Client) ([]pushdapi.RecBundle, error) { return n.RecBundles(ctx) })
			if len(a.vals) == 0 {
				return a.err()
			}
			rows := slices.Concat(a.vals...)
			slices.SortStableFunc(rows, func(a, b pushdapi.RecBundle) int { return cmp.Compare(b.ID, a.ID) })
			v := &view{lines: func() []string { return table.RecBundles(rows, o.now(), o.wide(), o.style) }, docs: []any{whole(rows)}, rows: anys(rows)}
			return errors.Join(o.print(v), a.err())
		},
	}
}

// recNodes are the nodes of a command that files cannot answer.
func recNodes(e *env, c *cli.Context, args int) (*options, []*pushdapi.Client, error) {
	o, err := e.options(c)
	if err != nil {
		return nil, nil, err
	}
	if err := wantArgs(c, args, args); err != nil {
		return nil, nil, err
	}
	nodes, err := o.clients(c.Context)
	return o, nodes, err
}

func recBundleCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "bundle", Usage: "fetch a bundle and unpack it",
		UsageText: "pushctl rec bundle ID [-o DIR]",
		Description: `  pushctl rec bundle 20261128T140307
  pushctl rec bundle 20261128T140307 -o /tmp
  pushctl rec show --every 100ms --file 20261128T140307/rec --from 14:03`,
		Flags: []cli.Flag{&cli.StringFlag{Name: "dir", Aliases: []string{"o"}, Usage: "make the folder ID in `DIR`", Value: "."}},
		Action: func(c *cli.Context) error {
			o, nodes, err := recNodes(e, c, 1)
			if err != nil {
				return err
			}
			return fetchBundle(o, c, nodes)
		},
	}
}

// unpackMax bounds what a bundle may unpack to, in bytes.
const unpackMax = 1 << 30

// fetchBundle asks the nodes in turn: an id belongs to one of them.
func fetchBundle(o *options, c *cli.Context, nodes []*pushdapi.Client) error {
	id := c.Args().First()
	var packed bytes.Buffer
	var err error
	for _, n := range nodes {
		packed.Reset()
		if _, err = n.RecBundle(c.Context, id, &packed); err == nil || !isNotFound(err) {
			break
		}
	}
	if err != nil {
		if !isNet(err) {
			return err
		}
		return &silentError{asked: 1, silent: []silentNode{{nodes[0].Addr(), err}}}
	}
	dir := filepath.Join(c.String("dir"), id)
	files, err := unpack(&packed, dir)
	if err != nil {
		return fmt.Errorf("unpack bundle: %w", err)
	}
	d := unpacked{Dir: dir, Files: files}
	return o.print(&view{docs: []any{d}, rows: []any{d}, lines: func() []string { return d.lines() }})
}

// unpacked is the document of rec bundle.
type unpacked struct {
	Dir   string   `json:"dir"`
	Files []string `json:"files"`
}

func (d *unpacked) lines() []string {
	lines := []string{d.Dir}
	for _, f := range d.Files {
		lines = append(lines, "  "+table.Safe(f))
	}
	return append(lines, "", "go tool pprof "+filepath.Join(d.Dir, "goroutine.pb.gz"), "pushctl rec show --every 100ms --file "+filepath.Join(d.Dir, "rec"))
}

// unpack writes the files of a tar in gzip below a new folder. os.Root keeps
// names from leading out of it.
func unpack(r io.Reader, dir string) (names []string, err error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o777); err != nil {
		return nil, err
	}
	if err := os.Mkdir(dir, 0o777); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	left := int64(unpackMax)
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return names, nil
		}
		if err != nil {
			return names, err
		}
		if left -= h.Size; left < 0 {
			return names, fmt.Errorf("it unpacks to more than %d bytes", int64(unpackMax))
		}
		data, err := io.ReadAll(t)
		if err != nil {
			return names, err
		}
		if err := root.MkdirAll(filepath.Dir(h.Name), 0o777); err != nil {
			return names, err
		}
		if err := root.WriteFile(h.Name, data, 0o666); err != nil {
			return names, err
		}
		names = append(names, h.Name)
	}
}
