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
		var wanted []string
		for _, item := range set {
			if packages[item.Package] && g.wants(item) {
				wanted = append(wanted, item.inWords()+g.unasked(item))
			}
		}
		if len(wanted) > 1 {
			return conflictError(set, wanted)
		}
	}
	return nil
}

// unasked tells why an item is wanted that nobody named.
func (g *graph) unasked(item ConflictItem) string {
	switch {
	case item.Extra != "" && g.named.allExtras:
		return " (one of all extras)"
	case item.Group == "" || g.named.groups[item.Group]:
		return ""
	case g.named.allGroups:
		return " (one of all groups)"
	}
	return " (enabled by default)"
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
	from := map[step]step{}
	for i := 0; i < len(w.queue); i++ {
		s := w.queue[i]
		edges := s.edges()
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
			known := len(w.queue)
			w.follow(d)
			for _, next := range w.queue[known:] {
				from[next] = s
			}
		}
	}
	for _, set := range g.lock.Conflicts {
		var active []string
		for _, item := range set {
			if slices.Contains(g.activated, item) {
				active = append(active, item.inWords()+reachedBy(item, w.queue, from))
			}
		}
		if len(active) > 1 {
			return conflictError(set, active)
		}
	}
	return nil
}

// reachedBy tells through which dependencies an extra was activated.
func reachedBy(item ConflictItem, queue []step, from map[step]step) string {
	at := slices.IndexFunc(queue, func(s step) bool { return s.pkg.Name == item.Package && s.extra == item.Extra })
	if at < 0 {
		return ""
	}
	var steps []string
	for s, ok := queue[at], true; ok; s, ok = from[s] {
		steps = append(steps, ConflictItem{Package: s.pkg.Name, Extra: s.extra}.String())
	}
	if len(steps) == 1 {
		return ""
	}
	slices.Reverse(steps)
	return " (" + strings.Join(steps, " → ") + ")"
}

func conflictError(set []ConflictItem, active []string) error {
	items := make([]string, len(set))
	for i, item := range set {
		items[i] = item.String()
	}
	return fault.New(fault.Usage, "ask for one of them only", "%s conflict: pyproject.toml declares {%s}",
		strings.Join(active, " and "), strings.Join(items, ", "))
}

// inWords is the item for a message.
func (c ConflictItem) inWords() string {
	switch {
	case c.Extra != "":
		return fmt.Sprintf("extra %q of %q", c.Extra, c.Package)
	case c.Group != "":
		return fmt.Sprintf("group %q of %q", c.Group, c.Package)
	}
	return fmt.Sprintf("package %q", c.Package)
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
