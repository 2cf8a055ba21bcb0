package store

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const childDir = "KEEPER_STORE_CHILD"

// runChild is a member in a process of its own: it writes numbers one after the
// other, tells each when it is acknowledged, and takes snapshots on the way. It
// ends by being killed.
func runChild(dir string) {
	die := func(err error) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	m := &tape{}
	s, err := Open(childConfig(dir, m))
	if err != nil {
		die(err)
	}
	ctx := context.Background()
	if err := s.Ready(ctx); err != nil {
		die(err)
	}
	for s.Linearize(ctx) != nil {
		_, changed := s.Leadership()
		if s.State() != Leader {
			<-changed
		}
	}
	fmt.Println("had", len(m.all()))
	for i := len(m.all()); ; i++ {
		if _, _, err := s.Apply(ctx, []byte(strconv.Itoa(i))); err != nil {
			die(err)
		}
		fmt.Println("ack", i)
		if i%40 == 39 {
			if err := s.Snapshot(ctx); err != nil {
				die(err)
			}
		}
	}
}

func childConfig(dir string, m Machine) Config {
	t := quick()
	t.Heartbeat, t.Election, t.Lease = 0, 0, 0
	orElse(&t.Heartbeat, 10e6) // alone: it elects itself at once
	t.Election, t.Lease = t.Heartbeat, t.Heartbeat
	kind := LogKind(filepath.Base(dir))
	return Config{
		ID: "k", Dir: dir, Listen: "127.0.0.1:0", Advertise: "127.0.0.1:7411", Expect: 1, Machine: m,
		Timing: t, LogKind: kind, TrailingEntries: 10, segment: 64 << 10,
	}
}

// TestKilled kills a writing member thirty times and looks for what it had
// acknowledged.
func TestKilled(t *testing.T) {
	t.Parallel()
	f := func(kind LogKind, kills int) {
		t.Helper()
		dir := filepath.Join(t.TempDir(), string(kind))
		acked := -1
		for range kills {
			had, last := killChild(t, dir, 1+rand.IntN(60))
			if had <= acked {
				t.Fatalf("%s: %d commands after a kill, %d were acknowledged", kind, had, acked+1)
			}
			acked = max(last, had-1)
		}
		m := &tape{}
		s, err := Open(childConfig(dir, m))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		eventually(t, "leader", func() bool { return s.Linearize(t.Context()) == nil })
		for i, cmd := range m.all() {
			if cmd != strconv.Itoa(i) {
				t.Fatalf("%s: command %d is %q", kind, i, cmd)
			}
		}
		if n := len(m.all()); n <= acked {
			t.Errorf("%s: %d commands, %d were acknowledged", kind, n, acked+1)
		}
	}
	f(WAL, 22)
	f(Bolt, 8)
}

// killChild runs the child until it has acknowledged so many, then a moment
// longer, and kills it. It returns with how many commands the child began and
// which it acknowledged last.
func killChild(t *testing.T, dir string, acks int) (had, last int) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childDir+"="+dir)
	var said strings.Builder
	child.Stderr = &said
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { child.Process.Kill() }) // it was, or the test has ended
	had, last = -1, -1
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		word, number, _ := strings.Cut(lines.Text(), " ")
		n, err := strconv.Atoi(number)
		if err != nil || !slices.Contains([]string{"had", "ack"}, word) {
			t.Fatalf("the child said %q", lines.Text())
		}
		if word == "had" {
			had = n
			continue
		}
		last = n
		if acks--; acks == 0 {
			// It is already at the next one; what it still says counts too.
			child.Process.Kill()
		}
	}
	child.Wait()
	if had < 0 {
		t.Fatalf("the child did not start: %s", said.String())
	}
	return had, last
}
