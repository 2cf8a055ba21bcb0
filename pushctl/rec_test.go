package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushfleet/internal/pushdapi"
	"pushfleet/internal/record"
	"pushfleet/pushctl/table"
)

// recSchema is what the nodes of these tests record.
func recSchema(node string, every int64) *record.Schema {
	return &record.Schema{Node: node, Version: "0.1.0", Run: node, EveryMS: every, Fields: []record.Field{
		{Name: "published", Kind: record.Counter, Help: "Messages accepted by the server API."},
		{Name: "queued", Kind: record.Peak, Help: "Messages in the queues of all connections."},
		{Name: "cpu.softirq", Unit: "%", Kind: record.Counter, Help: "All cores in soft interrupts."},
		{Name: "go.sched_p99", Unit: "s", Kind: record.Peak, Scale: 1e-9},
		{Name: "process.rss", Unit: "B", Kind: record.Gauge},
	}}
}

// recFiles writes an evening: from 14:00 to 14:10 a record a second, a queue
// that grows from 14:02:56 on, a knob that was turned just before, and 20 s
// without records. The day before has records of each 10 s only.
func recFiles(t *testing.T, node string) string {
	t.Helper()
	dir := t.TempDir()
	folder, err := record.OpenFolder(dir)
	must(t, err)
	ring := func(name string, every int64) *record.Ring {
		r, err := record.OpenRing(record.RingConfig{Name: name, Disk: folder, Schema: recSchema(node, every),
			BytesMax: func() int64 { return 1 << 20 }, Keep: func() time.Duration { return 24 * time.Hour }})
		must(t, err)
		t.Cleanup(func() { r.Close() })
		return r
	}
	noon := time.Date(2026, 11, 21, 14, 0, 0, 0, time.UTC)
	second, long := ring("1s", 1000), ring("10s", 10_000)
	published, softirq := int64(0), int64(0)
	for i := range 600 {
		at := noon.Add(time.Duration(i) * time.Second)
		queued := int64(140)
		rate := int64(11_900)
		if i > 175 {
			queued, rate = 140+int64(i-175)*500, 25_310
			softirq += 26
		}
		published, softirq = published+rate, softirq+5
		if i == 175 {
			must(t, second.Mark(&record.Mark{At: at.UnixMilli(), Kind: record.MarkKnob, Text: "queue.messages_max 1024 → 256 (maria: INC-311)"}))
		}
		rec := &record.Record{At: at.UnixMilli(), Mono: int64(i) * 1000, V: []int64{published, queued, softirq, 300_000 + int64(i), 61_000_000}}
		if i < 400 || i >= 420 {
			must(t, second.Append(rec))
		}
		if i%10 == 0 {
			early := *rec
			early.At -= 24 * 3600 * 1000
			must(t, long.Append(&early))
		}
	}
	return dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// recNode serves the files of a folder as a node does.
func recNode(t *testing.T, dir string) string {
	t.Helper()
	mux := http.NewServeMux()
	mem := fileMemory{dir, os.DirFS(dir)}
	mux.HandleFunc("GET /v1/rec", func(w http.ResponseWriter, r *http.Request) {
		from, _ := strconv.ParseInt(r.FormValue("from"), 10, 64)
		to, _ := strconv.ParseInt(r.FormValue("to"), 10, 64)
		var fields []string
		if f := r.FormValue("fields"); f != "" {
			fields = strings.Split(f, ",")
		}
		if err := record.Copy(w, mem.FS, record.Query{Ring: r.FormValue("ring"), From: from, To: to, Fields: fields}); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("GET /v1/rec/state", func(w http.ResponseWriter, r *http.Request) {
		s, err := mem.state(r.Context())
		if err != nil {
			t.Error(err)
		}
		s.On, s.Records, s.Bytes, s.TookSeconds = true, 86_400, 25_000_000, 20
		answer(w, s)
	})
	mux.HandleFunc("GET /v1/rec/fields", func(w http.ResponseWriter, r *http.Request) {
		f, err := mem.fields(r.Context())
		if err != nil {
			t.Error(err)
		}
		answer(w, f)
	})
	bundle := pushdapi.RecBundle{ID: "20261121T140300", Node: "gw-1", At: fakeTime(), Why: "a message has waited 12s in its queue", Bytes: 53_000}
	mux.HandleFunc("GET /v1/rec/bundles", func(w http.ResponseWriter, _ *http.Request) { answer(w, []pushdapi.RecBundle{bundle}) })
	mux.HandleFunc("GET /v1/rec/bundles/{id}", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("id") != bundle.ID {
			refuse(w, http.StatusNotFound, "not_found", "there is no bundle; list them with pushctl rec bundles")
			return
		}
		w.Write(tarOf(t, "goroutine.pb.gz", "rec/1s-0000000001.rec"))
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func tarOf(t *testing.T, names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, n := range names {
		must(t, w.WriteHeader(&tar.Header{Name: n, Size: 1, Mode: 0o600}))
		_, err := w.Write([]byte("x"))
		must(t, err)
	}
	must(t, w.Close())
	must(t, z.Close())
	return b.Bytes()
}

// rec runs a command line at 14:10 of that evening.
func rec(t *testing.T, args ...string) (out, errs string, code int) {
	t.Helper()
	var o, e bytes.Buffer
	env := &env{in: strings.NewReader(""), out: &o, err: &e, getenv: func(string) string { return "" },
		now: func() time.Time { return time.Date(2026, 11, 21, 14, 10, 0, 0, time.UTC) }, size: func() (int, int) { return 80, 24 }}
	code = run(append([]string{"rec"}, args...), env)
	return o.String(), e.String(), code
}

// shows wants a screen within 80 columns.
func shows(t *testing.T, want string, args ...string) {
	t.Helper()
	got, errs, code := rec(t, args...)
	if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), got); diff != "" || code != 0 {
		t.Errorf("rec %s: exit %d, %s%s\n%s", strings.Join(args, " "), code, errs, diff, got)
	}
	for l := range strings.SplitSeq(got, "\n") {
		if table.Width(l) > table.Columns {
			t.Errorf("%d columns: %s", table.Width(l), l)
		}
	}
}

const diffScreen = `
gw-1          14:02:00  14:03:07  change
published     11,900/s  25,310/s  ×2.1
queued             140     6,140  ×44  ← first above 1,000 at 14:02:57
cpu.softirq        5 %      31 %  ×6.2  ← first above 10 % at 14:02:56
go.sched_p99    300 µs    300 µs
process.rss      61 MB     61 MB
14:02:55  knob     queue.messages_max 1024 → 256 (maria: INC-311)
`

func TestRecAtIsTheSameFromANodeAndFromFiles(t *testing.T) {
	dir := recFiles(t, "gw-1")
	shows(t, diffScreen, "at", "14:03:07", "--diff", "14:02:00", "--file", dir)
	shows(t, diffScreen, "at", "14:02:00", "--diff", "14:03:07", "--node", recNode(t, dir))
	shows(t, `
              gw-1 2026-11-21 14:02:00
published                     11,900/s
queued                             140
cpu.softirq                        5 %
go.sched_p99                    300 µs
process.rss                      61 MB
14:02:55  knob     queue.messages_max 1024 → 256 (maria: INC-311)
`, "at", "14:02", "--file", dir)
	// What is older than the ring of seconds is in that of 10 s.
	shows(t, `
             gw-1 2026-11-20 14:05:00
published                    25,310/s
cpu.softirq                      31 %
`, "at", "yesterday", "14:05:04", "--fields", "published,cpu.softirq", "--file", dir)
}

func TestRecNodesSideBySide(t *testing.T) {
	a, b := recNode(t, recFiles(t, "gw-1")), recNode(t, recFiles(t, "gw-2"))
	shows(t, `
        gw-1 14:03:00  gw-2 14:03:00
queued          2,640          2,640
14:02:55  knob     gw-1: queue.messages_max 1024 → 256 (maria: INC-311)
14:02:55  knob     gw-2: queue.messages_max 1024 → 256 (maria: INC-311)
`, "at", "14:03", "--fields", "queued", "--node", a, "--node", b)
	out, errs, code := rec(t, "at", "14:03", "--fields", "queued", "--node", a, "--node", dead(t))
	if code != exitPartial || !strings.Contains(out, "2,640") || !strings.Contains(errs, "1 of 2 nodes answered") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
}

func TestRecShow(t *testing.T) {
	dir := recFiles(t, "gw-1")
	shows(t, `
             14:00:00                14:10:00  MIN    MEAN      MAX     LAST
queued       ▁▁▁▁▁▁▁▁▁▁▁▁▂▂▃▃▃▄▄▄▅▅▅▆▆▆▇▇▇███  140  73,769  212,140  212,140
cpu.softirq  ▂▂▂▂▂▂▂▂▂▆██████████████████████  5 %    23 %     31 %     31 %
marks                 ▲
nothing recorded for 21 s from 14:06:39
14:02:55  knob     queue.messages_max 1024 → 256 (maria: INC-311)
`, "show", "--from", "14:00", "--fields", "queued,cpu.softirq", "--file", dir)
	shows(t, `
        14:06:30                14:07:10      MIN     MEAN      MAX     LAST
queued  ▇▇▇▇▇▇▇█                ████████  107,640  117,878  127,640  127,640
nothing recorded for 21 s from 14:06:39
`, "show", "--from", "14:06:30", "--to", "14:07:10", "--fields", "queued", "--file", dir)
}

func TestRecFind(t *testing.T) {
	dir := recFiles(t, "gw-1")
	shows(t, `
NODE  FROM                 TO          FOR  FIELD     WORST  AT
gw-1  2026-11-21 14:06:15  14:06:39    25s  queued  112,140  14:06:39
gw-1  2026-11-21 14:07:01  14:09:59  2m59s  queued  212,140  14:09:59

look closer: pushctl rec at 2026-11-21T14:09:59 --diff 2026-11-21T14:06:01
`, "find", "queued > 1e5 && cpu.softirq > 10%", "--from", "14:00", "--file", dir)
	shows(t, "never in this span: queued > 1e9\n", "find", "queued > 1e9", "--from", "14:00", "--file", dir)
	shows(t, "never in this span: queued > 1e9\nrecords of gw-1 begin at 2026-11-21 14:00:00\n", "find", "queued > 1e9", "--from", "13:00", "--every", "1s", "--file", dir)
	out, _, _ := rec(t, "find", "queued > 1e5", "--json", "--node", recNode(t, dir), "--from", "14:00")
	var rows []table.RecFound
	if err := json.Unmarshal([]byte(out), &rows); err != nil || len(rows) != 2 || rows[1].Worst != 212_140 {
		t.Errorf("%v: %s", err, out)
	}
}

func TestRecRefusals(t *testing.T) {
	dir := recFiles(t, "gw-1")
	f := func(code int, want string, args ...string) {
		t.Helper()
		_, errs, got := rec(t, append(args, "--file", dir)...)
		if got != code || !strings.Contains(errs, want) {
			t.Errorf("rec %s: exit %d %q; want %d %q", strings.Join(args, " "), got, errs, code, want)
		}
	}
	f(exitUsage, "did you mean queued?", "find", "queud > 5")
	f(exitUsage, "rec find, column 9: expected a quantity", "find", "queued >")
	f(exitUsage, "did you mean queued?", "show", "--fields", "qeued", "--from", "14:00")
	f(exitUsage, "is no moment: write 14:03:07, -5m", "at", "noonish")
	f(exitUsage, "is not before", "show", "--from", "14:05", "--to", "14:04")
	f(exitUsage, "want 100ms, 1s or 10s", "show", "--every", "2s")
	f(exitFailed, "there are records of 1s from 2026-11-21 14:00:00 to 2026-11-21 14:09:59", "at", "2026-11-01T10:00")
	f(exitUsage, "say one of --openmetrics, --csv and --json", "export")
	f(exitUsage, "ends in .png or .html", "plot", "-f", "x.gif")
	_, errs, code := rec(t, "at", "now", "--file", dir+"/nowhere")
	if code != exitFailed || !strings.Contains(errs, "no such file") {
		t.Errorf("exit %d %s", code, errs)
	}
}

func TestRecExport(t *testing.T) {
	dir := recFiles(t, "gw-1")
	out, errs, code := rec(t, "export", "--openmetrics", "--from", "14:02:58", "--to", "14:02:59", "--fields", "published,process.rss,cpu.softirq", "--file", dir)
	want := `# TYPE pushd_rec_published counter
# HELP pushd_rec_published Messages accepted by the server API.
pushd_rec_published_total{node="gw-1"} 2170330 1795269778.000
pushd_rec_published_total{node="gw-1"} 2195640 1795269779.000
# TYPE pushd_rec_process_rss_bytes gauge
# UNIT pushd_rec_process_rss_bytes bytes
pushd_rec_process_rss_bytes{node="gw-1"} 61000000 1795269778.000
pushd_rec_process_rss_bytes{node="gw-1"} 61000000 1795269779.000
# TYPE pushd_rec_cpu_softirq_seconds counter
# UNIT pushd_rec_cpu_softirq_seconds seconds
# HELP pushd_rec_cpu_softirq_seconds All cores in soft interrupts.
pushd_rec_cpu_softirq_seconds_total{node="gw-1"} 9.73 1795269778.000
pushd_rec_cpu_softirq_seconds_total{node="gw-1"} 10.04 1795269779.000
# EOF
`
	if diff := cmp.Diff(want, out); diff != "" || code != 0 {
		t.Errorf("exit %d %s%s", code, errs, diff)
	}
	file := filepath.Join(t.TempDir(), "out.csv")
	if _, errs, code := rec(t, "export", "--csv", "--from", "14:00", "-f", file, "--file", dir); code != 0 {
		t.Fatal(errs)
	}
	b, err := os.ReadFile(file)
	must(t, err)
	rows, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
	must(t, err)
	if diff := cmp.Diff([]string{"time", "node", "published", "queued", "cpu.softirq", "go.sched_p99", "process.rss"}, rows[0]); diff != "" || len(rows) != 581 {
		t.Error(len(rows), diff)
	}
	// The first record has no rate: an empty cell, not 0.
	if rows[1][2] != "" || rows[2][2] != "11900" {
		t.Errorf("%q, %q", rows[1], rows[2])
	}
	out, _, _ = rec(t, "export", "--json", "--from", "14:00", "--fields", "queued", "--file", dir)
	var doc seriesDocument
	if err := json.Unmarshal([]byte(out), &doc); err != nil || len(doc.At) != 580 || len(doc.Values["queued"]) != 580 || len(doc.Gaps) != 1 {
		t.Errorf("%v: %d records, %d gaps", err, len(doc.At), len(doc.Gaps))
	}
}

func TestRecPlot(t *testing.T) {
	dir := recFiles(t, "gw-1")
	for _, kind := range []string{"png", "html"} {
		file := filepath.Join(t.TempDir(), "x."+kind)
		out, errs, code := rec(t, "plot", "--from", "14:00", "--fields", "queued,cpu.softirq", "-f", file, "--file", dir)
		b, err := os.ReadFile(file)
		if code != 0 || err != nil || !strings.Contains(out, "2 charts") {
			t.Fatalf("exit %d %s%s: %v", code, out, errs, err)
		}
		switch {
		case kind == "png" && !bytes.HasPrefix(b, []byte("\x89PNG")):
			t.Error("no PNG")
		case kind == "html" && (!bytes.Contains(b, []byte("queue.messages_max 1024 → 256")) || bytes.Count(b, []byte("<svg")) != 2):
			t.Errorf("page of %d bytes", len(b))
		}
	}
}

func TestRecStatusAndBundles(t *testing.T) {
	dir := recFiles(t, "gw-1")
	node := recNode(t, dir)
	out, _, code := rec(t, "status", "--node", node)
	if code != 0 || !strings.Contains(out, "gw-1  recording  5 fields") || !strings.Contains(out, "289 B or 25 MB a day") {
		t.Errorf("exit %d %s", code, out)
	}
	if out, _, code = rec(t, "status", "--file", dir); code != 0 || !strings.HasPrefix(out, "gw-1  files  5 fields  "+dir) {
		t.Errorf("exit %d %s", code, out)
	}
	shows(t, `
NODE  ID                     AT  BYTES  WHY
gw-1  20261121T140300  14:03:07  53 KB  a message has waited 12s in its queue

fetch one: pushctl rec bundle 20261121T140300
`, "bundles", "--node", node)
	to := t.TempDir()
	out, errs, code := rec(t, "bundle", "20261121T140300", "-o", to, "--node", node)
	if code != 0 || !strings.Contains(out, "go tool pprof "+to) {
		t.Errorf("exit %d %s%s", code, out, errs)
	}
	if b, err := os.ReadFile(filepath.Join(to, "20261121T140300", "rec", "1s-0000000001.rec")); err != nil || string(b) != "x" {
		t.Errorf("%q %v", b, err)
	}
	_, errs, code = rec(t, "bundle", "20261121T140301", "-o", to, "--node", node)
	if code != exitFailed || !strings.Contains(errs, "pushctl rec bundles") {
		t.Errorf("exit %d %s", code, errs)
	}
	out, _, _ = rec(t, "fields", "interrupts", "--node", node)
	if !strings.Contains(out, "cpu.softirq") || strings.Contains(out, "published") {
		t.Error(out)
	}
}

func TestABundleStaysInItsFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "b")
	if _, err := unpack(bytes.NewReader(tarOf(t, "../evil")), dir); err == nil {
		t.Error("it was unpacked")
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(dir), "evil")); err == nil {
		t.Error("a file lies outside")
	}
}

