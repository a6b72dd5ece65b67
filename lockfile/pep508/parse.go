package pep508

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"vpk/lockfile/pep440"
)

// maxDepth bounds the nesting of parentheses, and so the stack.
const maxDepth = 100

// parser reads s from the offset at on.
type parser struct {
	what string // what s is, for errors
	s    string
	at   int
}

// operand is one side of a comparison: a variable, or a quoted text.
type operand struct {
	variable variable
	text     string
}

// ParseMarker reads a marker, such as
// `python_version < '3.12' and extra == 'cpu'`. Errors are of type
// *pep440.SyntaxError.
func ParseMarker(s string) (m Marker, err error) {
	p := parser{what: "marker", s: s}
	if m.root, err = p.marker(0); err != nil {
		return Marker{}, err
	}
	if p.at < len(s) {
		return Marker{}, p.fail(p.at, unexpected(s, p.at)+`: "and", "or" or the end has to follow`)
	}
	return m, nil
}

// marker reads comparisons joined by "and" and "or", and the space after them.
// It gives nil for a marker that is always true.
func (p *parser) marker(depth int) (*node, error) {
	var terms, factors []*node
	for {
		factor, err := p.atom(depth)
		if err != nil {
			return nil, err
		}
		factors = append(factors, factor)
		switch {
		case p.word("and"):
		case p.word("or"):
			terms, factors = append(terms, join(conjunction, factors)), nil
		default:
			return join(disjunction, append(terms, join(conjunction, factors))), nil
		}
	}
}

// atom reads a comparison or a marker in parentheses, and the space around it.
func (p *parser) atom(depth int) (*node, error) {
	p.space()
	open := p.at
	if !p.character('(') {
		return p.comparison()
	}
	if depth == maxDepth {
		return nil, p.fail(open, fmt.Sprintf("more than %d parentheses within each other", maxDepth))
	}
	n, err := p.marker(depth + 1)
	if err != nil {
		return nil, err
	}
	if !p.character(')') {
		return nil, p.fail(p.at, fmt.Sprintf(`"and", "or" or the ")" for the "(" in column %d has to follow`, p.column(open)))
	}
	p.space()
	return n, nil
}

// comparison reads two operands and the operator between them, and the space
// after them. It gives nil for a comparison that is to be ignored.
func (p *parser) comparison() (*node, error) {
	start := p.at
	left, err := p.operand()
	if err != nil {
		return nil, err
	}
	p.space()
	at := p.at
	op, err := p.operator()
	if err != nil {
		return nil, err
	}
	p.space()
	right, err := p.operand()
	if err != nil {
		return nil, err
	}
	p.space()

	c := comparison{variable: left.variable, op: op, value: right.text}
	if left.variable == noVariable {
		c = comparison{variable: right.variable, op: op, value: left.text, reversed: true}
	}
	switch {
	case left.variable.isSet(), c.variable.isSet() && op != opIn && op != opNotIn:
		return nil, p.fail(start, fmt.Sprintf(`%s stands only to the right of "in" or "not in"`, c.variable))
	case meaningless(left, right, op):
		return nil, nil
	case op == "===" && !c.variable.isVersion():
		return nil, p.fail(at, fmt.Sprintf(`"===" compares versions, which %s is not`, c.variable))
	case c.variable == extra:
		c.reversed = false
		c.value = NormalizeName(c.value)
	case c.variable.isSet():
		c.value = NormalizeName(c.value)
	case c.variable.isVersion():
		c.prepare()
	}
	return &node{compare: c}, nil
}

// prepare reads the value of a comparison of versions.
func (c *comparison) prepare() {
	if c.op == opIn || c.op == opNotIn {
		return
	}
	if c.reversed {
		c.version, _ = pep440.Parse(c.value)
	} else if specifier, err := pep440.ParseSpecifier(string(c.op) + c.value); err == nil {
		c.specifier = &specifier
	}
}

// operand reads a variable or a quoted text.
func (p *parser) operand() (operand, error) {
	start := p.at
	for _, quote := range []byte{'\'', '"'} {
		if !p.character(quote) {
			continue
		}
		end := strings.IndexByte(p.s[p.at:], quote)
		if end < 0 {
			return operand{}, p.fail(start, "the closing quote is missing")
		}
		text := p.s[p.at : p.at+end]
		if i := strings.IndexAny(text, "\n\r\x00"); i >= 0 {
			return operand{}, p.fail(p.at+i, "a line break or NUL within quotes")
		}
		p.at += end + 1
		return operand{text: text}, nil
	}
	for _, v := range variables {
		if p.word(v.name) {
			return operand{variable: v.is}, nil
		}
	}
	return operand{}, p.fail(start, "a quoted text or the name of a variable has to stand here")
}

// mathOperators holds every operator that is no word, none after one that it
// starts with.
var mathOperators = [...]operator{"===", "==", "~=", "!=", "<=", ">=", "<", ">"}

func (p *parser) operator() (operator, error) {
	start := p.at
	if p.word("in") {
		return opIn, nil
	}
	if p.word("not") {
		space := p.at
		if p.space(); p.at == space || !p.word("in") {
			return "", p.fail(p.at, `"in" has to follow "not"`)
		}
		return opNotIn, nil
	}
	for _, op := range mathOperators {
		if strings.HasPrefix(p.s[start:], string(op)) {
			p.at += len(op)
			return op, nil
		}
	}
	return "", p.fail(start, "an operator has to stand here: one of ==, !=, <=, >=, <, >, ~=, ===, in, not in")
}

// space skips blanks and tabs, the only white space of PEP 508.
func (p *parser) space() {
	for p.at < len(p.s) && (p.s[p.at] == ' ' || p.s[p.at] == '\t') {
		p.at++
	}
}

// character skips c if it is next.
func (p *parser) character(c byte) bool {
	if p.at == len(p.s) || p.s[p.at] != c {
		return false
	}
	p.at++
	return true
}

// word skips w if it is next and is not part of a longer word.
func (p *parser) word(w string) bool {
	rest, ok := strings.CutPrefix(p.s[p.at:], w)
	if !ok {
		return false
	}
	before, _ := utf8.DecodeLastRuneInString(p.s[:p.at])
	after, _ := utf8.DecodeRuneInString(rest)
	if isWord(before) || isWord(after) {
		return false
	}
	p.at += len(w)
	return true
}

// isWord reports what Python's \w does.
func isWord(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r) }

func (p *parser) fail(at int, reason string) error {
	return &pep440.SyntaxError{What: p.what, Input: p.s, Offset: at, Reason: reason}
}

func (p *parser) column(at int) int { return utf8.RuneCountInString(p.s[:at]) + 1 }

// unexpected words the reason for a text that goes on where it should not.
func unexpected(s string, at int) string {
	r, _ := utf8.DecodeRuneInString(s[at:])
	return fmt.Sprintf("unexpected %q", r)
}
