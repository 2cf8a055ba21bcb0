package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/table"
)

// liveTest is a model with a fake source, driven by hand.
type liveTest struct {
	*testing.T
	m      *topModel
	asked  []pushdapi.TopQuery
	kicked []string
	err    error // of the next look
}

func newLiveTest(t *testing.T) *liveTest {
	l := &liveTest{T: t}
	src := topSource{
		top: func(q pushdapi.TopQuery) (*table.TopView, error) {
			l.asked = append(l.asked, q)
			if l.err != nil {
				return nil, l.err
			}
			top := &pushdapi.Top{Node: "gw-1", At: fakeTime(), By: q.By, Window: q.Window, Connections: 48210, WithQueue: 37, Rows: fakeRows()}
			return table.Merge([]*pushdapi.Top{top}, q.N), nil
		},
		conn: func(id string) (*pushdapi.Conn, error) {
			for _, r := range fakeRows() {
				if r.Conn == id {
					return fakeConn("gw-1", r), nil
				}
			}
			return nil, &pushdapi.Error{Status: 404, Message: "no connection " + id}
		},
		kick: func(id string) error {
			l.kicked = append(l.kicked, id)
			return nil
		},
	}
	l.m = newTopModel(src, pushdapi.TopQuery{By: "wait", Window: 10, N: 20}, time.Second, table.Style{})
	l.do(l.m.ask())
	return l
}

// do runs a command and feeds its answer back; clocks are not started.
func (l *liveTest) do(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	switch msg := cmd().(type) {
	case tea.BatchMsg:
		for _, c := range msg {
			l.do(c)
		}
	default:
		_, next := l.m.Update(msg)
		l.do(next)
	}
}

func (l *liveTest) keys(keys ...string) {
	named := map[string]tea.Key{"enter": {Code: tea.KeyEnter}, "esc": {Code: tea.KeyEscape}, "down": {Code: tea.KeyDown}, "up": {Code: tea.KeyUp},
		"end": {Code: tea.KeyEnd}, "backspace": {Code: tea.KeyBackspace}, "ctrl+u": {Code: 'u', Mod: tea.ModCtrl}}
	for _, k := range keys {
		if key, ok := named[k]; ok {
			l.key(key)
			continue
		}
		for _, r := range k {
			l.key(tea.Key{Code: r, Text: string(r)})
		}
	}
}

func (l *liveTest) key(k tea.Key) {
	_, cmd := l.m.Update(tea.KeyPressMsg(k))
	l.do(cmd)
}

// look fetches once more, as the clock would.
func (l *liveTest) look() { l.do(l.m.ask()) }

func (l *liveTest) screen() []string { return strings.Split(ansi.Strip(l.m.screen()), "\n") }

func (l *liveTest) want(texts ...string) {
	l.Helper()
	all := strings.Join(l.screen(), "\n")
	for _, s := range texts {
		if !strings.Contains(all, s) {
			l.Errorf("the screen does not say %q:\n%s", s, all)
		}
	}
}

func (l *liveTest) chosenLine() string {
	for s := range strings.SplitSeq(l.m.screen(), "\n") {
		if strings.HasPrefix(s, "\x1b[7m") {
			return ansi.Strip(s)
		}
	}
	return ""
}

func TestLiveScreenHasTheSizeOfTheTerminal(t *testing.T) {
	l := newLiveTest(t)
	f := func(w, h int) {
		t.Helper()
		l.m.Update(tea.WindowSizeMsg{Width: w, Height: h})
		lines := l.screen()
		if len(lines) != h {
			t.Errorf("%d×%d: %d lines", w, h, len(lines))
		}
		for _, s := range lines {
			if ansi.StringWidth(s) > w {
				t.Errorf("%d×%d: %d columns: %q", w, h, ansi.StringWidth(s), s)
			}
		}
	}
	f(80, 24)
	f(200, 60)
	f(60, 10)
	f(40, 5)
	l.keys("enter")
	f(80, 24)
	f(50, 8)
}

func TestLiveSortAndWindow(t *testing.T) {
	l := newLiveTest(t)
	l.want("by wait, window 10 s", "3.1f20.2", "q quit")
	l.keys("s", "t")
	l.want("by queued, window 100 s")
	l.keys("st") // hit together
	l.want("by bytes, window 1 s")
	for range len(table.TopKeys()) - 2 {
		l.keys("s")
	}
	l.want("by wait")
}

func TestLiveCursorStaysWithItsConnection(t *testing.T) {
	l := newLiveTest(t)
	if s := l.chosenLine(); !strings.HasPrefix(s, "3.1f20.2") {
		t.Errorf("cursor at first on %q", s)
	}
	l.keys("down", "down")
	l.m.view.Rows[0], l.m.view.Rows[2] = l.m.view.Rows[2], l.m.view.Rows[0]
	if s := l.chosenLine(); !strings.HasPrefix(s, "0.77a0.9") {
		t.Errorf("cursor after another order on %q", s)
	}
	l.keys("end", "down", "down")
	if s := l.chosenLine(); !strings.HasPrefix(s, "2.c3e.1") {
		t.Errorf("cursor behind the end on %q", s)
	}
	// Out of sight it scrolls.
	l.m.Update(tea.WindowSizeMsg{Width: 80, Height: 6})
	if s := l.chosenLine(); !strings.HasPrefix(s, "2.c3e.1") {
		t.Errorf("cursor on a low screen on %q", s)
	}
}

