package pep440

import "strings"

// Bound is one end of a range of versions.
type Bound struct {
	Version   Version // the end itself; zero where the range has no end on this side
	Inclusive bool    // whether Version is within; false where there is none
}

// Bounds gives the smallest range around the releases that fit the set; what
// the set leaves out in between is not told. Only epoch and release count, of
// the clauses as well, which is how uv reads requires-python: >=3.13.0rc1
// begins with 3.13.0, and >=3.8,!=3.8.* with 3.9. The spelling of an end is the
// clause's, trailing zeros included. ok is false when no release fits; uv then
// goes on as if there were no ends (uv 0.11.8,
// uv-distribution-types/src/requires_python.rs:519).
func (s Specifiers) Bounds() (lower, upper Bound, ok bool) {
	set := []span{{}}
	for _, clause := range s {
		set = intersect(set, clause.releases())
	}
	if len(set) == 0 {
		return Bound{}, Bound{}, false
	}
	return set[0].lower, set[len(set)-1].upper, true
}

// span is a range without holes; sets of releases are spans in ascending order,
// none touching the next.
type span struct{ lower, upper Bound }

// releases gives the releases that fit the clause.
func (s Specifier) releases() []span {
	if s.Version.IsZero() {
		return nil
	}
	v := s.Version.ReleaseOnly()
	at, below := Bound{v, true}, Bound{v, false}
	switch s.Op {
	case OpEqual, OpNotEqual:
		upper, above := at, below
		if s.Prefix {
			next := nextRelease(v, releaseLen(v))
			upper, above = Bound{next, false}, Bound{next, true}
		}
		if s.Op == OpEqual {
			return []span{{at, upper}}
		}
		return []span{{upper: below}, {lower: above}}
	case OpArbitrary:
		return []span{{at, at}}
	case OpCompatible:
		return []span{{at, Bound{nextRelease(v, releaseLen(v)-1), false}}}
	case OpLess:
		return []span{{upper: below}}
	case OpLessEqual:
		return []span{{upper: at}}
	case OpGreater:
		return []span{{lower: below}}
	case OpGreaterEqual:
		return []span{{lower: at}}
	}
	return nil
}

// nextRelease gives the release that follows all those that start with the
// first n components of v: 3.8.1 and 2 give 3.9.
func nextRelease(v Version, n int) Version {
	p := v.parts()
	components := strings.Split(p.release, ".")[:n]
	components[n-1] = increment(components[n-1])
	next := parts{epoch: p.epoch, release: strings.Join(components, ".")}
	return next.version("")
}

// intersect gives what is in both sets.
func intersect(a, b []span) []span {
	var both []span
	for _, x := range a {
		for _, y := range b {
			s := x
			if compareLower(y.lower, s.lower) > 0 {
				s.lower = y.lower
			}
			if compareUpper(y.upper, s.upper) < 0 {
				s.upper = y.upper
			}
			if !s.empty() {
				both = append(both, s)
			}
		}
	}
	return both
}

func (s span) empty() bool {
	if s.lower.Version.IsZero() || s.upper.Version.IsZero() {
		return false
	}
	c := s.lower.Version.Compare(s.upper.Version)
	return c > 0 || c == 0 && !(s.lower.Inclusive && s.upper.Inclusive)
}

// compareLower orders lower ends: none, then by version, the inclusive first.
func compareLower(a, b Bound) int {
	if c := a.Version.Compare(b.Version); c != 0 || a.Inclusive == b.Inclusive {
		return c
	}
	if a.Inclusive {
		return -1
	}
	return 1
}

// compareUpper orders upper ends: by version, the inclusive last, then none.
func compareUpper(a, b Bound) int {
	c := a.Version.Compare(b.Version)
	switch {
	case a.Version.IsZero() || b.Version.IsZero():
		return -c
	case c != 0 || a.Inclusive == b.Inclusive:
		return c
	case a.Inclusive:
		return 1
	}
	return -1
}
