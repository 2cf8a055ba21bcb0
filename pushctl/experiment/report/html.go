package report

import (
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"

	"pushfleet/pushctl/experiment/drive"
	"pushfleet/pushctl/experiment/verdict"
	"pushfleet/pushctl/table"
)

// WriteHTML writes the report as one page that needs nothing else.
func (r *Report) WriteHTML(w io.Writer) error { return page.Execute(w, r.view()) }

// view is what the page shows, in words.
type view struct {
	R       *Report
	Title   string
	Heading string // the result
	Class   string // of the result
	Trials  []trialView
	Sweep   bool
	Charts  []template.HTML
	Facts   []fact
	Safety  []fact
	Books   []book
	Ended   []string
}

// fact is a name with what there is to say.
type fact struct{ Name, Text string }

type trialView struct {
	Name, Why, Class, Result string
	Best                     bool
	Rows                     []effectView
	Silent                   []string
	AA                       []effectView
	AAClean                  bool
}

type effectView struct {
	Title, Production, Control, Treatment, Change, Interval, Word, Class, P, Detectable, Noise, Why string
	Watch                                                                                           bool
	Windows                                                                                         int
	Bar                                                                                             template.HTML
}

// book is one kind of record: read = replayed + dropped + pending.
type book struct {
	Side, Kind, Read, Replayed, Dropped, Why, Pending string
}

func (r *Report) view() *view {
	v := &view{R: r, Title: r.title(), Heading: "mirrored", Class: "none", Sweep: len(r.Trials) > 1,
		Charts: r.charts(), Facts: r.facts(), Safety: r.safety(), Ended: r.ended()}
	if r.Result != "" {
		v.Heading, v.Class = string(r.Result), resultClass(r.Result)
	}
	best := r.Best()
	for i := range r.Trials {
		v.Trials = append(v.Trials, r.trial(i, i == best))
	}
	if r.Driver != nil {
		v.Books = books("to "+r.To.Name, r.Driver)
	}
	if r.Beside != nil && r.Control != nil {
		v.Books = append(v.Books, books("to "+r.Control.Name, r.Beside)...)
	}
	return v
}

func resultClass(r verdict.Result) string {
	switch r {
	case verdict.Pass:
		return "better"
	case verdict.Fail:
		return "worse"
	}
	return "unsure"
}

func (r *Report) trial(i int, best bool) trialView {
	t := &r.Trials[i]
	out := trialView{Name: t.Name, Why: t.Verdict.Why, Class: resultClass(t.Verdict.Result), Result: string(t.Verdict.Result), Best: best, AAClean: t.Verdict.AAClean}
	var silent []string
	for _, watch := range []bool{false, true} {
		for k := range t.Verdict.Effects {
			e := &t.Verdict.Effects[k]
			switch {
			case e.Metric.Watch != watch:
			case e.Windows < 2:
				silent = append(silent, e.Metric.Title+": "+e.Why)
			default:
				out.Rows = append(out.Rows, effectOf(e))
			}
		}
	}
	out.Silent = grouped(silent)
	if i == 0 {
		for k := range t.Verdict.AA {
			if e := &t.Verdict.AA[k]; e.Windows > 1 {
				out.AA = append(out.AA, effectOf(e))
			}
		}
	}
	return out
}

func effectOf(e *verdict.Effect) effectView {
	v := effectView{Title: e.Metric.Title, Production: e.Metric.Value(e.Production), Control: e.Metric.Value(e.Control), Treatment: e.Metric.Value(e.Treatment),
		Change: e.Signed(e.Change), Interval: e.Interval(), Word: word(e), Class: class(e), P: chance(e.P), Why: e.Why,
		Detectable: table.Dash, Noise: table.Dash, Watch: e.Metric.Watch, Windows: e.Windows, Bar: bar(e)}
	if e.Detectable > 0 {
		v.Detectable = e.Size(e.Detectable)
	}
	if e.Noise > 0 {
		v.Noise = "±" + e.Size(e.Noise)
	}
	return v
}

