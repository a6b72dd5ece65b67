package lockfile

import (
	"fmt"
	"slices"
	"strings"

	"vpk/internal/fault"
)

// checkConflicts refuses a request that itself asks for two items of a conflict (spec §2.1, 2). A conflict counts for the
// roots and for the workspace members that they reach, whatever the markers say. (Where the single project of a lock is
// asked for as all packages, uv checks nothing and may install both.)
func (g *graph) checkConflicts() error {
	if len(g.lock.Conflicts) == 0 {
		return nil
	}
	packages := g.reachedMembers()
	for _, set := range g.lock.Conflicts {
		var wanted []ConflictItem
		for _, item := range set {
			if packages[item.Package] && g.wants(item) {
				wanted = append(wanted, item)
			}
		}
		if len(wanted) > 1 {
			return conflictError(set, wanted)
		}
	}
	return nil
}

func (g *graph) wants(item ConflictItem) bool {
	switch {
	case item.Extra != "":
		return g.prod && g.wantsExtra(item.Extra)
	case item.Group != "":
		return g.wantsGroup(item.Group)
	}
	return g.prod
}

// reachedMembers are the roots and the workspace members that some edge leads to from what is wanted of the roots.
func (g *graph) reachedMembers() nameSet {
	w := newWalk()
	reached := nameSet{}
	for _, root := range g.at.roots {
		reached[root.Name] = true
		g.pushRoot(&w, root)
		for _, group := range g.groupsOf(root) {
			w.followAll(root.DevDependencies[group])
		}
	}
	for i := 0; i < len(w.queue); i++ {
		s := w.queue[i]
		if slices.Contains(g.lock.Manifest.Members, s.pkg.Name) {
			reached[s.pkg.Name] = true
		}
		w.followAll(s.edges())
	}
	return reached
}

func (w *walk) followAll(edges []Dependency) {
	for i := range edges {
		w.follow(&edges[i])
	}
}

func (g *graph) activate(pkg, extra string) {
	g.active[syntheticExtra(pkg, extra)] = true
	g.activated = append(g.activated, ConflictItem{Package: pkg, Extra: extra})
}

// activateReached is the first of two passes over a lock with conflicts: it activates the extras that edges activate, each
// at once, and refuses two of one conflict (spec §2.4 e). Only the second pass, with all of them active, reaches packages.
func (g *graph) activateReached() error {
	if len(g.lock.Conflicts) == 0 {
		return nil
	}
	w := g.walk.clone()
	for i := 0; i < len(w.queue); i++ {
		edges := w.queue[i].edges()
		for j := range edges {
			d := &edges[j]
			if !g.holdsWith(d) {
				continue
			}
			for _, extra := range d.Extras {
				if !g.active[syntheticExtra(d.Package.Name, extra)] {
					g.activate(d.Package.Name, extra)
				}
			}
			w.follow(d)
		}
	}
	for _, set := range g.lock.Conflicts {
		var active []ConflictItem
		for _, item := range set {
			if slices.Contains(g.activated, item) {
				active = append(active, item)
			}
		}
		if len(active) > 1 {
			return conflictError(set, active)
		}
	}
	return nil
}

func conflictError(set, active []ConflictItem) error {
	return fault.New(fault.Usage, "ask for one of them only", "%s conflict with one another: pyproject.toml declares {%s}",
		items(active), items(set))
}

func items(list []ConflictItem) string {
	texts := make([]string, len(list))
	for i, item := range list {
		texts[i] = item.String()
	}
	return strings.Join(texts, ", ")
}

// String is the item in uv's way of writing: an extra is "pkg[extra]", a group "pkg:group", a project its name.
func (c ConflictItem) String() string {
	switch {
	case c.Extra != "":
		return fmt.Sprintf("%s[%s]", c.Package, c.Extra)
	case c.Group != "":
		return fmt.Sprintf("%s:%s", c.Package, c.Group)
	}
	return c.Package
}
