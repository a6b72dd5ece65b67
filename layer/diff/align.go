package diff

// pair is an index of each of two lists, -1 where there is no partner.
type pair struct{ a, b int }

// align pairs the elements of two lists of n and m elements without crossing: the longest common subsequence by the first of
// the equivalences, in each gap that leaves the longest by the next one, and so on; what is left in the last gaps by position.
// Every index is in one pair, in order of either list.
func align(n, m int, equivalent ...func(a, b int) bool) []pair {
	return alignGap(pair{0, 0}, pair{n, m}, equivalent)
}

func alignGap(from, to pair, equivalent []func(a, b int) bool) []pair {
	var pairs []pair
	if len(equivalent) == 0 {
		for from.a < to.a || from.b < to.b {
			p := pair{-1, -1}
			if from.a < to.a {
				p.a, from.a = from.a, from.a+1
			}
			if from.b < to.b {
				p.b, from.b = from.b, from.b+1
			}
			pairs = append(pairs, p)
		}
		return pairs
	}
	for _, match := range longestCommon(from, to, equivalent[0]) {
		pairs = append(pairs, alignGap(from, match, equivalent[1:])...)
		pairs = append(pairs, match)
		from = pair{match.a + 1, match.b + 1}
	}
	return append(pairs, alignGap(from, to, equivalent[1:])...)
}

// longestCommon is a longest common subsequence of two ranges. Images have some hundred layers at most: a table will do.
func longestCommon(from, to pair, equal func(a, b int) bool) []pair {
	rows, columns := to.a-from.a, to.b-from.b
	length := make([][]int, rows+1)
	for i := range length {
		length[i] = make([]int, columns+1)
	}
	for i := rows - 1; i >= 0; i-- {
		for j := columns - 1; j >= 0; j-- {
			length[i][j] = max(length[i+1][j], length[i][j+1])
			if equal(from.a+i, from.b+j) {
				length[i][j] = max(length[i][j], length[i+1][j+1]+1)
			}
		}
	}
	var matches []pair
	for i, j := 0, 0; i < rows && j < columns; {
		switch {
		case equal(from.a+i, from.b+j) && length[i][j] == length[i+1][j+1]+1:
			matches = append(matches, pair{from.a + i, from.b + j})
			i, j = i+1, j+1
		case length[i+1][j] >= length[i][j+1]:
			i++
		default:
			j++
		}
	}
	return matches
}
