// Package pep440 reads, orders and prints Python versions and version specifiers (PEP 440).
package pep440

import "errors"

var errIncomplete = errors.New("not yet implemented")

// Version is one PEP 440 version. It is immutable; Compare orders it. The Go
// operator == tells whether two versions have the same normalised text (1.0
// and 1.0.0 differ), so a Version may be a map key for spelling; use Equal for
// PEP 440 equality. The zero Version is no version: IsZero.
type Version struct {
	text   string
	hi, lo uint64
}

// Parse reads a version in any spelling that PEP 440 allows.
func Parse(s string) (Version, error) { return Version{}, errIncomplete }

// MustParse is Parse for constants; it panics on an error.
func MustParse(s string) Version {
	v, err := Parse(s)
	if err != nil {
		panic(err)
	}
	return v
}

// String gives the normalised form.
func (v Version) String() string { return v.text }

// IsZero reports whether v is the zero Version, which is no version at all.
func (v Version) IsZero() bool { return v.text == "" }

// Compare gives -1, 0 or +1 in PEP 440's order; 1.0 and 1.0.0 compare equal.
func (v Version) Compare(w Version) int { return 0 }

// Equal reports whether Compare gives 0.
func (v Version) Equal(w Version) bool { return v.Compare(w) == 0 }

// Release gives the components of the release segment as decimal digits
// without leading zeros, in order, trailing zero components kept.
func (v Version) Release() []string { return nil }

// IsPrerelease reports whether v has a pre-release or a dev segment.
func (v Version) IsPrerelease() bool { return false }

// IsLocal reports whether v has a local segment ("+cpu").
func (v Version) IsLocal() bool { return false }

// WithoutLocal gives v less its local segment.
func (v Version) WithoutLocal() Version { return v }

// ReleaseOnly gives v less everything but epoch and release: 3.14.0rc1 is 3.14.0.
func (v Version) ReleaseOnly() Version { return v }
