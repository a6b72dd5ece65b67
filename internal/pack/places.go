package pack

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"slices"

	"vpk/internal/trace"
	"vpk/lockfile"
	"vpk/venv/project"
	"vpk/venv/tree"
)

// projectParts are the files of the projects that are packed, less what this run writes and the cache: one part for the
// workspace, in its root's place, and one for each project outside of it.
func (p *Project) projectParts(ctx context.Context, s *Sources, selection *lockfile.Selection, request Selection, d Deliveries) ([]tree.Part, error) {
	outputs, err := d.written(s)
	if err != nil {
		return nil, err
	}
	packed := packedProjects(selection)
	trees, err := p.trees(packed)
	if err != nil {
		return nil, err
	}
	root, err := filepath.Abs(p.Dir)
	if err != nil {
		return nil, err
	}
	var parts []tree.Part
	add := func(name, dir, dest string, omit bool) error {
		says, err := readOwn(dir)
		if err != nil {
			return err
		}
		o := project.Options{
			Ignore: says.Ignore, Include: says.Include, Exclude: says.Exclude, Dest: dest, OmitRoot: omit,
			Outputs: outputs,
		}
		if o.Members, err = members(dir, root, trees); err != nil {
			return err
		}
		span := trace.Start(ctx, trace.ReadFiles, filepath.Base(dir))
		part, err := project.Files(ctx, dir, o)
		for _, e := range part.Entries {
			if e.Kind == tree.File {
				span.Bytes(e.Content.Size())
			}
		}
		span.End()
		if err != nil || len(part.Entries) == 0 {
			return err
		}
		part.Name += name
		parts = append(parts, part)
		return nil
	}
	own := slices.ContainsFunc(packed, func(pkg *lockfile.Package) bool { return pkg.Source.IsRoot() }) ||
		p.Manifest.Name == "" && len(request.Packages) == 0
	if err := add("", root, appDir, !own); err != nil {
		return nil, err
	}
	for _, t := range trees {
		if t.packed && !t.inside {
			if err := add("/"+t.name, t.abs, t.place, false); err != nil {
				return nil, err
			}
		}
	}
	return parts, nil
}

// packedProjects are the projects whose files are packed: those that are selected for, those that are installed, and those
// that are only reached and never installed.
func packedProjects(selection *lockfile.Selection) []*lockfile.Package {
	var list []*lockfile.Package
	for _, r := range selection.Reached {
		if r.Package.Name == "." { // a workspace's root that is no project
			continue
		}
		if r.Package.Source.IsTree() && (r.Root || r.Local >= 0 || r.Package.Source.Kind == lockfile.Virtual) {
			list = append(list, r.Package)
		}
	}
	return list
}

// sourceTree is a project of the lock on this machine.
type sourceTree struct {
	located
	name, place string
	packed      bool
}

// trees are the projects of the lock, in its order.
func (p *Project) trees(packed []*lockfile.Package) ([]sourceTree, error) {
	var list []sourceTree
	for _, pkg := range p.Lock.Packages {
		if !pkg.Source.IsTree() {
			continue
		}
		at, err := p.locate(pkg)
		if err != nil {
			return nil, err
		}
		list = append(list, sourceTree{at, pkg.Name, at.place(pkg), slices.Contains(packed, pkg)})
	}
	return list, nil
}

// members are the projects below a directory. Below the workspace's root they are packed there; a project outside of it that
// holds others, or the workspace, leaves them to their own places.
func members(dir, root string, trees []sourceTree) ([]project.Member, error) {
	var list []project.Member
	add := func(abs string, packed bool) error {
		rel, err := filepath.Rel(dir, abs)
		if err != nil || rel == "." || !filepath.IsLocal(rel) {
			return err
		}
		m := project.Member{Dir: filepath.ToSlash(rel), Packed: packed}
		if packed {
			own, err := readOwn(abs)
			if err != nil {
				return err
			}
			m.Ignore, m.Include, m.Exclude = own.Ignore, own.Include, own.Exclude
		}
		list = append(list, m)
		return nil
	}
	for _, t := range trees {
		if err := add(t.abs, t.packed && t.inside && dir == root); err != nil {
			return nil, err
		}
	}
	return list, add(root, false)
}

// readOwn reads the patterns that a project has for its own directory: .dockerignore, and include and exclude of [tool.vpk].
func readOwn(dir string) (project.Member, error) {
	ignore, err := project.ReadIgnore(dir)
	if err != nil {
		return project.Member{}, err
	}
	s, err := readSettings(dir)
	if errors.Is(err, fs.ErrNotExist) { // setuptools can do without
		err = nil
	}
	return project.Member{Ignore: ignore, Include: s.config.Include, Exclude: s.config.Exclude}, err
}

// written are the absolute paths of what this run writes, the cache, and what else of this program must not be packed.
func (d Deliveries) written(s *Sources) ([]string, error) {
	written := append([]string{s.cache.Dir()}, s.unpacked...)
	names := []string{d.DigestFile, d.TraceFile}
	for _, out := range d.Outputs {
		names = append(names, out.Path)
	}
	for _, name := range names {
		if name == "" {
			continue
		}
		abs, err := filepath.Abs(name)
		if err != nil {
			return nil, err
		}
		written = append(written, abs)
	}
	return written, nil
}

// workdir is the place of the one project that is selected for, else that of the workspace.
func (p *Project) workdir(selection *lockfile.Selection) (string, error) {
	if len(selection.Roots) != 1 {
		return appDir, nil
	}
	at, err := p.locate(selection.Roots[0])
	return path.Clean(at.place(selection.Roots[0])), err
}
