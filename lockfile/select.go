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
	// Root is the project or workspace member that was selected for; RootVirtual tells that it is never installed, only
	// its dependencies.
	Root        string
	RootVirtual bool
	// Packages are those to install, sorted by name.
	Packages []Selected
}

// Selected is one package to install.
type Selected struct {
	Package *Package
	Wheel   *Wheel
	// Rank is the place in the order of installation, from 0: dependency before dependant, then by name; the packages of
	// a cycle stand together, by name.
	Rank int
	// RequiredBy are the names of those that depend on it here, the root included, sorted.
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
	if err := lock.checkSupported(env, target); err != nil {
		return nil, err
	}
	root, err := lock.root(req.Package)
	if err != nil {
		return nil, err
	}
	if err := req.validate(lock, root); err != nil {
		return nil, err
	}
	g := newGraph(lock, env, root, req)
	if err := g.checkConflicts(); err != nil {
		return nil, err
	}
	g.seed()
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

// root finds the package to select for (spec §2.2).
func (l *Lock) root(name string) (*Package, error) {
	if name == "" {
		for _, p := range l.Packages {
			if p.Source.IsRoot() {
				return p, nil
			}
		}
		return nil, fault.New(fault.Usage, "name a member of the workspace: "+strings.Join(l.Manifest.Members, ", "),
			"%s has no project at its root", l.Filename)
	}
	switch found := l.byName[pep508.NormalizeName(name)]; len(found) {
	case 0:
		hint := "run `uv lock`"
		if len(l.Manifest.Members) > 0 {
			hint += ", or name a member of the workspace: " + strings.Join(l.Manifest.Members, ", ")
		}
		return nil, fault.New(fault.Lock, hint, "%s has no package %q", l.Filename, name)
	case 1:
		return found[0], nil
	default:
		return nil, fault.New(fault.Lock, "", "%s has %d packages named %q: one of them cannot be the root",
			l.Filename, len(found), name)
	}
}

// selection makes the result of what was reached.
func (g *graph) selection(target tag.Target, req Request) (*Selection, error) {
	s := &Selection{Root: g.root.Name, RootVirtual: g.root.Source.Kind == Virtual}
	excluded := newNameSet(req.NoInstall)
	var installed []*node
	for _, n := range g.nodes {
		if n.install && n.pkg.Source.Kind != Virtual && !excluded[n.pkg.Name] {
			installed = append(installed, n)
		}
	}
	slices.SortFunc(installed, compareNodes)
	if err := oneVersion(installed); err != nil {
		return nil, err
	}
	wheels, err := g.chooseWheels(installed, target)
	if err != nil {
		return nil, err
	}
	ranks := g.ranks(installed)
	for i, n := range installed {
		s.Packages = append(s.Packages, Selected{
			Package: n.pkg, Wheel: wheels[i], Rank: ranks[i], RequiredBy: n.requirers(),
		})
	}
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
			texts = append(texts, fmt.Sprintf("%q is selected twice: %s, required by %s, and %s, required by %s", a.pkg.Name,
				a.pkg.describe(), quoted(a.requirers()), b.pkg.describe(), quoted(b.requirers())))
		}
	}
	if len(texts) == 0 {
		return nil
	}
	return fault.New(fault.Package, "choose extras and groups that do not conflict", "%s", strings.Join(texts, "\n"))
}

// describe is a package with its source, to tell two of one name apart.
func (p *Package) describe() string { return fmt.Sprintf("%s from %s", p, p.Source.Kind) }

// requirers are the names of a node's parents.
func (n *node) requirers() []string {
	names := map[string]bool{}
	for _, parent := range n.parents {
		names[parent.pkg.Name] = true
	}
	return slices.Sorted(maps.Keys(names))
}
