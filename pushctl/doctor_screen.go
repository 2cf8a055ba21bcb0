package main

import (
	"slices"

	"pushfleet/pushctl/doctor"
	"pushfleet/pushctl/table"
)

// doctorScreen shows what is wrong first, then what to write.
func doctorScreen(r *doctor.Report, host string, st table.Style) []string {
	if host == "" {
		host = "this machine"
	}
	lines := []string{doctor.Count(r.Conns) + " connections on " + table.Safe(host) + " take " + doctor.Bytes(r.MemoryBytes) +
		" and " + doctor.Count(r.Descriptors) + " descriptors", ""}
	sorted := slices.Clone(r.Findings)
	slices.SortStableFunc(sorted, func(a, b doctor.Finding) int { return gravity(b.State) - gravity(a.State) })
	g := &table.Grid{Columns: []table.Column{{Head: ""}, {Head: "CHECK"}, {Head: "HAVE", Flex: true}, {Head: "NEED", Flex: true}}}
	for _, f := range sorted {
		g.Rows = append(g.Rows, []table.Text{{S: string(f.State), Mark: stateMark(f.State)}, {S: f.Check}, {S: table.Safe(f.Have)}, {S: f.Need}})
	}
	lines = append(lines, g.Lines(table.Columns, st)...)
	for _, f := range sorted {
		if f.Why != "" {
			lines = append(append(lines, ""), table.Wrap(f.Check+": "+table.Safe(f.Why), "  ", table.Columns)...)
		}
	}
	return append(lines, remedies(sorted)...)
}

func gravity(s doctor.State) int {
	return slices.Index([]doctor.State{doctor.Fine, doctor.Unknown, doctor.Warn, doctor.Stop}, s)
}

func stateMark(s doctor.State) table.Mark {
	switch s {
	case doctor.Stop:
		return table.Bad
	case doctor.Warn:
		return table.Warn
	case doctor.Fine:
		return table.Good
	}
	return table.Faint
}

// remedies lists the lines by the file they belong to.
func remedies(found []doctor.Finding) []string {
	var files []string
	byFile := map[string][]doctor.Fix{}
	for _, f := range found {
		for _, x := range f.Fixes {
			if byFile[x.File] == nil {
				files = append(files, x.File)
			}
			byFile[x.File] = append(byFile[x.File], x)
		}
	}
	if len(files) == 0 {
		return []string{"", "There is nothing to change."}
	}
	lines := []string{"", "To change, for those that you agree with; nothing was changed:"}
	for _, file := range files {
		fixes := byFile[file]
		lines = append(lines, "", "  "+file)
		if fixes[0].Head != "" {
			lines = append(lines, "    "+fixes[0].Head)
		}
		for _, x := range fixes {
			lines = append(lines, "    "+x.Line)
		}
		lines = append(lines, "  then: "+fixes[0].Then)
	}
	return lines
}
