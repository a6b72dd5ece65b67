package lockfile

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"vpk/internal/fault"
	"vpk/internal/spelling"
	"vpk/lockfile/pep440"
	"vpk/lockfile/pep508"
	"vpk/lockfile/pyproject"
	"vpk/wheel/tag"
)

// Request says what to select: uv's flags, already read from wherever they came. Names need not be normalised.
type Request struct {
	// Project is the name of the project in the lock's directory, as its pyproject.toml has it. Empty means the one that the
	// lock has there, if any.
	Project string
	// Packages are the projects or workspace members to select for, AllPackages means every member. With neither it is
	// the project in the lock's directory, or, where that has none, every member.
	Packages    []string
	AllPackages bool

	// Extras are activated on the projects, or with AllExtras all of them, less NoExtras.
	Extras    []string
	AllExtras bool
	NoExtras  []string

	// Groups are added, or with AllGroups all of them. With OnlyGroups or OnlyDev the projects, their own dependencies and
	// the default groups are left out. NoGroups wins over all of them.
	Groups, OnlyGroups, NoGroups []string
	AllGroups                    bool
	// DefaultGroups are those of pyproject.toml. Other than in uv, "dev" is not among them unless Dev or a group says so.
	DefaultGroups   pyproject.DefaultGroups
	NoDefaultGroups bool
	// Dev adds the group "dev", OnlyDev is it in OnlyGroups, NoDev is it in NoGroups.
	Dev, OnlyDev, NoDev bool
	// RootGroups are the groups of a workspace root that is no project: the lock leaves out those that are empty.
	RootGroups []string
	// GroupPython are the Pythons that groups are for (tool.uv.dependency-groups): asking for one on another is an error.
	GroupPython map[string]pep440.Specifiers

	// NoInstall are packages to leave out, though not their dependencies.
	NoInstall []string
	// NoInstallProject leaves out the project, where there is one only; NoInstallWorkspace that and every member of the
	// workspace; NoInstallLocal whatever is a file or a directory of its own, not in an index.
	NoInstallProject, NoInstallWorkspace, NoInstallLocal bool
}

const devGroup = "dev"

// nameSet holds normalised names.
type nameSet map[string]bool

func newNameSet(lists ...[]string) nameSet {
	set := nameSet{}
	for _, list := range lists {
		for _, s := range list {
			set[pep508.NormalizeName(s)] = true
		}
	}
	return set
}

func (s nameSet) sorted() []string { return slices.Sorted(maps.Keys(s)) }

// prod tells that the projects themselves are wanted, and not only groups.
func (r Request) prod() bool { return !r.OnlyDev && len(r.OnlyGroups) == 0 }

// extras tells which extras of a project are wanted (spec §2.3).
func (r Request) extras() func(name string) bool {
	include, exclude := newNameSet(r.Extras), newNameSet(r.NoExtras)
	return func(name string) bool { return (r.AllExtras || include[name]) && !exclude[name] }
}

// groups tells which groups of a project are wanted (crates/uv-configuration/src/dependency_groups.rs:36, spec §2.3).
func (r Request) groups() func(name string) bool {
	include, exclude := r.namedGroups(), newNameSet(r.NoGroups)
	all := r.AllGroups
	defaults := nameSet{}
	allDefaults := false
	if r.prod() && !r.NoDefaultGroups {
		defaults, allDefaults = newNameSet(r.DefaultGroups.Names), r.DefaultGroups.All
		delete(defaults, devGroup)
	}
	if r.NoDev {
		exclude[devGroup] = true
	}
	return func(name string) bool {
		return (all || include[name] || defaults[name] || allDefaults && name != devGroup) && !exclude[name]
	}
}

// namedGroups are the groups that are asked for one by one.
func (r Request) namedGroups() nameSet {
	named := newNameSet(r.Groups, r.OnlyGroups)
	if r.Dev || r.OnlyDev {
		named[devGroup] = true
	}
	return named
}

