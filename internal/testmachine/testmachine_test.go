package testmachine

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looks, worst := 0, time.Duration(0)
		Watch(t, func(_ time.Time, late time.Duration) {
			looks++
			worst = max(worst, late)
		})
		time.Sleep(time.Second + time.Millisecond)
		synctest.Wait()
		if looks != 50 || worst != 0 {
			t.Errorf("%d looks in a second in which all ran, the worst late by %s", looks, worst)
		}
	})
}

func TestPressure(t *testing.T) {
	if p := Pressure("nothing"); p != 0 {
		t.Errorf("pressure of nothing is %v", p)
	}
	if p := Pressure("cpu"); p < 0 || p > 100 {
		t.Errorf("a share of %v %%", p)
	}
}
