package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"pushfleet/internal/teewire"
	"pushfleet/pushctl/experiment"
	"pushfleet/pushctl/experiment/drive"
	"pushfleet/pushctl/table"
)

// A recording leaves so much of the disk free.
const recordFreeMin = 256 << 20

func teeRecordCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "record", Usage: "mirror into files, to be replayed later",
		UsageText: "pushctl tee record --from ADDR --to-file PATH [--sample SHARE] [--for TIME]",
		Description: `A name that ends in .tee becomes one file, any other a folder of files of 64 MiB. They are packed, each block has a checksum, and a recording that was cut off can be read up to there. It ends when --max-bytes are written, and before the disk is full. What is redacted is so before it leaves the node.

  pushctl tee record --from gw-1 --sample 5% --to-file evening --for 1h
  pushctl tee record --from gw-1 --sample 100% --redact names --to-file busy.tee`,
		Flags: flags(mirrorFlags(),
			&cli.StringFlag{Name: "to-file", Usage: "write to `PATH`, which must not be there yet"},
			&cli.StringFlag{Name: "max-bytes", Usage: "end after `SIZE`", Value: "10GiB"},
			forFlag(), allowFlag("cpu, p99 or drops")),
		Action: func(c *cli.Context) error { return e.teeRecord(c) },
	}
}

// recorded is what a recording came to.
type recorded struct {
	Path    string            `json:"path"`
	Files   int               `json:"files"`
	Bytes   int64             `json:"bytes"`
	Seconds float64           `json:"seconds"`
	Records map[string]uint64 `json:"records"` // by kind
	Joined  uint64            `json:"joined"`
	Torn    uint64            `json:"torn"`
	Ended   string            `json:"ended,omitempty"` // a word, "" when the time was over
	Detail  string            `json:"detail,omitempty"`
}

func (e *env) teeRecord(c *cli.Context) error {
	t, err := e.teeing(c, 0)
	if err != nil {
		return err
	}
	o, err := t.asked()
	if err != nil {
		return err
	}
	path := c.String("to-file")
	if path == "" {
		return usagef("tee record: where to? for example --to-file evening.tee")
	}
	most, err := parseSize(c.String("max-bytes"))
	if err != nil {
		return usagef("--max-bytes %s: %w", c.String("max-bytes"), err)
	}
	from, err := t.node("from", "whose traffic")
	if err != nil {
		return err
	}
	w, err := teewire.Create(path, teewire.WriterOptions{BytesMax: most, FreeMin: recordFreeMin})
	if err != nil {
		return err
	}
	first := path
	if !strings.HasSuffix(path, teewire.FileEnd) {
		first = filepath.Join(path, "1"+teewire.FileEnd)
	}
	if err := writable(first); err != nil { // before anybody is mirrored
		return errors.Join(fmt.Errorf("--to-file: %w", err), w.Close())
	}
	if err := w.Room(); err != nil {
		return errors.Join(err, w.Close())
	}
	o.Production, o.To = from, experiment.Shadow{Driver: experiment.NewKeeper(w)}
	r, err := t.run(o)
	cerr := w.Close()
	if err != nil {
		return errors.Join(err, cerr)
	}
	out := &recorded{Path: path, Files: w.Files(), Bytes: w.Bytes(), Seconds: r.End.Sub(r.Begin).Seconds(),
		Records: r.Driver.Read, Joined: r.Driver.Joined, Torn: r.Driver.Torn}
	if r.Stopped != nil {
		out.Ended, out.Detail = r.Stopped.Reason, r.Stopped.Detail
	}
	why, stopped := ended(r.Stopped)
	if err := t.print(&view{docs: []any{out}, rows: []any{out}, lines: func() []string { return out.lines(why) }}); err != nil {
		return err
	}
	if cerr != nil && !errors.Is(cerr, teewire.ErrFull) {
		return cerr
	}
	return stopped
}

// parseSize reads 10GiB, 500MB or 1e9.
func parseSize(text string) (int64, error) {
	units := []struct {
		name  string
		bytes float64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}}
	number, times := strings.TrimSpace(text), 1.0
	for _, u := range units {
		if n, ok := strings.CutSuffix(number, u.name); ok {
			number, times = strings.TrimSpace(n), u.bytes
			break
		}
	}
	v, err := strconv.ParseFloat(number, 64)
	if v *= times; err != nil || !(v >= 1 && v < 1<<62) {
		return 0, errors.New("want a size such as 10GiB or 500MB")
	}
	return int64(v), nil
}

func (r *recorded) lines(why []string) []string {
	lines := []string{fmt.Sprintf("recorded %s in %s: %s records, %s in %s, %s torn", teeTime(time.Duration(r.Seconds*float64(time.Second))),
		table.Safe(r.Path), table.Count(drive.Sum(r.Records)), table.Bytes(r.Bytes), table.Plural(int64(r.Files), "file"), table.Count(r.Torn))}
	if lines = append(lines, why...); r.Records["open"] == 0 {
		return lines
	}
	return append(lines, "replay it: pushctl tee replay "+table.Safe(r.Path)+" --to ADDR")
}
