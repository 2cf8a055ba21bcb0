package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/table"
)

// topSource is where the live view gets its figures; tests put a fake here.
type topSource struct {
	top  func(pushdapi.TopQuery) (*table.TopView, error) // view and error: some nodes are silent
	conn func(id string) (*pushdapi.Conn, error)         // id as TopView.ID writes it
	kick func(id string) error
}

// topLive runs the live view until q or ctx ends it.
func topLive(ctx context.Context, o *options, nodes []*pushdapi.Client, q pushdapi.TopQuery, every time.Duration) error {
	src := topSource{
		top: func(q pushdapi.TopQuery) (*table.TopView, error) {
			a := gatherTop(ctx, nodes, q)
			if len(a.vals) == 0 {
				return nil, a.err()
			}
			return table.Merge(a.vals, q.N), a.err()
		},
		conn: func(id string) (*pushdapi.Conn, error) {
			ref, err := parseConn(id)
			if err != nil {
				return nil, err
			}
			of, err := ref.among(ctx, nodes)
			if err != nil {
				return nil, err
			}
			a := ask(ctx, of, func(ctx context.Context, c *pushdapi.Client) (*pushdapi.Conn, error) { return c.Conn(ctx, ref.id) })
			if err := a.known(); len(a.vals) == 0 {
				return nil, err
			}
			located(a.vals[0].Cause.Try, a.vals[0], len(nodes))
			return a.vals[0], nil
		},
		kick: func(id string) error {
			ref, err := parseConn(id)
			if err != nil {
				return err
			}
			quiet := *o
			quiet.env = &env{out: io.Discard, now: o.now}
			return kickConn(ctx, &quiet, nodes, ref)
		},
	}
	// A first look before the screen is taken: a node that does not run or an
	// expression that it refuses is an ordinary error.
	first, err := src.top(q)
	if first == nil {
		return err
	}
	m := newTopModel(src, q, every, o.style)
	m.wide = o.wide()
	m.take(topMsg{view: first, err: err, at: o.now()})
	_, err = tea.NewProgram(m, tea.WithContext(ctx), tea.WithOutput(o.out), tea.WithFPS(30)).Run()
	if errors.Is(err, tea.ErrProgramKilled) || errors.Is(err, tea.ErrInterrupted) {
		return nil
	}
	return err
}

// Messages of the live view.
type (
	tickMsg struct{} // time to look
	topMsg  struct {
		view *table.TopView
		err  error
		at   time.Time
		gen  int // of the query asked
	}
	connMsg struct {
		id   string
		conn *pushdapi.Conn
		err  error
	}
	kickMsg struct {
		id  string
		err error
	}
)

// topMode is what the keys act on.
type topMode uint8

const (
	modeList topMode = iota
	modeFilter
	modeKick
	modeConn
)

// topModel is the state of the live view. It knows no socket and no terminal.
type topModel struct {
	src   topSource
	query pushdapi.TopQuery
	every time.Duration
	style table.Style

	view   *table.TopView
	silent error // of nodes that did not answer
	since  time.Time
	now    time.Time

	mode     topMode
	paused   bool
	gen      int    // grows with each change of the query: older answers are not shown
	chosen   string // connection under the cursor, "" is the first row
	target   string // connection to kick or explain
	edit     string // filter being typed
	refuse   string // why the node did not take the filter
	accepted string // the last filter that was taken
	note     string // result of the last action
	conn     *pushdapi.Conn
	mins     []int // widths that columns have reached: they do not jump back
	wide     bool
	width    int
	height   int
	asking   bool
	scroll   int // lines of the explanation above the screen
}

func newTopModel(src topSource, q pushdapi.TopQuery, every time.Duration, st table.Style) *topModel {
	return &topModel{src: src, query: q, every: every, style: st, width: 80, height: 24}
}

// Init starts the clock.
func (m *topModel) Init() tea.Cmd { return m.tick() }

func (m *topModel) tick() tea.Cmd {
	return tea.Tick(m.every, func(time.Time) tea.Msg { return tickMsg{} })
}

// ask fetches the table, once at a time unless the query has changed.
func (m *topModel) ask() tea.Cmd {
	m.asking = true
	q, gen, src := m.query, m.gen, m.src
	return func() tea.Msg {
		v, err := src.top(q)
		return topMsg{view: v, err: err, at: time.Now(), gen: gen}
	}
}

func (m *topModel) askConn() tea.Cmd {
	id, src := m.target, m.src
	return func() tea.Msg {
		c, err := src.conn(id)
		return connMsg{id, c, err}
	}
}

// changed asks anew after a change of the query.
func (m *topModel) changed() tea.Cmd {
	m.gen++
	m.mins = nil
	return m.ask()
}

// Update acts on a key, an answer or the clock.
func (m *topModel) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tickMsg:
		return m, m.onTick()
	case topMsg:
		m.take(msg)
	case connMsg:
		if msg.id == m.target {
			m.takeConn(msg)
		}
	case kickMsg:
		m.note = "kicked " + msg.id
		if msg.err != nil {
			m.note = "not kicked: " + msg.err.Error()
		}
		return m, m.ask()
	case tea.KeyPressMsg:
		return m, m.key(msg)
	case tea.PasteMsg:
		m.paste(msg.Content)
	}
	return m, nil
}

func (m *topModel) onTick() tea.Cmd {
	cmds := []tea.Cmd{m.tick()}
	if !m.paused && !m.asking {
		cmds = append(cmds, m.ask())
	}
	if !m.paused && m.mode == modeConn {
		cmds = append(cmds, m.askConn())
	}
	return tea.Batch(cmds...)
}

// take keeps an answer. What was shown stays while nobody answers.
func (m *topModel) take(msg topMsg) {
	if msg.gen != m.gen {
		return
	}
	m.asking = false
	m.now = msg.at
	if e, ok := errors.AsType[*pushdapi.Error](msg.err); ok && msg.view == nil && e.Status >= 400 && e.Status < 500 {
		// The filter is not taken: on with the one before.
		m.refuse, m.query.Where = e.Message, m.accepted
		return
	}
	m.accepted = m.query.Where
	if msg.err != nil && m.silent == nil {
		m.since = msg.at
	}
	m.silent = msg.err
	if msg.view != nil {
		m.view = msg.view
		m.mins = table.TopGrid(m.view, m.mins).Reached()
	}
}

func (m *topModel) takeConn(msg connMsg) {
	if msg.err != nil {
		m.note = cause(msg.err)
		if isNotFound(msg.err) {
			m.note = msg.id + " is gone: pushctl closed"
			m.mode = modeList
		}
		return
	}
	m.note, m.conn = "", msg.conn
}

// cursor is the index of the chosen row.
func (m *topModel) cursor() int {
	if m.view == nil {
		return -1
	}
	i := slices.IndexFunc(m.view.Rows, func(r table.TopRow) bool { return m.view.ID(&r) == m.chosen })
	if i < 0 && len(m.view.Rows) > 0 {
		return 0
	}
	return i
}
