package lockfile

import (
	"slices"

	"vpk/internal/fault"
	"vpk/lockfile/pep440"
	"vpk/lockfile/pep508"
	"vpk/lockfile/tomlpos"
)

const schemaVersion = 1

// Parse reads a lock. The file name is only for messages. Errors are of kind fault.Lock; except for TOML's own, all
// problems are reported at once, with their lines.
func Parse(data []byte, filename string) (*Lock, error) {
	const hint = "run `uv lock` to write the file again"
	var wire lockWire
	err := tomlpos.Decode(data, filename, &wire)
	if err != nil {
		// A later schema may well not decode: its number is the better explanation.
		var probe struct {
			Version *uint32 `toml:"version"`
		}
		if tomlpos.Decode(data, filename, &probe) == nil {
			wire.Version = probe.Version
		}
	}
	if wire.Version != nil && *wire.Version != schemaVersion {
		return nil, fault.New(fault.Lock, "lock the project again with a version of uv that writes version 1",
			"%s: unsupported schema version %d: only version %d can be read", filename, *wire.Version, schemaVersion)
	}
	if err != nil {
		return nil, fault.Wrap(fault.Lock, hint, err)
	}
	p := parser{markers: map[string]pep508.Marker{}}
	lock := p.lock(&wire)
	lock.Filename = filename
	if err := p.problems.err(filename, data); err != nil {
		return nil, fault.Wrap(fault.Lock, hint, err)
	}
	return lock, nil
}

func (p *parser) lock(w *lockWire) *Lock {
	root := path{}
	lock := &Lock{Revision: int(w.Revision), byName: map[string][]*Package{}}
	if w.Version == nil {
		p.problems.add(root, "key %q is missing", "version")
	} else {
		lock.Version = int(*w.Version)
	}
	if w.RequiresPython == nil {
		p.problems.add(root, "key %q is missing", "requires-python")
	} else {
		lock.RequiresPython = p.specifiers(*w.RequiresPython, root, "requires-python")
	}
	lock.ResolutionMarkers = p.markerList(w.ResolutionMarkers, root, "resolution-markers")
	lock.SupportedMarkers = p.markerList(w.SupportedMarkers, root, "supported-markers")
	lock.RequiredMarkers = p.markerList(w.RequiredMarkers, root, "required-markers")
	for i, set := range w.Conflicts {
		items := make([]ConflictItem, len(set))
		for j := range set {
			items[j] = p.conflict(set[j], root.at("conflicts", i, j))
		}
		if len(items) < 2 {
			p.problems.add(root.at("conflicts", i), "a conflict has %d, want at least two", len(items))
		}
		lock.Conflicts = append(lock.Conflicts, items)
	}
	lock.Options = p.options(&w.Options, root.at("options"))
	lock.Manifest = p.manifest(&w.Manifest, root.at("manifest"))
	p.packages(lock, w)
	return lock
}

// packages reads all packages first, since their edges refer to one another.
func (p *parser) packages(lock *Lock, w *lockWire) {
	key, wires := "package", w.Packages
	if w.Distributions != nil {
		if wires != nil {
			p.problems.add(path{"distribution"}, "both \"package\" and \"distribution\" are given")
		}
		key, wires = "distribution", w.Distributions
	}
	packages := make([]Package, len(wires))
	lock.Packages = make([]*Package, len(wires))
	for i := range wires {
		pkg := &packages[i]
		p.pkg(&wires[i], pkg, path{key, i})
		if lock.find(pkg.Name, pkg.Version, pkg.Source) != nil {
			p.problems.add(path{key, i}, "package %q: it is there twice, from %s", pkg, pkg.Source)
		}
		lock.Packages[i] = pkg
		lock.byName[pkg.Name] = append(lock.byName[pkg.Name], pkg)
	}
	for i := range wires {
		p.edges(lock, &wires[i], &packages[i], path{key, i})
	}
	lock.dropUnknownExtras()
}

func (p *parser) pkg(w *packageWire, pkg *Package, in path) {
	pkg.Name = p.name(w.Name, in, "name")
	source, err := w.Source.locked()
	if err != nil {
		p.problems.add(in.at("source"), "package %q: %w", pkg.Name, err)
	}
	pkg.Source = source
	switch {
	case w.Version != nil:
		if pkg.Version, err = pep440.Parse(*w.Version); err != nil {
			p.problems.add(in.at("version"), "package %q: %w", pkg.Name, err)
		}
	case !source.IsTree():
		p.problems.add(in, "package %q: key %q is missing", pkg.Name, "version")
	}
	pkg.ResolutionMarkers = p.markerList(w.ResolutionMarkers, in, "resolution-markers")
	if w.Sdist != nil {
		pkg.Sdist = p.sdist(w.Sdist, pkg, in.at("sdist"))
	}
	if len(w.Wheels) > 0 {
		pkg.Wheels = make([]Wheel, len(w.Wheels))
	}
	for i := range w.Wheels {
		p.wheel(&w.Wheels[i], pkg, &pkg.Wheels[i], in, i)
	}
	in = in.at("metadata")
	requiresDev := either(p, w.Metadata.RequiresDev, w.Metadata.DependencyGroups, in, "dependency-groups")
	pkg.Metadata = Metadata{
		RequiresDist:   p.requirements(w.Metadata.RequiresDist, in.at("requires-dist")),
		ProvidesExtras: p.names(w.Metadata.ProvidesExtras, in, "provides-extras"),
		RequiresDev:    named(p, requiresDev, p.requirements, in.at("requires-dev")),
	}
}

func (p *parser) manifest(w *manifestWire, in path) Manifest {
	m := Manifest{
		Members:          p.names(w.Members, in, "members"),
		Requirements:     p.requirements(w.Requirements, in.at("requirements")),
		Constraints:      p.requirements(w.Constraints, in.at("constraints")),
		Overrides:        p.requirements(w.Overrides, in.at("overrides")),
		BuildConstraints: p.requirements(w.BuildConstraints, in.at("build-constraints")),
		Excludes:         p.names(w.Excludes, in, "excludes"),
		DependencyGroups: named(p, w.DependencyGroups, p.requirements, in.at("dependency-groups")),
	}
	for i, d := range w.DependencyMetadata {
		in := in.at("dependency-metadata", i)
		extras := slices.Concat(d.ProvidesExtras, d.ProvidesExtra)
		m.DependencyMetadata = append(m.DependencyMetadata, DependencyMetadata{
			Name: p.name(d.Name, in, "name"), Version: d.Version, RequiresDist: d.RequiresDist,
			RequiresPython: d.RequiresPython, ProvidesExtras: p.names(extras, in, "provides-extras"),
		})
	}
	return m
}
