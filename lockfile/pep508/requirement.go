package pep508

import (
	"errors"
	"slices"
	"strings"
	"unicode"

	"vpk/lockfile/pep440"
)

// Requirement is one dependency specifier of PEP 508. Specifiers or URL is set,
// or neither.
type Requirement struct {
	Name       string   // normalised
	Extras     []string // normalised, sorted, each once
	Specifiers pep440.Specifiers
	URL        string // as written; it is not checked
	Marker     Marker
}

// ParseRequirement reads a requirement, such as
// `uvicorn[standard]>=0.46 ; python_version >= '3.11'` or
// `foo @ https://index.example/foo-1.0-py3-none-any.whl`. Errors are of type
// *pep440.SyntaxError.
func ParseRequirement(s string) (Requirement, error) {
	p := parser{what: "requirement", s: s}
	r, err := p.requirement()
	if err != nil {
		return Requirement{}, err
	}
	return r, nil
}

func (p *parser) requirement() (r Requirement, err error) {
	p.space()
	if r.Name, err = p.name("the name of a package"); err != nil {
		return r, err
	}
	p.space()
	if r.Extras, err = p.extras(); err != nil {
		return r, err
	}
	p.space()
	expected := `: a specifier, "@", "[", ";" or the end has to follow`
	if p.character('@') {
		if r.URL, err = p.url(); err != nil {
			return r, err
		}
		expected = `: ";" or the end has to follow the URL`
	} else if r.Specifiers, err = p.specifiers(); err != nil {
		return r, err
	}
	p.space()
	if p.at == len(p.s) {
		return r, nil
	}
	if !p.character(';') {
		return r, p.fail(p.at, unexpected(p.s, p.at)+expected)
	}
	if r.Marker.root, err = p.marker(0); err != nil {
		return r, err
	}
	if p.at < len(p.s) {
		return r, p.fail(p.at, unexpected(p.s, p.at)+`: "and", "or" or the end has to follow`)
	}
	return r, nil
}

// name reads the name of a package or extra and gives its normalised form.
func (p *parser) name(what string) (string, error) {
	start := p.at
	p.at = nameEnd(p.s, start)
	name := p.s[start:p.at]
	switch {
	case name == "" && start < len(p.s):
		return "", p.fail(start, unexpected(p.s, start)+": "+what+" has to stand here")
	case name == "":
		return "", p.fail(start, what+" is missing")
	case !isAlnum(name[0]):
		return "", p.fail(start, nameEdges)
	case !isAlnum(name[len(name)-1]):
		return "", p.fail(p.at-1, nameEdges)
	}
	return NormalizeName(name), nil
}

// extras reads extras in brackets, if there are any.
func (p *parser) extras() ([]string, error) {
	open := p.at
	if !p.character('[') {
		return nil, nil
	}
	p.space()
	if p.character(']') {
		return nil, nil
	}
	var names []string
	for {
		name, err := p.name("the name of an extra")
		if err != nil {
			return nil, err
		}
		names = append(names, name)
		p.space()
		switch {
		case p.character(','):
			p.space()
		case p.character(']'):
			slices.Sort(names)
			return slices.Compact(names), nil
		case p.at == len(p.s):
			return nil, p.fail(open, `the "]" for this "[" is missing`)
		default:
			return nil, p.fail(p.at, unexpected(p.s, p.at)+`: "," or "]" has to follow the extra`)
		}
	}
}

// url reads what follows "@", up to white space.
func (p *parser) url() (string, error) {
	p.space()
	start := p.at
	if end := strings.IndexAny(p.s[start:], " \t"); end >= 0 {
		p.at += end
	} else {
		p.at = len(p.s)
	}
	if p.at == start {
		return "", p.fail(start, `a URL has to follow "@"`)
	}
	return p.s[start:p.at], nil
}

// specifiers reads version specifiers, in parentheses or not; there may be none.
func (p *parser) specifiers() (pep440.Specifiers, error) {
	open := p.at
	closing := p.character('(')
	start := p.at
	text := p.s[start:]
	if end := strings.IndexAny(text, ";)"); end >= 0 {
		text = text[:end]
	}
	set, err := p.clauses(start, text)
	if err != nil {
		return nil, err
	}
	p.at = start + len(text)
	if closing && !p.character(')') {
		return nil, p.fail(open, `the ")" for this "(" is missing`)
	}
	return set, nil
}

// clauses reads the comma-separated specifiers that are the whole of text, which
// starts at offset start. The rules are stricter here than where specifiers
// stand alone: no clause but the last may be empty, and the white space around
// them is blanks and tabs.
func (p *parser) clauses(start int, text string) (pep440.Specifiers, error) {
	for at, rest, more := start, text, strings.Trim(text, " \t") != ""; more; {
		var clause string
		clause, rest, more = strings.Cut(rest, ",")
		bare := strings.Trim(clause, " \t")
		cut := at + strings.Index(clause, bare)
		switch {
		case bare == "" && (more || at == start):
			return nil, p.fail(cut, "a specifier has to stand before the comma")
		case bare != "" && !strings.ContainsRune("=!<>~", rune(bare[0])):
			return nil, p.fail(cut, unexpected(p.s, cut)+`: a specifier, "@", "[", ";" or the end has to follow`)
		}
		if tail := strings.TrimRightFunc(bare, isSpace); len(tail) < len(bare) {
			return nil, p.fail(cut+len(tail), unexpected(p.s, cut+len(tail)))
		}
		at += len(clause) + 1
	}
	set, err := pep440.ParseSpecifiers(text)
	var bad *pep440.SyntaxError
	if errors.As(err, &bad) {
		return nil, p.fail(start+bad.Offset, bad.Reason)
	}
	return set, err
}

// isSpace reports what Python's \s does, which specifiers may hold within.
func isSpace(r rune) bool { return unicode.IsSpace(r) || 0x1c <= r && r <= 0x1f }

// String gives the canonical text: the name, the extras in brackets, the
// specifiers or " @ " and the URL, and " ; " and the marker.
func (r Requirement) String() string {
	var b strings.Builder
	b.WriteString(r.Name)
	if len(r.Extras) > 0 {
		b.WriteString("[" + strings.Join(r.Extras, ",") + "]")
	}
	if r.URL != "" {
		b.WriteString(" @ " + r.URL)
	} else {
		b.WriteString(r.Specifiers.String())
	}
	if !r.Marker.IsTrue() {
		b.WriteString(" ; " + r.Marker.String())
	}
	return b.String()
}