// checkGroupPython wants the target's Python to be one that each wanted group is for.
func (r Request) checkGroupPython(target tag.Target) error {
	wanted := r.groups()
	var errs []error
	for _, group := range slices.Sorted(maps.Keys(r.GroupPython)) {
		if wanted(group) {
			errs = append(errs, CheckPython(r.GroupPython[group], fmt.Sprintf("group %q (tool.uv.dependency-groups)", group), target))
		}
	}
	return errors.Join(errs...)
}

// excludes tells which packages are not to be installed (crates/uv-configuration/src/install_options.rs:61, spec §2.5).
func (r Request) excludes(lock *Lock, at goal) func(*Package) bool {
	named := newNameSet(r.NoInstall)
	return func(p *Package) bool {
		switch {
		case p == at.project && (r.NoInstallProject || r.NoInstallWorkspace):
			return true
		case r.NoInstallWorkspace && slices.Contains(lock.Manifest.Members, p.Name):
			return true
		case r.NoInstallLocal && p.Source.isLocal():
			return true
		}
		return named[p.Name]
	}
}

// validate wants every extra and group that was asked for by name to be one of the projects' (spec §2.1, 3 and 4). All
// that are not are told at once, as an error of kind fault.Usage.
func (r Request) validate(lock *Lock, at goal) error {
	var extras, groups []string
	for _, root := range at.roots {
		extras = append(extras, root.Metadata.ProvidesExtras...)
		groups = slices.AppendSeq(groups, maps.Keys(root.Metadata.RequiresDev))
	}
	if at.workspace {
		groups = slices.AppendSeq(groups, maps.Keys(lock.Manifest.DependencyGroups))
		groups = slices.AppendSeq(groups, maps.Keys(newNameSet(r.RootGroups)))
	}
	extras, groups = newNameSet(extras).sorted(), newNameSet(groups).sorted()
	extra := defined{"extra", "an extra", "optional-dependencies", extras}
	group := defined{"group", "a group", "dependency-groups", groups}
	u := undefined{of: at.String(), has: "which has"}
	if len(at.roots) > 1 {
		u = undefined{of: "any of " + at.String(), has: "which have"}
	}
	// The first revision does not list the extras.
	if lock.Revision > 0 {
		u.check(newNameSet(r.Extras, r.NoExtras), extra, group)
	}
	u.check(newNameSet(r.Groups, r.OnlyGroups, r.NoGroups), group, extra)
	if len(u.texts) == 0 {
		return nil
	}
	return fault.New(fault.Usage, strings.Join(u.hints, " "), "%s", strings.Join(u.texts, "\n"))
}

// undefined collects names that are not defined.
type undefined struct {
	of, has      string
	texts, hints []string
}

// defined are names of a kind, in words with and without its article, and the table of pyproject.toml that has them.
type defined struct {
	kind, article, table string
	names                []string // sorted
}

// check wants names to be defined. Where one is not, it may be a name of the other kind.
func (u *undefined) check(asked nameSet, here, other defined) {
	for _, name := range asked.sorted() {
		if slices.Contains(here.names, name) {
			continue
		}
		known := "none"
		if len(here.names) > 0 {
			known = quoted(here.names)
		}
		u.texts = append(u.texts, fmt.Sprintf("%s %q is not in %s of %s, %s %s", here.kind, name, here.table, u.of, u.has, known))
		if slices.Contains(other.names, name) {
			u.hints = append(u.hints, fmt.Sprintf("%q is %s: use --%s %s.", name, other.article, other.kind, name))
			continue
		}
		if near := spelling.Nearest(name, here.names); near != "" {
			u.hints = append(u.hints, fmt.Sprintf("did you mean %s %q?", here.kind, near))
		}
	}
}

// quoted lists names for a message.
func quoted(names []string) string {
	texts := make([]string, len(names))
	for i, name := range names {
		texts[i] = fmt.Sprintf("%q", name)
	}
	return strings.Join(texts, ", ")
}
