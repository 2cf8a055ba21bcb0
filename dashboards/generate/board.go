package main

import (
	"fmt"
	"strings"
)

// board is one dashboard while it is made. Expressions are written with short
// names for selectors: $S for the chosen targets, $s in front of more labels,
// and $G for all nodes of the chosen groups.
type board struct {
	name      string
	dashboard dashboard
	selectors *strings.Replacer
	y, x, row int // where the next panel goes, and the height of the line
}

const (
	gridWidth  = 24
	statHeight = 4
	height     = 8
)

// anchor is the metric that tells the variables which targets there are.
func newBoard(name, title, description, anchor string) *board {
	b := &board{name: name, selectors: strings.NewReplacer(
		"$S", `{job=~"$job",group=~"$group",instance=~"$node"}`,
		"$s,", `job=~"$job",group=~"$group",instance=~"$node",`,
		"$G", `{group=~"$group"}`,
	)}
	b.dashboard = dashboard{UID: "pushfleet-" + name, Title: "pushfleet / " + title, Description: description,
		Tags: []string{"pushfleet"}, Timezone: "browser", Editable: true, GraphTooltip: 1, Refresh: "10s",
		SchemaVersion: schemaVersion, Version: 1, Time: span{"now-1h", "now"},
		Templating: templating{variables(anchor)},
		Links: []link{{Title: "pushfleet", Type: "dashboards", Tags: []string{"pushfleet"}, AsDropdown: true,
			KeepTime: true, IncludeVars: true}}}
	return b
}

// variables choose the data source, the job, the group (a label that the
// scrape configuration gives) and the node. All jobs and nodes are those that
// have the anchor, so that other programs stay out; all groups are everything,
// targets without the label too.
func variables(anchor string) []variable {
	values := func(name, label, query, all string) variable {
		prom := prometheus()
		return variable{Name: name, Label: name, Type: "query", Query: variableQuery{1, query, "values"}, Definition: query,
			Datasource: &prom, Refresh: 2, IncludeAll: true, AllValue: all, Multi: true, Sort: 1, Current: choice{"All", "$__all"}}
	}
	return []variable{
		{Name: "datasource", Label: "data source", Type: "datasource", Query: "prometheus", Refresh: 1, Current: choice{"default", "default"}},
		values("job", "job", "label_values("+anchor+", job)", ""),
		values("group", "group", fmt.Sprintf(`label_values(%s{job=~"$job"}, group)`, anchor), ".*"),
		values("node", "instance", fmt.Sprintf(`label_values(%s{job=~"$job",group=~"$group"}, instance)`, anchor), ""),
	}
}

// knobChanges marks when knobs changed.
func (b *board) knobChanges(expr, title, text string) *board {
	b.dashboard.Annotations.List = append(b.dashboard.Annotations.List, annotation{Name: "knob changes", Datasource: prometheus(),
		Enable: true, IconColor: "purple", Expr: b.selectors.Replace(expr), Step: "30s", TitleFormat: title, TextFormat: text})
	return b
}

// add places a panel behind the last one, on the next line if it is too wide.
func (b *board) add(width, tall int, p *panel) *board {
	if b.x+width > gridWidth {
		b.newLine()
	}
	p.ID = len(b.dashboard.Panels) + 1
	p.GridPos = place{H: tall, W: width, X: b.x, Y: b.y}
	for i := range p.Targets {
		p.Targets[i].Expr = b.selectors.Replace(p.Targets[i].Expr)
	}
	b.x, b.row = b.x+width, max(b.row, tall)
	b.dashboard.Panels = append(b.dashboard.Panels, p)
	return b
}

func (b *board) newLine() { b.y, b.x, b.row = b.y+b.row, 0, 0 }

// head begins a part with a line of its own.
func (b *board) head(title string) *board {
	b.newLine()
	open := false
	b.add(gridWidth, 1, &panel{Type: "row", Title: title, Collapsed: &open})
	b.newLine()
	return b
}

// File is the dashboard's name in the folder.
func (b *board) File() string { return b.name + ".json" }

// JSON is the dashboard as Grafana reads it.
func (b *board) JSON() ([]byte, error) {
	if b.dashboard.Annotations.List == nil {
		b.dashboard.Annotations.List = []annotation{}
	}
	return encode(&b.dashboard)
}
