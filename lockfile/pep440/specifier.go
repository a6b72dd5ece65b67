package pep440

import (
	"cmp"
	"slices"
	"strings"
)

// Op is a comparison operator as written.
type Op string

// The operators of PEP 440.
const (
	OpEqual        Op = "=="
	OpNotEqual     Op = "!="
	OpLessEqual    Op = "<="
	OpGreaterEqual Op = ">="
	OpLess         Op = "<"
	OpGreater      Op = ">"
	OpCompatible   Op = "~="
	OpArbitrary    Op = "==="
)

// operators holds every operator, none after one that it starts with.
var operators = [...]Op{
	OpArbitrary, OpEqual, OpNotEqual, OpCompatible, OpLessEqual, OpGreaterEqual, OpLess, OpGreater,
}

// Specifier is one clause, such as ">=3.11" or "==1.4.*". It is made by
// ParseSpecifier; one put together by hand has to keep to the same rules.
type Specifier struct {
	Op      Op
	Version Version
	// Prefix is set for "==V.*" and "!=V.*"; Version is then V, a release.
	Prefix bool
	// Text is what follows "===" when that is no version; Version is then zero.
	Text string
}

// Specifiers is a set of clauses that all have to hold. The empty set, nil
// included, holds for every version.
type Specifiers []Specifier

// ParseSpecifiers reads clauses separated by commas, with white space around
// any of them; empty clauses are skipped. The result is sorted by version, then
// operator. Errors are of type *SyntaxError.
func ParseSpecifiers(s string) (Specifiers, error) {
	var set Specifiers
	for start := 0; start <= len(s); {
		end := len(s)
		if i := strings.IndexByte(s[start:], ','); i >= 0 {
			end = start + i
		}
		if clause, cut := trimSpace(s[start:end]); clause != "" {
			spec, bad, reason := parseSpecifier(clause)
			if reason != "" {
				return nil, &SyntaxError{What: "specifiers", Input: s, Offset: start + cut + bad, Reason: reason}
			}
			if set == nil {
				set = make(Specifiers, 0, 1+strings.Count(s[end:], ","))
			}
			set = append(set, spec)
		}
		start = end + 1
	}
	slices.SortStableFunc(set, compareSpecifiers)
	return set, nil
}

// ParseSpecifier reads one clause, with white space around it. Errors are of
// type *SyntaxError.
func ParseSpecifier(s string) (Specifier, error) {
	clause, cut := trimSpace(s)
	spec, bad, reason := parseSpecifier(clause)
	if reason != "" {
		return Specifier{}, &SyntaxError{What: "specifier", Input: s, Offset: cut + bad, Reason: reason}
	}
	return spec, nil
}

// parseSpecifier reads the clause that is the whole of s. A reason comes with
// its offset.
func parseSpecifier(s string) (spec Specifier, at int, reason string) {
	spec, end, reason := scanSpecifier(s, 0)
	if reason == "" && end < len(s) {
		reason = unexpected(s, end)
		if spec.Op == OpArbitrary {
			reason += ": the text after === has no white space, ';' or ')'"
		}
	}
	return spec, end, reason
}

// scanSpecifier reads the clause that starts at s[at], as far as it goes, and
// gives the offset of what follows; or else a reason with its offset.
func scanSpecifier(s string, at int) (spec Specifier, end int, reason string) {
	for _, op := range operators {
		if strings.HasPrefix(s[at:], string(op)) {
			spec.Op = op
			break
		}
	}
	if spec.Op == "" {
		return spec, at, "an operator is missing: one of ==, !=, <=, >=, <, >, ~=, ==="
	}
	i := at + len(spec.Op)
	i += len(s[i:]) - len(strings.TrimLeftFunc(s[i:], isSpace))

	if spec.Op == OpArbitrary {
		text := s[i:]
		if stop := strings.IndexFunc(text, func(r rune) bool { return isSpace(r) || r == ';' || r == ')' }); stop >= 0 {
			text = text[:stop]
		}
		if v, err := Parse(text); err == nil {
			spec.Version = v
		} else {
			spec.Text = text
		}
		return spec, i + len(text), ""
	}

	v, ok := Version{}, false
	if v, ok = parseRelease(s[i:]); ok {
		end = len(s)
	} else {
		var p parts
		if p, end, reason = scan(s, i); reason != "" {
			return spec, end, reason
		}
		v = p.version(s[i:end])
		bare := p.pre == "" && !p.hasPost && !p.hasDev && p.local == ""
		if strings.HasPrefix(s[end:], ".*") {
			switch {
			case spec.Op != OpEqual && spec.Op != OpNotEqual:
				return spec, end, "only == and != take .*"
			case !bare:
				return spec, end, ".* may follow a release only"
			}
			spec.Prefix = true
			end += len(".*")
		}
		if p.local != "" && spec.Op != OpEqual && spec.Op != OpNotEqual {
			return spec, end - len(p.local) - 1, "only ==, != and === take a local version"
		}
	}
	spec.Version = v
	if spec.Op == OpCompatible && releaseLen(v) < 2 {
		return spec, i, "~= needs a release of at least two numbers"
	}
	return spec, end, ""
}

// releaseLen gives the number of components of v's release.
func releaseLen(v Version) int {
	text := v.text
	if _, release, ok := strings.Cut(text, "!"); ok {
		text = release
	}
	n := 1
	for i := 0; i+1 < len(text) && (isDigit(text[i]) || text[i] == '.'); i++ {
		if text[i] == '.' && isDigit(text[i+1]) {
			n++
		}
	}
	return n
}

// String gives the normalised clause, such as ">=3.11" or "==1.4.*". Trailing
// zeros are kept.
func (s Specifier) String() string {
	if s.Prefix {
		return string(s.Op) + s.Version.text + ".*"
	}
	return string(s.Op) + s.Version.text + s.Text
}

// String gives the clauses in their order, joined by commas without blanks.
func (s Specifiers) String() string {
	clauses := make([]string, len(s))
	for i := range s {
		clauses[i] = s[i].String()
	}
	return strings.Join(clauses, ",")
}

// compareSpecifiers orders clauses as uv does where it writes a set: by version,
// then by operator (uv 0.11.8, uv-pep440/src/version_specifier.rs:61).
func compareSpecifiers(a, b Specifier) int {
	return cmp.Or(
		a.Version.Compare(b.Version),
		cmp.Compare(opRank(a), opRank(b)),
		strings.Compare(a.Text, b.Text),
	)
}

// opRank gives uv's order of operators (uv-pep440/src/version.rs:18).
func opRank(s Specifier) int {
	switch {
	case s.Op == OpEqual && !s.Prefix:
		return 0
	case s.Op == OpEqual:
		return 1
	case s.Op == OpArbitrary:
		return 2
	case s.Op == OpNotEqual && !s.Prefix:
		return 3
	case s.Op == OpNotEqual:
		return 4
	case s.Op == OpCompatible:
		return 5
	case s.Op == OpLess:
		return 6
	case s.Op == OpLessEqual:
		return 7
	case s.Op == OpGreater:
		return 8
	}
	return 9
}
