package pep508

import (
	"strings"

	"vpk/lockfile/pep440"
)

// Of gives the condition of a marker.
func (a *Algebra) Of(m Marker) Condition {
	if m.root == nil {
		return True
	}
	c, _ := a.of(m.root)
	return c
}

// of gives the condition of a node; ok is false, and the condition True, where
// all of it is ignored.
func (a *Algebra) of(n *node) (c Condition, ok bool) {
	if n.kind == comparing {
		return a.comparison(&n.compare)
	}
	for _, child := range n.children {
		next, counts := a.of(child)
		switch {
		case !counts:
		case !ok:
			c, ok = next, true
		case n.kind == conjunction:
			c = a.And(c, next)
		default:
			c = a.Or(c, next)
		}
	}
	return c, ok
}

func (a *Algebra) comparison(c *comparison) (condition Condition, ok bool) {
	negated := c.op == "!=" || c.op == opNotIn
	switch {
	case c.variable == extra:
		// uv takes both == and != of what is no name to be false.
		if _, err := ParseName(c.value); err != nil {
			return False, true
		}
		condition = a.Extra(c.value)
	case c.variable.isSet():
		condition = a.boolean(axis{setMember, c.variable, c.value})
	case c.variable.isVersion():
		return a.versions(c)
	case c.op == opIn || c.op == opNotIn:
		class := inText
		if c.reversed {
			class = containsText
		}
		condition = a.boolean(axis{class, c.variable, c.value})
	default:
		return a.texts(c), true
	}
	if negated {
		condition = condition.Not()
	}
	return condition, true
}

// Extra gives the condition that an extra is active. The name is normalised.
func (a *Algebra) Extra(name string) Condition {
	return a.boolean(axis{class: extraActive, key: extra, value: name})
}

// platforms are the values of platform_system that are one value of
// sys_platform.
var platforms = map[string]string{
	"Windows": "win32", "Darwin": "darwin", "Linux": "linux", "AIX": "aix", "Emscripten": "emscripten", "Android": "android",
}

// texts gives the condition of an order or equality of texts.
func (a *Algebra) texts(c *comparison) Condition {
	on, value := axis{class: textLine, key: c.variable}, c.value
	if platform, ok := platforms[value]; ok && on.key == platformSystem {
		on.key, value = sysPlatform, platform
	}
	before, after := &cut{text: value}, &cut{text: value, after: true}
	switch op := c.forward(); op {
	case "<":
		return a.between(on, nil, before)
	case "<=":
		return a.between(on, nil, after)
	case ">":
		return a.between(on, after, nil)
	case ">=":
		return a.between(on, before, nil)
	case "!=":
		return a.between(on, before, after).Not()
	}
	return a.between(on, before, after)
}

// forward gives the operator with the variable on its left.
func (c *comparison) forward() operator {
	if !c.reversed {
		return c.op
	}
	switch c.op {
	case "<":
		return ">"
	case "<=":
		return ">="
	case ">":
		return "<"
	case ">=":
		return "<="
	}
	return c.op
}

// versions gives the condition of a comparison of versions; ok is false where
// uv ignores it, since it compares with no version.
func (a *Algebra) versions(c *comparison) (condition Condition, ok bool) {
	on := axis{class: versionLine, key: c.variable}
	if c.variable == pythonVersion {
		on.key = pythonFullVersion
	}
	if c.op == opIn || c.op == opNotIn {
		return a.listed(on, c)
	}
	var s pep440.Specifier
	switch {
	case c.reversed && c.version.IsZero():
		return True, false
	case c.reversed:
		var err error
		if s, err = pep440.ParseSpecifier(string(c.forward()) + c.version.String()); err != nil {
			return True, false
		}
	case c.specifier == nil || c.specifier.Version.IsZero():
		return True, false
	default:
		s = *c.specifier
	}
	s.Version = s.Version.ReleaseOnly()
	if c.variable == pythonVersion {
		return a.pythonVersion(on, s), true
	}
	return a.specifier(on, s), true
}

// listed gives the condition that a version is, or is not, one of a list.
func (a *Algebra) listed(on axis, c *comparison) (Condition, bool) {
	if c.reversed {
		return True, false
	}
	any := False
	for text := range strings.FieldsSeq(c.value) {
		v, err := pep440.Parse(text)
		if err != nil {
			return True, false
		}
		if c.variable == pythonVersion {
			v = v.ReleaseOnly()
			any = a.Or(any, a.pythonVersion(on, pep440.Specifier{Op: pep440.OpEqual, Version: v}))
			continue
		}
		v = v.Trimmed()
		any = a.Or(any, a.between(on, &cut{version: v}, &cut{version: v, after: true}))
	}
	if c.op == opNotIn {
		any = any.Not()
	}
	return any, true
}

// specifier gives the condition that a version fits a clause, by its release.
func (a *Algebra) specifier(on axis, s pep440.Specifier) Condition {
	if s.Op == pep440.OpNotEqual {
		s.Op = pep440.OpEqual
		return a.specifier(on, s).Not()
	}
	lower, upper, _ := pep440.Specifiers{s}.Bounds()
	return a.bounded(on, lower, upper)
}

func (a *Algebra) bounded(on axis, lower, upper pep440.Bound) Condition {
	var from, to *cut
	if c, ok := lowerCut(lower); ok {
		from = &c
	}
	if c, ok := upperCut(upper); ok {
		to = &c
	}
	return a.between(on, from, to)
}

// pythonVersion gives the condition on python_full_version that a clause is on
// python_version, which has two numbers (uv 0.11.8, algebra.rs:1546).
func (a *Algebra) pythonVersion(on axis, s pep440.Specifier) Condition {
	release := s.Version.Release()
	exact := true // nothing but zeros after the second number
	for _, n := range release[min(2, len(release)):] {
		exact = exact && strings.Trim(n, "0") == ""
	}
	minor := pep440.Specifier{Op: pep440.OpEqual, Version: s.Version, Prefix: true}
	switch {
	case len(release) == 1:
		minor.Version = pep440.MustParse(s.Version.String() + ".0")
	case len(release) > 2:
		minor.Version = pep440.MustParse(release[0] + "." + release[1])
	}
	switch {
	case s.Prefix && len(release) == 1, s.Op == pep440.OpCompatible && len(release) == 2:
		return a.specifier(on, s)
	case s.Prefix || s.Op == pep440.OpCompatible:
		if !exact {
			return False // of != as well
		}
		if s.Op == pep440.OpNotEqual {
			return a.specifier(on, minor).Not()
		}
		return a.specifier(on, minor)
	}
	_, next, _ := pep440.Specifiers{minor}.Bounds()
	next.Inclusive = true
	from := a.bounded(on, next, pep440.Bound{}) // the next minor version and those after it
	switch s.Op {
	case pep440.OpEqual, pep440.OpArbitrary:
		if !exact {
			return False
		}
		return a.specifier(on, minor)
	case pep440.OpNotEqual:
		if !exact {
			return True
		}
		return a.specifier(on, minor).Not()
	case pep440.OpGreater:
		return from
	case pep440.OpLessEqual:
		return from.Not()
	}
	switch {
	case exact:
		return a.specifier(on, s)
	case s.Op == pep440.OpLess:
		return from.Not()
	}
	return from
}
