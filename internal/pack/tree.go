package pack

import (
	"fmt"
	"slices"
	"strings"

	"vpk/internal/fault"
	"vpk/internal/spelling"
	"vpk/lockfile"
	"vpk/lockfile/pep508"
)

// TreeReport is the selected graph: what `vpk tree --json` shows. Packages are named by their names, of which there is one
// version each; "." is a workspace root that is no project.
type TreeReport struct {
	Target string `json:"target"`
	// Roots are the trees' tops: the projects, or what was asked for, sorted.
	Roots []string `json:"roots"`
	// Packages are sorted by name. Those that are not installed, such as virtual projects, are among them.
	Packages []TreePackage `json:"packages"`
	// Size, InstalledSize, Installed and Cached are sums over the packages shown, each counted once: sizes, how many of them are
	// installed, and how many of their wheels are in the cache.
	Size          int64 `json:"size"`
	InstalledSize int64 `json:"installed_size"`
	Installed     int   `json:"installed"`
	Cached        int   `json:"cached"`
}

// TreePackage is a package, what it requires and who requires it.
type TreePackage struct {
	Package
	// Installed says that it is in the image: virtual projects and what was left out by name are not.
	Installed bool `json:"installed"`
	// TotalSize is the size of its wheel and of all that it requires, directly or not, each counted once.
	TotalSize  int64      `json:"total_size"`
	Requires   []TreeEdge `json:"requires"`
	RequiredBy []TreeEdge `json:"required_by"`
}

// TreeEdge is a dependency seen from one of its ends.
type TreeEdge struct {
	// Name of the package at the other end.
	Name string `json:"name"`
	// Extras of the required package that are activated.
	Extras []string `json:"extras,omitempty"`
	// Extra or Group of the dependant that the dependency belongs to; both are empty for its own.
	Extra string `json:"extra,omitempty"`
	Group string `json:"group,omitempty"`
}

// TreeView says which part of the graph to show. Names need not be normalised.
type TreeView struct {
	// Packages to begin with, and Invert to go from them to those that require them; without Packages an inverted tree
	// begins with what requires nothing.
	Packages []string
	Invert   bool
	// Prune are packages to leave out, with what only they lead to.
	Prune []string
}

// SplitMembers tells members of the workspace, which can be selected for, from other names.
func (p *Project) SplitMembers(names []string) (members, others []string) {
	for _, name := range names {
		normal := pep508.NormalizeName(name)
		if slices.Contains(p.Lock.Members(), normal) {
			members = append(members, normal)
		} else {
			others = append(others, name)
		}
	}
	return members, others
}

// Tree reports the selected graph. A name that is not in it is an error of kind fault.Usage that tells the nearest.
func (c *Choice) Tree(view TreeView) (*TreeReport, error) {
	g, err := c.graph(view)
	if err != nil {
		return nil, err
	}
	r := &TreeReport{Target: c.target.String(), Roots: []string{}, Packages: []TreePackage{}}
	for i := range g.packages {
		if !g.shown[i] {
			continue
		}
		p := &g.packages[i]
		p.TotalSize = g.totalSize(i)
		r.Size += p.Size
		r.InstalledSize += p.InstalledSize
		if p.Installed {
			r.Installed++
		}
		if p.Cached {
			r.Cached++
		}
	}
	for i, p := range g.packages {
		if g.shown[i] {
			r.Packages = append(r.Packages, p)
		}
	}
	for _, i := range g.tops {
		r.Roots = append(r.Roots, g.packages[i].Name)
	}
	return r, nil
}

// treeGraph is the graph with packages at their places in it.
type treeGraph struct {
	packages []TreePackage
	place    map[string]int // by name
	// links lead from each package to what it requires, without what is pruned.
	links [][]int
	shown []bool
	tops  []int
}

func (c *Choice) graph(view TreeView) (*treeGraph, error) {
	nodes := c.selection.Reached
	chosen := c.packages()
	g := &treeGraph{
		packages: make([]TreePackage, len(nodes)), place: map[string]int{}, links: make([][]int, len(nodes)),
	}
	for i, n := range nodes {
		p := Package{Name: n.Package.Name, Version: n.Package.Version.String(), Source: string(n.Package.Source.Kind), Hashes: []string{}}
		if n.Selected >= 0 {
			p = chosen[n.Selected]
		} else if n.Local >= 0 {
			p.Path = n.Package.Source.Location
		}
		g.packages[i] = TreePackage{Package: p, Installed: n.Selected >= 0 || n.Local >= 0, Requires: []TreeEdge{}, RequiredBy: []TreeEdge{}}
		g.place[p.Name] = i
	}
	named, err := g.find(c.project.Lock, view)
	if err != nil {
		return nil, err
	}
	g.follow(nodes, named, view)
	for i := range nodes {
		for _, e := range nodes[i].Requires {
			if g.shown[i] && g.shown[e.To] {
				from, to := &g.packages[i], &g.packages[e.To]
				from.Requires = append(from.Requires, TreeEdge{to.Name, e.Extras, e.Extra, e.Group})
				to.RequiredBy = append(to.RequiredBy, TreeEdge{from.Name, e.Extras, e.Extra, e.Group})
			}
		}
	}
	if g.tops = named; len(named) == 0 {
		g.tops = g.ends(nodes, view.Invert)
	}
	return g, nil
}

