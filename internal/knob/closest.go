package knob

import "strings"

// Closest returns the word among words that the writer of s probably meant, or
// "". A word counts as near when at most a third of its letters are wrong, or
// when it is the only one that contains s. Used for every did-you-mean.
func Closest(s string, words []string) string {
	if len(s) == 0 || len(s) > 100 { // nobody mistypes that; keep it cheap
		return ""
	}
	s = strings.ToLower(s)
	best, least := "", len(s)/3+1
	for _, w := range words {
		if d := distance(s, strings.ToLower(w)); d < least || d == least && best != "" && w < best {
			best, least = w, d
		}
	}
	if best != "" || len(s) < 3 {
		return best
	}
	for _, w := range words {
		if strings.Contains(strings.ToLower(w), s) {
			if best != "" {
				return ""
			}
			best = w
		}
	}
	return best
}

// distance counts the letters to insert, delete, replace or swap with their
// neighbour to turn a into b (optimal string alignment).
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
