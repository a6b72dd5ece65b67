package pep440

// The cases in which uv 0.11.8 decides and not packaging 26.3, since a lock was
// made with uv's answer. uv locks with the ranges of
// uv-pep440/src/version_ranges.rs:35; its other check, VersionSpecifier's
// contains, differs from them in places and plays no part in a lock.

// arbitrarilyEqual is "===": equality of versions, local segment included.
// packaging compares the texts, so that ===1.0 does not hold for 1.0.0 there.
func arbitrarilyEqual(v, w Version) bool { return v.Compare(w) == 0 }

// lessThanPost is "<" of a post-release, <1.0.post1: everything before release
// 1.0, then from 1.0 itself up to 1.0.post1, pre-releases of the latter
// included. packaging takes all that is before 1.0.post1.dev0: it holds for
// 1.0a1, and not for 1.0.post1.dev0.
func lessThanPost(v, w Version) bool {
	if c := compareRelease(v, w); c != 0 {
		return c < 0
	}
	st, _, _ := v.kind()
	return st == stageFinal && comparePublic(v, w) < 0
}

// greaterThanPost is ">" of a post-release, >1.0.post1: from 1.0.post2 on.
// packaging starts with 1.0.post2.dev0.
func greaterThanPost(v, w Version) bool {
	if comparePublic(v, w) <= 0 {
		return false
	}
	if _, post, dev := v.kind(); !post || !dev || comparePre(v, w) != 0 {
		return true
	}
	p, q := v.parts(), w.parts()
	return compareNumber(p.post, increment(q.post)) != 0
}

// increment adds one to decimal digits of any length.
func increment(digits string) string {
	b := []byte("0" + digits)
	i := len(b) - 1
	for ; b[i] == '9'; i-- {
		b[i] = '0'
	}
	b[i]++
	if b[0] == '0' {
		b = b[1:]
	}
	return string(b)
}
