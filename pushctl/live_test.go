package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// liveFake notes what it is told; q quits, w works.
type liveFake struct {
	told   []string
	width  int
	height int
}

func (m *liveFake) Init() task { return together(nil, func() any { return "begun" }) }

func (m *liveFake) Update(msg any) task {
	switch msg := msg.(type) {
	case key:
		m.told = append(m.told, msg.name)
		switch msg.name {
		case "q":
			return quit
		case "w":
			return func() any { return "worked" }
		}
	case sizeMsg:
		m.width, m.height = msg.width, msg.height
	case string:
		m.told = append(m.told, msg)
	}
	return nil
}

func (m *liveFake) View() string { return fmt.Sprintf("%d×%d\n%s", m.width, m.height, m.told) }

// liveLoopTest is a loop whose keys a test hits.
type liveLoopTest struct {
	m       *liveFake
	keys    chan []byte
	resized chan os.Signal
	out     strings.Builder
	done    chan error
	cancel  context.CancelFunc
	w, h    int
}

func startLiveLoop(t *testing.T) *liveLoopTest {
	l := &liveLoopTest{m: &liveFake{}, keys: make(chan []byte), resized: make(chan os.Signal), done: make(chan error, 1), w: 80, h: 24}
	ctx, cancel := context.WithCancel(t.Context())
	l.cancel = cancel
	loop := &liveLoop{model: l.m, out: &l.out, size: func() (int, int) { return l.w, l.h }, keys: l.keys, resized: l.resized}
	go func() { l.done <- loop.run(ctx) }() // ended by each test
	synctest.Wait()
	return l
}

func (l *liveLoopTest) hit(keys string) {
	l.keys <- []byte(keys)
	synctest.Wait()
}

func TestLiveLoop(t *testing.T) {
	f := func(want string, do func(*liveLoopTest)) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			t.Helper()
			l := startLiveLoop(t)
			do(l)
			synctest.Wait()
			select {
			case err := <-l.done:
				if err != nil {
					t.Error(err)
				}
			default:
				t.Error("it goes on")
				l.cancel()
				<-l.done
			}
			if got := strings.Join(l.m.told, " "); got != want {
				t.Errorf("the model was told %q, want %q", got, want)
			}
		})
	}
	f("begun q", func(l *liveLoopTest) { l.hit("q") })
	f("begun w worked q", func(l *liveLoopTest) { l.hit("w"); l.hit("q") })
	f("begun up down q", func(l *liveLoopTest) { l.hit("\x1b["); l.hit("A\x1b[Bq") }) // in pieces
	f("begun esc q", func(l *liveLoopTest) {
		l.hit("\x1b")
		synctest.Wait()
		time.Sleep(escWait)

		l.hit("q")
	})
	f("begun", func(l *liveLoopTest) { l.hit("\x03q") })
	f("begun", func(l *liveLoopTest) { l.cancel() })
	f("begun", func(l *liveLoopTest) { close(l.keys) })
}

func TestLiveLoopDraws(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := startLiveLoop(t)
		l.w, l.h = 40, 0 // it does not tell
		l.resized <- syscall.SIGWINCH
		synctest.Wait()
		l.w, l.h = 100, 30
		l.resized <- syscall.SIGWINCH
		synctest.Wait()
		n := l.out.Len()
		l.hit("\x1b[200~") // not a key
		if l.out.Len() != n {
			t.Error("drawn again though nothing has changed")
		}
		l.hit("q")
		if err := <-l.done; err != nil {
			t.Error(err)
		}
		for _, want := range []string{"\x1b[2J\x1b[H\x1b[K80×24\r\n\x1b[K[]", "\x1b[H\x1b[K80×24\r\n\x1b[K[begun]", "\x1b[2J\x1b[H\x1b[K100×30\r\n"} {
			if !strings.Contains(l.out.String(), want) {
				t.Errorf("%q was not drawn: %q", want, l.out.String())
			}
		}
		if strings.Contains(l.out.String(), "40×0") {
			t.Error("a size that is none was taken")
		}
	})
}
