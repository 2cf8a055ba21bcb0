package session

import (
	"encoding/json"
	"fmt"
	"io"
	"testing"

	"pushfleet/pushd/wire/ws/wstest"
)

// The conversations of the public suite with the live node. It answers no
// scenario's text with an echo: none is a command, so each is refused.
func TestConformance(t *testing.T) {
	r := newRig(t, "read.message_bytes_max", "1MiB", "user.sessions_max", "65535")
	groups := map[string]int{}
	for _, s := range wstest.All() {
		for _, m := range s.Modes() {
			groups[s.Group]++
			t.Run(s.Group+"/"+s.Name+"/"+m.String(), func(t *testing.T) {
				wstest.Run(t, s, m, func(t *testing.T) io.ReadWriteCloser { return r.rawWS("user=u") }, refused)
			})
		}
	}
	for _, g := range []string{"1", "2", "3", "4", "5", "6", "7", "10"} {
		if groups[g] == 0 {
			t.Errorf("group %s has no conversation", g)
		}
	}
	r.eventually("all closed", func() bool { return r.table.Live() == 0 })
}

func refused(want wstest.Want, got wstest.Reply) error {
	code := "bad_json"
	if want.Op == wstest.Binary {
		code = "binary"
	}
	var f frame
	if err := json.Unmarshal(got.Payload, &f); err != nil {
		return err
	}
	if got.Op != wstest.Text || f.str("type") != "error" || f.str("code") != code {
		return fmt.Errorf("answer %d %.100q, want an error %s", got.Op, got.Payload, code)
	}
	return nil
}
