package state

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"pushfleet/internal/keeperapi"
)

var update = flag.Bool("update", false, "write the outputs of the stories anew")

// TestStories runs the scripts of testdata. A line that begins with ">" is
// done, the lines below it are what came out; "#" begins a remark.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := tell(t, string(want))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(want) {
				t.Errorf("%s: run with -update and look at the difference; it came out:\n%s", file, got)
			}
		})
	}
}

// tell runs one script and returns it with what came out.
func tell(t *testing.T, script string) string {
	st := &story{t: t, s: New(), now: start, who: "maria", seen: 0}
	var out strings.Builder
	for _, line := range strings.Split(strings.TrimRight(script, "\n"), "\n") {
		switch {
		case line == "", strings.HasPrefix(line, "#"):
			out.WriteString(line + "\n")
		case strings.HasPrefix(line, "> "):
			out.WriteString(line + "\n")
			for _, l := range st.do(words(line[2:])) {
				out.WriteString("  " + l + "\n")
			}
		}
	}
	return out.String()
}

// words splits at spaces outside single quotes.
func words(line string) (out []string) {
	quoted := false
	for _, f := range strings.FieldsFunc(line, func(r rune) bool {
		if r == '\'' {
			quoted = !quoted
		}
		return r == ' ' && !quoted
	}) {
		out = append(out, strings.ReplaceAll(f, "'", ""))
	}
	return out
}

type story struct {
	t    *testing.T
	s    *State
	now  keeperapi.Time
	who  string
	seen uint64
}

// options takes key=value words with these keys off a line.
func options(args []string, keys ...string) (rest []string, opt map[string]string) {
	opt = map[string]string{}
next:
	for _, a := range args {
		name, value, _ := strings.Cut(a, "=")
		for _, k := range keys {
			if name == k {
				opt[k] = value
				continue next
			}
		}
		rest = append(rest, a)
	}
	return rest, opt
}

func (st *story) ms(text string) int64 {
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		st.t.Fatal(err)
	}
	return d.Milliseconds()
}

func (st *story) rev(text string) *uint64 {
	if text == "" {
		return nil
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(text, "r"), 10, 64)
	if err != nil {
		st.t.Fatal(err)
	}
	return &n
}

func clock(at keeperapi.Time) string {
	if at == 0 {
		return "-"
	}
	return at.Go().Format("15:04:05")
}

func (st *story) run(op Op, opt map[string]string, body any) []string {
	c := Command{Op: op, At: st.now, Who: st.who, Why: opt["why"], ID: opt["id"], From: "10.0.0.7", Body: body}
	if op == OpJoin || op == OpReport || op == OpExpire {
		c.Who, c.From = "", ""
	}
	var r keeperapi.Result
	if err := json.Unmarshal(st.s.Apply(0, encode(st.t, c)), &r); err != nil {
		st.t.Fatal(err)
	}
	if r.Error != nil {
		return []string{fmt.Sprintf("refused (%s): %s", r.Error.Code, r.Error.Message)}
	}
	line := fmt.Sprintf("r%d", r.Revision)
	if r.Rollout != "" {
		line += " " + r.Rollout
	}
	if len(r.Nodes) > 0 {
		line += " reaches " + strings.Join(r.Nodes, " ")
	}
	if len(r.Unknown) > 0 {
		line += " must join: " + strings.Join(r.Unknown, " ")
	}
	return []string{line}
}

func (st *story) do(w []string) []string {
	args := w[1:]
	switch w[0] {
	case "at":
		at, err := time.Parse("15:04:05", args[0])
		if err != nil {
			st.t.Fatal(err)
		}
		st.now = start + keeperapi.Time(at.Sub(at.Truncate(24*time.Hour)).Milliseconds())
		return nil
	case "wait":
		st.now += keeperapi.Time(st.ms(args[0]))
		return nil
	case "as":
		st.who = args[0]
		return nil
	case "join":
		return st.join(args)
	case "report":
		return st.report(args)
	case "leave":
		return st.run(OpLeave, nil, keeperapi.Leave{ID: args[0]})
	case "expire":
		return st.run(OpExpire, nil, nil)
	case "set", "unset":
		return st.set(w[0], args)
	case "rollback":
		rest, opt := options(args, "why", "ifrev", "now")
		_, now := opt["now"]
		return st.run(OpRollback, opt, keeperapi.Rollback{To: *st.rev(rest[0]), Knobs: rest[1:], IfRev: st.rev(opt["ifrev"]), NowAll: now})
	case "freeze", "thaw":
		rest, opt := options(args, "why")
		return st.run(OpFreeze, opt, keeperapi.FreezeSet{Knob: rest[0], Off: w[0] == "thaw"})
	case "rollout":
		return st.rollout(args)
	case "advance", "abort", "broke":
		return st.move(w[0], args)
	case "token":
		rest, opt := options(args, "expires")
		b := keeperapi.TokenSet{Name: rest[0], Role: keeperapi.Role(rest[1]), Hash: strings.Repeat(rest[2], 64)}
		if opt["expires"] != "" {
			b.Expires = st.now + keeperapi.Time(st.ms(opt["expires"]))
		}
		return st.run(OpToken, nil, b)
	}
	return st.show(w[0], args)
}

