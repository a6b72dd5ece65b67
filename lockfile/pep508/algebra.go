package pep508

import (
	"encoding/binary"
	"slices"
)

// Condition is the set of environments and extras in which a marker holds, in
// canonical form: two conditions of one Algebra are the same set exactly if
// they are ==, so a Condition may be a map key. It means something only to the
// Algebra that made it, but for the constants. The zero Condition is True.
type Condition uint32

// The trivial conditions, of every Algebra.
const (
	True  Condition = 0
	False Condition = 1
)

// Not gives the complement.
func (c Condition) Not() Condition { return c ^ 1 }

// under gives a child of c's node as seen from c.
func (c Condition) under(child Condition) Condition { return child ^ c&1 }

// Algebra makes and combines conditions. They are decision diagrams: ordered,
// reduced and shared, as uv's are (uv 0.11.8, uv-pep508/src/marker/algebra.rs),
// so that what uv takes for equal, disjoint or empty is so here:
//
//   - python_version is python_full_version; versions count by their release;
//   - the systems of platform_system that have one value of sys_platform are
//     that value;
//   - "in" and "not in" of a text are opaque: "'x' in os_name" says nothing of
//     "os_name == 'x'";
//   - a comparison that uv ignores is left out of the conjunction or
//     disjunction around it;
//   - a conjunction that only pairs of values which exclude one another satisfy
//     (os_name nt, sys_platform linux) is False; one of which that is true in
//     part is left as it is. Hence And and Or are associative and distributive
//     only as far as such pairs are not involved; what they give always holds
//     in the same possible environments. (uv 0.11.8 misses some of these pairs,
//     depending on what it combined before; uv 0.11.29 does not.)
//
// An Algebra only grows, and is for one goroutine at a time. Make one for each
// piece of work.
type Algebra struct {
	// nodes has the node of a condition at half its number; the first is unused.
	nodes []diagram
	known map[string]Condition
	// meets are the conjunctions so far, without and with the knowledge of what
	// excludes one another.
	meets [2]map[[2]Condition]Condition
	// banned is what excludes one another; False until it is needed.
	banned Condition
	key    []byte // scratch
}

// diagram decides on one axis: the children are for the stretches between the
// cuts, and neighbours differ. The first child is no complement.
type diagram struct {
	axis     axis
	cuts     []cut
	children []Condition
}

// NewAlgebra gives an algebra without conditions but True and False.
func NewAlgebra() *Algebra {
	return &Algebra{
		nodes:  make([]diagram, 1),
		known:  map[string]Condition{},
		meets:  [2]map[[2]Condition]Condition{{}, {}},
		banned: False,
	}
}

// node gives the condition that decides on an axis. It keeps the slices.
func (a *Algebra) node(on axis, cuts []cut, children []Condition) Condition {
	for i := 1; i < len(children); {
		if children[i] != children[i-1] {
			i++
			continue
		}
		children = slices.Delete(children, i, i+1)
		cuts = slices.Delete(cuts, i-1, i)
	}
	if len(children) == 1 {
		return children[0]
	}
	flip := children[0] & 1
	for i := range children {
		children[i] ^= flip
	}
	key := append(a.key[:0], byte(on.class), byte(on.key))
	key = append(append(key, on.value...), 0)
	for _, c := range cuts {
		key = c.append(key)
	}
	key = append(key, 0, 2)
	for _, c := range children {
		key = binary.LittleEndian.AppendUint32(key, uint32(c))
	}
	a.key = key
	c, ok := a.known[string(key)]
	if !ok {
		c = Condition(len(a.nodes)) << 1
		a.nodes = append(a.nodes, diagram{on, cuts, children})
		a.known[string(key)] = c
	}
	return c ^ flip
}

// boolean gives the condition that an axis without a line is true.
func (a *Algebra) boolean(on axis) Condition {
	return a.node(on, []cut{{}}, []Condition{False, True})
}

// between gives the condition that a value lies from one cut to another, either
// of which may be nil for no end.
func (a *Algebra) between(on axis, from, to *cut) Condition {
	var cuts []cut
	children := []Condition{True}
	if from != nil {
		cuts, children = append(cuts, *from), []Condition{False, True}
	}
	if to != nil {
		if from != nil && from.compare(*to) >= 0 {
			return False
		}
		cuts, children = append(cuts, *to), append(children, False)
	}
	return a.node(on, cuts, children)
}

