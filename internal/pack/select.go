package pack

import (
	"context"
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

// PlanReport is what `vpk plan` shows.
type PlanReport struct {
	Target   string    `json:"target"`
	Packages []Package `json:"packages"`
	// Note is what could not be compared with the lock, if anything; Plan tells it instead.
	Note string `json:"-"`
}

// PlanFor plans for a target that the user names. It needs no base image and no network.
func PlanFor(p *Project, s Selection, target tag.Target) (*PlanReport, error) {
	note, err := p.check(s)
	if err != nil {
		return nil, err
	}
	selection, err := p.choose(s, target)
	if err != nil {
		return nil, err
	}
	return &PlanReport{Target: target.String(), Packages: packages(selection), Note: note}, s.requireHashes(selection)
}

// Plan plans for the target that the base image is.
func Plan(ctx context.Context, s *Sources, o Options) (*PlanReport, error) {
	if err := s.check(o.Project, o.Selection); err != nil {
		return nil, err
	}
	b, err := openBase(ctx, s, o)
	if err != nil {
		return nil, err
	}
	selection, err := o.Project.choose(o.Selection, b.Facts.Target)
	if err != nil {
		return nil, err
	}
	return &PlanReport{Target: b.Facts.Target.String(), Packages: packages(selection)}, o.Selection.requireHashes(selection)
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
