package e2e

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// From here on a machine is too busy to tell what is wrong with a node.
const (
	waitedMost = 0.3                   // of the time some thread waited for a processor
	stolenMost = 0.1                   // of the processors, that other machines had
	sleptMost  = 50 * time.Millisecond // longer than asked for: a node as late is not healthy
)

// steadyTries is how often what may be the machine's doing is looked at.
const steadyTries = 3

// steadily has something looked at that a busy machine spoils: a thread that
// waits for a processor makes a healthy node late. look says what is wrong, ""
// if nothing is. It looks again as long as that may be the machine's doing, and
// in the end skips.
func steadily(t *testing.T, look func() (wrong string)) {
	t.Helper()
	for try := 1; ; try++ {
		stop := watchMachine(t)
		wrong := look()
		busy := stop()
		switch {
		case wrong == "":
			return
		case busy == "":
			t.Fatal(wrong)
		case try == steadyTries:
			t.Skipf("%s, but this machine is too busy to tell: %s", wrong, busy)
		}
		t.Logf("%s, but this machine is busy: %s; once more", wrong, busy)
	}
}

// watchMachine begins to watch. stop tells how busy the machine was, "" if it
// was not.
func watchMachine(t *testing.T) (stop func() string) {
	t.Helper()
	begin, late := lookAtMachine(), make(chan time.Duration, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { late <- oversleeps(ctx) }() // ended by stop, or with the test
	return func() string {
		cancel()
		slept := <-late
		now := lookAtMachine()
		took := now.at.Sub(begin.at).Seconds()
		waited := (now.waited - begin.waited).Seconds() / took
		stolen := (now.stolen - begin.stolen) / max(now.all-begin.all, 1)
		if waited < waitedMost && stolen < stolenMost && slept < sleptMost {
			return ""
		}
		return fmt.Sprintf("threads waited for a processor %.0f %% of the time, other machines had %.0f %% of them, and a sleep took %s longer",
			100*waited, 100*stolen, slept.Round(time.Millisecond))
	}
}

// oversleeps returns by how much a short sleep took longer, at most.
func oversleeps(ctx context.Context) (most time.Duration) {
	const nap = 20 * time.Millisecond
	timer := time.NewTimer(nap)
	defer timer.Stop()
	for began := time.Now(); ; began = time.Now() {
		timer.Reset(nap)
		select {
		case <-ctx.Done():
			return most
		case <-timer.C:
		}
		most = max(most, time.Since(began)-nap)
	}
}

// machine is what the kernel has counted; zero where it does not.
type machine struct {
	at          time.Time
	waited      time.Duration // in which some thread waited for a processor
	stolen, all float64       // ticks of all processors
}

func lookAtMachine() machine {
	m := machine{at: time.Now()}
	if b, err := os.ReadFile("/proc/pressure/cpu"); err == nil {
		var a, c, d float64
		var us int64
		if _, err := fmt.Sscanf(string(b), "some avg10=%f avg60=%f avg300=%f total=%d", &a, &c, &d, &us); err == nil {
			m.waited = time.Duration(us) * time.Microsecond
		}
	}
	f, err := os.Open("/proc/stat")
	if err != nil {
		return m
	}
	defer f.Close()
	first, _ := bufio.NewReader(f).ReadString('\n')
	const stealing, guests = 7, 8 // columns; guests are counted as user too
	for i, s := range strings.Fields(strings.TrimPrefix(first, "cpu")) {
		var ticks float64
		if _, err := fmt.Sscan(s, &ticks); err != nil || i >= guests {
			break
		}
		m.all += ticks
		if i == stealing {
			m.stolen = ticks
		}
	}
	return m
}