// facts are the settings and who took part.
func (r *Report) facts() []fact {
	s := &r.Settings
	out := []fact{{"began", r.Begin.Format("2006-01-02 15:04:05 MST") + ", " + length(r.End.Sub(r.Begin).Seconds()) + " in all"},
		{"production", r.From.words()}, {"shadow", r.To.words()}}
	if r.Control != nil {
		out = append(out, fact{"control", r.Control.words()})
	}
	add := func(name, text string) {
		if text != "" {
			out = append(out, fact{name, text})
		}
	}
	add("command", r.Command)
	add("pushctl", r.Program)
	add("tried", strings.TrimPrefix(r.tried(), "tried "))
	add("file", s.File)
	add("sample", percent(s.Sample)+" of users"+times(s.Amplify))
	add("redaction", s.Redact)
	if len(r.Trials) > 0 {
		add("A/A, A/B", length(r.length("aa"))+", "+length(r.length("ab"))+" in windows of "+length(s.Window)+
			", of which "+length(s.Settle)+" settle after a change")
		add("false alarms", "at most "+percent(100*s.Alpha)+" of experiments, over all metrics")
	}
	add("stops if", strings.Join(s.StopIf, " or "))
	return out
}

func times(n int) string {
	if n < 2 {
		return ""
	}
	return ", each " + table.Count(n) + " times"
}

func (s *Side) words() string {
	out := s.Name
	for _, part := range []string{s.Version, s.Go, s.Address} {
		if part != "" {
			out += " · " + part
		}
	}
	if s.Connections > 0 {
		out += " · " + table.Plural(s.Connections, "connection")
	}
	return out
}

// safety is what the tee cost production.
func (r *Report) safety() []fact {
	var out []fact
	if c := r.Cost; c != nil {
		if c.Before.Seconds > 0 {
			cpu, p99 := r.metric(verdict.CPUPerMessage), r.metric(verdict.DeliverP99)
			e := verdict.Effect{}
			if c.Before.CPUMessage > 0 {
				out = append(out, fact{"cpu per message", cpu.Value(c.Before.CPUMessage) + " before, " + cpu.Value(c.During.CPUMessage) + " with the tee (" + e.Signed(c.During.CPUMessage/c.Before.CPUMessage-1) + ")"})
			}
			if c.Before.P99 > 0 {
				out = append(out, fact{"deliver p99", p99.Value(c.Before.P99) + " before, " + p99.Value(c.During.P99) + " with the tee"})
			}
			out = append(out, fact{"dropped messages", table.Rate(c.Before.Dropped) + " before, " + table.Rate(c.During.Dropped) + " with the tee"})
		}
		out = append(out, fact{"the tap's own cpu", table.Percent(c.TapCPU) + " of a core"})
	}
	if t := r.Tap; t != nil {
		dropped := table.Count(drive.Sum(t.Dropped))
		if by := most(t.DroppedBy); by != "" {
			dropped += " (" + by + ")"
		}
		out = append(out, fact{"records by the tap", table.Count(drive.Sum(t.Seen)) + " seen, " + table.Count(drive.Sum(t.Sent)) + " sent, " + dropped + " dropped"},
			fact{"mirrored", table.Plural(t.Connections, "connection") + ", " + table.Count(t.Torn) + " torn, " + table.Bytes(t.Bytes)})
		if t.EndReason != "" {
			out = append(out, fact{"ended", t.EndReason + ": " + t.EndDetail})
		}
	}
	return out
}

// metric looks a metric up in the plots, for its unit.
func (r *Report) metric(name string) *verdict.Metric {
	for i := range r.Plots {
		if r.Plots[i].Metric.Name == name {
			return &r.Plots[i].Metric
		}
	}
	return &verdict.Metric{Unit: verdict.Seconds}
}

// ended says what followed, in sentences.
func (r *Report) ended() []string {
	var out []string
	if r.Stopped != nil {
		out = append(out, "Stopped after "+length(r.Stopped.At)+" ("+r.Stopped.Reason+"): "+r.Stopped.Detail)
	}
	for _, k := range r.Restored {
		switch {
		case k.Failed != "":
			out = append(out, "Not put back: "+k.Name+" on "+r.To.Name+": "+k.Failed)
		default:
			out = append(out, "Put back: "+k.Name+"="+k.Value+" on "+r.To.Name)
		}
	}
	return append(out, r.Notes...)
}

// books are the driver's, by kind of record.
func books(side string, c *drive.Counts) []book {
	var out []book
	for _, kind := range slices.Sorted(maps.Keys(c.Read)) {
		out = append(out, book{side, kind, table.Count(c.Read[kind]), table.Count(c.Replayed[kind]),
			table.Count(drive.Sum(c.Dropped[kind])), most(c.Dropped[kind]), table.Count(c.Pending[kind])})
	}
	return out
}
