package tag

import (
	"cmp"
	"fmt"
	"strings"
)

// Filename is what the file name of a wheel says (PEP 427): NAME-VERSION[-BUILD]-PYTHON-ABI-PLATFORM.whl. Each of the
// last three may be several tags joined by dots; the wheel supports their product.
type Filename struct {
	// Name is the distribution's name as written, not normalised.
	Name string
	// Version is the version as written. That it is a PEP 440 version is for others to check: this package is a leaf.
	Version string
	// Build breaks ties between wheels of the same tags; mostly empty.
	Build BuildTag
	// Pythons, ABIs and Platforms are the compressed tag sets, in the order of the name, each at least one.
	Pythons, ABIs, Platforms []string
}

// ParseFilename reads the last path segment of a wheel's URL, already percent-decoded.
//
// As uv does, it takes every tag, known or not: an unknown one makes no wheel compatible. It refuses what cannot be a
// wheel's name: another suffix, a wrong number of dashes, empty parts, a name that PEP 508 does not allow, a build tag
// that does not start with a digit, and any byte that is not a letter, a digit or one of ". _ + !".
func ParseFilename(s string) (Filename, error) {
	fail := func(why string) (Filename, error) {
		return Filename{}, fmt.Errorf("parse wheel file name %q: %s", s, why)
	}
	stem, ok := strings.CutSuffix(s, ".whl")
	if !ok {
		return fail("it does not end in .whl")
	}
	parts := strings.Split(stem, "-")
	if len(parts) != 5 && len(parts) != 6 {
		return fail(fmt.Sprintf("want NAME-VERSION[-BUILD]-PYTHON-ABI-PLATFORM.whl, got %d parts", len(parts)))
	}
	for _, p := range parts {
		if p == "" {
			return fail("a part is empty")
		}
	}
	if i := strings.IndexFunc(stem, func(r rune) bool { return !nameRune(r) }); i >= 0 {
		return fail(fmt.Sprintf("character %q is not allowed", []rune(stem[i:])[0]))
	}
	f := Filename{Name: parts[0], Version: parts[1]}
	if !alnum(f.Name[0]) || !alnum(f.Name[len(f.Name)-1]) || strings.ContainsAny(f.Name, "+!") {
		return fail("the name must be letters, digits, '.' and '_', and start and end with a letter or digit")
	}
	if len(parts) == 6 {
		if f.Build = BuildTag(parts[2]); !digit(f.Build[0]) {
			return fail("the build tag must start with a digit")
		}
	}
	tags := parts[len(parts)-3:]
	for i, set := range []*[]string{&f.Pythons, &f.ABIs, &f.Platforms} {
		*set = strings.Split(tags[i], ".")
	}
	return f, nil
}

// String is the file name again, byte for byte what was parsed.
func (f Filename) String() string {
	build := ""
	if f.Build != "" {
		build = "-" + string(f.Build)
	}
	return f.Name + "-" + f.Version + build + "-" + strings.Join(f.Pythons, ".") + "-" + strings.Join(f.ABIs, ".") + "-" +
		strings.Join(f.Platforms, ".") + ".whl"
}

// NormalizedName is the name as PEP 503 normalises it: lower case, runs of '-', '_' and '.' as one '-'.
func (f Filename) NormalizedName() string {
	var b strings.Builder
	separator := false
	for _, c := range []byte(f.Name) {
		if c == '-' || c == '_' || c == '.' {
			separator = true
			continue
		}
		if separator {
			b.WriteByte('-')
			separator = false
		}
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		b.WriteByte(c)
	}
	return b.String()
}

// BuildTag is the optional build number of a wheel, as written: digits, then anything.
type BuildTag string

// Compare orders build tags as PEP 427 does: none first, then by the leading number, of any length, then by the rest.
func (b BuildTag) Compare(c BuildTag) int {
	if b == "" || c == "" {
		return cmp.Compare(len(b), len(c))
	}
	bn, bRest := b.split()
	cn, cRest := c.split()
	return cmp.Or(cmp.Compare(len(bn), len(cn)), cmp.Compare(bn, cn), cmp.Compare(bRest, cRest))
}

// split gives the number without leading zeros, so that a longer one is greater, and the rest.
func (b BuildTag) split() (number, rest string) {
	i := 0
	for i < len(b) && digit(b[i]) {
		i++
	}
	return strings.TrimLeft(string(b[:i]), "0"), string(b[i:])
}

func nameRune(r rune) bool {
	return r < 0x80 && (alnum(byte(r)) || strings.ContainsRune("-._+!", r))
}

func alnum(c byte) bool {
	return digit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func digit(c byte) bool { return c >= '0' && c <= '9' }