func (st *story) join(args []string) []string {
	rest, opt := options(args, "build", "lease", "epoch", "version")
	sc := fleetSchema()
	if opt["build"] == "old" {
		sc = oldSchema()
	}
	b := joinOf(rest[0], map[string]string{}, sc, max(st.ms(opt["lease"]), 1))
	b.Epoch, b.Version = opt["epoch"], opt["version"]
	if opt["lease"] == "" {
		b.LeaseMS = 3600_000
	}
	for _, label := range rest[1:] {
		name, value, _ := strings.Cut(label, "=")
		b.Labels[name] = value
	}
	return st.run(OpJoin, nil, b)
}

func (st *story) report(args []string) []string {
	rest, opt := options(args, "applied", "nacked", "reason", "health", "lease", "epoch")
	b := keeperapi.NodeReport{ID: rest[0], Epoch: opt["epoch"], Health: opt["health"], LeaseMS: 3600_000}
	if opt["lease"] != "" {
		b.LeaseMS = st.ms(opt["lease"])
	}
	if opt["applied"] != "" {
		b.Knobs = &keeperapi.Ack{Offered: *st.rev(opt["applied"]), Applied: *st.rev(opt["applied"]), Reason: opt["reason"]}
		if opt["nacked"] != "" {
			b.Knobs.Offered, b.Knobs.Nacked = *st.rev(opt["nacked"]), *st.rev(opt["nacked"])
		}
	}
	return st.run(OpReport, nil, keeperapi.Report{Nodes: []keeperapi.NodeReport{b}})
}

func (st *story) assigns(verb string, args []string, on string) (out []keeperapi.Assign) {
	if on == "" {
		on = "fleet"
	}
	for _, a := range args {
		a, scope, ok := strings.Cut(a, "@")
		if !ok {
			scope = on
		}
		name, value, _ := strings.Cut(a, "=")
		out = append(out, keeperapi.Assign{Knob: name, Value: value, Scope: keeperapi.Scope(scope), Unset: verb == "unset"})
	}
	return out
}

func (st *story) set(verb string, args []string) []string {
	rest, opt := options(args, "on", "for", "guard", "ifrev", "now", "why", "id")
	_, now := opt["now"]
	return st.run(OpTxn, opt, keeperapi.Txn{Changes: st.assigns(verb, rest, opt["on"]), ForMS: st.ms(opt["for"]),
		Guard: opt["guard"], IfRev: st.rev(opt["ifrev"]), NowAll: now})
}

func (st *story) rollout(args []string) []string {
	rest, opt := options(args, "on", "for", "guard", "plan", "soak", "why")
	return st.run(OpRolloutStart, opt, keeperapi.RolloutStart{Changes: st.assigns("set", rest, opt["on"]),
		Steps: strings.Split(opt["plan"], ","), SoakMS: st.ms(opt["soak"]), Guard: opt["guard"], ForMS: st.ms(opt["for"])})
}

func (st *story) move(verb string, args []string) []string {
	rest, opt := options(args, "step", "force", "why", "node", "figures")
	b := keeperapi.RolloutMove{Rollout: rest[0], Node: opt["node"], Figures: opt["figures"]}
	if verb == "advance" {
		b.Step, _ = strconv.Atoi(opt["step"])
		_, b.Force = opt["force"]
		return st.run(OpRolloutAdvance, opt, b)
	}
	if verb == "abort" {
		return st.run(OpRolloutAbort, opt, b)
	}
	return st.run(OpRolloutBreak, opt, b)
}
