package main

import (
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"
	"pushfleet/internal/keeperapi"
)

// changesMax is how many changes one transaction takes.
const changesMax = 1000

func knobExportCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "export", Usage: "all values as TOML, to keep in git",
		UsageText: "pushctl knob export > knobs.toml",
		Description: `In a stable order, without times: the same values give the same file. Of temporary values what they return to; nothing of rollouts that run.

  pushctl knob export > knobs.toml
  pushctl knob import knobs.toml --dry-run`,
		Action: e.onFleet(0, 0, keeperapi.RoleRead, knobExport),
	}
}

func knobExport(f *fleet, c *cli.Context) error {
	ks, err := f.Knobs(c.Context, f.read)
	if err != nil {
		return err
	}
	file := lasting(ks)
	if !f.forPeople() {
		rows := setRows(ks)
		return f.print(&view{docs: []any{file}, rows: anys(rows)})
	}
	_, err = io.WriteString(f.out, "# Values of knobs by scope. Put in force: pushctl knob import FILE --why TEXT\n\n"+file.encode())
	return err
}

func knobImportCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "import", Usage: "make the values those of a TOML file",
		UsageText: "pushctl knob import FILE|- [--prune] [--dry-run] [--why TEXT]",
		Description: `Only what differs is changed, as one transaction of at most 1,000 changes. Values that the file does not name stay, unless --prune unsets them.

  pushctl knob import knobs.toml --dry-run
  pushctl knob import knobs.toml --prune --why 'as in git, 4f2c1'
  git show HEAD:knobs.toml | pushctl knob import -`,
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "prune", Usage: "unset what the file does not name"},
		}, changeFlags()...),
		Action: e.onFleet(1, 1, keeperapi.RoleOperate, knobImport),
	}
}

func knobImport(f *fleet, c *cli.Context) error {
	ask, err := askOf(c)
	if err != nil {
		return err
	}
	name := c.Args().First()
	want, err := f.readKnobs(name)
	if err != nil {
		return err
	}
	ks, err := f.Knobs(c.Context, f.read)
	if err != nil {
		return err
	}
	as := lasting(ks).changes(want, c.Bool("prune"))
	if err := fewEnough(as); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if len(as) == 0 {
		return f.unchanged(lastChange(ks))
	}
	t := keeperapi.Txn{Changes: as, IfRev: ifRev(c)}
	if t.IfRev == nil {
		t.IfRev = new(lastChange(ks))
	}
	a, err := f.Txn(c.Context, keeperapi.TxnRequest{Txn: t, Ask: ask})
	return f.answer(a, err, "")
}

// readKnobs reads a file, or standard input for a dash.
func (f *fleet) readKnobs(name string) (knobFile, error) {
	var b []byte
	var err error
	if name == "-" {
		b, err = io.ReadAll(f.in)
	} else {
		b, err = os.ReadFile(name)
	}
	if err != nil {
		return nil, fmt.Errorf("knob import: %w: give a file of pushctl knob export", err)
	}
	file, err := decodeKnobs(string(b))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return file, nil
}

func fewEnough(as []keeperapi.Assign) error {
	if len(as) > changesMax {
		return fmt.Errorf("%d changes are too many for one transaction, it takes %d: import the file in parts", len(as), changesMax)
	}
	return nil
}

// unchanged says that there is nothing to do.
func (f *fleet) unchanged(rev uint64) error {
	a := &keeperapi.Answer{Result: keeperapi.Result{Revision: rev}}
	return f.print(&view{docs: []any{a}, rows: []any{a}, lines: func() []string {
		return []string{"nothing to change: the values are those already"}
	}})
}
