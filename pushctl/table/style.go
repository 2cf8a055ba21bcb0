package table

// Style colours text, or leaves it alone: colour only adds, every screen reads
// the same without. The zero Style is plain.
type Style struct{ Color bool }

// Mark is what a piece of text means.
type Mark uint8

// The marks.
const (
	Plain Mark = iota
	Strong
	Faint
	Good
	Warn
	Bad
	Chosen // the selected line of a live view
)

// Apply wraps s in the codes of its mark. Pad and cut before: the codes take
// no columns but count as characters.
func (st Style) Apply(m Mark, s string) string {
	if !st.Color || m == Plain || s == "" {
		return s
	}
	code := [...]string{Strong: "1", Faint: "2", Good: "32", Warn: "33", Bad: "31", Chosen: "7"}[m]
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}