func TestParseWhen(t *testing.T) {
	now := time.Date(2026, 11, 28, 14, 10, 0, 0, time.UTC)
	f := func(text, want string) {
		t.Helper()
		got, err := parseWhen(text, now)
		if s := got.UTC().Format("01-02 15:04:05.999"); err != nil && want != "" || err == nil && s != want {
			t.Errorf("%q is %s, %v; want %s", text, s, err, want)
		}
	}
	f("now", "11-28 14:10:00")
	f("14:03:07", "11-28 14:03:07")
	f("14:03:07.25", "11-28 14:03:07.25")
	f("14:03", "11-28 14:03:00")
	f("23:00", "11-27 23:00:00") // the last one
	f("-5m", "11-28 14:05:00")
	f("-1d", "11-27 14:10:00")
	f("90s ago", "11-28 14:08:30")
	f("yesterday 14:03", "11-27 14:03:00")
	f("yesterday", "11-27 00:00:00")
	f("today 9:00", "11-28 09:00:00")
	f("2026-11-28T14:03", "11-28 14:03:00")
	f("2026-11-20 14:03:01", "11-20 14:03:01")
	f("2026-11-20", "11-20 00:00:00")
	f("2026-11-28T14:03:00+01:00", "11-28 13:03:00")
	f("11-20 14:03", "11-20 14:03:00")
	for _, bad := range []string{"", "soon", "-5", "--5m", "25:00", "14:3:7:9", "-5x", "yesterday noon"} {
		f(bad, "")
	}
}

