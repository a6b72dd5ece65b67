package pack

import (
	"context"
	"errors"

	"vpk/internal/config"
	"vpk/lockfile"
	"vpk/venv"
	"vpk/wheel"
	"vpk/wheel/tag"
)

// Choice is what a project's lock says for a target, and what the cache has of it: what Plan and Tree look at. Nothing is
// downloaded for it but the facts of a base image.
type Choice struct {
	project   *Project
	selection *lockfile.Selection
	target    tag.Target
	// interpreter is the base's; a usual place where there is no base.
	interpreter string
	// wheels are in the selection's order, nil where they are not in the cache.
	wheels []*wheel.Wheel
	// base says that the base is not pinned, if it is not.
	base []Warning
	// absent are about names that the lock does not have.
	absent []Warning
	// Note is what could not be compared with the lock; empty where all could.
	Note string
}

// Choose chooses for a target that the user names. It needs neither a base image nor a network; without Sources nothing is
// known of the cache. Close must be called.
func Choose(ctx context.Context, s *Sources, p *Project, selection Selection, target tag.Target) (*Choice, error) {
	note, err := p.check(selection)
	if err != nil {
		return nil, err
	}
	return choose(ctx, s, p, selection, &Choice{target: target, interpreter: "/usr/bin/python3", Note: note})
}

// ChooseForBase chooses for the target that the base image is. Close must be called.
func ChooseForBase(ctx context.Context, s *Sources, o Options) (*Choice, error) {
	note, err := o.Project.check(o.Selection)
	if err != nil {
		return nil, err
	}
	b, err := resolveBase(ctx, s, o)
	if err != nil {
		return nil, err
	}
	c := &Choice{target: b.Facts.Target, interpreter: b.Facts.Interpreter, Note: note}
	if text, hint := unpinned(b); text != "" {
		c.base = []Warning{{Kind: UnpinnedBase, Message: text, Hint: hint}}
	}
	return choose(ctx, s, o.Project, o.Selection, c)
}

func choose(ctx context.Context, s *Sources, p *Project, selection Selection, c *Choice) (_ *Choice, err error) {
	c.project, c.absent = p, p.absentWarnings(selection)
	if c.selection, err = p.choose(selection, c.target); err != nil {
		return nil, err
	}
	if err := selection.requireHashes(c.selection); err != nil {
		return nil, err
	}
	c.wheels = make([]*wheel.Wheel, len(c.selection.Packages))
	if s == nil {
		return c, nil
	}
	for i, ref := range p.refs(c.selection) {
		if c.wheels[i], err = s.wheels.Lookup(ctx, ref); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	return c, nil
}

// Close closes the wheels.
func (c *Choice) Close() error {
	w := wheels{archives: c.wheels}
	return w.close()
}

// packages are the chosen packages as reports show them.
func (c *Choice) packages() []Package {
	list := packages(c.selection)
	for i, w := range c.wheels {
		if w == nil {
			continue
		}
		list[i].Cached, list[i].Size = true, w.Size
		for _, m := range w.Members() {
			list[i].InstalledSize += m.Size()
		}
	}
	return list
}

// collisions are the paths that two packages claim. They are known once all wheels are in the cache.
func (c *Choice) collisions(locals []local) ([]venv.Collision, error) {
	spec := venv.Spec{Prefix: prefix, Python: c.target.Python, Interpreter: c.interpreter}
	w := wheels{installed: make([]venv.Installed, len(c.wheels)), archives: c.wheels}
	for i, p := range c.selection.Packages {
		if c.wheels[i] == nil {
			return nil, nil
		}
		installed, err := venv.Install(spec, venv.Package{
			Name: p.Package.Name, Version: p.Package.Version.String(), Wheel: c.wheels[i], DirectURL: p.DirectURL,
		})
		if err != nil {
			return nil, err
		}
		installed.Rank = p.Rank
		w.installed[i] = installed
	}
	projects, err := installLocals(spec, locals, c.project.inImage)
	if err != nil {
		return nil, err
	}
	// Whatever the project makes of collisions, here they are told.
	_, collisions, err := environmentParts(spec, &w, projects, config.File{})
	return collisions, err
}
