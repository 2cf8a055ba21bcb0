package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"pushfleet/internal/teewire"
	"pushfleet/pushctl/table"
)

func teeInspectCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "inspect", Usage: "what a recording holds",
		UsageText: "pushctl tee inspect PATH",
		Description: `All of it is read once: checksums are looked at, and what is damaged or cut off is told.

Exit status: 0 it is whole, 1 something is damaged or missing, 3 it breaks off: whoever recorded it was killed, or goes on. What can be read is shown, and can be replayed.

  pushctl tee inspect evening
  pushctl tee inspect busy.tee -o json`,
		Action: func(c *cli.Context) error {
			o, err := e.rendering(c)
			if err != nil {
				return err
			}
			if err := wantArgs(c, 1, 1); err != nil {
				return err
			}
			return o.inspect(c.Args().First())
		},
	}
}

func (o *options) inspect(path string) error {
	files, err := openRecording(path)
	if err != nil {
		return err
	}
	defer files.Close()
	in, err := files.Info()
	if err != nil {
		return err
	}
	out := &inspected{in}
	if err := o.print(&view{docs: []any{out}, rows: []any{out}, lines: out.lines}); err != nil {
		return err
	}
	return unwhole(path, in.State, in.Damage, "read", "  replay that       pushctl tee replay "+quoted(path)+" --to ADDR")
}

// inspected is what a recording holds.
type inspected struct{ *teewire.Info }

func (in *inspected) lines() []string {
	users := table.Count(int64(in.Users))
	if in.More {
		users = "more than " + users
	}
	length := in.To.Sub(in.From)
	lines := []string{
		fmt.Sprintf("traffic of %s, pushd %s", table.Safe(in.Node), table.Safe(in.Build)),
		fmt.Sprintf("  time        %s, from %s", teeTime(length), in.From.Local().Format("2006-01-02 15:04:05")),
		fmt.Sprintf("  sample      %s %% of users, %s replaced", plainFloat(in.Sample), redacted(in.Redact)),
		fmt.Sprintf("  connections %s, at most %s at once, of %s users", table.Count(in.Conns), table.Count(in.Peak), users),
		"  records     " + recordsOf(in.Info),
		fmt.Sprintf("  size        %s in %s, %s unpacked", table.Bytes(in.Bytes), table.Plural(int64(in.Files), "file"), table.Bytes(in.Raw)),
	}
	if in.Torn > 0 {
		lines = append(lines, "  torn        "+table.Plural(int64(in.Torn), "gap")+", where the node had no room or the file is damaged")
	}
	lines = append(lines, table.Cut("  end         "+endOf(in.State, in.End), table.Columns))
	return append(lines, damageLines(in.Damage)...)
}

// recordsOf lists the kinds that there are.
func recordsOf(in *teewire.Info) string {
	var parts []string
	for k := teewire.KindOpen; k <= teewire.KindClose; k++ {
		if n := in.Records[k.String()]; n > 0 {
			parts = append(parts, k.String()+" "+table.Count(n))
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}
