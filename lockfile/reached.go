package lockfile

import (
	"cmp"
	"slices"
)

// Reached is a package that a selection came upon, and what it requires there.
type Reached struct {
	// Package is named "." where it stands for a workspace root that is no project, whose groups require something.
	Package *Package
	// Root tells that it was selected for.
	Root bool
	// Selected is its place in Selection.Packages, Local that in Selection.Local; both are -1 for one that is not installed.
	Selected, Local int
	// Requires are the dependencies that were followed, each once: the package's own, those of extras, those of groups, each
	// sorted by name.
	Requires []Edge
}

// Edge is a dependency that was followed in a selection.
type Edge struct {
	// To is the place in Selection.Reached of what is required.
	To int
	// Extra or Group of the dependant that it belongs to; both are empty for its own.
	Extra, Group string
	// Extras of the required package that it activates, sorted.
	Extras []string
}

// reached turns the graph into values.
func (g *graph) reached(built []*node, local []Local) []Reached {
	sorted := slices.Clone(g.nodes)
	slices.SortFunc(sorted, compareNodes)
	selected, inPlace, place := make([]int, len(g.nodes)), make([]int, len(g.nodes)), make([]int, len(g.nodes))
	for i := range selected {
		selected[i], inPlace[i] = -1, -1
	}
	for i, n := range built {
		selected[n.index] = i
	}
	for i, l := range local {
		inPlace[g.byPkg[l.Package].index] = i
	}
	for i, n := range sorted {
		place[n.index] = i
	}
	list := make([]Reached, len(sorted))
	for i, n := range sorted {
		list[i] = Reached{Package: n.pkg, Root: n.root, Selected: selected[n.index], Local: inPlace[n.index]}
		for _, e := range n.edges {
			list[i].Requires = append(list[i].Requires, Edge{To: place[e.to.index], Extra: e.extra, Group: e.group, Extras: e.extras})
		}
		slices.SortFunc(list[i].Requires, compareEdges)
		list[i].Requires = slices.CompactFunc(list[i].Requires, func(a, b Edge) bool { return compareEdges(a, b) == 0 })
	}
	return list
}

func compareEdges(a, b Edge) int {
	return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Extra, b.Extra), cmp.Compare(a.To, b.To), slices.Compare(a.Extras, b.Extras))
}
