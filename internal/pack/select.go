package pack

import (
	"maps"
	"slices"

	"vpk/internal/transport"
	"vpk/lockfile"
	"vpk/lockfile/pyproject"
	"vpk/wheel/tag"
)

// choose selects packages for a target.
func (p *Project) choose(s Selection, target tag.Target) (*lockfile.Selection, error) {
	if !s.Frozen && p.Manifest.RequiresPython != nil {
		if err := lockfile.CheckPython(p.Manifest.RequiresPython, p.Manifest.Filename, target); err != nil {
			return nil, err
		}
	}
	request := s.Request
	request.Project = p.Manifest.Name
	request.DefaultGroups = p.current(s).UV.DefaultGroups
	request.GroupPython = p.current(s).UV.GroupPython
	if p.Manifest.Name == "" {
		request.RootGroups = slices.Sorted(maps.Keys(p.Manifest.DependencyGroups))
	}
	selection, err := lockfile.Select(p.Lock, target, request)
	if err != nil {
		return nil, err
	}
	return selection, p.refuseNoBinary(selection)
}

// current is the project whose default groups count: in uv the one of the working directory, or with one --package that member;
// but with --frozen, when it looks at no members, always the first.
func (p *Project) current(s Selection) *pyproject.Project {
	if s.Frozen || len(s.Packages) != 1 {
		return p.here.manifest
	}
	return p.member.manifest
}

// packages reports the wheels of a selection. A report goes to logs: of a URL it has nothing that could be a secret.
func packages(s *lockfile.Selection) []Package {
	list := make([]Package, len(s.Packages))
	for i, p := range s.Packages {
		list[i] = Package{
			Name:    p.Package.Name,
			Version: p.Package.Version.String(),
			Source:  string(p.Package.Source.Kind),
			File:    p.Wheel.Filename.String(),
			URL:     transport.Redact(p.URL),
			Path:    p.Path,
			Size:    max(0, p.Wheel.Size),
			Hashes:  []string{},
		}
		if h := p.Wheel.Hash.String(); h != "" {
			list[i].Hashes = append(list[i].Hashes, h)
		}
	}
	return list
}
