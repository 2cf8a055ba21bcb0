package pushdapi

import (
	"os"
	"testing"
)

func TestHere(t *testing.T) {
	p := Here()
	if p.PID != os.Getpid() || p.Boot == "" || p.PIDs == 0 {
		t.Errorf("%+v", p)
	}
	other := p
	other.PID, other.PIDs, other.Hostname = 1, 2, "a container"
	if !p.SameHost(other) {
		t.Error("a container of this host counts as another host")
	}
	other.Boot = "another"
	if p.SameHost(other) || (Place{}).SameHost(Place{}) {
		t.Error("another host counts as this one")
	}
}
