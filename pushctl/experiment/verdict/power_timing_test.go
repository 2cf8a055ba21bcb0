package verdict

import (
	"fmt"
	"testing"
)

// BenchmarkPower prints how often differences are found in ten minutes, by
// noise: go test -run '^$' -bench Power -benchtime 1x ./pushctl/experiment/verdict
func BenchmarkPower(b *testing.B) {
	for _, z := range []struct {
		name string
		noise
	}{{"quiet", quiet()}, {"usual", usual()}, {"busy", busy()}} {
		for _, by := range []int{0, 2, 3, 5, 7, 10, 20} {
			b.Run(fmt.Sprintf("%s/%d%%", z.name, by), func(b *testing.B) {
				const runs = 200
				found := 0
				for b.Loop() {
					found = finds(z.noise, runs, float64(by)/100)
				}
				one, three := newSimulation(z.noise, 1).seen(3000)
				b.ReportMetric(float64(found)*100/runs, "%found")
				b.ReportMetric(100*one, "%sd1s")
				b.ReportMetric(100*three, "%sd3s")
				b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N*runs), "ms/experiment")
			})
		}
	}
}

// BenchmarkPowerBeside is the same of two shadows side by side, which cannot
// take turns: what drifts apart by itself looks like an effect.
func BenchmarkPowerBeside(b *testing.B) {
	for _, aa := range []int{120, 300} {
		for _, by := range []int{0, 5, 10, 20} {
			b.Run(fmt.Sprintf("aa=%ds/%d%%", aa, by), func(b *testing.B) {
				const runs = 100
				found := 0
				for b.Loop() {
					found = 0
					for i := range runs {
						s := newSimulation(usual(), uint64(i))
						s.beside, s.noise.drift, s.aa, s.ab = true, 0.03, aa, 600-aa
						s.effect = map[string]float64{CPUPerMessage: float64(by) / 100}
						if v := Judge(s.input()); v.Effects[0].Result == Worse {
							found++
						}
					}
				}
				b.ReportMetric(float64(found)*100/runs, "%found")
			})
		}
	}
}
