package pep440

// Contains reports whether v fits every clause of the set, pre-releases
// allowed. The zero Version fits the empty set only.
func (s Specifiers) Contains(v Version) bool {
	for i := range s {
		if !s[i].Contains(v) {
			return false
		}
	}
	return true
}

// Contains reports whether v fits the clause, pre-releases allowed. The zero
// Version fits none.
func (s Specifier) Contains(v Version) bool {
	if v.IsZero() || s.Version.IsZero() {
		return false
	}
	w := s.Version
	switch s.Op {
	case OpEqual:
		return s.equals(v)
	case OpNotEqual:
		return !s.equals(v)
	case OpGreaterEqual:
		return v.Compare(w) >= 0
	case OpLessEqual:
		return comparePublic(v, w) <= 0
	case OpCompatible:
		return v.Compare(w) >= 0 && hasPrefix(v, w, releaseLen(w)-1)
	case OpLess:
		// A clause that names no pre-release takes none of its own release.
		switch {
		case w.IsPrerelease():
			return comparePublic(v, w) < 0
		case w.IsPostrelease():
			return lessThanPost(v, w)
		}
		return compareRelease(v, w) < 0
	case OpGreater:
		// Unless it names a post-release a clause takes none of its own
		// release, and never a local version of the one it names.
		_, post, dev := w.kind()
		switch {
		case dev:
			return comparePublic(v, w) > 0
		case post:
			return greaterThanPost(v, w)
		}
		return comparePre(v, w) > 0
	case OpArbitrary:
		return arbitrarilyEqual(v, w)
	}
	return false
}

// equals is the "==" of the clause: a local segment of v counts only where the
// clause has one.
func (s Specifier) equals(v Version) bool {
	switch w := s.Version; {
	case s.Prefix:
		return hasPrefix(v, w, releaseLen(w))
	case w.IsLocal():
		return v.Compare(w) == 0
	default:
		return comparePublic(v, w) == 0
	}
}
