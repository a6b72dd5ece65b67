package pack

import (
	"maps"
	"slices"

	"vpk/internal/transport"
	"vpk/lockfile"
	"vpk/lockfile/pep508"
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
	var err error
	if request.DefaultGroups, err = p.defaultGroups(s); err != nil {
		return nil, err
	}
	request.Project = p.Manifest.Name
	request.GroupPython = p.Manifest.UV.GroupPython
	if p.Manifest.Name == "" {
		request.RootGroups = slices.Sorted(maps.Keys(p.Manifest.DependencyGroups))
	}
	selection, err := lockfile.Select(p.Lock, target, request)
	if err != nil {
		return nil, err
	}
	return selection, p.refuseNoBinary(selection)
}

// defaultGroups are those of the one member that is packed, else of the root: uv takes the project that it stands in, which is
// with --package that member, but with --frozen, when it looks at no members, the root.
func (p *Project) defaultGroups(s Selection) (pyproject.DefaultGroups, error) {
	if s.Frozen || len(s.Packages) != 1 {
		return p.Manifest.UV.DefaultGroups, nil
	}
	for _, member := range p.Lock.Named(pep508.NormalizeName(s.Packages[0])) {
		if !member.Source.IsTree() || member.Source.IsRoot() {
			continue
		}
		manifest, err := ReadManifest(p.path(member.Source.Location))
		if err != nil {
			return pyproject.DefaultGroups{}, err
		}
		return manifest.Manifest.UV.DefaultGroups, nil
	}
	return p.Manifest.UV.DefaultGroups, nil
}

// packages reports a selection. A report goes to logs: of a URL it has nothing that could be a secret.
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
