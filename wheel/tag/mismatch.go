package tag

import "slices"

// Reason says why a target cannot run a wheel. A greater reason is a closer miss.
type Reason int

// The reasons, from farthest to closest.
const (
	// Fits: there is no mismatch.
	Fits Reason = iota
	// PythonTag: no Python tag of the wheel is one of the target's.
	PythonTag
	// ABITag: the Python fits, the ABI does not.
	ABITag
	// PlatformTag: Python and ABI fit, the platform does not.
	PlatformTag
)

// Mismatch is why none of some wheels runs on a target.
type Mismatch struct {
	Reason Reason
	// Tags are the wheels' own tags at which they fail, sorted, each once. Of a platform mismatch only the wheels count that
	// come so close; of an ABI mismatch all, without "none".
	Tags []string
}

// Mismatch is the closest of the wheels' mismatches in the order Python < ABI < Platform, as in uv's hints
// (crates/uv-resolver/src/lock/mod.rs:5615). With no wheels, or with one that fits, the Reason is Fits.
func (t *Tags) Mismatch(wheels ...Filename) Mismatch {
	var m Mismatch
	for _, f := range wheels {
		if _, ok := t.Rank(f); ok {
			return Mismatch{}
		}
		reason, tags := t.miss(f)
		switch {
		case reason > m.Reason:
			m = Mismatch{Reason: reason, Tags: slices.Clone(tags)}
		case reason == m.Reason:
			m.Tags = append(m.Tags, tags...)
		}
	}
	if m.Reason == ABITag {
		m.Tags = nil
		for _, f := range wheels {
			m.Tags = append(m.Tags, f.ABIs...)
		}
		m.Tags = slices.DeleteFunc(m.Tags, func(s string) bool { return s == "none" })
	}
	slices.Sort(m.Tags)
	m.Tags = slices.Compact(m.Tags)
	return m
}

// miss classifies one wheel that does not fit.
func (t *Tags) miss(f Filename) (Reason, []string) {
	pythons := known(f.Pythons, func(p string) bool { return t.pythons[p] })
	if len(pythons) == 0 {
		return PythonTag, f.Pythons
	}
	for _, py := range pythons {
		if slices.ContainsFunc(f.ABIs, func(a string) bool { return t.abis[[2]string{py, a}] }) {
			return PlatformTag, f.Platforms
		}
	}
	return ABITag, f.ABIs
}
