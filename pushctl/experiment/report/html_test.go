package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func html(t *testing.T, r *Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := r.WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestHTML(t *testing.T) {
	s := html(t, sample(better()))
	for _, want := range []string{
		"<b>pass</b><span>better in cpu per message (−9.2 %)",
		"<td>cpu per message</td><td>9.51 µs</td>",
		"A/A: nothing changed, and nothing was found",
		`aria-label="cpu per message over time"`,
		"300 to 304 s</dt><dd>torn",
		"9.78 µs before, 9.81 µs with the tee (&#43;0.31 %)",
		"<td class=\"left\">out</td><td>1,240,000</td><td>1,239,950</td><td>50</td><td class=\"left\">torn 30, late 20</td>",
		"Put back: gc.percent=100 on gw-shadow",
		"pushctl tee run --from gw-1",
	} {
		if !strings.Contains(s, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if i := strings.Index(s, "http"); i >= 0 {
		t.Errorf("the page needs something from elsewhere: %s", s[i:i+40])
	}
	if s := html(t, sample(better(), nil, worse())); strings.Count(s, "<h2>queue.messages_max=") != 3 || !strings.Contains(s, "pass, best") {
		t.Error("the page of a sweep has not its three trials")
	}
	html(t, sample())
	html(t, &Report{})
}

// Each picture is well-formed by itself.
func TestPictures(t *testing.T) {
	s := html(t, sample(better(), worse()))
	pictures := regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(s, -1)
	if len(pictures) < 20 {
		t.Errorf("%d pictures", len(pictures))
	}
	for _, p := range pictures {
		if strings.Contains(p, "NaN") || strings.Contains(p, "Inf") {
			t.Errorf("no number: %.200s", p)
		}
		d := xml.NewDecoder(strings.NewReader(p))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%v: %.300s", err, p)
			}
		}
	}
}

// What a file says is not taken for markup.
func TestHTMLIsSafe(t *testing.T) {
	const bad = `<script>alert("x")</script>`
	r := sample(better(), worse())
	r.From.Name, r.To.Name, r.Command, r.Why, r.Notes = bad, bad, bad, bad, []string{bad}
	r.Excluded[0].Why, r.Trials[0].Name, r.Trials[1].Name = bad, bad, bad
	for i := range r.Trials {
		for k := range r.Trials[i].Verdict.Effects {
			e := &r.Trials[i].Verdict.Effects[k]
			e.Metric.Title, e.Metric.Name, e.Metric.Unit, e.Why = bad, bad, bad, bad
		}
	}
	for i := range r.Plots {
		r.Plots[i].Metric.Title, r.Plots[i].Metric.Unit = bad, bad
	}
	if s := html(t, r); strings.Contains(s, "<script") {
		t.Error("the page holds a script")
	}
}

func TestJSON(t *testing.T) {
	r := sample(better(), worse())
	var b bytes.Buffer
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "r.json")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, got, cmpopts.EquateNaNs(), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-wrote +read):\n%s", diff)
	}
	if html(t, got) != html(t, r) {
		t.Error("the page made again is another")
	}
	gaps := 0
	for _, v := range got.Plots[0].Shadow {
		if math.IsNaN(v) {
			gaps++
		}
	}
	if gaps != 3 || !bytes.Contains(b.Bytes(), []byte("null")) {
		t.Errorf("%d gaps came back of 3", gaps)
	}
}

func TestDecodeRefuses(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if _, err := Decode(strings.NewReader(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want …%s…", in, err, want)
		}
	}
	f("", "no report of an experiment")
	f("{}", "it has no form")
	f(`{"kind":"soak"}`, "it has no form")
	f(`{"form":99}`, "use a newer one")
	f(`{"form":1,"plots":[{"shadow":["x"]}]}`, "no report of an experiment")
	if _, err := Read(filepath.Join(t.TempDir(), "none.json")); err == nil {
		t.Error("a file that is not there was read")
	}
}

// A file from anywhere is refused or shown.
func FuzzDecode(f *testing.F) {
	r := sample(better())
	r.Plots = r.Plots[:1]
	r.Plots[0].At, r.Plots[0].Shadow, r.Plots[0].Production = r.Plots[0].At[:5], r.Plots[0].Shadow[:5], r.Plots[0].Production[:5]
	r.Stretches = r.Stretches[:5]
	var b bytes.Buffer
	if err := r.WriteJSON(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte(`{"form":1,"trials":[{},{"verdict":{"effects":[{"windows":3,"low":-1e308,"high":1e308}]}}]}`))
	f.Add([]byte(`{"form":1,"plots":[{"at":[1e300,-5],"shadow":[1,null,1e308]}],"stretches":[{"from":-1e308,"to":1e308,"phase":"ab"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Decode(bytes.NewReader(data))
		if err != nil {
			return
		}
		r.Finish()
		if err := r.WriteText(io.Discard); err != nil {
			t.Fatal(err)
		}
		if err := r.WriteHTML(io.Discard); err != nil {
			t.Fatal(err)
		}
	})
}
