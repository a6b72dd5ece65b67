package pyproject

import (
	"vpk/lockfile/pep440"
	"vpk/lockfile/pep508"
)

// Project is what vpk needs of a pyproject.toml. All names of packages, extras and groups are normalised.
type Project struct {
	// Filename is the name given to Read, for messages; Data is the whole file.
	Filename string
	Data     []byte

	// Name is empty when there is no [project] table, as at the root of some workspaces.
	Name string
	// Version is zero when it is dynamic or there is no [project].
	Version pep440.Version
	// Dynamic are the fields that a build backend would have to fill in.
	Dynamic []string
	// RequiresPython is nil where none is given.
	RequiresPython pep440.Specifiers
	// Dependencies are nil where the key is missing.
	Dependencies         []pep508.Requirement
	OptionalDependencies map[string][]pep508.Requirement
	// DependencyGroups have their includes inlined (PEP 735) and the requires-python of groups that have their own
	// (tool.uv.dependency-groups) in the markers; tool.uv.dev-dependencies are in "dev".
	DependencyGroups map[string][]pep508.Requirement
	// GroupIncludes are the groups that a group includes itself, in the order of the file.
	GroupIncludes map[string][]string
	// Scripts are [project.scripts]: name to object reference.
	Scripts        map[string]string
	HasBuildSystem bool
	// HasPoetry tells a [tool.poetry] table, which may hold what [project] lacks.
	HasPoetry bool
	UV        UV
}

// UV is what vpk needs of [tool.uv].
type UV struct {
	DefaultGroups DefaultGroups
	// Package overrides what HasBuildSystem says, Managed that uv takes care of the project; nil where they are not set.
	Package, Managed *bool
	// Workspace is nil for a project that is no workspace root.
	Workspace *Workspace
	// GroupPython is the requires-python of groups that have their own (tool.uv.dependency-groups).
	GroupPython map[string]pep440.Specifiers
	// Sources are where packages come from, by name; the entries of one package in the order of the file.
	Sources map[string][]Source
	// Environments and RequiredEnvironments are what is to be locked for.
	Environments, RequiredEnvironments []pep508.Marker
	// Conflicts are sets of which at most one item may be active.
	Conflicts [][]ConflictItem
	// Constraints, Overrides and BuildConstraints are constraint-dependencies and so on; Excludes are names.
	Constraints, Overrides, BuildConstraints []pep508.Requirement
	Excludes                                 []string
	// Settings are the keys that a uv.toml may hold as well.
	Settings Settings
}

// Workspace is [tool.uv.workspace]; both are glob patterns as written.
type Workspace struct{ Members, Exclude []string }

// DefaultGroups are tool.uv.default-groups. The zero value is uv's default, the group "dev" where there is one.
type DefaultGroups struct {
	// Set tells that the key is there.
	Set bool
	// All tells "all"; else Names counts.
	All   bool
	Names []string
}

// Source is one entry of tool.uv.sources: one of Git, URL, Path, Index and Workspace is set.
type Source struct {
	Git               string // URL
	Rev, Tag, Branch  string // at most one, of Git
	LFS               bool   // of Git
	URL               string
	Subdirectory      string // of Git and URL
	Path              string // as written, relative to the file
	Editable, Package *bool  // of Path, Editable of Workspace too; nil where they are not set
	Index             string // name
	Workspace         bool
	// Marker, Extra and Group tell what the source is for; everything where they are empty.
	Marker       pep508.Marker
	Extra, Group string
}

// ConflictItem is an extra or a group of a package, or, where both are empty, the package as a project. Package is empty
// where the file does not name it: it is the project.
type ConflictItem struct{ Package, Extra, Group string }
