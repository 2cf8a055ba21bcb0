package main

// A line is one target: an expression and how its series are called.
type line struct{ expr, legend string }

// look is what a panel shows beside its lines.
type look struct {
	unit     string
	about    string    // what one should know to read it
	stack    bool      // areas on top of each other
	percent  bool      // from 0 to 1
	log      bool      // logarithmic axis
	warn     []float64 // thresholds of a figure: orange, red
	less     bool      // of warn: below is worse
	soft     float64   // top of the axis while all values are below
	none     string    // instead of "No data"
	decimals int       // digits behind the point + 1; 0: as needed
}

// graph draws lines over time.
func graph(title string, l look, lines ...line) *panel {
	custom := map[string]any{"drawStyle": "line", "lineWidth": 1, "fillOpacity": 8, "showPoints": "never", "spanNulls": false,
		"lineInterpolation": "linear", "axisPlacement": "auto", "gradientMode": "none", "pointSize": 4,
		"scaleDistribution": map[string]any{"type": "linear"}, "stacking": map[string]any{"mode": "none", "group": "A"}}
	if l.stack {
		custom["stacking"] = map[string]any{"mode": "normal", "group": "A"}
		custom["fillOpacity"] = 40
	}
	if l.log {
		custom["scaleDistribution"], custom["fillOpacity"] = map[string]any{"type": "log", "log": 10}, 0
	}
	if l.soft > 0 {
		custom["axisSoftMax"] = l.soft
	}
	d := fieldDefaults{Unit: l.unit, NoValue: l.none, Color: map[string]any{"mode": "palette-classic"}, Custom: custom}
	if !l.log {
		d.Min = new(0.0)
	}
	if l.percent {
		d.Max = new(1.0)
	}
	return &panel{Type: "timeseries", Title: title, Description: l.about, Datasource: new(prometheus()), Targets: targets("time_series", lines),
		FieldConfig: &fieldConfig{Defaults: d, Overrides: []override{}},
		Options: map[string]any{
			"legend":  map[string]any{"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": []string{}},
			"tooltip": map[string]any{"mode": "multi", "sort": "desc"},
		}}
}

// figure shows the last value, with its course behind it.
func figure(title string, l look, expr string) *panel {
	d := fieldDefaults{Unit: l.unit, NoValue: l.none, Color: map[string]any{"mode": "thresholds"}, Thresholds: colours(l)}
	if l.decimals > 0 {
		d.Decimals = new(l.decimals - 1)
	}
	return &panel{Type: "stat", Title: title, Description: l.about, Datasource: new(prometheus()), Targets: targets("time_series", []line{{expr, ""}}),
		FieldConfig: &fieldConfig{Defaults: d, Overrides: []override{}},
		Options: map[string]any{
			"reduceOptions": map[string]any{"calcs": []string{"lastNotNull"}, "fields": "", "values": false},
			"colorMode":     "value", "graphMode": "area", "justifyMode": "auto", "textMode": "value", "orientation": "auto",
		}}
}

func colours(l look) *thresholds {
	words := []string{"green", "orange", "red"}
	if l.less {
		words = []string{"red", "orange", "green"}
	}
	if l.less && len(l.warn) == 1 {
		words = []string{"red", "green"}
	}
	t := &thresholds{Mode: "absolute", Steps: []step{{Color: words[0]}}}
	for i, v := range l.warn {
		t.Steps = append(t.Steps, step{words[i+1], new(v)})
	}
	if len(l.warn) == 0 {
		t.Steps[0].Color = "text"
	}
	return t
}

// heat shows a histogram over time; expr has one series per le.
func heat(title string, l look, expr string) *panel {
	t := targets("heatmap", []line{{expr, "{{le}}"}})
	return &panel{Type: "heatmap", Title: title, Description: l.about, Datasource: new(prometheus()), Targets: t,
		FieldConfig: &fieldConfig{Defaults: fieldDefaults{Custom: map[string]any{"scaleDistribution": map[string]any{"type": "linear"}}}, Overrides: []override{}},
		Options: map[string]any{
			"calculate": false, "cellGap": 1, "cellValues": map[string]any{"unit": "short"}, "rowsFrame": map[string]any{"layout": "auto"},
			"color":        map[string]any{"mode": "scheme", "scheme": "Oranges", "fill": "dark-orange", "exponent": 0.5, "steps": 64, "reverse": false, "scale": "exponential"},
			"filterValues": map[string]any{"le": 1e-9}, "legend": map[string]any{"show": true},
			"tooltip": map[string]any{"mode": "single", "yHistogram": false, "showColorScale": true},
			"yAxis":   map[string]any{"unit": l.unit, "axisPlacement": "left", "reverse": false}, "exemplars": map[string]any{"color": "rgba(255,0,255,0.7)"},
		}}
}

// column is one column of a table with a row per node.
type column struct{ expr, title, unit string }

// table joins the last values of several expressions by instance.
func table(title string, l look, columns ...column) *panel {
	p := &panel{Type: "table", Title: title, Description: l.about, Datasource: new(prometheus()), Options: map[string]any{"showHeader": true, "cellHeight": "sm"}}
	names, order, hidden := map[string]any{"instance": "node"}, map[string]any{"instance": 0}, map[string]any{"Time": true}
	config := &fieldConfig{Defaults: fieldDefaults{Custom: map[string]any{"align": "auto", "filterable": true, "minWidth": 90}}, Overrides: []override{}}
	for i, c := range columns {
		t := targets("table", []line{{c.expr, ""}})[0]
		t.RefID, t.Instant, t.Range = string(rune('A'+i)), true, false
		p.Targets = append(p.Targets, t)
		field := "Value #" + t.RefID
		names[field], order[field] = c.title, i+1
		if c.unit != "" {
			config.Overrides = append(config.Overrides, override{matcher{"byName", c.title}, []property{{"unit", c.unit}}})
		}
	}
	p.FieldConfig = config
	p.Transformations = []transformation{
		{"merge", map[string]any{}}, // the questions are of one instant
		{"organize", map[string]any{"renameByName": names, "indexByName": order, "excludeByName": hidden, "includeByName": map[string]any{}}},
	}
	return p
}

func targets(format string, lines []line) []target {
	var out []target
	for i, l := range lines {
		out = append(out, target{RefID: string(rune('A' + i)), Datasource: prometheus(), EditorMode: "code", Expr: l.expr,
			LegendFormat: l.legend, Format: format, Range: true})
	}
	return out
}