// find gives the places of the packages that a view begins with, sorted.
func (g *treeGraph) find(lock *lockfile.Lock, view TreeView) ([]int, error) {
	var places []int
	var texts, hints []string
	for _, name := range slices.Concat(view.Packages, view.Prune) {
		name = pep508.NormalizeName(name)
		if _, ok := g.place[name]; ok {
			continue
		}
		if found := lock.Named(name); len(found) > 0 {
			texts = append(texts, fmt.Sprintf("%s is in %s, but not among what is selected here", found[0], lock.Filename))
			continue
		}
		texts = append(texts, fmt.Sprintf("%s has no package %q", lock.Filename, name))
		if near := spelling.Nearest(name, g.names()); near != "" {
			hints = append(hints, fmt.Sprintf("did you mean %q?", near))
		}
	}
	if len(texts) > 0 {
		return nil, fault.New(fault.Usage, strings.Join(hints, " "), "%s", strings.Join(texts, "\n"))
	}
	for _, name := range view.Packages {
		places = append(places, g.place[pep508.NormalizeName(name)])
	}
	slices.Sort(places)
	return slices.Compact(places), nil
}

func (g *treeGraph) names() []string {
	names := make([]string, len(g.packages))
	for i, p := range g.packages {
		names[i] = p.Name
	}
	return names
}

// follow marks what is shown: what the roots lead to without what is pruned, and of that what the named ones lead to.
func (g *treeGraph) follow(nodes []lockfile.Reached, named []int, view TreeView) {
	pruned := make([]bool, len(nodes))
	for _, name := range view.Prune {
		pruned[g.place[pep508.NormalizeName(name)]] = true
	}
	var roots []int
	for i, n := range nodes {
		if n.Root && !pruned[i] {
			roots = append(roots, i)
		}
		for _, e := range n.Requires {
			if !pruned[i] && !pruned[e.To] {
				g.links[i] = append(g.links[i], e.To)
			}
		}
	}
	g.shown = reachable(roots, g.links)
	if len(named) == 0 {
		return
	}
	links := g.links
	if view.Invert {
		links = reversed(links)
	}
	for i, ok := range reachable(named, links) {
		g.shown[i] = g.shown[i] && ok
	}
}

func reversed(links [][]int) [][]int {
	back := make([][]int, len(links))
	for i, list := range links {
		for _, to := range list {
			back[to] = append(back[to], i)
		}
	}
	return back
}

// reachable marks what can be reached from some places, they included.
func reachable(from []int, links [][]int) []bool {
	seen := make([]bool, len(links))
	queue := slices.Clone(from)
	for _, i := range from {
		seen[i] = true
	}
	for n := 0; n < len(queue); n++ {
		for _, to := range links[queue[n]] {
			if !seen[to] {
				seen[to] = true
				queue = append(queue, to)
			}
		}
	}
	return seen
}

// ends are where a whole tree begins: the roots or, inverted, what requires nothing and, where only a cycle does, its first
// by name.
func (g *treeGraph) ends(nodes []lockfile.Reached, invert bool) []int {
	var tops []int
	for i, n := range nodes {
		if g.shown[i] && (!invert && n.Root || invert && len(g.links[i]) == 0) {
			tops = append(tops, i)
		}
	}
	if !invert {
		return tops
	}
	back := reversed(g.links)
	covered := reachable(tops, back)
	for i := range nodes {
		if g.shown[i] && !covered[i] && g.leadsBack(i, back) {
			tops = append(tops, i)
			covered = reachable(tops, back)
		}
	}
	slices.Sort(tops)
	return tops
}

// leadsBack tells that all that a package leads to leads back to it.
func (g *treeGraph) leadsBack(i int, back [][]int) bool {
	behind := reachable([]int{i}, back)
	for j, ok := range reachable([]int{i}, g.links) {
		if ok && !behind[j] {
			return false
		}
	}
	return true
}

func (g *treeGraph) totalSize(i int) int64 {
	var sum int64
	for j, ok := range reachable([]int{i}, g.links) {
		if ok {
			sum += g.packages[j].Size
		}
	}
	return sum
}
