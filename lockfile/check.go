package lockfile

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"vpk/internal/fault"
	"vpk/lockfile/pep440"
	"vpk/lockfile/pep508"
	"vpk/lockfile/pyproject"
)

// Freshness says against what Check compares a lock.
type Freshness struct {
	// Project is the pyproject.toml beside the lock.
	Project *pyproject.Project
	Disk    Disk
	// DefaultIndex is the index that is used where none is the default; where it is not known, an index that is not
	// configured is not told.
	DefaultIndex string
	// Settings are uv's, of all places where they are looked for; nil for those of the project's own files alone.
	Settings *pyproject.Settings
}

// Check tells whether a lock still fits its workspace, as `uv lock --check` does offline, with the same checks in the
// same order (spec §3.1). A lock that fails is stale: the error is of kind fault.Lock and names all differences. Projects
// that cannot be read are an error of kind fault.Usage.
//
// The notes are what cannot be decided without the network or a build backend, one a line: there the lock is trusted. If
// nothing else is wrong, each requirement of a project must have an edge whose version fits, which uv does not look at.
func Check(lock *Lock, f Freshness) (notes []string, err error) {
	ws, err := openWorkspace(f.Project, f.Disk.abs("", ""), f.Disk)
	if err != nil {
		return nil, err
	}
	if f.Settings != nil {
		ws.settings = *f.Settings
	}
	c := checker{lock: lock, Freshness: f, workspace: ws, needs: &needs{Algebra: pep508.NewAlgebra(), disk: f.Disk}}
	c.needs.lower, c.needs.upper, _ = lock.RequiresPython.Bounds()
	if err := c.run(); err != nil {
		return nil, err
	}
	if len(c.texts) == 0 {
		c.edges()
	}
	if len(c.texts) == 0 {
		return c.notes, nil
	}
	return nil, fault.New(fault.Lock, "run `uv lock`", "%s is out of date:\n  %s", lock.Filename, strings.Join(c.texts, "\n  "))
}

type checker struct {
	Freshness
	lock         *Lock
	workspace    *workspace
	needs        *needs
	texts, notes []string
}

func (c *checker) fail(format string, args ...any) {
	c.texts = append(c.texts, fmt.Sprintf(format, args...))
}

func (c *checker) note(format string, args ...any) {
	c.notes = append(c.notes, fmt.Sprintf(format, args...))
}

// settingsFile is the file that holds the settings.
func (c *checker) settingsFile() string {
	name := filepath.Join(filepath.Dir(c.Project.Filename), "uv.toml")
	if _, err := c.Disk.ReadFile(filepath.Join(filepath.FromSlash(c.workspace.dir), "uv.toml")); err == nil {
		return name
	}
	return c.Project.Filename
}

func (c *checker) run() error {
	u := c.workspace.root.UV
	python, given := c.workspace.wantedPython()
	lower, upper, _ := python.Bounds()
	if !given {
		lower, upper = c.needs.lower, c.needs.upper
	}
	c.options()
	c.markers(lower, upper)
	c.environments("environments", u.Environments, c.lock.SupportedMarkers)
	c.environments("required-environments", u.RequiredEnvironments, c.lock.RequiredMarkers)
	c.conflicts()
	c.python(python, given, lower, upper)
	c.option("prerelease", c.workspace.settings.Prerelease, c.lock.Options.PrereleaseMode, "if-necessary-or-explicit")
	c.members()
	c.manifest()
	return c.packages()
}

