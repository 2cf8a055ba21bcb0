// Package house holds the tree to the house rules: the table of rooms in
// ARCHITECTURE.md says who may import whom, and a few habits are kept by
// looking at the source. It is a test with its machinery; nothing imports it.
package house

import (
	"bufio"
	"fmt"
	"strings"
)

// module is the import path of the tree.
const module = "pushfleet"

// room is one row of the table. Paths are relative to the module.
type room struct {
	pattern string   // a package, or with /* at the end all packages below
	imports []string // patterns
	later   bool     // marked "later": has no package yet
	line    int      // in ARCHITECTURE.md
}

const laterMark = "(later)"

// readRooms reads the table whose head names the columns "room" and "may
// import". A cell may name several packages, in backquotes.
func readRooms(markdown string) ([]room, error) {
	var rooms []room
	roomCol, importCol := -1, -1
	lines := bufio.NewScanner(strings.NewReader(markdown))
	for n := 1; lines.Scan(); n++ {
		cells, ok := tableCells(lines.Text())
		if !ok {
			roomCol, importCol = -1, -1
			continue
		}
		if roomCol < 0 {
			roomCol, importCol = column(cells, "room"), column(cells, "may import")
			if roomCol < 0 || importCol < 0 {
				roomCol = -1
			}
			continue
		}
		if importCol >= len(cells) || roomCol >= len(cells) {
			return nil, fmt.Errorf("ARCHITECTURE.md:%d: the row has too few cells", n)
		}
		for _, name := range quoted(cells[roomCol]) {
			rooms = append(rooms, room{name, quoted(cells[importCol]), strings.Contains(cells[roomCol], laterMark), n})
		}
	}
	if len(rooms) == 0 {
		return nil, fmt.Errorf("ARCHITECTURE.md holds no table with the columns room and may import")
	}
	return rooms, nil
}

func tableCells(line string) ([]string, bool) {
	line = strings.TrimSpace(line)
	if !strings.HasPrefix(line, "|") {
		return nil, false
	}
	cells := strings.Split(strings.Trim(line, "|"), "|")
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	return cells, true
}

func column(cells []string, name string) int {
	for i, c := range cells {
		if c == name {
			return i
		}
	}
	return -1
}

// quoted returns the words between backquotes.
func quoted(s string) []string {
	var out []string
	for i, part := range strings.Split(s, "`") {
		if i%2 == 1 {
			out = append(out, part)
		}
	}
	return out
}

// matches tells whether the pattern covers the package. X/* covers what is
// below X, not X itself.
func matches(pattern, pkg string) bool {
	if below, ok := strings.CutSuffix(pattern, "/*"); ok {
		return strings.HasPrefix(pkg, below+"/")
	}
	return pattern == pkg
}

// roomOf returns the row of a package: an exact one before a pattern, a longer
// pattern before a shorter one.
func roomOf(rooms []room, pkg string) *room {
	var best *room
	for i := range rooms {
		r := &rooms[i]
		if !matches(r.pattern, pkg) {
			continue
		}
		if best == nil || r.pattern == pkg || best.pattern != pkg && len(r.pattern) > len(best.pattern) {
			best = r
		}
	}
	return best
}
