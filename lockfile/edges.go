package lockfile

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"vpk/lockfile/pep440"
)

// find gives the package with an identity: a name, a version (zero where dynamic) and a source; nil where there is none.
func (l *Lock) find(name string, version pep440.Version, source Source) *Package {
	for _, p := range l.byName[name] {
		if p.Source == source && p.Version.IsZero() == version.IsZero() && (version.IsZero() || p.Version.Equal(version)) {
			return p
		}
	}
	return nil
}

// target finds what an edge points to. What is unambiguous by name may be left out (mod.rs:3690).
func (l *Lock) target(name string, d *dependencyWire) (*Package, error) {
	candidates := l.byName[name]
	if len(candidates) == 0 {
		return nil, errors.New("there is no such package in the lock")
	}
	unambiguous := len(candidates) == 1
	if unambiguous && d.Source == nil && d.Version == nil {
		return candidates[0], nil
	}
	var source Source
	var err error
	switch {
	case d.Source != nil:
		if source, err = d.Source.locked(); err != nil {
			return nil, err
		}
	case unambiguous:
		source = candidates[0].Source
	default:
		return nil, fmt.Errorf("key \"source\" is missing, and there are %s", described(candidates))
	}
	var version pep440.Version
	switch {
	case d.Version != nil:
		if version, err = pep440.Parse(*d.Version); err != nil {
			return nil, err
		}
	case unambiguous:
		version = candidates[0].Version
	case !source.IsTree():
		return nil, fmt.Errorf("key \"version\" is missing, and there are %s", described(candidates))
	}
	if p := l.find(name, version, source); p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("the lock has no %s from %s, only %s", strings.TrimSpace(name+" "+version.String()), source, described(candidates))
}

// described lists packages for a message.
func described(packages []*Package) string {
	texts := make([]string, len(packages))
	for i, p := range packages {
		texts[i] = p.describe()
	}
	return strings.Join(texts, " and ")
}

// edges links the dependencies of one package.
func (p *parser) edges(lock *Lock, w *packageWire, pkg *Package, in path) {
	list := func(w []dependencyWire, in path) []Dependency { return p.edgeList(lock, w, in, pkg, "") }
	of := func(kind string) func([]dependencyWire, path) []Dependency {
		return func(w []dependencyWire, in path) []Dependency {
			return p.edgeList(lock, w, in, pkg, fmt.Sprintf(", %s %q", kind, in[len(in)-1]))
		}
	}
	dev := either(p, w.DevDependencies, w.DependencyGroups, in, "dependency-groups")
	pkg.Dependencies = list(w.Dependencies, in.at("dependencies"))
	pkg.OptionalDependencies = named(p, w.OptionalDependencies, of("extra"), in.at("optional-dependencies"))
	pkg.DevDependencies = named(p, dev, of("group"), in.at("dev-dependencies"))
}

// edgeList reads edges of pkg; of is what they belong to there, for messages.
func (p *parser) edgeList(lock *Lock, w []dependencyWire, in path, pkg *Package, of string) []Dependency {
	if w == nil {
		return nil
	}
	type identity struct {
		pkg            *Package
		extras, marker string
	}
	seen := make(map[identity]bool, len(w))
	list := make([]Dependency, len(w))
	for i := range w {
		d := &w[i]
		name := p.name(d.Name, in, i, "name")
		list[i].Marker = p.marker(d.Marker, in, i, "marker")
		if len(d.Extras) > 0 {
			extras := p.names(d.Extras, in, i, "extra")
			slices.Sort(extras)
			list[i].Extras = slices.Compact(extras)
		}
		target, err := lock.target(name, d)
		if err != nil {
			p.problems.add(in.at(i), "package %q%s: dependency on %q: %w", pkg, of, name, err)
			continue
		}
		list[i].Package = target
		id := identity{target, strings.Join(list[i].Extras, ","), d.Marker}
		if seen[id] {
			p.problems.add(in.at(i), "package %q%s: the same dependency on %q is there twice", pkg, of, target)
		}
		seen[id] = true
	}
	return list
}

// dropUnknownExtras takes from every edge the extras that its target has no dependencies for (mod.rs:570): the writer
// leaves out an extra that brings nothing.
func (l *Lock) dropUnknownExtras() {
	drop := func(list []Dependency) {
		for i := range list {
			d := &list[i]
			if d.Package == nil {
				continue // a problem that is already noted
			}
			d.Extras = slices.DeleteFunc(d.Extras, func(extra string) bool {
				_, ok := d.Package.OptionalDependencies[extra]
				return !ok
			})
		}
	}
	for _, p := range l.Packages {
		drop(p.Dependencies)
		for _, list := range p.OptionalDependencies {
			drop(list)
		}
		for _, list := range p.DevDependencies {
			drop(list)
		}
	}
}