// members compares the names of the workspace and the kind of source of each.
func (c *checker) members() {
	var wanted []string
	if len(c.workspace.members) != 1 || !c.workspace.rootIsMember() {
		for _, m := range c.workspace.members {
			wanted = append(wanted, m.project.Name)
		}
	}
	for _, name := range c.lock.Manifest.Members {
		if _, ok := c.workspace.member(name); !ok {
			c.fail("uv.lock has %q, which is not in the workspace", name)
		}
	}
	for _, m := range c.workspace.members {
		name := m.project.Name
		locked := c.lock.Named(name)
		listed := slices.Contains(c.lock.Manifest.Members, name)
		switch {
		case len(locked) != 1, slices.Contains(wanted, name) && !listed:
			c.fail("project %q is not in it", name)
		case listed && !slices.Contains(wanted, name):
			c.fail("uv.lock was made for a workspace, and %q is alone now", name)
		case locked[0].Source.Kind != c.workspace.kind(m, true):
			c.fail("%s makes %q %s, uv.lock was made for %s", m.project.Filename, name, c.workspace.kind(m, true), locked[0].Source.Kind)
		}
	}
}

// manifest compares what the workspace's root asks for itself.
func (c *checker) manifest() {
	u, m := c.workspace.root.UV, c.lock.Manifest
	l := c.lowering(member{c.workspace.dir, c.workspace.root}, c.workspace)
	file := c.workspace.root.Filename
	compare := func(of string, wanted []pep508.Requirement, locked []Requirement, at place) {
		for _, d := range differ(l.list(wanted, at), c.needs.locked(locked)) {
			c.fail("%s", d.words(file, of))
		}
	}
	compare("", nil, m.Requirements, place{})
	compare(" in constraint-dependencies", u.Constraints, m.Constraints, place{})
	compare(" in override-dependencies", u.Overrides, m.Overrides, place{})
	c.names("exclude-dependencies", file, u.Excludes, m.Excludes)
	compare(" in build-constraint-dependencies", u.BuildConstraints, m.BuildConstraints, place{})
	wanted := map[string][]pep508.Requirement{}
	if !c.workspace.rootIsMember() {
		wanted = c.workspace.root.DependencyGroups
	}
	for _, group := range groupNames(wanted, m.DependencyGroups) {
		// Uv lowers these as belonging to no group.
		compare(fmt.Sprintf(" in group %q", group), wanted[group], m.DependencyGroups[group], place{})
	}
	c.dependencyMetadata()
	c.texts = append(c.texts, l.problems...)
}

// names compares sets of names.
func (c *checker) names(what, file string, wanted, locked []string) {
	a, b := slices.Compact(slices.Sorted(slices.Values(wanted))), slices.Compact(slices.Sorted(slices.Values(locked)))
	if !slices.Equal(a, b) {
		c.fail("%s wants %s [%s], uv.lock was made for [%s]", file, what, quoted(a), quoted(b))
	}
}

func groupNames[A, B any](a map[string]A, b map[string]B) []string {
	names := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(names)
	return slices.Compact(names)
}

// dependencyMetadata compares tool.uv.dependency-metadata, requirement by requirement in order.
func (c *checker) dependencyMetadata() {
	key := func(d pyproject.DependencyMetadata) string {
		parts := []string{d.Name, d.Version.Trimmed().String(), strings.Join(d.ProvidesExtras, ",")}
		for _, s := range d.RequiresPython {
			s.Version = s.Version.Trimmed()
			parts = append(parts, s.String())
		}
		parts = append(parts, "")
		for _, r := range d.RequiresDist {
			n := c.needs.of(Requirement{Name: r.Name, Extras: r.Extras, Specifiers: r.Specifiers, Source: Source{Kind: Registry, Location: r.URL}},
				c.needs.Of(r.Marker), "")
			parts = append(parts, fmt.Sprint(n.key))
		}
		return strings.Join(parts, "\x00")
	}
	sides := [2]map[string]bool{{}, {}}
	for _, d := range c.workspace.settings.DependencyMetadata {
		sides[0][key(d)] = true
	}
	for _, d := range c.lock.Manifest.DependencyMetadata {
		read, err := readMetadata(d)
		if err != nil {
			c.fail("dependency-metadata of %q in uv.lock: %v", d.Name, err)
			return
		}
		sides[1][key(read)] = true
	}
	if !maps.Equal(sides[0], sides[1]) {
		c.fail("%s has other dependency-metadata than uv.lock was made for", c.settingsFile())
	}
}

