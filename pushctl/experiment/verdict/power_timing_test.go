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
		for _, by := range []float64{0, 0.02, 0.03, 0.05, 0.07, 0.10, 0.20} {
			b.Run(fmt.Sprintf("%s/%g%%", z.name, 100*by), func(b *testing.B) {
				const runs = 200
				found := 0
				for b.Loop() {
					found = finds(z.noise, runs, by)
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
