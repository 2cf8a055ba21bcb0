package main

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"
	"pushfleet/pushctl/table"
)

// key acts on one key in the mode that the view is in.
func (m *topModel) key(k tea.KeyPressMsg) tea.Cmd {
	if k.String() == "ctrl+c" {
		return tea.Quit
	}
	switch m.mode {
	case modeFilter:
		return m.filterKey(k)
	case modeKick:
		return m.kickKey(k)
	case modeConn:
		return m.connKey(k)
	}
	return m.listKey(k)
}

func (m *topModel) listKey(k tea.KeyPressMsg) tea.Cmd {
	typed := m.query.Where
	if m.refuse != "" {
		typed = m.edit // to be mended
	}
	m.note, m.refuse = "", ""
	switch k.String() {
	case "q", "esc":
		return tea.Quit
	case "s":
		m.query.By = after(table.TopKeys(), m.query.By)
		m.chosen = ""
		return m.changed()
	case "t":
		m.query.Window = after([]int{1, 10, 100}, m.query.Window)
		return m.changed()
	case "/":
		m.mode, m.edit = modeFilter, typed
	case "p", "space":
		if m.paused = !m.paused; !m.paused {
			return m.ask()
		}
	case "up", "down", "pgup", "pgdown", "home", "end":
		m.move(k.String())
	case "enter":
		if i := m.cursor(); i >= 0 {
			m.mode, m.target, m.conn, m.scroll = modeConn, m.view.ID(&m.view.Rows[i]), nil, 0
			return m.askConn()
		}
	case "k":
		if i := m.cursor(); i >= 0 {
			m.mode, m.target = modeKick, m.view.ID(&m.view.Rows[i])
		}
	}
	return nil
}

// after returns the value behind v, the first one behind the last.
func after[T comparable](of []T, v T) T { return of[(slices.Index(of, v)+1)%len(of)] }

func (m *topModel) move(key string) {
	if m.view == nil || len(m.view.Rows) == 0 {
		return
	}
	i, last := m.cursor(), len(m.view.Rows)-1
	switch key {
	case "up":
		i--
	case "down":
		i++
	case "pgup":
		i -= m.room()
	case "pgdown":
		i += m.room()
	case "home":
		i = 0
	case "end":
		i = last
	}
	m.chosen = m.view.ID(&m.view.Rows[max(0, min(last, i))])
}

func (m *topModel) filterKey(k tea.KeyPressMsg) tea.Cmd {
	switch k.String() {
	case "esc":
		m.mode = modeList
	case "enter":
		m.mode, m.accepted, m.query.Where = modeList, m.query.Where, m.edit
		return m.changed()
	case "backspace":
		_, n := utf8.DecodeLastRuneInString(m.edit)
		m.edit = m.edit[:len(m.edit)-n]
	case "ctrl+u":
		m.edit = ""
	default:
		m.paste(k.Text)
	}
	return nil
}

// paste adds to the filter being typed, in one line.
func (m *topModel) paste(text string) {
	if m.mode == modeFilter {
		m.edit += strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return ' '
			}
			return r
		}, text)
	}
}

func (m *topModel) kickKey(k tea.KeyPressMsg) tea.Cmd {
	m.mode = modeList
	if k.String() != "y" {
		return nil
	}
	id, src := m.target, m.src
	return func() tea.Msg { return kickMsg{id, src.kick(id)} }
}

func (m *topModel) connKey(k tea.KeyPressMsg) tea.Cmd {
	switch k.String() {
	case "q", "esc", "enter", "left", "backspace":
		m.mode, m.note = modeList, ""
	case "k":
		m.mode = modeKick
	case "p", "space":
		m.paused = !m.paused
	case "up":
		m.scroll = max(0, m.scroll-1)
	case "down":
		m.scroll++
	}
	return nil
}