// readMetadata reads what the lock keeps as text.
func readMetadata(d DependencyMetadata) (m pyproject.DependencyMetadata, err error) {
	m = pyproject.DependencyMetadata{Name: d.Name, ProvidesExtras: d.ProvidesExtras}
	if d.Version != "" {
		if m.Version, err = pep440.Parse(d.Version); err != nil {
			return m, err
		}
	}
	if m.RequiresPython, err = pep440.ParseSpecifiers(d.RequiresPython); err != nil {
		return m, err
	}
	for _, s := range d.RequiresDist {
		r, err := pep508.ParseRequirement(s)
		if err != nil {
			return m, err
		}
		m.RequiresDist = append(m.RequiresDist, r)
	}
	return m, nil
}

func (c *checker) lowering(m member, ws *workspace) *lowering {
	return &lowering{needs: c.needs, workspace: ws, project: m.project, dir: m.dir, editable: true}
}

// packages compares the metadata of every package that can change without the lock: the members, and what they reach
// through source trees and archives.
func (c *checker) packages() error {
	indexes := c.indexes()
	var queue []*Package
	seen := map[*Package]bool{}
	push := func(p *Package) {
		if !seen[p] {
			seen[p] = true
			queue = append(queue, p)
		}
	}
	for _, m := range c.workspace.members {
		for _, p := range c.lock.Named(m.project.Name) {
			push(p)
		}
	}
	for _, r := range slices.Concat(slices.Collect(maps.Values(c.lock.Manifest.DependencyGroups))...) {
		indexes.add(r)
		for _, p := range c.lock.Named(r.Name) {
			if p.Source.IsTree() {
				push(p)
			}
		}
	}
	for i := 0; i < len(queue); i++ {
		p := queue[i]
		if p.Source.Kind == Registry {
			indexes.want(p)
		}
		if p.Source.Kind == Registry || p.Source.Kind == Git {
			continue
		}
		if err := c.metadata(p); err != nil {
			return err
		}
		for _, r := range p.Metadata.RequiresDist {
			indexes.add(r)
		}
		for _, group := range slices.Sorted(maps.Keys(p.Metadata.RequiresDev)) {
			for _, r := range p.Metadata.RequiresDev[group] {
				indexes.add(r)
			}
		}
		for _, list := range edgeLists(p) {
			for i := range list {
				push(list[i].Package)
			}
		}
	}
	return nil
}

// edgeLists gives all edges of a package, in a fixed order.
func edgeLists(p *Package) [][]Dependency {
	lists := [][]Dependency{p.Dependencies}
	for _, key := range slices.Sorted(maps.Keys(p.OptionalDependencies)) {
		lists = append(lists, p.OptionalDependencies[key])
	}
	for _, key := range slices.Sorted(maps.Keys(p.DevDependencies)) {
		lists = append(lists, p.DevDependencies[key])
	}
	return lists
}

// metadata compares the metadata of one package.
func (c *checker) metadata(p *Package) error {
	if !p.Source.IsTree() {
		c.note("the requirements of %s, an archive, were not compared with uv.lock", p)
		return nil
	}
	l, err := c.open(p)
	if err != nil || l == nil {
		return err
	}
	defer func() { c.texts = append(c.texts, l.problems...) }()
	project := l.project
	unknown := project.HasPoetry && project.Dependencies == nil || slices.Contains(project.Dynamic, "dependencies") ||
		slices.Contains(project.Dynamic, "optional-dependencies")
	versionIsDynamic := project.Version.IsZero()
	switch {
	case project.Name != p.Name:
		c.fail("%s is project %q, uv.lock was made for %q", project.Filename, project.Name, p.Name)
		return nil
	case versionIsDynamic && !p.Version.IsZero():
		c.fail("%s has a dynamic version, uv.lock was made for %s", project.Filename, p.Version)
		return nil
	case !versionIsDynamic && p.Version.IsZero():
		c.fail("%s has version %s, uv.lock was made for a dynamic one", project.Filename, project.Version)
		return nil
	case unknown:
		c.note("the requirements of %q are dynamic and were not compared with uv.lock", p.Name)
		return nil
	case !p.Version.Equal(project.Version) && !versionIsDynamic:
		c.fail("%s has version %s, uv.lock was made for %s", project.Filename, project.Version, p.Version)
	}
	if c.lock.Revision > 0 {
		c.names("the extras of "+p.Name, project.Filename, slices.Collect(maps.Keys(project.OptionalDependencies)), p.Metadata.ProvidesExtras)
	}
	wanted, extraOf := l.requiresDist()
	locked := c.needs.locked(p.Metadata.RequiresDist)
	differences := differ(wanted, locked)
	if len(differences) > 0 && versionIsDynamic && len(differ(l.flatten(wanted, extraOf), locked)) == 0 {
		differences = nil // some build backends flatten
	}
	for _, d := range differences {
		c.fail("%s", d.words(project.Filename, ""))
	}
	c.groups(p, l)
	return nil
}

