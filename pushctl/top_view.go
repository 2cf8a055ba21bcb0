package main

import (
	"errors"
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/table"
)

// room is the number of rows that fit between title, heading and the two
// lines at the bottom.
func (m *topModel) room() int { return max(1, m.height-4) }

// View draws the screen, beside that of the shell.
func (m *topModel) View() tea.View {
	v := tea.NewView(m.screen())
	v.AltScreen = true
	return v
}

func (m *topModel) screen() string {
	var lines []string
	if m.mode == modeConn {
		lines = m.connLines()
	} else {
		lines = m.listLines()
	}
	body := max(1, m.height-2)
	if m.mode == modeConn {
		m.scroll = min(m.scroll, max(0, len(lines)-body))
		lines = lines[m.scroll:]
	}
	if len(lines) > body {
		lines = lines[:body]
	}
	for i, l := range lines {
		lines[i] = ansi.Truncate(l, m.width, "…")
	}
	for len(lines) < body {
		lines = append(lines, "")
	}
	return strings.Join(append(lines, m.status(), m.keys()), "\n")
}

func (m *topModel) listLines() []string {
	if m.view == nil {
		return []string{"asking …"}
	}
	lines := []string{m.style.Apply(table.Strong, table.TopTitle(m.view))}
	g := table.TopGrid(m.view, m.mins)
	width := max(40, m.width)
	if m.wide {
		width = 0
	}
	rows := g.Lines(width, m.style)
	cur := m.cursor()
	if cur < 0 {
		return append(lines, rows[0], table.NoRows(m.view))
	}
	// The row under the cursor loses its own colours: one code around it all.
	plain := g.Lines(width, table.Style{})
	chosen := table.Pad(plain[cur+1], table.Width(plain[0]), false)
	// Reverse video is no colour: the cursor must be seen in any case.
	rows[cur+1] = table.Style{Color: true}.Apply(table.Chosen, chosen)
	// Scroll so that the cursor is in sight.
	first := max(0, cur-m.room()+1)
	last := min(len(rows), 1+first+m.room())
	return append(append(lines, rows[0]), rows[1+first:last]...)
}

func (m *topModel) connLines() []string {
	if m.conn == nil {
		return []string{"asking for " + m.target + " …"}
	}
	return table.Conn(m.conn, false, m.style)
}

// status is the line above the keys: what is wrong, or what was just done.
func (m *topModel) status() string {
	cut := func(mark table.Mark, s string) string { return m.style.Apply(mark, table.Cut(table.Safe(s), m.width)) }
	switch {
	case m.mode == modeKick:
		return cut(table.Strong, fmt.Sprintf("kick %s%s? y/n", m.target, m.ofUser(m.target)))
	case m.mode == modeFilter:
		return "filter: " + table.Cut(table.Safe(m.edit), max(1, m.width-10)) + "▏"
	case m.refuse != "":
		return cut(table.Bad, "filter refused: "+m.refuse)
	case m.silent != nil:
		return cut(table.Bad, m.silence())
	case m.note != "":
		return cut(table.Strong, m.note)
	case m.paused:
		return cut(table.Warn, "paused: what you see is from "+table.Clock(m.view.At))
	case m.query.Where != "":
		return cut(table.Faint, "where "+m.query.Where)
	}
	return ""
}

func (m *topModel) ofUser(id string) string {
	if m.view != nil {
		for _, r := range m.view.Rows {
			if m.view.ID(&r) == id && r.User != "" {
				return " of " + r.User
			}
		}
	}
	return ""
}

// silence names who does not answer, since when, and that it goes on.
func (m *topModel) silence() string {
	who := m.silent.Error()
	if s, ok := errors.AsType[*silentError](m.silent); ok && len(s.silent) > 0 {
		who = s.silent[0].String()
		if n := len(s.silent); n > 1 {
			who = fmt.Sprintf("%d nodes silent, %s", n, who)
		}
	} else if e, ok := errors.AsType[*pushdapi.Error](m.silent); ok {
		who = e.Message
	}
	return fmt.Sprintf("%s, for %s; asking again", who, table.Seconds(max(0, m.now.Sub(m.since).Round(1e9).Seconds())))
}

// keys is the last line.
func (m *topModel) keys() string {
	var text string
	switch m.mode {
	case modeFilter:
		text = "enter apply · esc leave · ctrl-u clear     for example queued > 100 and wait > 5s"
	case modeKick:
		text = "y close it with code 4001 · any other key keeps it"
	case modeConn:
		text = "esc back · ↑↓ scroll · k kick · p pause"
	default:
		text = "t window · s sort · / filter · ↑↓ enter explain · k kick · p pause · q quit"
	}
	return m.style.Apply(table.Faint, table.Cut(text, m.width))
}
