package admin

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/VictoriaMetrics/metrics"

	"pushfleet/internal/pushdapi"
)

// page is one answer of /metrics. Every family has its help and type before
// its samples, which the library's writers leave out.
type page struct {
	b     bytes.Buffer
	floor *floor
}

func (p *page) family(name, kind, help string) {
	fmt.Fprintf(&p.b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

// gauge writes a family of one sample.
func (p *page) gauge(name, help string, v float64) {
	p.family(name, "gauge", help)
	metrics.WriteGaugeFloat64(&p.b, name, v)
}

// sample writes one sample of a gauge whose family is begun.
func (p *page) sample(series string, v float64) { metrics.WriteGaugeFloat64(&p.b, series, v) }

// flag writes a gauge that is 1 or 0.
func (p *page) flag(name, help string, on bool) {
	v := 0.0
	if on {
		v = 1
	}
	p.gauge(name, help, v)
}

// counter writes a family of one sample that never goes back.
func (p *page) counter(name, help string, v float64) {
	p.family(name, "counter", help)
	metrics.WriteCounterFloat64(&p.b, name, p.floor.atLeast(name, v))
}

// counters writes one sample per word, those with 0 too, so that the first
// increase of each is seen. What is not among the words is left out: it is
// what keeps the number of series bounded.
func (p *page) counters(name, help, label string, words []string, v map[string]uint64) {
	p.family(name, "counter", help)
	for _, word := range words {
		s := series(name, label, word)
		metrics.WriteCounterFloat64(&p.b, s, p.floor.atLeast(s, float64(v[word])))
	}
}

// windows writes a gauge per window.
func (p *page) windows(name, help string, w pushdapi.Windows) {
	p.family(name, "gauge", help)
	p.windowSamples(name, "", w)
}

// windowSamples writes the samples of windows; labels, if any, end with a comma.
func (p *page) windowSamples(name, labels string, w pushdapi.Windows) {
	for _, seconds := range []int{1, 10, 100} {
		metrics.WriteGaugeFloat64(&p.b, fmt.Sprintf(`%s{%swindow="%ds"}`, name, labels, seconds), w.Of(seconds))
	}
}

// series names a sample with labels, given as name, value, name, value.
func series(name string, labels ...string) string {
	var b strings.Builder
	b.WriteString(name)
	sep := byte('{')
	for i := 0; i+1 < len(labels); i += 2 {
		b.WriteByte(sep)
		fmt.Fprintf(&b, `%s="%s"`, labels[i], labelEscaper().Replace(labels[i+1]))
		sep = ','
	}
	b.WriteByte('}')
	return b.String()
}

func labelEscaper() *strings.Replacer {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
}

// held copies samples written by others and holds them to the floor.
func (p *page) held(samples []byte) {
	for line := range bytes.Lines(samples) {
		line = bytes.TrimRight(line, "\n")
		at := bytes.LastIndexByte(line, ' ')
		if at < 0 {
			continue
		}
		v, err := strconv.ParseFloat(string(line[at+1:]), 64)
		if err != nil {
			continue
		}
		name := string(line[:at])
		metrics.WriteCounterFloat64(&p.b, name, p.floor.atLeast(name, v))
	}
}

// floor remembers the highest value of each counter. A loop that does not
// answer in time is missing in the sums; Prometheus takes a counter that goes
// back for a restart and would count everything again. Two scrapes at once may
// also end in another order than they began. So a counter waits at its highest
// value until the sums have caught up.
//
// It also holds for the buckets of a histogram: they are cumulative, and of
// two growing rows the greater of each column is a growing row again.
type floor struct {
	mu   sync.Mutex
	most map[string]float64 // by series, whose number is bounded
}

func (f *floor) atLeast(series string, v float64) float64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.most == nil {
		f.most = map[string]float64{}
	}
	v = max(v, f.most[series])
	f.most[series] = v
	return v
}
