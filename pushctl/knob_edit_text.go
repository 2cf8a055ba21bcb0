package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pushfleet/internal/keeperapi"
	"pushfleet/pushctl/table"
)

// editText is what the editor shows: under [fleet] every knob, those that
// nobody has set behind a #, then the other scopes.
func editText(ks []keeperapi.KnobInfo, have knobFile, now func() time.Time) string {
	var b strings.Builder
	b.WriteString(`# Values of knobs by scope. Change, add or delete lines: what is saved is one
# transaction, a line that is gone unsets its value. Unchanged, nothing happens.
# Other scopes: ["app=shop"] for a label, ["node=gw-3"] for one node.
`)
	scopes := have.scopes()
	if !slices.Contains(scopes, keeperapi.Fleet) {
		scopes = append([]keeperapi.Scope{keeperapi.Fleet}, scopes...)
	}
	names := knobNames(ks)
	slices.Sort(names)
	for _, s := range scopes {
		fmt.Fprintf(&b, "\n[%s]\n", tomlKey(string(s)))
		for i := range ks {
			editKnob(&b, &ks[i], s, have, names, now())
		}
	}
	return b.String()
}

// editKnob writes one knob of one scope with its comments.
func editKnob(b *strings.Builder, k *keeperapi.KnobInfo, s keeperapi.Scope, have knobFile, names []string, now time.Time) {
	value, set := have[s][k.Name]
	if !set && s != keeperapi.Fleet {
		return
	}
	if s == keeperapi.Fleet {
		b.WriteByte('\n')
		for _, l := range table.Block(table.Safe(k.Help), "# ") {
			b.WriteString(l + "\n")
		}
		for _, l := range table.Block(table.Declared(&k.Decl), "# ") {
			b.WriteString(l + "\n")
		}
	}
	if v := table.At(k, s); v != nil {
		for _, l := range table.Block(table.ValueFrom(v, now), "# ") {
			b.WriteString(l + "\n")
		}
	}
	if !set {
		value = k.Default
		b.WriteString("# ")
	}
	fmt.Fprintf(b, "%s = %s\n", knobKey(k.Name, names), tomlValue(value))
}
