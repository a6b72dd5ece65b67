package lockfile

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"vpk/internal/fault"
	"vpk/lockfile/pep508"
	"vpk/wheel/tag"
)

// Selection is what an image of one target gets: at most one version of a name, one wheel each.
type Selection struct {
	// Roots are the projects and workspace members that were selected for, in the order asked for. Virtual ones are never
	// installed, only their dependencies. There are none for a workspace without members.
	Roots []*Package
	// Packages are those to install from wheels, sorted by name.
	Packages []Selected
	// Local are those to install in place, sorted by name.
	Local []Local
	// Reached are all packages that were come upon, sorted by name, with those that are not installed: virtual projects, and
	// what was left out by name.
	Reached []Reached
}

// Selected is one package to install.
type Selected struct {
	Package *Package
	Wheel   *Wheel
	// URL is where the wheel is to be downloaded from, over HTTP, or Path where it is on this machine: absolute, or relative
	// to the directory of the lock, with slashes. One of them is set.
	URL, Path string
	// DirectURL is the URL that the project itself asked for the wheel by, without credentials; empty for one of an index and
	// for a file (whose place on this machine is nobody else's business).
	DirectURL string
	// Rank is the place in the order of installation, from 0: dependency before dependant, then by name; the packages of
	// a cycle stand together, by name.
	Rank int
	// RequiredBy are the names of those that depend on it here, the roots included, sorted; "." is a workspace root that is
	// no project.
	RequiredBy []string
}

// Select chooses the packages and their wheels for a target (spec §2). Errors are of kind fault.Base when the target is
// not one that the lock serves, fault.Usage when the request does not fit the project, fault.Package when a package
// cannot be installed; the last names all such packages at once.
func Select(lock *Lock, target tag.Target, req Request) (*Selection, error) {
	env := MarkerEnvironment(target)
	if err := CheckPython(lock.RequiresPython, lock.Filename, target); err != nil {
		return nil, err
	}
	if err := req.checkGroupPython(target); err != nil {
		return nil, err
	}
	if err := lock.checkSupported(env, target); err != nil {
		return nil, err
	}
	at, err := lock.goal(req)
	if err != nil {
		return nil, err
	}
	g := newGraph(lock, env, at, req)
	if err := g.checkConflicts(); err != nil {
		return nil, err
	}
	if err := req.validate(lock, at); err != nil {
		return nil, err
	}
	if err := g.seed(); err != nil {
		return nil, err
	}
	if err := g.activateReached(); err != nil {
		return nil, err
	}
	g.traverse()
	return g.selection(target, req)
}

// checkSupported wants one of tool.uv.environments to hold, where there are any (spec §2.1, 5).
func (l *Lock) checkSupported(env pep508.Environment, target tag.Target) error {
	if len(l.SupportedMarkers) == 0 {
		return nil
	}
	texts := make([]string, len(l.SupportedMarkers))
	for i, m := range l.SupportedMarkers {
		if m.Evaluate(env, nil) {
			return nil
		}
		texts[i] = fmt.Sprintf("%q", m)
	}
	return fault.New(fault.Base, "add the image's environment to tool.uv.environments and run `uv lock`",
		"%s supports only %s, not %s", l.Filename, strings.Join(texts, ", "), target)
}

// selection makes the result of what was reached.
func (g *graph) selection(target tag.Target, req Request) (*Selection, error) {
	s := &Selection{Roots: g.at.roots}
	excluded := req.excludes(g.lock, g.at)
	var installed []*node
	for _, n := range g.nodes {
		if n.install && n.pkg.Source.Kind != Virtual && !excluded(n.pkg) {
			installed = append(installed, n)
		}
	}
	slices.SortFunc(installed, compareNodes)
	err := oneVersion(installed)
	if err != nil {
		return nil, err
	}
	var built []*node
	var ranks []int
	for i, rank := range g.ranks(installed) {
		if n := installed[i]; n.pkg.isInstalledInPlace() {
			s.Local = append(s.Local, Local{n.pkg, rank, n.requirers(), n.route()})
		} else {
			built, ranks = append(built, n), append(ranks, rank)
		}
	}
	if s.Packages, err = chooseWheels(built, target); err != nil {
		return nil, err
	}
	for i, n := range built {
		s.Packages[i].Rank, s.Packages[i].RequiredBy = ranks[i], n.requirers()
	}
	s.Reached = g.reached(built, s.Local)
	return s, nil
}

// compareNodes orders by name; what follows only matters for two of one name, which are refused in the end.
func compareNodes(a, b *node) int {
	if c := cmp.Compare(a.pkg.Name, b.pkg.Name); c != 0 {
		return c
	}
	return cmp.Or(cmp.Compare(a.pkg.describe(), b.pkg.describe()), cmp.Compare(a.index, b.index))
}

// oneVersion refuses two versions of a name. uv itself installs both where an extra that is activated by a group conflicts
// with one that is not (spec §2.4); an environment can only hold one.
func oneVersion(sorted []*node) error {
	var texts []string
	for i := 1; i < len(sorted); i++ {
		a, b := sorted[i-1], sorted[i]
		if a.pkg.Name == b.pkg.Name {
			texts = append(texts, fmt.Sprintf("%q is selected twice: %s (%s) and %s (%s)", a.pkg.Name,
				a.pkg.describe(), a.route(), b.pkg.describe(), b.route()))
		}
	}
	if len(texts) == 0 {
		return nil
	}
	return fault.New(fault.Package, "choose extras and groups that do not conflict", "%s", strings.Join(texts, "\n"))
}

// describe is a package with its source, which tells two of one name apart.
func (p *Package) describe() string {
	if p.Source.IsRoot() {
		return p.String()
	}
	return fmt.Sprintf("%s from %s", p, p.Source)
}

// requirers are the names of a node's parents.
func (n *node) requirers() []string {
	names := map[string]bool{}
	for _, parent := range n.parents {
		names[parent.pkg.Name] = true
	}
	return slices.Sorted(maps.Keys(names))
}
