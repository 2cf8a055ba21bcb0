package probe

import (
	"bufio"
	"fmt"
	"hash/fnv"
	"html"
	"io"
)

// Sizes of a flame graph in pixels.
const (
	flameWidth  = 1200
	flameRow    = 17
	flameHead   = 44
	flameLetter = 7   // a letter of the font
	flameLeast  = 0.2 // narrower boxes are left out
)

// WriteFlame draws stacks as a flame graph in SVG: a box is as wide as the time
// spent in a function and what it called, callers below. Boxes tell name and
// time when pointed at; it needs no script.
func WriteFlame(w io.Writer, ws []Weighted, title string) error {
	root := flameTree(ws)
	height := flameHead + flameRow*root.depth() + 10
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="monospace" font-size="12">
<rect width="100%%" height="100%%" fill="#fffdf8"/>
<text x="10" y="24" font-size="15">%s</text>
`, flameWidth, height, flameWidth, height, html.EscapeString(title))
	d := &flameDrawing{w: out, total: float64(root.total), bottom: float64(height - 10 - flameRow)}
	if root.total > 0 {
		d.draw(root, 10, 0)
	}
	fmt.Fprintln(out, "</svg>")
	return out.Flush()
}

type flameDrawing struct {
	w      io.Writer
	total  float64
	bottom float64
}

// draw writes a box and, above it, those it called.
func (d *flameDrawing) draw(n *flameNode, x float64, level int) {
	share := float64(n.total) / d.total
	width := share * (flameWidth - 20)
	if width < flameLeast {
		return
	}
	y := d.bottom - float64(level*flameRow)
	name := html.EscapeString(n.name)
	fmt.Fprintf(d.w, `<g><title>%s: %.3f ms, %.1f %%</title><rect x="%.1f" y="%.0f" width="%.1f" height="%d" fill="%s" stroke="#fffdf8"/>`,
		name, float64(n.total)/1e6, 100*share, x, y, width, flameRow-1, colour(n.name))
	if letters := int(width-4) / flameLetter; letters >= 3 {
		fmt.Fprintf(d.w, `<text x="%.1f" y="%.0f">%s</text>`, x+3, y+12, html.EscapeString(clip(n.name, letters)))
	}
	fmt.Fprintln(d.w, "</g>")
	for _, c := range n.sorted() {
		d.draw(c, x, level+1)
		x += float64(c.total) / d.total * (flameWidth - 20)
	}
}

// clip keeps the end of a name, which says more than its package.
func clip(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return ".." + string(r[len(r)-most+2:])
	}
	return s
}

// colour is warm and always the same for a name.
func colour(name string) string {
	h := fnv.New32a()
	io.WriteString(h, name)
	v := h.Sum32()
	return fmt.Sprintf("#%02x%02x%02x", 225+v%30, 130+(v>>8)%90, 60+(v>>16)%50)
}
