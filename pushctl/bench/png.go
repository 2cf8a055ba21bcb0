package bench

import (
	"fmt"
	"image/color"
	"io"
	"math"

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
func (r *Report) WritePNG(w io.Writer) error {
	ps := r.panels()
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
	heading := vg.Length(1.2 * vg.Centimeter)
	img := vgimg.NewWith(vgimg.UseWH(cols*pngW, vg.Length(rows)*pngH+heading), vgimg.UseDPI(110), vgimg.UseBackgroundColor(color.White))
	dc := draw.New(img)
	style := plot.New().Title.TextStyle
	style.Font.Size = vg.Points(13)
	dc.FillText(style, vg.Point{X: vg.Points(12), Y: dc.Max.Y - vg.Points(18)}, r.heading())
	tiles := draw.Tiles{Rows: rows, Cols: cols, PadX: vg.Points(16), PadY: vg.Points(12),
		PadTop: heading, PadBottom: vg.Points(6), PadLeft: vg.Points(8), PadRight: vg.Points(12)}
	canvases := plot.Align(plots, tiles, dc)
	for y, row := range plots {
		for x, p := range row {
			if p != nil {
				p.Draw(canvases[y][x])
			}
		}
	}
	_, err := vgimg.PngCanvas{Canvas: img}.WriteTo(w)
	return err
}

// heading says what was run and whether it counts.
func (r *Report) heading() string {
	s := r.Title
	if len(r.Invalid) > 0 {
		s += "   NOT VALID: " + clip(r.Invalid[0], 100)
	} else if len(r.Wrong) > 0 {
		s += "   WRONG: " + clip(r.Wrong[0], 100)
	}
	return s
}

func clip(s string, n int) string {
	if len(s) > n {
		return s[:n] + "…"
	}
	return s
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
	pl.Title.Text = p.title
	if p.unit != "" {
		pl.Title.Text += ", " + p.unit
	}
	pl.Title.Padding = vg.Points(4)
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
	pl.Legend.Top, pl.Legend.Left = true, false
	pl.Legend.YOffs = vg.Points(16) // beside the title, off the data
	pl.Legend.ThumbnailWidth = vg.Points(10)
	for _, s := range p.lines {
		if err := addSeries(pl, &s, len(p.lines) > 1); err != nil {
			return nil, err
		}
	}
	return pl, nil
}

// addSeries adds the unbroken pieces of a series.
func addSeries(pl *plot.Plot, s *series, legend bool) error {
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
		if legend {
			pl.Legend.Add(s.name, l)
			legend = false
		}
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
