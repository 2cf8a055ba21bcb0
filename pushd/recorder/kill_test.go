package recorder

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

// victimDir is the environment variable that makes the test binary a process
// that records there until it is killed.
const victimDir = "RECORDER_VICTIM_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimDir); dir != "" {
		os.Exit(victim(dir))
	}
	os.Exit(m.Run())
}

// victim records and says, behind each record, how many there are.
func victim(dir string) int {
	var t testing.T
	g := newRig(&t, func(c *Config) { c.Dir, c.proc, c.blocks = dir, "/proc", "/sys/block" })
	g.Start()
	told := uint64(0)
	for range time.Tick(5 * time.Millisecond) {
		if n := g.Summary().Records; n != told {
			told = n
			fmt.Println(n)
		}
	}
	return 0
}

// TestAKilledProcessLosesNothingThatItSaid kills a recording process with
// SIGKILL right behind a record, and again in the same folder.
func TestAKilledProcessLosesNothingThatItSaid(t *testing.T) {
	dir := t.TempDir()
	said := 0
	for start := range 2 {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), victimDir+"="+dir)
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		lines := bufio.NewScanner(out)
		n := 0
		for n < 3 && lines.Scan() {
			n, err = strconv.Atoi(lines.Text())
			must(t, err)
		}
		killed := time.Now()
		must(t, cmd.Process.Kill())
		_ = cmd.Wait() // it was killed
		said += n
		all, _ := read(t, os.DirFS(dir), RingSecond) // fails on damage
		if len(all) < said {
			t.Fatalf("start %d: %d records are left of %d", start, len(all), said)
		}
		t.Logf("killed %s behind the last record", killed.Sub(all[len(all)-1].at))
	}
}
