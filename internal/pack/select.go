package pack

import (
	"context"

	"vpk/internal/transport"
	"vpk/lockfile"
	"vpk/wheel/tag"
)

// check compares the lock with pyproject.toml, unless the user asked not to.
func (p *Project) check(s Selection) error {
	if s.Frozen {
		return nil
	}
	return lockfile.Check(p.Lock, p.Manifest)
}

// choose selects packages for a target.
func (p *Project) choose(s Selection, target tag.Target) (*lockfile.Selection, error) {
	if !s.Frozen && p.Manifest.RequiresPython != nil {
		if err := lockfile.CheckPython(p.Manifest.RequiresPython, p.Manifest.Filename, target); err != nil {
			return nil, err
		}
	}
	request := s.Request
	request.DefaultGroups = p.Manifest.UV.DefaultGroups
	return lockfile.Select(p.Lock, target, request)
}

// PlanReport is what `vpk plan` shows.
type PlanReport struct {
	Target   string    `json:"target"`
	Packages []Package `json:"packages"`
}

// PlanFor plans for a target that the user names. It needs no base image and no network.
func PlanFor(p *Project, s Selection, target tag.Target) (*PlanReport, error) {
	if err := p.check(s); err != nil {
		return nil, err
	}
	selection, err := p.choose(s, target)
	if err != nil {
		return nil, err
	}
	return &PlanReport{Target: target.String(), Packages: packages(selection)}, nil
}

// Plan plans for the target that the base image is.
func Plan(ctx context.Context, s *Sources, o Options) (*PlanReport, error) {
	if err := o.Project.check(o.Selection); err != nil {
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
	return &PlanReport{Target: b.Facts.Target.String(), Packages: packages(selection)}, nil
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
			URL:     transport.Redact(p.Wheel.URL),
			Size:    max(0, p.Wheel.Size),
			Hashes:  []string{},
		}
		if h := p.Wheel.Hash.String(); h != "" {
			list[i].Hashes = append(list[i].Hashes, h)
		}
	}
	return list
}
