package verdict

import "math"

// timed is a difference between two shadows in a window.
type timed struct {
	at, d float64
	after float64 // 1 where the treatment ran
}

// step is by how much differences between two shadows that ran side by side
// change when the treatment begins, beyond a straight line: the two may drift
// apart by themselves. Nothing takes turns here, so what happens to change
// within these minutes on one of them alone looks like an effect; how alike
// neighbouring windows are tells how much of that there is.
func step(points []timed) estimate {
	n := len(points)
	x := make([][3]float64, n)
	y := make([]float64, n)
	for i, p := range points {
		x[i] = [3]float64{1, p.at, p.after}
		y[i] = p.d
	}
	inverse, ok := invert(products(x))
	if !ok || n <= 4 {
		return estimate{p: 1}
	}
	fit := solve(inverse, x, y)
	var sum float64
	for i := range y {
		y[i] -= fit[0]*x[i][0] + fit[1]*x[i][1] + fit[2]*x[i][2]
		sum += y[i] * y[i]
	}
	inflate := alike(y, 3)
	free := max(1, float64(n)/inflate-3)
	return normal(fit[2], math.Sqrt(inflate*sum/float64(n-3)*inverse[2][2]), free, n)
}

func products(x [][3]float64) (m [3][3]float64) {
	for _, row := range x {
		for i := range 3 {
			for k := range 3 {
				m[i][k] += row[i] * row[k]
			}
		}
	}
	return m
}

func solve(inverse [3][3]float64, x [][3]float64, y []float64) (fit [3]float64) {
	var xy [3]float64
	for i, row := range x {
		for k := range 3 {
			xy[k] += row[k] * y[i]
		}
	}
	for i := range 3 {
		for k := range 3 {
			fit[i] += inverse[i][k] * xy[k]
		}
	}
	return fit
}

// invert inverts a matrix by its cofactors; ok is false when it has no inverse.
func invert(m [3][3]float64) (out [3][3]float64, ok bool) {
	minor := func(i, k int) float64 {
		a, b, c, d := (i+1)%3, (i+2)%3, (k+1)%3, (k+2)%3
		return m[a][c]*m[b][d] - m[a][d]*m[b][c]
	}
	det := m[0][0]*minor(0, 0) + m[0][1]*minor(0, 1) + m[0][2]*minor(0, 2)
	if scale := m[0][0] * m[1][1] * m[2][2]; math.Abs(det) <= 1e-12*scale {
		return out, false
	}
	for i := range 3 {
		for k := range 3 {
			out[k][i] = minor(i, k) / det
		}
	}
	return out, true
}
