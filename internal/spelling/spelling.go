// Package spelling finds the word that somebody meant who typed another. It is a leaf: it imports nothing of the module.
package spelling

import "slices"

// Nearest is the candidate that a misspelt word most likely means, "" when none is near: an edit distance of at most a
// third of the word's length, at least one, at most three.
func Nearest(word string, candidates []string) string {
	best, distance := "", min(max(len(word)/3, 1), 3)+1
	for _, c := range slices.Sorted(slices.Values(candidates)) {
		if d := editDistance(word, c); d < distance {
			best, distance = c, d
		}
	}
	return best
}

// editDistance counts insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
func editDistance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			replace := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			rows[i][j] = min(replace, rows[i-1][j]+1, rows[i][j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
