package verdict

import (
	"encoding/csv"
	"os"
	"strconv"
	"testing"
)

// measured reads what two alike nodes did on a busy machine.
func measured(t *testing.T) (production, shadow []Point) {
	t.Helper()
	f, err := os.Open("testdata/busy.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comment = '#'
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range rows {
		var v [4]float64
		for k := range v {
			if v[k], err = strconv.ParseFloat(row[k], 64); err != nil {
				t.Fatal(err)
			}
		}
		at := float64(i)
		production = append(production, Point{At: at, Num: v[0], Den: v[1]})
		shadow = append(shadow, Point{At: at, Num: v[2], Den: v[3]})
	}
	return production, shadow
}

// On noise that was measured, whatever the order of arms: five minutes without
// a difference, and with one planted.
func TestMeasuredNoise(t *testing.T) {
	const runs = 300
	cpu := Metrics()[0]
	cpu.Weight = 1
	f := func(by float64, least, most int) {
		t.Helper()
		n := 0
		for seed := range uint64(runs) {
			s := Series{Metric: cpu}
			s.Production, s.Shadow = measured(t)
			arms := Schedule(len(s.Shadow)/DefaultWindow+1, seed)
			for i := range s.Shadow {
				arm := arms[i/DefaultWindow]
				s.Production[i].Phase, s.Production[i].Arm = PhaseAB, arm
				s.Shadow[i].Phase, s.Shadow[i].Arm = PhaseAB, arm
				if arm == Treatment {
					s.Shadow[i].Num *= 1 + by
				}
			}
			if v := Judge(Input{Series: []Series{s}}); v.Effects[0].Result == Worse || by == 0 && v.Effects[0].Result == Better {
				n++
			}
		}
		t.Logf("%g %% found in %d of %d", 100*by, n, runs)
		if n < least || n > most {
			t.Errorf("%g %% found in %d of %d", 100*by, n, runs)
		}
	}
	f(0, 0, runs/100)
	f(0.1, runs/2, runs)
	f(0.2, runs*99/100, runs)
}
