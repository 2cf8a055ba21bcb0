package e2e

import (
	"fmt"
	"strings"
	"testing"

	"pushfleet/internal/pushdapi"
)

// The log of a running process tells more, and less, as soon as its knob is
// turned. The setting --log-level is where it begins.
func TestLogLevelIsTurned(t *testing.T) {
	p := startPushd(t, "--log-level", "info")
	set := func(name, value, why string) { // logged as info, with why
		t.Helper()
		if _, err := p.API.SetKnob(t.Context(), name, pushdapi.KnobSet{Value: value, Why: why}); err != nil {
			t.Fatal(err)
		}
	}
	tells := func(why string) func() bool {
		return func() bool {
			set("queue.soft_percent", "60", why)
			return strings.Contains(p.text(), `"why":"`+why+`"`)
		}
	}
	k, err := p.API.Knob(t.Context(), "log.level")
	if err != nil || k.Value != "info" || k.Source != "config" {
		t.Errorf("at the start: %+v, %v", k, err)
	}
	eventually(t, "a line at info", tells("begin"))
	round := 0
	eventually(t, "no line at error", func() bool { // the process obeys a moment after its answer
		round++
		quiet := fmt.Sprint("quiet-", round)
		set("log.level", "error", "")
		set("queue.soft_percent", "60", quiet)
		set("log.level", "debug", "")
		eventually(t, "a line at debug", tells(fmt.Sprint("loud-", round)))
		return !strings.Contains(p.text(), quiet)
	})
}
