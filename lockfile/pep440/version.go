package pep440

import "strings"

// Version is one PEP 440 version. It is immutable; Compare orders it. The Go
// operator == tells whether two versions have the same normalised text (1.0 and
// 1.0.0 differ), so a Version may be a map key for its spelling; use Equal for
// PEP 440's equality. The zero Version is no version at all (IsZero) and sorts
// before every other.
type Version struct {
	text   string // normalised
	hi, lo uint64 // the sort key, see key.go; lo is 0 without one
}

// Parse reads a version in any spelling that PEP 440 allows, with white space
// around it. Errors are of type *SyntaxError.
func Parse(s string) (Version, error) {
	if v, ok := parseRelease(s); ok {
		return v, nil
	}
	t, cut := trimSpace(s)
	p, end, reason := scan(t, 0)
	if reason == "" && end < len(t) {
		reason = unexpected(t, end)
	}
	if reason != "" {
		return Version{}, &SyntaxError{What: "version", Input: s, Offset: cut + end, Reason: reason}
	}
	return p.version(t), nil
}

// MustParse is Parse for constants; it panics on an error.
func MustParse(s string) Version {
	v, err := Parse(s)
	if err != nil {
		panic(err)
	}
	return v
}

// version makes the Version of scanned parts; s is what was scanned and is
// kept when it is normalised already.
func (p *parts) version(s string) Version {
	var buf [64]byte
	text := p.appendText(buf[:0])
	v := Version{text: s}
	if string(text) != s {
		v.text = string(text)
	}
	v.hi, v.lo = p.pack()
	return v
}

// parts gives the normalised parts of v.
func (v Version) parts() parts {
	p, _, _ := scan(v.text, 0)
	return p
}

// packed reports whether v has a sort key.
func (v Version) packed() bool { return v.lo != 0 }

// String gives the normalised form: "1.0-ALPHA.1" is "1.0a1". It keeps trailing
// zeros of the release. The zero Version is the empty string.
func (v Version) String() string { return v.text }

// IsZero reports whether v is the zero Version, which is no version at all.
func (v Version) IsZero() bool { return v.text == "" }

// Epoch gives the epoch in decimal digits, "0" where none is written.
func (v Version) Epoch() string {
	if epoch, _, ok := strings.Cut(v.text, "!"); ok {
		return epoch
	}
	return "0"
}

// Release gives the components of the release segment in order, trailing zero
// components included: 1.20.0rc1 has "1", "20", "0". They are decimal digits
// without leading zeros, since they may exceed every integer type.
func (v Version) Release() []string {
	if v.IsZero() {
		return nil
	}
	p := v.parts()
	return strings.Split(p.release, ".")
}

// Local gives the local segment, "cpu" of 2.5.1+cpu, or the empty string.
func (v Version) Local() string {
	_, local, _ := strings.Cut(v.text, "+")
	return local
}

// IsLocal reports whether v has a local segment.
func (v Version) IsLocal() bool {
	if v.packed() {
		return v.lo&localBit != 0
	}
	return v.Local() != ""
}

// IsPrerelease reports whether v has a pre-release or a dev segment.
func (v Version) IsPrerelease() bool {
	st, _, dev := v.kind()
	return !v.IsZero() && (st != stageFinal || dev)
}

// IsPostrelease reports whether v has a post segment.
func (v Version) IsPostrelease() bool {
	_, post, _ := v.kind()
	return post
}

// kind gives the stage of v within its release, and which segments it has.
func (v Version) kind() (st stage, post, dev bool) {
	if v.packed() {
		return stage(v.lo >> shiftStage & 7), v.lo>>shiftPost&(1<<bitsPost-1) != 0, v.lo>>shiftDev&noDev != noDev
	}
	p := v.parts()
	return p.stage(), p.hasPost, p.hasDev
}

// WithoutLocal gives v less its local segment.
func (v Version) WithoutLocal() Version {
	public, _, _ := strings.Cut(v.text, "+")
	return Version{text: public, hi: v.hi, lo: v.lo &^ localBit}
}

// ReleaseOnly gives v less everything but epoch and release: 3.14.0rc1 is
// 3.14.0. Python versions are checked in this form against requires-python.
func (v Version) ReleaseOnly() Version {
	end := strings.IndexFunc(v.text, func(r rune) bool { return !('0' <= r && r <= '9' || r == '.' || r == '!') })
	if end < 0 {
		return v
	}
	release, _ := Parse(strings.TrimSuffix(v.text[:end], "."))
	return release
}

// Trimmed gives v without zeros at the end of the release: 1.0.0rc1 is 1rc1.
// All versions that are Equal have the same Trimmed version, by ==.
func (v Version) Trimmed() Version {
	end := strings.IndexFunc(v.text, func(r rune) bool { return !('0' <= r && r <= '9' || r == '.' || r == '!') })
	if end < 0 {
		end = len(v.text)
	}
	// A dot may belong to what follows: 1.0.post1.
	release := strings.TrimSuffix(v.text[:end], ".")
	trimmed := release
	for strings.HasSuffix(trimmed, ".0") {
		trimmed = strings.TrimSuffix(trimmed, ".0")
	}
	if trimmed == release {
		return v
	}
	short, _ := Parse(trimmed + v.text[len(release):])
	return short
}
