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
		Description: `All of it is read once: checksums are looked at, and what is damaged or cut off is told. Exit status 1 if anything is.

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
	files, err := teewire.OpenFiles(path)
	if err != nil {
		return err
	}
	defer files.Close()
	in, err := files.Info()
	if err != nil {
		return err
	}
	if err := o.print(&view{docs: []any{in}, rows: []any{in}, lines: func() []string { return infoLines(in) }}); err != nil {
		return err
	}
	if len(in.Damage) > 0 {
		return &shownError{fmt.Errorf("%s is damaged", path)}
	}
	return nil
}

// infoLines is the screen of inspect.
func infoLines(in *teewire.Info) []string {
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
		"  records     " + recordsOf(in),
		fmt.Sprintf("  size        %s in %s, %s unpacked", table.Bytes(in.Bytes), table.Plural(int64(in.Files), "file"), table.Bytes(in.Raw)),
	}
	if in.Torn > 0 {
		lines = append(lines, "  torn        "+table.Plural(int64(in.Torn), "gap")+", where the node had no room or the file is damaged")
	}
	end := "not told: it was cut off, or still goes on"
	if in.End != nil {
		end = table.Safe(in.End.Reason + ": " + in.End.Detail)
	}
	lines = append(lines, table.Cut("  end         "+end, table.Columns))
	for _, d := range in.Damage {
		lines = append(lines, table.Wrap("  damaged     "+table.Safe(d.String()), "              ", table.Columns)...)
	}
	return lines
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
