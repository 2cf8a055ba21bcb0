package bench

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// schedule gives the distance of one arrival from the one before, in ns.
type schedule func() float64

// newSchedule returns arrivals at rate per second: "constant", or "poisson"
// with exponential gaps, which is how independent publishers arrive.
func newSchedule(name string, rate float64, rng *rand.Rand) (schedule, error) {
	gap := 1e9 / rate
	switch name {
	case "", "constant":
		return func() float64 { return gap }, nil
	case "poisson":
		return func() float64 { return gap * rng.ExpFloat64() }, nil
	}
	return nil, fmt.Errorf("arrivals %q: want constant or poisson", name)
}

// chooser picks the number of the user that gets the next message.
type chooser func() int

// newChooser returns a choice among n users: "uniform", or "zipf", where user
// k gets 1/(k+1)^1.1 as much as user 0; "zipf=S" sets the exponent S > 1.
func newChooser(name string, n int, rng *rand.Rand) (chooser, error) {
	kind, exp, has := strings.Cut(name, "=")
	switch {
	case n < 1:
		return nil, fmt.Errorf("%d users: want one or more", n)
	case kind == "" || name == "uniform":
		return func() int { return rng.IntN(n) }, nil
	case kind == "zipf":
		s := 1.1
		if has {
			var err error
			if s, err = strconv.ParseFloat(exp, 64); err != nil || !(s > 1 && s < 100) {
				return nil, fmt.Errorf("users %q: the exponent must be above 1, as in zipf=1.2", name)
			}
		}
		z := rand.NewZipf(rng, s, 1, uint64(n-1))
		return func() int { return int(z.Uint64()) }, nil
	}
	return nil, fmt.Errorf("users %q: want uniform or zipf", name)
}

// ParseRate reads 1000/s, 1000, 2.5k/s or max (which is 0), in events per second.
func ParseRate(s string) (float64, error) {
	if s == "max" {
		return 0, nil
	}
	text := strings.TrimSuffix(strings.TrimSpace(s), "/s")
	scale := 1.0
	if n, ok := strings.CutSuffix(text, "k"); ok {
		text, scale = n, 1000
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v > 0 && v < 1e9) {
		return 0, fmt.Errorf("rate %q: want a number per second such as 1000/s", s)
	}
	return v * scale, nil
}

// payload builds publish lines.
type payload struct {
	size int // bytes of the data object
	kind int // latency kind, below swarm.Kinds
	name func(user int) string
	fill []byte
}

func newPayload(size, kind int, name func(int) string) *payload {
	p := &payload{size: size, kind: kind, name: name, fill: make([]byte, size)}
	for i := range p.fill {
		p.fill[i] = 'a' + byte(i%26)
	}
	return p
}

// PayloadMin is the size of the smallest data object that carries its stamp.
const PayloadMin = 48

// appendData appends the data object with the intended send time t.
func (p *payload) appendData(b []byte, t int64) []byte {
	begin := len(b)
	b = strconv.AppendInt(append(b, `{"t":`...), t, 10)
	if p.kind > 0 {
		b = strconv.AppendInt(append(b, `,"k":`...), int64(p.kind), 10)
	}
	b = append(b, `,"p":"`...)
	pad := max(0, p.size-(len(b)-begin)-2)
	return append(append(b, p.fill[:pad]...), `"}`...)
}

// appendLine appends one line of POST /v1/publish.
func (p *payload) appendLine(b []byte, user int, t int64) []byte {
	b = append(b, `{"user":"`...)
	if p.name == nil {
		b = strconv.AppendInt(append(b, "u-"...), int64(user), 10)
	} else {
		b = append(b, p.name(user)...)
	}
	b = append(b, `","data":`...)
	return append(p.appendData(b, t), "}\n"...)
}