func TestSpark(t *testing.T) {
	f := func(v []float64, peak bool, want string) {
		t.Helper()
		var at []int64
		for i := range v {
			at = append(at, int64(i))
		}
		if got := table.Spark(at, v, peak, 0, int64(len(v)), 4); got != want {
			t.Errorf("%v: %q, want %q", v, got, want)
		}
	}
	none := math.NaN()
	f([]float64{0, 1, 2, 4}, false, "▁▃▅█")
	f([]float64{none, 1, none, 1}, false, " █ █")
	f([]float64{0, 0, 0, 0}, false, "▁▁▁▁")
	f([]float64{-1, 0, 1, 2}, false, "▁▁▅█")
	f([]float64{0, 8, 0, 8, 0, 8, 0, 8}, false, "████")
	f([]float64{0, 8, 8, 0, 1, 0, 0, 0}, true, "██▂▁")
}

func TestRecCompletes(t *testing.T) {
	node := recNode(t, recFiles(t, "gw-1"))
	f := func(want string, words ...string) {
		t.Helper()
		var o bytes.Buffer
		env := &env{out: &o, err: &o, getenv: func(string) string { return "" }, now: fakeTime}
		run(append([]string{completeWord, "--node", node, "rec"}, words...), env)
		var got []string
		for l := range strings.SplitSeq(strings.TrimSpace(o.String()), "\n") {
			word, _, _ := strings.Cut(l, "\t")
			got = append(got, word)
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%v: %q, want %q", words, s, want)
		}
	}
	f("published process.rss", "show", "--fields", "p")
	f("queued", "find", "q")
	f("20261121T140300", "bundle", "")
	f("100ms 10s", "show", "--every", "10")
	f("at", "a")
}
