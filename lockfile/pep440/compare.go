package pep440

import (
	"cmp"
	"strings"
)

// Compare gives -1, 0 or +1 in PEP 440's order. Versions that differ only in
// trailing zeros of the release (1.0 and 1.0.0) compare equal; a local segment
// counts.
func (v Version) Compare(w Version) int {
	if c := comparePublic(v, w); c != 0 {
		return c
	}
	if !v.IsLocal() && !w.IsLocal() {
		return 0
	}
	return compareLocal(v.Local(), w.Local())
}

// Equal reports whether Compare gives 0.
func (v Version) Equal(w Version) bool { return v.Compare(w) == 0 }

// comparePublic compares without the local segments.
func comparePublic(v, w Version) int {
	if v.packed() && w.packed() {
		if v.hi != w.hi {
			return cmp.Compare(v.hi, w.hi)
		}
		return cmp.Compare(v.lo&^localBit, w.lo&^localBit)
	}
	if v.IsZero() || w.IsZero() {
		return cmp.Compare(min(len(v.text), 1), min(len(w.text), 1))
	}
	p, q := v.parts(), w.parts()
	return cmp.Or(
		compareThroughPre(&p, &q),
		compareOptional(p.hasPost, p.post, q.hasPost, q.post),
		compareDev(&p, &q),
	)
}

// compareRelease compares epoch and release alone.
func compareRelease(v, w Version) int {
	if v.packed() && w.packed() {
		if v.hi != w.hi {
			return cmp.Compare(v.hi, w.hi)
		}
		return cmp.Compare(v.lo>>shift3, w.lo>>shift3)
	}
	p, q := v.parts(), w.parts()
	return compareReleaseParts(&p, &q)
}

// comparePre compares epoch, release and the place among or after the
// pre-releases: 1.0a1, 1.0a1.post1 and 1.0a1.dev1 are equal here, as are 1.0
// and 1.0.post1.
func comparePre(v, w Version) int {
	if v.packed() && w.packed() {
		if v.hi != w.hi {
			return cmp.Compare(v.hi, w.hi)
		}
		return cmp.Compare(v.lo>>shiftPre, w.lo>>shiftPre)
	}
	p, q := v.parts(), w.parts()
	return compareThroughPre(&p, &q)
}

func compareThroughPre(p, q *parts) int {
	return cmp.Or(
		compareReleaseParts(p, q),
		cmp.Compare(p.stage(), q.stage()),
		compareNumber(p.preN, q.preN),
	)
}

func compareReleaseParts(p, q *parts) int {
	if c := compareNumber(p.epoch, q.epoch); c != 0 {
		return c
	}
	for a, b := p.release, q.release; a != "" || b != ""; {
		var x, y string
		x, a, _ = strings.Cut(a, ".")
		y, b, _ = strings.Cut(b, ".")
		if c := compareNumber(x, y); c != 0 {
			return c
		}
	}
	return 0
}

// hasPrefix reports whether v is of prefix's epoch and its release starts with
// the first n components of prefix's, v's being continued with zeros.
func hasPrefix(v, prefix Version, n int) bool {
	if v.packed() && prefix.packed() {
		switch hi := v.hi ^ prefix.hi; n {
		case 1:
			return hi>>(bits1+bits2) == 0
		case 2:
			return hi>>bits2 == 0
		case 3:
			return hi == 0
		default:
			return hi == 0 && (v.lo^prefix.lo)>>shift3 == 0
		}
	}
	p, q := v.parts(), prefix.parts()
	if compareNumber(p.epoch, q.epoch) != 0 {
		return false
	}
	for a, b := p.release, q.release; n > 0; n-- {
		var x, y string
		x, a, _ = strings.Cut(a, ".")
		y, b, _ = strings.Cut(b, ".")
		if compareNumber(x, y) != 0 {
			return false
		}
	}
	return true
}

// compareNumber compares decimal digits of any length.
func compareNumber(a, b string) int {
	a, b = trimZeros(a), trimZeros(b)
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

// compareOptional compares numbers that may be absent; none is before any.
func compareOptional(hasA bool, a string, hasB bool, b string) int {
	switch {
	case hasA && hasB:
		return compareNumber(a, b)
	case hasA:
		return 1
	case hasB:
		return -1
	}
	return 0
}

// compareDev compares dev segments; none is after any.
func compareDev(p, q *parts) int {
	if p.hasDev != q.hasDev {
		return compareOptional(q.hasDev, "", p.hasDev, "")
	}
	return compareNumber(p.dev, q.dev)
}

// compareLocal compares normalised local segments: none first, then segment by
// segment, words before numbers, and the shorter first.
func compareLocal(a, b string) int {
	for a != "" && b != "" {
		var x, y string
		x, a, _ = strings.Cut(a, ".")
		y, b, _ = strings.Cut(b, ".")
		nx, ny := isNumber(x), isNumber(y)
		c := 0
		switch {
		case nx && ny:
			c = compareNumber(x, y)
		case nx:
			c = 1
		case ny:
			c = -1
		default:
			c = strings.Compare(x, y)
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(min(len(a), 1), min(len(b), 1))
}