// And gives what is in both conditions.
func (a *Algebra) And(x, y Condition) Condition { return a.meet(x, y, informed) }

// Or gives what is in one of the conditions at least.
func (a *Algebra) Or(x, y Condition) Condition { return a.And(x.Not(), y.Not()).Not() }

// Implies reports whether all of x is in y.
func (a *Algebra) Implies(x, y Condition) bool { return a.Disjoint(x, y.Not()) }

// Disjoint reports whether nothing is in both conditions. As in uv, values that
// exclude one another are known as such only if both conditions decide on
// os_name, sys_platform or platform_system.
func (a *Algebra) Disjoint(x, y Condition) bool {
	if x > False && y > False && a.top(x).isPlatform() && a.top(y).isPlatform() {
		return a.And(x, y) == False
	}
	return a.meet(x, y, naive) == False
}

// top gives the axis that a condition other than True and False decides on.
func (a *Algebra) top(c Condition) axis { return a.nodes[c>>1].axis }

// knowledge tells whether a conjunction minds what excludes one another.
type knowledge uint8

const (
	naive knowledge = iota
	informed
)

// meet is And.
func (a *Algebra) meet(x, y Condition, k knowledge) Condition {
	switch {
	case x == True || x == y:
		return y
	case y == True:
		return x
	case x == False || y == False || x == y.Not():
		return False
	}
	if x > y {
		x, y = y, x
	}
	if c, ok := a.meets[k][[2]Condition{x, y}]; ok {
		return c
	}
	// The nodes may move while more of them are made: these are copies.
	n, m := a.nodes[x>>1], a.nodes[y>>1]
	var c Condition
	switch order := n.axis.compare(m.axis); {
	case order < 0:
		c = a.each(x, func(child Condition) Condition { return a.meet(child, y, k) })
	case order > 0:
		c = a.each(y, func(child Condition) Condition { return a.meet(child, x, k) })
	default:
		c = a.zip(x, y, k)
	}
	// What excludes one another is on top where it is decided on at all.
	if k == informed && c != False && n.axis.isPlatform() && m.axis.isPlatform() && a.isBanned(c) {
		c = False
	}
	a.meets[k][[2]Condition{x, y}] = c
	return c
}

// each gives c with its children replaced.
func (a *Algebra) each(c Condition, replace func(Condition) Condition) Condition {
	n := a.nodes[c>>1]
	children := make([]Condition, len(n.children))
	for i, child := range n.children {
		children[i] = replace(c.under(child))
	}
	return a.node(n.axis, slices.Clone(n.cuts), children)
}

// zip meets two conditions that decide on the same axis.
func (a *Algebra) zip(x, y Condition, k knowledge) Condition {
	n, m := a.nodes[x>>1], a.nodes[y>>1]
	cuts := make([]cut, 0, len(n.cuts)+len(m.cuts))
	children := make([]Condition, 0, cap(cuts)+1)
	for i, j := 0, 0; ; {
		children = append(children, a.meet(x.under(n.children[i]), y.under(m.children[j]), k))
		order := 0
		switch {
		case i == len(n.cuts) && j == len(m.cuts):
			return a.node(n.axis, cuts, children)
		case i == len(n.cuts):
			order = 1
		case j == len(m.cuts):
			order = -1
		default:
			order = n.cuts[i].compare(m.cuts[j])
		}
		if order <= 0 {
			cuts = append(cuts, n.cuts[i])
			i++
		} else {
			cuts = append(cuts, m.cuts[j])
		}
		if order >= 0 {
			j++
		}
	}
}

// Evaluate reports whether the condition holds in env, as Marker.Evaluate does.
func (a *Algebra) Evaluate(c Condition, env Environment, extras func(name string) bool) bool {
	for c > False {
		n := &a.nodes[c>>1]
		at := n.axis.locate(n.cuts, &env, extras)
		c = c.under(n.children[at])
	}
	return c == True
}
