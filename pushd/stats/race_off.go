//go:build !race

package stats

const raceBuild = false
