package lockfile

import (
	"maps"
	"slices"

	"vpk/lockfile/pep440"
	"vpk/lockfile/pep508"
	"vpk/wheel/tag"
)

// Lock is one uv.lock. It is not changed after Parse and is safe for concurrent use. All names of packages, extras and
// groups in it are normalised (PEP 503).
type Lock struct {
	// Filename is the name given to Parse, for messages.
	Filename string
	// Version of the schema is always 1; Revision is any number, 0 where the file has none.
	Version, Revision int
	// RequiresPython holds for every version of Python that the lock serves.
	RequiresPython pep440.Specifiers
	// ResolutionMarkers are the forks of the resolution; SupportedMarkers and RequiredMarkers are tool.uv.environments
	// and tool.uv.required-environments.
	ResolutionMarkers, SupportedMarkers, RequiredMarkers []pep508.Marker
	// Conflicts are sets of which at most one item may be active.
	Conflicts [][]ConflictItem
	Options   Options
	Manifest  Manifest
	// Packages are in the order of the file.
	Packages []*Package

	byName map[string][]*Package
}

// Named gives the packages of a normalised name, in the order of the file; several when they differ by version or source.
func (l *Lock) Named(name string) []*Package { return l.byName[name] }

// Names are the names of all packages, sorted, each once.
func (l *Lock) Names() []string { return slices.Sorted(maps.Keys(l.byName)) }

// ConflictItem is an extra or a group of a package, or, where both are empty, the package as a project.
type ConflictItem struct{ Package, Extra, Group string }

// Options are what the resolver was told, each empty where it was the default.
type Options struct {
	ResolutionMode, PrereleaseMode, ForkStrategy string
	// ExcludeNewer is a timestamp; when ExcludeNewerSpan, an ISO 8601 duration, is set, the timestamp means nothing.
	ExcludeNewer, ExcludeNewerSpan string
	// ExcludeNewerPackage has for some packages a timestamp or a span of their own, or "false" for none.
	ExcludeNewerPackage map[string]string
}

// Manifest is what was resolved, besides the packages' own metadata.
type Manifest struct {
	// Members are the workspace's packages; empty for a single project at the root.
	Members                                                []string
	Requirements, Constraints, Overrides, BuildConstraints []Requirement
	Excludes                                               []string
	// DependencyGroups are those of a workspace root that is no project.
	DependencyGroups   map[string][]Requirement
	DependencyMetadata []DependencyMetadata
}

// DependencyMetadata replaces a package's own metadata (tool.uv.dependency-metadata). Requirements are as written.
type DependencyMetadata struct {
	Name           string
	Version        string
	RequiresDist   []string
	RequiresPython string
	ProvidesExtras []string
}

// Requirement is a requirement as the lock keeps it, after tool.uv.sources were applied.
type Requirement struct {
	Name           string
	Extras, Groups []string
	Marker         pep508.Marker
	// Specifiers are empty unless the source is a registry; there the location is the index, empty for any.
	Specifiers pep440.Specifiers
	Source     Source
	// Conflict is the extra or group whose source this is.
	Conflict *ConflictItem
}

// Package is one [[package]]: a name, in one version, from one source.
type Package struct {
	Name string
	// Version is zero for a source tree whose version is dynamic.
	Version pep440.Version
	Source  Source
	// ResolutionMarkers tell packages of one name apart; edges do not need them.
	ResolutionMarkers    []pep508.Marker
	Dependencies         []Dependency
	OptionalDependencies map[string][]Dependency
	DevDependencies      map[string][]Dependency
	// Sdist is nil where there is none.
	Sdist  *Sdist
	Wheels []Wheel
	// Metadata is what pyproject.toml said when a package was locked that can change; else empty.
	Metadata Metadata
}

// String is the name and, where known, the version.
func (p *Package) String() string {
	if p.Version.IsZero() {
		return p.Name
	}
	return p.Name + " " + p.Version.String()
}

// Metadata is a [package.metadata] table.
type Metadata struct {
	RequiresDist   []Requirement
	ProvidesExtras []string
	RequiresDev    map[string][]Requirement
}

// Dependency is an edge of the lock.
type Dependency struct {
	Package *Package
	// Extras are those to activate on Package, sorted; only ones that it has dependencies for.
	Extras []string
	// Marker is simplified: it may be judged only once the parent is chosen, for a Python that the lock serves. Its
	// extras are the synthetic names of conflicts (spec §1.3).
	Marker pep508.Marker
}

// Wheel is one built file of a package.
type Wheel struct {
	Filename tag.Filename
	// URL is where it is; empty for a file on this machine.
	URL string
	// Path is relative to the directory of a local index. Neither URL nor Path is set for a package from a path or a URL.
	Path string
	// Hash is zero where the index gave none.
	Hash Hash
	// Size in bytes, -1 where unknown.
	Size int64
}

// Sdist is the source distribution of a package.
type Sdist struct {
	// URL and Path are as for Wheel.
	URL, Path string
	Hash      Hash
	Size      int64
}
