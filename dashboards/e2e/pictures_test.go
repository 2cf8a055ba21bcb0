//go:build e2e

package e2e

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// picturesFor is the time that the pictures show.
const picturesFor = 3 * time.Minute

// TestPictures draws the dashboards of a fleet that lives a little: "make
// dashboards-png" runs it, nothing else does.
func TestPictures(t *testing.T) {
	out := os.Getenv("DASHBOARDS_PNG")
	if out == "" {
		t.Skip("draws pictures only for make dashboards-png, which sets DASHBOARDS_PNG")
	}
	f := newFleet(t)
	for _, n := range []string{"a", "b", "c"} {
		f.node(n, following()...)
	}
	f.node("s", "--shadow", "--keeper", "off")
	rules, _ := hurried(t, f.dir)
	config, _ := f.scraping("a", "b", "c", "s")
	prom := f.prometheus(config, rules)
	end := time.After(picturesFor)
	for i, n := range []string{"a", "b", "c"} {
		f.load(n, "soak", "--conns", []string{"400", "300", "350"}[i], "--ramp", "40/s", "--rate", []string{"150/s", "100/s", "120/s"}[i],
			"--proto", "ws,sse=15%,stream=10%", "--profile", "fast,slow=2%,churn=3%", "--slow-bytes", "3000", "--churn", "20s", "--for", "10m",
			"--allow-loss", "--allow-invalid")
	}
	f.experiment("a", "s")
	f.life(end)
	shoot := exec.Command(tool(t, "node"), "shoot.mjs", prom.url, "..", out, "180")
	shoot.Dir = filepath.Join("..", "render")
	if b, err := shoot.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	all, err := filepath.Glob(filepath.Join(out, "*.png"))
	if err != nil || len(all) < 5 {
		t.Fatal(all, err)
	}
	for _, file := range all {
		if err := shrink(file); err != nil {
			t.Error(err)
		}
	}
}

// shrink writes a picture anew with its 256 most frequent colours; all others
// become the nearest of these. Dashboards hardly have more.
func shrink(file string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		return err
	}
	r := img.Bounds()
	count := map[color.RGBA]int{}
	at := func(x, y int) color.RGBA { return color.RGBAModel.Convert(img.At(x, y)).(color.RGBA) }
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			count[at(x, y)]++
		}
	}
	most := slices.SortedFunc(maps.Keys(count), func(a, b color.RGBA) int { return count[b] - count[a] })
	palette := color.Palette{}
	for _, c := range most[:min(256, len(most))] {
		palette = append(palette, c)
	}
	nearest := map[color.RGBA]uint8{}
	small := image.NewPaletted(r, palette)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			c := at(x, y)
			i, ok := nearest[c]
			if !ok {
				i = uint8(palette.Index(c))
				nearest[c] = i
			}
			small.SetColorIndex(x, y, i)
		}
	}
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, small); err != nil {
		return err
	}
	return os.WriteFile(file, out.Bytes(), 0o644)
}

// life has something happen until the time of the pictures is over: knobs are
// turned, a canary goes on its way, and some readers stand still for a while.
func (f *fleet) life(end <-chan time.Time) {
	events := []func(){
		func() { f.ctl("knob", "set", "queue.messages_max", "2048", "--why", "picture") },
		func() { f.stall("b") },
		func() {
			f.ctl("knob", "set", "heartbeat.ws.interval", "20s", "--plan", "1,all", "--soak", "30s", "--no-wait", "--why", "picture")
		},
		func() {
			f.ctl("knob", "set", "queue.soft_percent", "40", "--on", "node=a", "--for", "30s", "--why", "picture")
		},
		func() { f.ctl("keeper", "transfer") },
	}
	tick := time.NewTicker(picturesFor / time.Duration(len(events)+1))
	defer tick.Stop()
	for {
		select {
		case <-end:
			return
		case <-tick.C:
			if len(events) > 0 {
				events[0]()
				events = events[1:]
			}
		}
	}
}

// stall has some readers of a node stand still.
func (f *fleet) stall(node string) {
	f.ctl("knob", "set", "queue.bytes_max", "64KiB", "--on", "node="+node, "--why", "picture")
	f.load(node, "soak", "--conns", "25", "--profile", "stalled", "--rate", "150/s", "--size", "2000", "--for", "35s", "--allow-loss", "--allow-invalid")
}
