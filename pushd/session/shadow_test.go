package session

import (
	"encoding/json"
	"io"
	"testing"

	"pushfleet/internal/push"
)

// A shadow takes the clients of a tee, by whatever transport, and no others.
func TestShadowTakesClientsOfATeeOnly(t *testing.T) {
	r := startRigWith(t, false, func(s *Shared) { s.Shadow = true })
	for _, p := range protos {
		for _, query := range []string{"user=u", "user=u&tee=0"} {
			c := r.raw()
			c.write(request(p, query))
			b, err := io.ReadAll(c.response(503).Body)
			var body frame
			if err != nil || json.Unmarshal(b, &body) != nil || body.str("code") != "shadow" || body.str("error") == "" {
				t.Errorf("%s %s: %q, %v", p, query, b, err)
			}
			c.Close()
		}
		want := 200
		if p == push.ProtoWS {
			want = 101
		}
		c := r.raw()
		c.write(request(p, "user=u&tee=1"))
		c.response(want)
		c.reset()
		c = r.raw()
		c.write(request(p, "user=u", "Push-Tee: 1"))
		c.response(want)
		c.reset()
	}
	r.eventually("all gone", func() bool { return r.table.Live() == 0 })
	if n := r.s.Closed.Totals()[push.CloseShadow]; n != 8 {
		t.Errorf("%d closed for not being of a tee, want 8", n)
	}
}

// Elsewhere the mark means nothing.
func TestClientsOfATeeAreClientsElsewhere(t *testing.T) {
	r := newRig(t)
	c := r.raw()
	c.write(request(push.ProtoStream, "user=u&tee=1"))
	c.response(200)
	c.reset()
}
