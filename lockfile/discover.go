package lockfile

import (
	"io/fs"
	pathpkg "path"
	"path/filepath"
	"regexp"
	"slices"

	"vpk/internal/fault"
	"vpk/lockfile/pyproject"
)

// FindProject finds the project that a directory, an absolute path, belongs to, and the root of its workspace, where the lock is;
// for a project in no workspace that is its own directory. As in uv (crates/uv-workspace/src/workspace.rs:1497 and :1692), the
// project is the nearest directory above that has a pyproject.toml; of those above it only the next one counts: it is the
// root if it defines a workspace whose members the project is among. Disk.Dir is not looked at.
//
// The error is fs.ErrNotExist where there is no pyproject.toml.
func FindProject(dir string, disk Disk) (project, root string, err error) {
	project, manifest, err := disk.nearest(filepath.ToSlash(dir))
	if err != nil {
		return "", "", err
	}
	if manifest == nil {
		return "", "", fs.ErrNotExist
	}
	if manifest.Name == "" || manifest.UV.Workspace != nil || pathpkg.Dir(project) == project {
		return project, project, nil
	}
	above, candidate, err := disk.nearest(pathpkg.Dir(project))
	if err != nil || candidate == nil || candidate.UV.Workspace == nil {
		return project, project, err
	}
	member, err := hasMember(candidate, above, project)
	if err != nil || !member {
		return project, project, err
	}
	return project, above, nil
}

// nearest is the first directory from dir upwards that has a pyproject.toml, and what that says; nil where there is none.
func (d Disk) nearest(dir string) (string, *pyproject.Project, error) {
	for {
		p, err := d.project(dir)
		if p != nil || err != nil {
			return dir, p, err
		}
		if pathpkg.Dir(dir) == dir {
			return "", nil, nil
		}
		dir = pathpkg.Dir(dir)
	}
}

// hasMember tells whether the patterns of a workspace root take a directory below it; "*" goes over slashes here.
func hasMember(root *pyproject.Project, rootDir, dir string) (bool, error) {
	relative, err := filepath.Rel(rootDir, dir)
	if err != nil {
		return false, err
	}
	matches := func(key string, patterns []string) (bool, error) {
		expressions := make([]*regexp.Regexp, len(patterns))
		for i, pattern := range patterns {
			if expressions[i], err = globRegexp(pathpkg.Clean(pattern)); err != nil {
				return false, fault.New(fault.Usage, "", "%s: %s of [tool.uv.workspace]: %w", root.Filename, key, err)
			}
		}
		return slices.ContainsFunc(expressions, func(r *regexp.Regexp) bool { return r.MatchString(filepath.ToSlash(relative)) }), nil
	}
	included, err := matches("members", root.UV.Workspace.Members)
	if err != nil || !included {
		return false, err
	}
	excluded, err := matches("exclude", root.UV.Workspace.Exclude)
	return !excluded, err
}
