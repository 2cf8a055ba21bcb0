// Package prom writes pages in the text form of Prometheus, and what every
// process of the project tells of itself there.
package prom

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/VictoriaMetrics/metrics"
)

// ContentType is that of a page.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// Page is one answer of /metrics. Every family has its help and type before
// its samples, which the library's writers leave out. It belongs to one
// goroutine.
type Page struct {
	b     bytes.Buffer
	floor *Floor
}

// New begins a page whose counters never fall below floor, which outlives it.
func New(floor *Floor) *Page { return &Page{floor: floor} }

// Bytes is the page so far.
func (p *Page) Bytes() []byte { return p.b.Bytes() }

// Family begins a family: kind is counter, gauge or histogram. All samples of
// it must follow before the next family begins.
func (p *Page) Family(name, kind, help string) {
	fmt.Fprintf(&p.b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

// Gauge writes a family of one sample.
func (p *Page) Gauge(name, help string, v float64) {
	p.Family(name, "gauge", help)
	metrics.WriteGaugeFloat64(&p.b, name, v)
}

// Sample writes one sample of a gauge whose family is begun; Series makes its
// name.
func (p *Page) Sample(series string, v float64) { metrics.WriteGaugeFloat64(&p.b, series, v) }

// Flag writes a gauge that is 1 or 0.
func (p *Page) Flag(name, help string, on bool) {
	v := 0.0
	if on {
		v = 1
	}
	p.Gauge(name, help, v)
}

// Counter writes a family of one sample that never goes back.
func (p *Page) Counter(name, help string, v float64) {
	p.Family(name, "counter", help)
	metrics.WriteCounterFloat64(&p.b, name, p.floor.AtLeast(name, v))
}

// Counters writes one sample per word, those with 0 too, so that the first
// increase of each is seen. What is not among the words is left out: it is
// what keeps the number of series bounded.
func (p *Page) Counters(name, help, label string, words []string, v map[string]uint64) {
	p.Family(name, "counter", help)
	for _, word := range words {
		s := Series(name, label, word)
		metrics.WriteCounterFloat64(&p.b, s, p.floor.AtLeast(s, float64(v[word])))
	}
}

// Series names a sample with labels, given as name, value, name, value.
func Series(name string, labels ...string) string {
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

// Info writes a family of one sample that is always 1; its labels, given as
// name, value, name, value, say something.
func (p *Page) Info(name, help string, labels ...string) {
	p.Family(name, "gauge", help)
	p.b.WriteString(Series(name, labels...) + " 1\n")
}

// Held copies samples written by others, such as the buckets of a histogram,
// and holds them to the floor. Lines that are no samples are left out.
func (p *Page) Held(samples []byte) {
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
		metrics.WriteCounterFloat64(&p.b, name, p.floor.AtLeast(name, v))
	}
}
