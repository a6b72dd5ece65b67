package lockfile

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"vpk/internal/fault"
	"vpk/lockfile/pep508"
	"vpk/lockfile/pyproject"
)

// Request says what to select: uv's flags, already read from wherever they came. Names need not be normalised.
type Request struct {
	// Package is the project or workspace member to select for; empty for the project at the lock's root.
	Package string

	// Extras are activated on the project, or with AllExtras all of them, less NoExtras.
	Extras    []string
	AllExtras bool
	NoExtras  []string

	// Groups are added, or with AllGroups all of them. With OnlyGroups or OnlyDev the project, its own dependencies and the
	// default groups are left out. NoGroups wins over all of them.
	Groups, OnlyGroups, NoGroups []string
	AllGroups                    bool
	// DefaultGroups are those of pyproject.toml. Other than in uv, "dev" is not among them unless Dev or a group says so.
	DefaultGroups   pyproject.DefaultGroups
	NoDefaultGroups bool
	// Dev adds the group "dev", OnlyDev is it in OnlyGroups, NoDev is it in NoGroups.
	Dev, OnlyDev, NoDev bool

	// NoInstall are packages to leave out, though not their dependencies.
	NoInstall []string
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

// prod tells that the project itself is wanted, and not only groups.
func (r Request) prod() bool { return !r.OnlyDev && len(r.OnlyGroups) == 0 }

// extras tells which extras of a project are wanted (spec §2.3).
func (r Request) extras() func(name string) bool {
	include, exclude := newNameSet(r.Extras), newNameSet(r.NoExtras)
	return func(name string) bool { return (r.AllExtras || include[name]) && !exclude[name] }
}

// groups tells which groups of a project are wanted (crates/uv-configuration/src/dependency_groups.rs:36, spec §2.3).
func (r Request) groups() func(name string) bool {
	include, exclude := newNameSet(r.Groups, r.OnlyGroups), newNameSet(r.NoGroups)
	all := r.AllGroups
	defaults := nameSet{}
	allDefaults := false
	if r.prod() && !r.NoDefaultGroups {
		defaults, allDefaults = newNameSet(r.DefaultGroups.Names), r.DefaultGroups.All
		delete(defaults, devGroup)
	}
	if r.Dev || r.OnlyDev {
		include[devGroup] = true
	}
	if r.NoDev {
		exclude[devGroup] = true
	}
	return func(name string) bool {
		return (all || include[name] || defaults[name] || allDefaults && name != devGroup) && !exclude[name]
	}
}

// validate wants every extra and group that was asked for by name to be one of the project's (spec §2.1, 3 and 4). All
// that are not are told at once, as an error of kind fault.Usage.
func (r Request) validate(lock *Lock, root *Package) error {
	var texts []string
	check := func(what string, asked nameSet, known []string) {
		for _, name := range asked.sorted() {
			if slices.Contains(known, name) {
				continue
			}
			has := "it has none"
			if len(known) > 0 {
				has = fmt.Sprintf("it has %s", quoted(known))
			}
			texts = append(texts, fmt.Sprintf("%s %q is not defined by %q: %s", what, name, root.Name, has))
		}
	}
	// The first revision does not list the extras.
	if lock.Revision > 0 {
		check("extra", newNameSet(r.Extras, r.NoExtras), slices.Sorted(slices.Values(root.Metadata.ProvidesExtras)))
	}
	check("group", newNameSet(r.Groups, r.OnlyGroups, r.NoGroups), slices.Sorted(maps.Keys(root.Metadata.RequiresDev)))
	if len(texts) == 0 {
		return nil
	}
	return fault.New(fault.Usage, "", "%s", strings.Join(texts, "\n"))
}

// quoted lists names for a message.
func quoted(names []string) string {
	texts := make([]string, len(names))
	for i, name := range names {
		texts[i] = fmt.Sprintf("%q", name)
	}
	return strings.Join(texts, ", ")
}
