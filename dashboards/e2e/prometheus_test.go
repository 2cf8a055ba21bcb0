//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// server is a Prometheus or a VictoriaMetrics.
type server struct{ name, url string }

// scraping writes the configuration that both read; targets lie in a file of
// their own, which they look at again.
func (f *fleet) scraping(nodes ...string) (config string, change func(nodes ...string)) {
	f.t.Helper()
	config = filepath.Join(f.dir, "scrape.yml")
	list := filepath.Join(f.dir, "targets.json")
	change = func(nodes ...string) {
		f.t.Helper()
		if err := os.WriteFile(list+".new", []byte(f.targets(nodes...)), 0o644); err != nil {
			f.t.Fatal(err)
		}
		if err := os.Rename(list+".new", list); err != nil {
			f.t.Fatal(err)
		}
	}
	change(nodes...)
	text := fmt.Sprintf("global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n"+
		"  - {job_name: all, file_sd_configs: [{files: [%q]}]}\n", list)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		f.t.Fatal(err)
	}
	return config, change
}

// prometheus runs Prometheus with rules, or without any.
func (f *fleet) prometheus(config string, rules string) server {
	f.t.Helper()
	b, err := os.ReadFile(config)
	if err != nil {
		f.t.Fatal(err)
	}
	// What VictoriaMetrics is told by flags.
	text := strings.NewReplacer("scrape_timeout: 1s", "scrape_timeout: 1s, evaluation_interval: 1s", "{files:", "{refresh_interval: 1s, files:").Replace(string(b)) +
		fmt.Sprintf("rule_files: [%q]\n", rules)
	own := filepath.Join(f.dir, "prometheus.yml")
	if err := os.WriteFile(own, []byte(text), 0o644); err != nil {
		f.t.Fatal(err)
	}
	s := server{"Prometheus", "http://127.0.0.1:9090"}
	p := start(f.t, nil, tool(f.t, "prometheus"), "--config.file="+own, "--storage.tsdb.path="+filepath.Join(f.dir, "tsdb"),
		"--web.listen-address=127.0.0.1:9090", "--log.level=warn")
	p.answers(f.t, s.url+"/-/ready")
	return s
}

// victoria runs VictoriaMetrics.
func (f *fleet) victoria(config string) server {
	f.t.Helper()
	s := server{"VictoriaMetrics", "http://127.0.0.1:8428"}
	p := start(f.t, nil, tool(f.t, "victoria-metrics"), "-promscrape.config="+config, "-storageDataPath="+filepath.Join(f.dir, "vm"),
		"-httpListenAddr=127.0.0.1:8428", "-search.latencyOffset=0s", "-promscrape.fileSDCheckInterval=1s")
	p.answers(f.t, s.url+"/health")
	return s
}

// samples counts the numbers that an expression has had in the last seconds.
func (s server) samples(t *testing.T, expr string, span time.Duration) (n int, series []string) {
	t.Helper()
	now := time.Now()
	q := url.Values{"query": {expr}, "start": {stamp(now.Add(-span))}, "end": {stamp(now)}, "step": {"2"}}
	resp, err := http.PostForm(s.url+"/api/v1/query_range", q)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var a struct {
		Status, Error string
		Data          struct {
			Result []struct {
				Metric map[string]string
				Values [][2]any
			}
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil || a.Status != "success" {
		t.Errorf("%s: %s: %s %v", s.name, expr, a.Error, err)
		return 0, nil
	}
	for _, one := range a.Data.Result {
		series = append(series, fmt.Sprint(one.Metric))
		for _, v := range one.Values {
			text, _ := v[1].(string)
			if x, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(x) {
				n++
			}
		}
	}
	return n, series
}

func stamp(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1e3, 'f', 3, 64) }

// fired returns the names of the alerts that fire or have fired since a moment,
// however shortly.
func (s server) fired(t *testing.T, since time.Time) map[string]bool {
	t.Helper()
	expr := fmt.Sprintf(`max by (alertname) (last_over_time(ALERTS{alertstate="firing"}[%dms]))`, max(1, time.Since(since).Milliseconds()))
	resp, err := http.PostForm(s.url+"/api/v1/query", url.Values{"query": {expr}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var a struct {
		Status, Error string
		Data          struct {
			Result []struct{ Metric map[string]string }
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil || a.Status != "success" {
		t.Fatalf("%s: %s %v", expr, a.Error, err)
	}
	out := map[string]bool{}
	for _, one := range a.Data.Result {
		out[one.Metric["alertname"]] = true
	}
	return out
}

// hurried writes the rules with their times shortened, and nothing else
// changed: what must last is 1 s, what is looked back at 10 s, an age of an hour
// or a day 3 s. It returns the file and the alerts' names.
func hurried(t *testing.T, dir string) (file string, names []string) {
	t.Helper()
	b, err := os.ReadFile("../alerts/pushfleet.yml")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for _, m := range regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	text = regexp.MustCompile(`(?m)^( +for): \w+$`).ReplaceAllString(text, "$1: 1s")
	text = regexp.MustCompile(`(process_start_time_seconds|elections_total)(\{[^}]*\})\[\d+m\]`).ReplaceAllString(text, "$1$2[30s]")
	text = regexp.MustCompile(`\[\d+[mh]\]`).ReplaceAllString(text, "[10s]")
	for _, age := range []string{"keeper_rollout_oldest_seconds) > 3600", "keeper_node_value_oldest_seconds) > 86400",
		"pushd_tap_started_timestamp_seconds > 3600"} {
		if !strings.Contains(text, age) {
			t.Fatalf("the rules have no %q", age)
		}
		metric, _, _ := strings.Cut(age, ">")
		text = strings.ReplaceAll(text, age, metric+"> 3")
	}
	file = filepath.Join(dir, "rules.yml")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file, names
}

// metric asks a node itself for one number; name ends with a blank. It is 0
// while the node does not answer.
func (f *fleet) metric(node, name string) float64 {
	resp, err := http.Get("http://" + private(node) + "/metrics")
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if text, ok := strings.CutPrefix(line, name); ok {
			v, _ := strconv.ParseFloat(strings.TrimSpace(text), 64)
			return v
		}
	}
	return 0
}
