package tune

import (
	"fmt"
	"strconv"

	"pushfleet/internal/knob"
)

// SetStart gives the knobs the start values that the environment and the
// configuration's log level name; settings of the knobs themselves, made
// later, win. The error ends with what to do.
func SetStart(r *knob.Registry, getenv func(string) string, logLevel string) error {
	for _, s := range []struct{ knob, value, source string }{
		{"gc.percent", percentOf(getenv("GOGC")), "env GOGC"},
		{"gc.memory_limit", limitOf(getenv("GOMEMLIMIT")), "env GOMEMLIMIT"},
		{"log.level", logLevel, "config"},
	} {
		if s.value == "" {
			continue
		}
		if _, err := r.Set(s.knob, s.value, s.source, ""); err != nil {
			return fmt.Errorf("%w (from %s)", err, s.source)
		}
	}
	return nil
}

// percentOf reads GOGC as the runtime does: what it does not understand it
// takes for the default.
func percentOf(gogc string) string {
	if gogc == "off" {
		return strconv.Itoa(percentMax)
	}
	if _, err := strconv.ParseInt(gogc, 10, 32); err != nil {
		return ""
	}
	return gogc
}

func limitOf(gomemlimit string) string {
	if gomemlimit == "off" {
		return "0"
	}
	return gomemlimit
}
