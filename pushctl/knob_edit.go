package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
	"pushfleet/internal/keeperapi"
	"pushfleet/pushctl/table"
)

func knobEditCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "edit", Usage: "change many values in your editor",
		UsageText: "pushctl knob edit [WORD] [--why TEXT]",
		Description: `Opens $VISUAL or $EDITOR on the values, as TOML with range and unit in comments. What you changed is committed as one transaction, if nobody changed those knobs meanwhile. A line that is gone unsets its value. When it is refused, your text is kept.

  pushctl knob edit
  pushctl knob edit queue             only knobs whose name holds queue
  EDITOR='code --wait' pushctl knob edit --why 'tuning, INC-311'`,
		Flags:  changeFlags(),
		Action: e.onFleet(0, 1, keeperapi.RoleOperate, knobEdit),
	}
}

func knobEdit(f *fleet, c *cli.Context) error {
	ask, err := askOf(c)
	if err != nil {
		return err
	}
	ks, err := f.Knobs(c.Context, f.read)
	if err != nil {
		return err
	}
	last := lastChange(ks)
	ks = slices.DeleteFunc(ks, func(k keeperapi.KnobInfo) bool { return !strings.Contains(k.Name, c.Args().First()) })
	if len(ks) == 0 {
		return usagef("knob edit: no knob's name holds %q: see pushctl knob list", c.Args().First())
	}
	d := &draft{fleet: f, ks: ks, have: lasting(ks)}
	if err := d.open(c.Context); err != nil {
		return err
	}
	if d.text == d.before {
		d.forget()
		return f.unchanged(last)
	}
	err = d.commit(c, last, ask)
	// Committed, though not yet applied everywhere: the text has done its work.
	if _, partial := errors.AsType[*partialError](err); err == nil || partial {
		d.forget()
		return err
	}
	return d.kept(c.Context, f.explain(c.Context, err))
}

// draft is the text in the editor and where it lies.
type draft struct {
	*fleet
	ks     []keeperapi.KnobInfo
	have   knobFile
	dir    string
	before string
	text   string
}

func (d *draft) path() string { return filepath.Join(d.dir, "knobs.toml") }

// open writes the text, has it edited and reads it back.
func (d *draft) open(ctx context.Context) error {
	var err error
	if d.dir, err = os.MkdirTemp("", "pushctl-"); err != nil {
		return err
	}
	d.before = editText(d.ks, d.have, d.now)
	if err := os.WriteFile(d.path(), []byte(d.before), 0o600); err != nil {
		d.forget()
		return err
	}
	if err := d.runEditor(); err != nil {
		return d.kept(ctx, err)
	}
	b, err := os.ReadFile(d.path())
	d.text = string(b)
	return err
}

// runEditor starts what VISUAL or EDITOR says; both may have arguments. A
// ctrl-C is the editor's own, so it is not ended with us.
func (d *draft) runEditor() error {
	editor := d.getenv("VISUAL")
	if editor == "" {
		editor = d.getenv("EDITOR")
	}
	if editor == "" {
		editor = "vi"
	}
	cmd := exec.Command("sh", "-c", editor+` "$1"`, "sh", d.path())
	cmd.Stdin, cmd.Stdout, cmd.Stderr = d.in, d.out, d.err
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("editor %s: %w: choose another with EDITOR", editor, err)
	}
	return nil
}

func (d *draft) forget() {
	if err := os.RemoveAll(d.dir); err != nil {
		fmt.Fprintf(d.err, "pushctl: %v\n", err)
	}
}

// kept says where the text is that came to nothing. Who interrupts hears it
// too, though of nothing else.
func (d *draft) kept(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		fmt.Fprintf(d.err, "your text is kept in %s\n", d.path())
		return ctx.Err()
	}
	hint := next(err)
	if hint != "" {
		hint += "\n"
	}
	return &hinted{fmt.Errorf("%w\n  your text is kept in %s", err, d.path()),
		hint + "  try it again      pushctl knob import " + d.path() + " --dry-run"}
}

// commit puts what changed in force.
func (d *draft) commit(c *cli.Context, last uint64, ask keeperapi.Ask) error {
	want, err := decodeKnobs(d.text)
	if err != nil {
		return err
	}
	as := d.have.changes(want, true)
	if err := fewEnough(as); err != nil {
		return err
	}
	if len(as) == 0 {
		return d.unchanged(last)
	}
	if d.forPeople() {
		for _, l := range table.Deltas("change", deltasOf(as, d.have, d.ks), d.style) {
			fmt.Fprintln(d.out, l)
		}
	}
	if ask.Why == "" && !ask.DryRun {
		if ask.Why, err = d.reason(); err != nil {
			return err
		}
	}
	t := keeperapi.Txn{Changes: as, IfRev: &last}
	if given := ifRev(c); given != nil {
		t.IfRev = given
	}
	a, err := d.Txn(c.Context, keeperapi.TxnRequest{Txn: t, Ask: ask})
	return d.answer(a, err, "")
}

// reason asks why; without a reason nothing is done.
func (d *draft) reason() (string, error) {
	fmt.Fprint(d.err, "why (empty changes nothing): ")
	line, err := bufio.NewReader(d.in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if line = strings.TrimSpace(line); line == "" {
		return "", errors.New("nothing was changed: no reason was given, neither here nor by --why")
	}
	return line, nil
}