// open finds the project of a source tree; nil where there is nothing to compare.
func (c *checker) open(p *Package) (*lowering, error) {
	dir := c.Disk.abs("", p.Source.Location)
	for _, m := range c.workspace.members {
		if m.dir == dir || m.project.Name == p.Name {
			ws, err := c.around(m)
			if err != nil {
				return nil, err
			}
			return c.lowering(m, ws), nil
		}
	}
	project, err := c.Disk.project(dir)
	if err != nil {
		return nil, err
	}
	if project == nil || project.Name == "" {
		c.note("the requirements of %q are not in a pyproject.toml and were not compared with uv.lock", p.Name)
		return nil, nil
	}
	m := member{dir, project}
	ws, err := c.around(m)
	if err != nil {
		return nil, err
	}
	l := c.lowering(m, ws)
	l.editable = p.Source.Kind == Editable
	return l, nil
}

// requiresDist gives the project's requirements and those of its extras, as a wheel of it would have them, and for each
// the extra that it stands in.
func (l *lowering) requiresDist() (list []need, extraOf []string) {
	add := func(requirements []pep508.Requirement, extra string) {
		for _, r := range requirements {
			if extra != "" {
				m, _ := pep508.ParseMarker("extra == '" + extra + "'") // a name has no quote
				r.Marker = r.Marker.And(m)
			}
			for _, n := range l.requirement(r, place{extra: extra}) {
				list, extraOf = append(list, n), append(extraOf, extra)
			}
		}
	}
	add(l.project.Dependencies, "")
	for _, extra := range slices.Sorted(maps.Keys(l.project.OptionalDependencies)) {
		add(l.project.OptionalDependencies[extra], extra)
	}
	return list, extraOf
}

// groups compares a package's dependency groups. A group without requirements counts since revision 1.
func (c *checker) groups(p *Package, l *lowering) {
	for _, group := range groupNames(l.project.DependencyGroups, p.Metadata.RequiresDev) {
		wanted, isWanted := l.project.DependencyGroups[group]
		locked, isLocked := p.Metadata.RequiresDev[group]
		of := fmt.Sprintf(" in group %q", group)
		if l.project.Name != c.workspace.root.Name {
			of += fmt.Sprintf(" of %q", p.Name)
		}
		for _, d := range differ(l.list(wanted, place{group: group}), c.needs.locked(locked)) {
			c.fail("%s", d.words(l.project.Filename, of))
		}
		if c.lock.Revision > 0 && len(wanted) == 0 && len(locked) == 0 && isWanted != isLocked {
			what := "has the empty group %q, which uv.lock was made without"
			if isLocked {
				what = "lacks the empty group %q, which uv.lock was made for"
			}
			c.fail("%s "+what, l.project.Filename, group)
		}
	}
}

// edges makes the checks beyond uv's.
func (c *checker) edges() {
	for _, m := range c.workspace.members {
		e := edgeCheck{lock: c.lock, project: m.project, root: c.lock.Named(m.project.Name)[0]}
		e.run()
		c.texts = append(c.texts, e.texts...)
	}
}