func TestLiveFilter(t *testing.T) {
	l := newLiveTest(t)
	l.keys("/", "queuedd", "backspace", " > 3")
	l.want("filter: queued > 3")
	l.keys("enter")
	if q := l.asked[len(l.asked)-1]; q.Where != "queued > 3" {
		t.Errorf("asked where %q", q.Where)
	}
	l.want("where queued > 3")
	// One that the node refuses is shown, and the one before stays.
	l.err = &pushdapi.Error{Status: 400, Message: "unknown name nosuch"}
	l.keys("/", "ctrl+u", "nosuch", "enter")
	l.want("filter refused: unknown name nosuch", "3.1f20.2")
	l.err = nil
	l.look()
	l.want("filter refused")
	if q := l.asked[len(l.asked)-1]; q.Where != "queued > 3" {
		t.Errorf("after a refusal asked where %q", q.Where)
	}
	l.keys("/")
	l.want("filter: nosuch")
	l.keys("esc")
	l.want("where queued > 3")
}

func TestLiveExplain(t *testing.T) {
	l := newLiveTest(t)
	l.keys("enter")
	l.want("The client does not read fast enough", "esc back")
	// On a low screen the end is reached by scrolling, and no further.
	l.m.Update(tea.WindowSizeMsg{Width: 80, Height: 8})
	for range 50 {
		l.keys("down")
	}
	l.want("pushctl kick 3.1f20.2")
	if s := l.screen(); s[5] == "" {
		t.Errorf("scrolled beyond the end: %q", s)
	}
	l.keys("up")
	l.m.Update(tea.WindowSizeMsg{Width: 80, Height: 24})
	l.keys("esc")
	l.want("by wait", "q quit")
	// A connection that has gone meanwhile.
	l.m.target, l.m.mode = "9.9.9", modeConn
	l.do(l.m.askConn())
	l.want("9.9.9 is gone: pushctl closed")
}

func TestLiveKickAsksFirst(t *testing.T) {
	l := newLiveTest(t)
	l.keys("down", "k")
	l.want("kick 1.b11.1 of u-10532? y/n")
	l.keys("n")
	if len(l.kicked) != 0 {
		t.Errorf("kicked %v after n", l.kicked)
	}
	l.keys("k", "y")
	if len(l.kicked) != 1 || l.kicked[0] != "1.b11.1" {
		t.Errorf("kicked %v after y", l.kicked)
	}
	l.want("kicked 1.b11.1")
}

func TestLiveSilentNodeAndRecovery(t *testing.T) {
	l := newLiveTest(t)
	l.err = &silentError{asked: 1, silent: []silentNode{{"/run/pushd/admin.sock", errors.New("connection refused")}}}
	l.look()
	l.want("/run/pushd/admin.sock: connection refused, for", "asking again", "3.1f20.2")
	l.err = nil
	l.look()
	if s := strings.Join(l.screen(), "\n"); strings.Contains(s, "asking again") {
		t.Errorf("after recovery:\n%s", s)
	}
}

func TestLiveOldAnswersAreNotShown(t *testing.T) {
	l := newLiveTest(t)
	slow := l.m.ask() // under way while the sort changes
	l.keys("s")
	l.do(slow)
	l.want("by queued")
}

func TestLivePause(t *testing.T) {
	l := newLiveTest(t)
	l.keys("p")
	l.want("paused: what you see is from")
	n := len(l.asked)
	l.m.every = time.Nanosecond
	l.m.onTick()
	if len(l.asked) != n || l.m.asking {
		t.Error("asked while paused")
	}
	l.keys("p")
	if len(l.asked) != n+1 {
		t.Error("did not ask when it went on")
	}
}

func TestLiveQuits(t *testing.T) {
	f := func(key tea.KeyPressMsg) {
		t.Helper()
		_, cmd := newLiveTest(t).m.Update(key)
		if cmd == nil {
			t.Fatalf("%s does not quit", key)
		}
		if _, ok := cmd().(tea.QuitMsg); !ok {
			t.Errorf("%s does not quit", key)
		}
	}
	f(tea.KeyPressMsg{Code: 'q', Text: "q"})
	f(tea.KeyPressMsg{Code: 'c', Mod: tea.ModCtrl})
}

func TestLiveColumnsDoNotJumpBack(t *testing.T) {
	l := newLiveTest(t)
	at := strings.Index(l.screen()[1], "PROTO")
	l.m.take(topMsg{gen: l.m.gen, at: fakeTime(), view: &table.TopView{Nodes: []string{"gw-1"}, By: "wait", Window: 10,
		Rows: l.m.view.Rows[4:]}})
	if got := strings.Index(l.screen()[1], "PROTO"); got != at {
		t.Errorf("PROTO at %d, then at %d", at, got)
	}
}

// Nodes that are no fleet number their connections alike.
func TestLiveTellsNodesApart(t *testing.T) {
	l := newLiveTest(t)
	l.m.view = &table.TopView{Nodes: []string{"gw-1", "gw-2"}, By: "wait", Window: 10, Rows: []table.TopRow{
		{Node: "gw-1", ConnRow: pushdapi.ConnRow{Conn: "0.1.1", User: "ann"}}, {Node: "gw-2", ConnRow: pushdapi.ConnRow{Conn: "0.1.1", User: "bob"}}}}
	l.keys("down")
	if s := l.chosenLine(); !strings.HasPrefix(s, "gw-2/0.1.1") {
		t.Errorf("cursor on %q", s)
	}
	l.keys("k")
	l.want("kick gw-2/0.1.1 of bob?")
	l.keys("y")
	if len(l.kicked) != 1 || l.kicked[0] != "gw-2/0.1.1" {
		t.Errorf("kicked %v", l.kicked)
	}
}
