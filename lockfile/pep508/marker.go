package pep508

import (
	"strings"

	"vpk/lockfile/pep440"
)

// Marker is a parsed environment marker. It is immutable. The zero Marker is
// always true.
type Marker struct{ root *node }

// node is a comparison, or a conjunction or disjunction of at least two nodes
// that are not of its own kind.
type node struct {
	kind     kind
	children []*node    // of a conjunction or disjunction
	compare  comparison // else
}

type kind uint8

const (
	comparing kind = iota
	conjunction
	disjunction
)

// comparison is "variable op value", or "value op variable" if reversed.
type comparison struct {
	variable variable
	op       operator
	value    string
	reversed bool

	// For a variable that holds versions: the value as the operand of the
	// operator, or as a version if reversed; nil or zero where it is none.
	specifier *pep440.Specifier
	version   pep440.Version
}

// operator is a comparison operator as written, with one blank in "not in".
type operator string

const (
	opIn    operator = "in"
	opNotIn operator = "not in"
)

// join makes a conjunction or disjunction; nil nodes are left out.
func join(k kind, nodes []*node) *node {
	if len(nodes) == 1 {
		return nodes[0]
	}
	var flat []*node
	for _, n := range nodes {
		switch {
		case n == nil:
		case n.kind == k:
			flat = append(flat, n.children...)
		default:
			flat = append(flat, n)
		}
	}
	switch len(flat) {
	case 0:
		return nil
	case 1:
		return flat[0]
	}
	return &node{kind: k, children: flat}
}

// IsTrue reports whether m is the zero Marker. A marker may hold everywhere
// without being it.
func (m Marker) IsTrue() bool { return m.root == nil }

// And gives the conjunction of two markers.
func (m Marker) And(n Marker) Marker { return Marker{join(conjunction, []*node{m.root, n.root})} }

// Evaluate reports whether the marker holds in env. `extra == 'x'` is
// extras("x"), the name normalised, and `extra != 'x'` its negation; a nil
// extras has none active.
func (m Marker) Evaluate(env Environment, extras func(name string) bool) bool {
	return m.root == nil || m.root.evaluate(&env, extras)
}

func (n *node) evaluate(env *Environment, extras func(string) bool) bool {
	if n.kind == comparing {
		return n.compare.evaluate(env, extras)
	}
	stop := n.kind == disjunction
	for _, child := range n.children {
		if child.evaluate(env, extras) == stop {
			return stop
		}
	}
	return !stop
}

func (c *comparison) evaluate(env *Environment, active func(string) bool) bool {
	switch {
	case c.variable == extra:
		return (c.value != "" && active != nil && active(c.value)) == (c.op == "==")
	case c.variable.isSet():
		return c.op == opNotIn // the sets are empty outside of a pylock.toml
	case c.variable.isVersion():
		return c.compareVersions(env.value(c.variable))
	}
	left, right := env.value(c.variable), c.value
	if c.reversed {
		left, right = right, left
	}
	return compareText(left, c.op, right)
}

// compareVersions compares the value of a variable that should be a version. As
// packaging has it, the right-hand side with its operator is a specifier and
// the left-hand side a version, whichever is the variable; and where the right
// is no operand of that operator, both are compared as text.
func (c *comparison) compareVersions(actual string) bool {
	if !c.reversed {
		if c.specifier == nil {
			return compareNonVersions(actual, c.op, c.value)
		}
		v, err := pep440.Parse(actual)
		return err == nil && c.specifier.Contains(v)
	}
	if c.op == opIn || c.op == opNotIn {
		return compareNonVersions(c.value, c.op, actual)
	}
	specifier, err := pep440.ParseSpecifier(string(c.op) + actual)
	if err != nil {
		return compareNonVersions(c.value, c.op, actual)
	}
	return specifier.Contains(c.version)
}

// compareNonVersions is packaging's comparison of texts, at least one of which
// is no version: the order of two such texts is not defined.
func compareNonVersions(left string, op operator, right string) bool {
	switch op {
	case opIn:
		return strings.Contains(right, left)
	case opNotIn:
		return !strings.Contains(right, left)
	case "==", "<=", ">=":
		return left == right
	case "!=":
		return left != right
	}
	return false
}

// String gives the canonical text; it is empty for the zero Marker.
func (m Marker) String() string {
	if m.root == nil {
		return ""
	}
	return string(m.root.appendText(nil))
}

func (n *node) appendText(b []byte) []byte {
	if n.kind == comparing {
		return n.compare.appendText(b)
	}
	word := " and "
	if n.kind == disjunction {
		word = " or "
	}
	for i, child := range n.children {
		if i > 0 {
			b = append(b, word...)
		}
		if child.kind == comparing {
			b = child.appendText(b)
			continue
		}
		b = append(b, '(')
		b = append(child.appendText(b), ')')
	}
	return b
}

func (c *comparison) appendText(b []byte) []byte {
	quote := byte('\'')
	if strings.IndexByte(c.value, quote) >= 0 {
		quote = '"' // a value has at most one kind of quote: the other one delimited it
	}
	if !c.reversed {
		b = append(b, c.variable.String()...)
		b = append(append(append(b, ' '), c.op...), ' ')
	}
	b = append(b, quote)
	b = append(b, c.value...)
	b = append(b, quote)
	if c.reversed {
		b = append(append(append(b, ' '), c.op...), ' ')
		b = append(b, c.variable.String()...)
	}
	return b
}
