package daemon

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"sync"
	"syscall"
	"testing"
)

func TestLogForms(t *testing.T) {
	f := func(o LogOptions, want string) {
		t.Helper()
		var b bytes.Buffer
		log := NewLogger(&b, o)
		log.Debug("not shown")
		log.With("loop", 3).WithGroup("conn").Warn("slow", "id", "3.1f20.2")
		if !regexp.MustCompile(`^` + want + `\n$`).Match(b.Bytes()) {
			t.Errorf("%+v: %q, want %s", o, b.String(), want)
		}
	}
	f(LogOptions{}, `time=\S+ level=WARN msg=slow loop=3 conn.id=3.1f20.2`)
	f(LogOptions{JSON: true}, `{"time":"\S+","level":"WARN","msg":"slow","loop":3,"conn":{"id":"3.1f20.2"}}`)
	f(LogOptions{Journald: true}, `<4>msg=slow loop=3 conn.id=3.1f20.2`)
	f(LogOptions{Journald: true, JSON: true}, `<4>{"msg":"slow","loop":3,"conn":{"id":"3.1f20.2"}}`)
}

func TestPrioritiesDoNotMixUnderConcurrency(t *testing.T) {
	var b bytes.Buffer
	log := NewLogger(&b, LogOptions{Journald: true, Level: slog.LevelDebug})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 100 {
				log.Debug("d")
				log.Info("i")
				log.Error("e")
			}
		})
	}
	all.Wait()
	lines := bytes.Split(bytes.TrimSpace(b.Bytes()), []byte("\n"))
	want := map[string]int{"<7>msg=d": 400, "<6>msg=i": 400, "<3>msg=e": 400}
	for _, l := range lines {
		want[string(l)]--
	}
	for l, n := range want {
		if n != 0 {
			t.Errorf("%q: %d missing", l, n)
		}
	}
}

func TestLevelMayChangeLater(t *testing.T) {
	var b bytes.Buffer
	var level slog.LevelVar
	log := NewLogger(&b, LogOptions{Level: &level})
	log.Debug("no")
	level.Set(slog.LevelDebug)
	log.Debug("yes")
	if !bytes.Contains(b.Bytes(), []byte("msg=yes")) || bytes.Contains(b.Bytes(), []byte("msg=no")) {
		t.Errorf("log: %s", b.String())
	}
}

func TestParseLevel(t *testing.T) {
	if l, err := ParseLevel("warn"); err != nil || l != slog.LevelWarn {
		t.Errorf("warn: %v, %v", l, err)
	}
	for _, s := range []string{"", "WARN", "info+1", "trace"} {
		if _, err := ParseLevel(s); err == nil {
			t.Errorf("%q is taken as a level", s)
		}
	}
}

func TestLogTo(t *testing.T) {
	none := func(string) string { return "" }
	path := t.TempDir() + "/log"
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	log, err := LogTo(file, "warn", "json", none)
	if err != nil {
		t.Fatal(err)
	}
	log.Info("no")
	log.Warn("yes")
	if b, err := os.ReadFile(path); err != nil || !regexp.MustCompile(`^{.*"msg":"yes"}\n$`).Match(b) {
		t.Errorf("log: %q, %v", b, err)
	}
	if _, err := LogTo(file, "loud", "text", none); err == nil {
		t.Error("loud is taken as a level")
	}
}

func TestLogAtALevelThatChanges(t *testing.T) {
	file, err := os.Create(t.TempDir() + "/log")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var level slog.LevelVar
	level.Set(slog.LevelError)
	log := LogAt(file, &level, "text", func(string) string { return "" })
	log.Warn("no")
	level.Set(slog.LevelWarn)
	log.Warn("yes")
	if b, err := os.ReadFile(file.Name()); err != nil || !regexp.MustCompile(`^time=\S+ level=WARN msg=yes\n$`).Match(b) {
		t.Errorf("log: %q, %v", b, err)
	}
}

func TestUnderJournald(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var st syscall.Stat_t
	if err := syscall.Fstat(int(file.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	f := func(stream string, want bool) {
		t.Helper()
		if got := UnderJournald(file, func(string) string { return stream }); got != want {
			t.Errorf("JOURNAL_STREAM=%s: %v", stream, got)
		}
	}
	f("", false)
	f(fmt.Sprintf("%d:%d", st.Dev, st.Ino), true)
	f(fmt.Sprintf("%d:%d", st.Dev, st.Ino+1), false)
}
