package pep508

import "vpk/lockfile/pep440"

var pythonAxis = axis{class: versionLine, key: pythonFullVersion}

// Python gives the condition that the running Python's release lies in a range;
// bounds as pep440.Specifiers.Bounds gives them.
func (a *Algebra) Python(lower, upper pep440.Bound) Condition {
	return a.bounded(pythonAxis, lower, upper)
}

// Complexify gives c where the running Python lies in a range, and nothing
// else. It is what a marker of uv.lock means, the range being requires-python's.
func (a *Algebra) Complexify(c Condition, lower, upper pep440.Bound) Condition {
	return a.And(c, a.Python(lower, upper))
}

// Simplify gives the condition that equals c where the running Python lies in a
// range and does not decide on more versions than that takes. It is False for a
// range without versions.
func (a *Algebra) Simplify(c Condition, lower, upper pep440.Bound) Condition {
	if a.Python(lower, upper) == False {
		return False
	}
	from, hasFrom := lowerCut(lower)
	to, hasTo := upperCut(upper)
	return a.rewrite(c, func(c Condition) (Condition, bool) {
		n := a.nodes[c>>1]
		if n.axis != pythonAxis {
			return c, false
		}
		first, last := 0, len(n.cuts)
		for hasFrom && first < last && n.cuts[first].compare(from) <= 0 {
			first++
		}
		for hasTo && last > first && n.cuts[last-1].compare(to) >= 0 {
			last--
		}
		children := make([]Condition, 0, last-first+1)
		for _, child := range n.children[first : last+1] {
			children = append(children, c.under(child))
		}
		return a.node(n.axis, append([]cut(nil), n.cuts[first:last]...), children), true
	})
}

// AssumeExtras gives what is left of c when it is known of some extras whether
// they are active. known tells that for a normalised name.
func (a *Algebra) AssumeExtras(c Condition, known func(name string) (active, ok bool)) Condition {
	return a.rewrite(c, func(c Condition) (Condition, bool) {
		n := a.nodes[c>>1]
		if n.axis.class != extraActive {
			return c, false
		}
		active, ok := known(n.axis.value)
		if !ok {
			return c, false
		}
		child := n.children[0]
		if active {
			child = n.children[1]
		}
		return a.AssumeExtras(c.under(child), known), true
	})
}

// WithoutExtras gives where c holds with some extras or others: the environments
// alone.
func (a *Algebra) WithoutExtras(c Condition) Condition {
	return a.project(c, func(on axis) bool { return on.class == extraActive })
}

// OnlyExtras gives with which extras c holds in some environment or other.
func (a *Algebra) OnlyExtras(c Condition) Condition {
	return a.project(c, func(on axis) bool { return on.class != extraActive })
}

// project takes axes out of c: it holds where c does for some value on them.
func (a *Algebra) project(c Condition, out func(axis) bool) Condition {
	return a.rewrite(c, func(c Condition) (Condition, bool) {
		n := a.nodes[c>>1]
		if !out(n.axis) {
			return c, false
		}
		any := False
		for _, child := range n.children {
			any = a.Or(any, c.under(child))
		}
		return a.project(any, out), true
	})
}

// rewrite replaces conditions from the top; where replace does not, the children
// are rewritten.
func (a *Algebra) rewrite(c Condition, replace func(Condition) (Condition, bool)) Condition {
	done := map[Condition]Condition{}
	var visit func(Condition) Condition
	visit = func(c Condition) Condition {
		if c == True || c == False {
			return c
		}
		if r, ok := done[c]; ok {
			return r
		}
		r, ok := replace(c)
		if !ok {
			r = a.each(c, visit)
		}
		done[c] = r
		return r
	}
	return visit(c)
}
