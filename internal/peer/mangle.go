package peer

import (
	"math/rand/v2"
	"strings"
)

// Mangle changes, drops or adds one of the pieces, or two, in a text that both sides of a comparison are to read or refuse.
func Mangle(r *rand.Rand, s string, pieces []string) string {
	for range 1 + r.IntN(2) {
		i := r.IntN(len(s) + 1)
		piece := pieces[r.IntN(len(pieces))]
		switch r.IntN(3) {
		case 0:
			s = s[:i] + piece + s[i:]
		case 1:
			s = strings.ToValidUTF8(s[:max(i-1, 0)]+s[i:], "")
		default:
			s = strings.ToValidUTF8(s[:max(i-1, 0)]+piece+s[i:], "")
		}
	}
	return s
}
