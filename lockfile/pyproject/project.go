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
	RequiresPython       pep440.Specifiers
	Dependencies         []pep508.Requirement
	OptionalDependencies map[string][]pep508.Requirement
	// DependencyGroups have their includes inlined (PEP 735); tool.uv.dev-dependencies are in "dev".
	DependencyGroups map[string][]pep508.Requirement
	// Scripts are [project.scripts]: name to object reference.
	Scripts        map[string]string
	HasBuildSystem bool
	UV             UV
}

// UV is what vpk needs of [tool.uv].
type UV struct {
	DefaultGroups DefaultGroups
	// Package overrides what HasBuildSystem says; nil where it is not set.
	Package *bool
	// Workspace is nil for a project that is no workspace root.
	Workspace *Workspace
	// GroupPython is the requires-python of groups that have their own (tool.uv.dependency-groups).
	GroupPython map[string]pep440.Specifiers
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
