package bench

import (
	"fmt"
	"image/color"
	"io"
	"math"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// Size of one panel in the PNG.
const (
	pngW = 14 * vg.Centimeter
	pngH = 6 * vg.Centimeter
)

// WritePNG draws the panels in two columns.
func (r *Report) WritePNG(w io.Writer) error { return r.writePNG(w, r.panels(), "") }

// writePNG draws panels below the title and a line that says what is wrong, or
// else the subtitle.
func (r *Report) writePNG(w io.Writer, ps []panel, subtitle string) error {
	if len(ps) == 0 {
		return fmt.Errorf("no samples to draw")
	}
	const cols = 2
	rows := (len(ps) + cols - 1) / cols
	plots := make([][]*plot.Plot, rows)
	for i := range plots {
		plots[i] = make([]*plot.Plot, cols)
	}
	for i := range ps {
		p, err := r.plot(&ps[i])
		if err != nil {
			return fmt.Errorf("draw %s: %w", ps[i].title, err)
		}
		plots[i/cols][i%cols] = p
	}
	heading := vg.Length(1.5 * vg.Centimeter)
	img := vgimg.NewWith(vgimg.UseWH(cols*pngW, vg.Length(rows)*pngH+heading), vgimg.UseDPI(110), vgimg.UseBackgroundColor(color.White))
	dc := draw.New(img)
	dc.FillText(textStyle(13, true), vg.Point{X: vg.Points(12), Y: dc.Max.Y - vg.Points(20)}, r.Title)
	verdict := textStyle(9, false)
	verdict.Color = color.Gray{100}
	if said := r.complaint(); said != "" {
		verdict.Color, subtitle = color.RGBA{0xb3, 0x26, 0x1e, 255}, said
	}
	dc.FillText(verdict, vg.Point{X: vg.Points(12), Y: dc.Max.Y - vg.Points(35)}, subtitle)
	tiles := draw.Tiles{Rows: rows, Cols: cols, PadX: vg.Points(16), PadY: vg.Points(12),
		PadTop: heading, PadBottom: vg.Points(6), PadLeft: vg.Points(8), PadRight: vg.Points(12)}
	canvases := plot.Align(plots, tiles, dc)
	for y, row := range plots {
		for x, p := range row {
			if p != nil {
				p.Draw(canvases[y][x])
				data := p.DataCanvas(canvases[y][x])
				r.drawPhases(p, data)
				ps[y*cols+x].label(data)
			}
		}
	}
	_, err := vgimg.PngCanvas{Canvas: img}.WriteTo(w)
	return err
}

// phaseRows is how many names of phases stand below one another before the
// first row is used again: those that are close do not cover each other.
const phaseRows = 5

// drawPhases marks the begin of each phase but the first, as the page does.
func (r *Report) drawPhases(p *plot.Plot, c draw.Canvas) {
	toX, _ := p.Transforms(&c)
	line := draw.LineStyle{Color: color.Gray{110}, Width: vg.Points(0.7), Dashes: []vg.Length{vg.Points(3), vg.Points(3)}}
	name := textStyle(7, false)
	name.Color = color.Gray{90}
	at, names := r.phases()
	for i := 1; i < len(at); i++ {
		x := toX(at[i])
		c.StrokeLine2(line, x, c.Min.Y, x, c.Max.Y)
		if x > (c.Min.X+c.Max.X)/2 { // to the side that has room
			x -= vg.Points(4) + name.Width(names[i])
		}
		c.FillText(name, vg.Point{X: x + vg.Points(2), Y: c.Max.Y - vg.Points(8)*vg.Length(1+i%phaseRows)}, names[i])
	}
}

// textStyle is sans-serif, left-aligned text of size points.
func textStyle(size float64, bold bool) draw.TextStyle {
	s := plot.New().Title.TextStyle
	s.XAlign, s.YAlign = draw.XLeft, draw.YBottom
	sans(&s, size)
	if bold {
		s.Font.Weight = xfont.WeightBold
	}
	return s
}

func sans(s *draw.TextStyle, size float64) {
	s.Font.Variant, s.Font.Size = "Sans", vg.Points(size)
}

// label writes title and legend over the data.
func (p *panel) label(c draw.Canvas) {
	title := p.title
	if p.unit != "" {
		title += ", " + p.unit
	}
	c.FillText(textStyle(10, true), vg.Point{X: c.Min.X, Y: c.Max.Y + vg.Points(18)}, title)
	if len(p.lines) < 2 {
		return
	}
	style := textStyle(9, false)
	x, y := c.Min.X, c.Max.Y+vg.Points(5)
	for _, l := range p.lines {
		mark := draw.LineStyle{Color: hexColour(palette[l.colour]), Width: vg.Points(2)}
		c.StrokeLine2(mark, x, y+vg.Points(3.5), x+vg.Points(12), y+vg.Points(3.5))
		x += vg.Points(16)
		c.FillText(style, vg.Point{X: x, Y: y}, l.name)
		x += style.Width(l.name) + vg.Points(12)
	}
}

// complaint is why the run does not count or what went wrong, "" for neither.
func (r *Report) complaint() string {
	switch {
	case len(r.Invalid) > 0:
		return "not valid: " + r.Invalid[0]
	case len(r.Wrong) > 0:
		return "wrong: " + r.Wrong[0]
	}
	return ""
}

// ticks are the axis marks worked out by panel.axis.
type ticks []float64

// Ticks implements plot.Ticker.
func (t ticks) Ticks(_, _ float64) []plot.Tick {
	var out []plot.Tick
	for _, v := range t {
		out = append(out, plot.Tick{Value: v, Label: tickText(v)})
	}
	return out
}

func (r *Report) plot(p *panel) (*plot.Plot, error) {
	pl := plot.New()
	pl.Title.Text, pl.Title.Padding = " ", vg.Points(18) // room for label
	sans(&pl.X.Tick.Label, 9)
	sans(&pl.Y.Tick.Label, 9)
	var marks []float64
	pl.Y.Min, pl.Y.Max, marks = p.axis()
	pl.Y.Tick.Marker = ticks(marks)
	if p.log {
		pl.Y.Scale = plot.LogScale{}
	}
	pl.X.Min, pl.X.Max = r.spanX()
	var seconds []float64
	for v, step := 0.0, niceStep(pl.X.Max/8); v <= pl.X.Max; v += step {
		seconds = append(seconds, v)
	}
	pl.X.Tick.Marker = ticks(seconds)
	grid := plotter.NewGrid()
	grid.Vertical.Width = 0
	grid.Horizontal.Color = color.Gray{225}
	pl.Add(grid)
	for _, s := range p.lines {
		if err := addSeries(pl, &s); err != nil {
			return nil, err
		}
	}
	return pl, nil
}

// addSeries adds the unbroken pieces of a series.
func addSeries(pl *plot.Plot, s *series) error {
	var piece plotter.XYs
	flush := func() error {
		if len(piece) == 0 {
			return nil
		}
		if len(piece) == 1 { // a line needs two points
			piece = append(piece, piece[0])
		}
		l, err := plotter.NewLine(piece)
		if err != nil {
			return err
		}
		l.Color, l.Width = hexColour(palette[s.colour]), vg.Points(1.2)
		pl.Add(l)
		piece = nil
		return nil
	}
	for i, y := range s.y {
		if math.IsNaN(y) {
			if err := flush(); err != nil {
				return err
			}
			continue
		}
		piece = append(piece, plotter.XY{X: s.x[i], Y: y})
	}
	return flush()
}

func hexColour(s string) color.Color {
	var c color.RGBA
	c.A = 255
	fmt.Sscanf(s, "#%02x%02x%02x", &c.R, &c.G, &c.B)
	return c
}
