package lockfile

import (
	"fmt"
	"maps"
	"slices"

	"vpk/lockfile/pep508"
)

// graph is the part of a lock that a request reaches in one environment (spec §2.4).
type graph struct {
	lock *Lock
	env  pep508.Environment
	root *Package
	// prod, wantsExtra and wantsGroup are what the request says.
	prod                   bool
	wantsExtra, wantsGroup func(string) bool
	// active are the synthetic extras by which the lock's markers tell conflicting extras, groups and projects. It stays
	// empty for a lock without conflicts.
	active nameSet
	// activated are the extras in active, with their packages, in the order in which they came.
	activated []ConflictItem

	nodes []*node
	byPkg map[*Package]*node
	walk  walk
}

// node is a package that was reached.
type node struct {
	pkg *Package
	// index is the place in graph.nodes.
	index int
	// install is false for a root of which only groups are wanted.
	install bool
	// parents depend on the node, children the other way round; each edge once an extra of the parent.
	parents, children []*node
	// via is the parent that reached the node first, nil for the root.
	via *node
}

// walk is a queue of the steps of a breadth-first search, each once.
type walk struct {
	seen  map[step]bool
	queue []step
}

// step is a package whose edges are to be followed: those of an extra, or its own where the extra is empty.
type step struct {
	pkg   *Package
	extra string
}

func (s step) edges() []Dependency {
	if s.extra == "" {
		return s.pkg.Dependencies
	}
	return s.pkg.OptionalDependencies[s.extra]
}

func newWalk() walk { return walk{seen: map[step]bool{}} }

func (w walk) clone() walk { return walk{maps.Clone(w.seen), slices.Clone(w.queue)} }

func (w *walk) push(s step) {
	if !w.seen[s] {
		w.seen[s] = true
		w.queue = append(w.queue, s)
	}
}

// follow queues what an edge leads to.
func (w *walk) follow(d *Dependency) {
	w.push(step{d.Package, ""})
	for _, extra := range d.Extras {
		w.push(step{d.Package, extra})
	}
}

func newGraph(lock *Lock, env pep508.Environment, root *Package, req Request) *graph {
	g := &graph{
		lock: lock, env: env, root: root, prod: req.prod(), wantsExtra: req.extras(), wantsGroup: req.groups(),
		active: nameSet{}, byPkg: map[*Package]*node{}, walk: newWalk(),
	}
	if len(lock.Conflicts) == 0 {
		return g
	}
	if g.prod {
		g.active[syntheticProject(root.Name)] = true
		for _, extra := range g.rootExtras() {
			g.activate(root.Name, extra)
		}
	}
	for _, group := range g.rootGroups() {
		g.active[syntheticGroup(root.Name, group)] = true
	}
	return g
}

// rootExtras are the extras of the root that are wanted and have dependencies.
func (g *graph) rootExtras() []string {
	if !g.prod {
		return nil
	}
	return filter(slices.Sorted(maps.Keys(g.root.OptionalDependencies)), g.wantsExtra)
}

// rootGroups are the groups of the root that are wanted and have dependencies.
func (g *graph) rootGroups() []string {
	return filter(slices.Sorted(maps.Keys(g.root.DevDependencies)), g.wantsGroup)
}

func filter(names []string, want func(string) bool) []string {
	return slices.DeleteFunc(names, func(name string) bool { return !want(name) })
}

// seed reaches the root and what its groups name.
func (g *graph) seed() {
	root := g.node(g.root)
	root.install = g.prod
	g.pushRoot(&g.walk)
	for _, group := range g.rootGroups() {
		edges := g.root.DevDependencies[group]
		for i := range edges {
			// Here, as in uv, an edge's own extras are active for its marker but do not stay so.
			if d := &edges[i]; g.holdsWith(d) {
				// Only a group may name the root itself and so have it installed though only groups are wanted.
				g.reach(root, d).install = true
			}
		}
	}
}

// pushRoot queues the root and its extras, if they are wanted.
func (g *graph) pushRoot(w *walk) {
	if !g.prod {
		return
	}
	w.push(step{g.root, ""})
	for _, extra := range g.rootExtras() {
		w.push(step{g.root, extra})
	}
}

// traverse follows the edges of all that was reached.
func (g *graph) traverse() {
	for i := 0; i < len(g.walk.queue); i++ {
		s := g.walk.queue[i]
		edges := s.edges()
		for j := range edges {
			if d := &edges[j]; g.holds(d) {
				g.reach(g.byPkg[s.pkg], d)
			}
		}
	}
}

// node gives a package's node. A new one is to be installed.
func (g *graph) node(p *Package) *node {
	n, ok := g.byPkg[p]
	if !ok {
		n = &node{pkg: p, index: len(g.nodes), install: true}
		g.byPkg[p] = n
		g.nodes = append(g.nodes, n)
	}
	return n
}

// reach follows an edge whose marker holds.
func (g *graph) reach(parent *node, d *Dependency) *node {
	n := g.node(d.Package)
	n.parents = append(n.parents, parent)
	parent.children = append(parent.children, n)
	if n.via == nil && n.pkg != g.root {
		n.via = parent
	}
	g.walk.follow(d)
	return n
}

// holds judges an edge's marker. It must only be asked once the edge's parent was reached: newer versions of uv leave out
// of a marker what the parent implies.
func (g *graph) holds(d *Dependency) bool {
	return d.Marker.IsTrue() || d.Marker.Evaluate(g.env, func(name string) bool { return g.active[name] })
}

// holdsWith judges an edge's marker with the edge's own extras active as well.
func (g *graph) holdsWith(d *Dependency) bool {
	if d.Marker.IsTrue() {
		return true
	}
	own := nameSet{}
	for _, extra := range d.Extras {
		own[syntheticExtra(d.Package.Name, extra)] = true
	}
	return d.Marker.Evaluate(g.env, func(name string) bool { return g.active[name] || own[name] })
}

// The names by which the lock's markers tell what is active (crates/uv-resolver/src/universal_marker.rs:562).
func syntheticExtra(pkg, extra string) string {
	return fmt.Sprintf("extra-%d-%s-%s", len(pkg), pkg, extra)
}
func syntheticGroup(pkg, group string) string {
	return fmt.Sprintf("group-%d-%s-%s", len(pkg), pkg, group)
}
func syntheticProject(pkg string) string { return fmt.Sprintf("project-%d-%s", len(pkg), pkg) }
