package lockfile

import (
	"fmt"
	"maps"
	"slices"

	"vpk/internal/fault"
	"vpk/lockfile/pep508"
)

// graph is the part of a lock that a request reaches in one environment (spec §2.4).
type graph struct {
	lock *Lock
	env  pep508.Environment
	at   goal
	// prod, wantsExtra and wantsGroup are what the request says.
	prod                   bool
	wantsExtra, wantsGroup func(string) bool
	// named are what the request names of that, and does not just include with all others, for messages.
	named struct {
		allExtras, allGroups bool
		groups               nameSet
	}
	// active are the synthetic extras by which the lock's markers tell conflicting extras, groups and projects. It stays
	// empty for a lock without conflicts.
	active nameSet
	// activated are the extras in active, with their packages, in the order in which they came.
	activated []ConflictItem

	nodes []*node
	byPkg map[*Package]*node
	// top stands for the workspace's root where that is no project; nil until something is reached from it.
	top  *node
	walk walk
}

// node is a package that was reached.
type node struct {
	pkg *Package
	// index is the place in graph.nodes.
	index int
	// install is false for a root of which only groups are wanted.
	install bool
	// parents depend on the node, edges lead the other way; each once an extra of the parent.
	parents []*node
	edges   []edge
	// via is the parent that reached the node first, nil for a root, and by the edge that it did so by.
	via  *node
	by   edge
	root bool
}

// edge is a dependency that was followed.
type edge struct {
	to *node
	// extra or group of the parent that it belongs to, both empty for one of its own; extras are activated on to.
	extra, group string
	extras       []string
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

func newGraph(lock *Lock, env pep508.Environment, at goal, req Request) *graph {
	g := &graph{
		lock: lock, env: env, at: at, prod: req.prod(), wantsExtra: req.extras(), wantsGroup: req.groups(),
		active: nameSet{}, byPkg: map[*Package]*node{}, walk: newWalk(),
	}
	if len(lock.Conflicts) == 0 {
		return g
	}
	g.named.allExtras, g.named.allGroups = req.AllExtras, req.AllGroups
	g.named.groups = req.namedGroups()
	for _, root := range at.roots {
		if g.prod {
			g.active[syntheticProject(root.Name)] = true
			for _, extra := range g.extrasOf(root) {
				g.activate(root.Name, extra)
			}
		}
		for _, group := range g.groupsOf(root) {
			g.active[syntheticGroup(root.Name, group)] = true
		}
	}
	return g
}

// extrasOf are the extras of a root that are wanted and have dependencies.
func (g *graph) extrasOf(root *Package) []string {
	if !g.prod {
		return nil
	}
	return filter(slices.Sorted(maps.Keys(root.OptionalDependencies)), g.wantsExtra)
}

// groupsOf are the groups of a root that are wanted and have dependencies.
func (g *graph) groupsOf(root *Package) []string {
	return filter(slices.Sorted(maps.Keys(root.DevDependencies)), g.wantsGroup)
}

func filter(names []string, want func(string) bool) []string {
	return slices.DeleteFunc(names, func(name string) bool { return !want(name) })
}

// seed reaches the roots and what groups name, those of the roots and those of a workspace root that is no project.
func (g *graph) seed() error {
	for _, root := range g.at.roots {
		n := g.node(root)
		n.root, n.install = true, g.prod
	}
	for _, root := range g.at.roots {
		g.pushRoot(&g.walk, root)
		for _, group := range g.groupsOf(root) {
			edges := root.DevDependencies[group]
			for i := range edges {
				// Here, as in uv, an edge's own extras are active for its marker but do not stay so.
				if d := &edges[i]; g.holdsWith(d) {
					// Only a group may name a root and so have it installed though only groups are wanted.
					g.reach(g.byPkg[root], d, "", group).install = true
				}
			}
		}
	}
	return g.seedManifest()
}

// seedManifest reaches what the manifest requires: those requirements are no edges, and the package of one is found by
// its resolution markers (spec §2.4 d).
func (g *graph) seedManifest() error {
	for _, r := range g.lock.Manifest.Requirements {
		if err := g.require(r, "", g.prod); err != nil {
			return err
		}
	}
	groups := g.lock.Manifest.DependencyGroups
	for _, group := range filter(slices.Sorted(maps.Keys(groups)), g.wantsGroup) {
		for _, r := range groups[group] {
			if err := g.require(r, group, true); err != nil {
				return err
			}
		}
	}
	return nil
}

func (g *graph) require(r Requirement, group string, install bool) error {
	if !r.Marker.Evaluate(g.env, nil) {
		return nil
	}
	pkg, err := g.findByMarkers(r.Name)
	if err != nil {
		return err
	}
	if g.top == nil {
		g.top = g.node(&Package{Name: ".", Source: Source{Kind: Virtual, Location: "."}})
		g.top.root, g.top.install = true, false
	}
	fresh := g.byPkg[pkg] == nil
	n := g.reach(g.top, &Dependency{Package: pkg, Extras: r.Extras}, "", group)
	n.install = install || n.install && !fresh
	return nil
}

// findByMarkers finds the package of a name that is resolved for the environment (mod.rs:1437).
func (g *graph) findByMarkers(name string) (*Package, error) {
	var found []*Package
	for _, p := range g.lock.byName[name] {
		holds := func(m pep508.Marker) bool { return m.Evaluate(g.env, nil) }
		if len(p.ResolutionMarkers) == 0 || slices.ContainsFunc(p.ResolutionMarkers, holds) {
			found = append(found, p)
		}
	}
	if len(found) != 1 {
		return nil, fault.New(fault.Lock, "run `uv lock`", "%s: the workspace requires %q, and %d packages of that name are for this environment",
			g.lock.Filename, name, len(found))
	}
	return found[0], nil
}

// pushRoot queues a root and its extras, if they are wanted.
func (g *graph) pushRoot(w *walk, root *Package) {
	if !g.prod {
		return
	}
	w.push(step{root, ""})
	for _, extra := range g.extrasOf(root) {
		w.push(step{root, extra})
	}
}

// traverse follows the edges of all that was reached.
func (g *graph) traverse() {
	for i := 0; i < len(g.walk.queue); i++ {
		s := g.walk.queue[i]
		edges := s.edges()
		for j := range edges {
			if d := &edges[j]; g.holds(d) {
				g.reach(g.byPkg[s.pkg], d, s.extra, "")
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

// reach follows an edge whose marker holds: one of the parent itself, or of an extra or a group of it.
func (g *graph) reach(parent *node, d *Dependency, extra, group string) *node {
	n := g.node(d.Package)
	n.parents = append(n.parents, parent)
	e := edge{n, extra, group, d.Extras}
	parent.edges = append(parent.edges, e)
	if n.via == nil && !n.root {
		n.via, n.by = parent, e
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
