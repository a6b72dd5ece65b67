package pack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"vpk/internal/fault"
	"vpk/lockfile"
	"vpk/lockfile/backend"
	"vpk/lockfile/pep508"
	"vpk/lockfile/pyproject"
	"vpk/venv"
	"vpk/venv/tree"
)

// local is a project that is installed in place.
type local struct {
	lockfile.Local
	dir  string // on this machine, absolute
	dist *backend.Distribution
}

// sourceDir is where the projects that are outside of the workspace go: pip's place for checkouts.
const sourceDir = prefix + "/src"

// located is where a package's source tree is.
type located struct {
	abs    string // on this machine
	rel    string // to the workspace's root, "." for the root itself
	inside bool   // the workspace's root, or below it
}

func (p *Project) locate(pkg *lockfile.Package) (located, error) {
	root, rootErr := filepath.Abs(p.Dir)
	abs, err := filepath.Abs(p.path(pkg.Source.Location))
	if err = errors.Join(rootErr, err); err != nil {
		return located{}, fault.New(fault.Usage, "", "read project: %w", err)
	}
	rel, err := filepath.Rel(root, abs)
	if err != nil {
		return located{}, fault.New(fault.Usage, "", "read project: %w", err)
	}
	return located{abs, filepath.ToSlash(rel), filepath.IsLocal(rel)}, nil
}

// place is where a project's files are in the image: below /app as it is below the workspace's root, else below the
// environment's src.
func (l located) place(pkg *lockfile.Package) string {
	if l.inside {
		return path.Join(appDir, l.rel)
	}
	return path.Join(sourceDir, pkg.Name)
}

var errNoDirectory = errors.New("there is no such directory")

// locals reads what is to be installed in place. All projects that can't be are told of at once.
func (p *Project) locals(selection *lockfile.Selection) ([]local, error) {
	list := make([]local, len(selection.Local))
	var refused refusals
	for i, l := range selection.Local {
		at, err := p.locate(l.Package)
		if err != nil {
			return nil, err
		}
		list[i] = local{Local: l, dir: at.abs}
		list[i].dist, err = p.distribution(l.Package)
		var unsupported *backend.Unsupported
		switch {
		case errors.As(err, &unsupported):
			refused.add(l, unsupported)
			refused.layout = refused.layout || len(unsupported.Layout) > 0
			refused.version = refused.version || len(unsupported.Version) > 0
		case errors.Is(err, errNoDirectory):
			refused.add(l, errNoDirectory)
			refused.gone = true
		case err != nil:
			return nil, err
		}
	}
	return list, refused.err()
}

// distribution reads one project.
func (p *Project) distribution(pkg *lockfile.Package) (_ *backend.Distribution, err error) {
	dir := p.path(pkg.Source.Location)
	s, err := readSettings(dir)
	if errors.Is(err, fs.ErrNotExist) { // setuptools can do without
		s.manifest, err = pyproject.Read(nil, filepath.Join(dir, "pyproject.toml"))
	}
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNoDirectory
	} else if err != nil {
		return nil, fault.New(fault.Usage, "", "read project: %w", err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	o := backend.Options{Packages: s.config.Packages, Version: s.config.Version, Pretended: p.versions, Extras: pkg.Metadata.ProvidesExtras}
	for _, r := range pkg.Metadata.RequiresDist {
		o.Requires = append(o.Requires, r.String())
	}
	dist, err := backend.Read(root.FS(), s.manifest, o)
	if err == nil && pep508.NormalizeName(dist.Name) != pkg.Name {
		return nil, fault.New(fault.Lock, "run `uv lock`", "%q holds the project %q, and the lock has %q there", dir, dist.Name, pkg.Name)
	}
	return dist, err
}

// checkRoots refuses projects whose source roots have nothing in the image: they could not be imported.
func (p *Project) checkRoots(locals []local, own []tree.Part) error {
	held := map[string]bool{} // directories that hold something
	for _, part := range own {
		for _, e := range part.Entries {
			for dir := path.Dir(e.Path); dir != "." && !held[dir]; dir = path.Dir(dir) {
				held[dir] = true
			}
		}
	}
	var lines []string
	for _, l := range locals {
		dir, err := p.inImage(l)
		if err != nil {
			return err
		}
		for _, root := range l.dist.Roots {
			if at := path.Join(dir, root); !held[at[1:]] {
				lines = append(lines, fmt.Sprintf("  %s: %s", l.Package.Name, at))
			}
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return fault.New(fault.Usage, "look at .dockerignore, and include and exclude of [tool.vpk]; or leave the project out (--no-install-package)",
		"projects would be installed and could not be imported, for nothing of these directories is packed:\n%s", strings.Join(lines, "\n"))
}

// refusals are the projects that can't be installed in place.
type refusals struct {
	lines                 []string
	layout, version, gone bool // what is the matter
}

func (r *refusals) add(l lockfile.Local, why error) {
	route := ""
	if l.Route != l.Package.Name {
		route = " (" + l.Route + ")"
	}
	r.lines = append(r.lines, fmt.Sprintf("  %s (%s): %v%s", l.Package, l.Package.Source.Location, why, route))
}

func (r *refusals) err() error {
	if len(r.lines) == 0 {
		return nil
	}
	slices.Sort(r.lines)
	err := fault.New(fault.Package, "", "projects that can't be installed in place:\n%s", strings.Join(r.lines, "\n"))
	if r.layout {
		err = fault.Wrap(fault.Package, `if its modules can be imported as they are, name them in that project's pyproject.toml, as in packages = ["src/foo"] `+
			"of [tool.vpk]; else build a wheel of it (`uv build --wheel`) and depend on that", err)
	}
	if r.version {
		err = fault.Wrap(fault.Package, "give the version: in that variable, or as version of [tool.vpk] in that project's pyproject.toml", err)
	}
	if r.gone {
		err = fault.Wrap(fault.Package, "bring the directory to where the lock has it, or change the project and run `uv lock`", err)
	}
	return err
}

// installLocals plans the projects that are installed in place; at is the directory that a project is imported from.
func installLocals(spec venv.Spec, locals []local, at func(local) (string, error)) ([]venv.Installed, error) {
	installed := make([]venv.Installed, len(locals))
	for i, l := range locals {
		dir, err := at(l)
		if err != nil {
			return nil, err
		}
		what := venv.Local{
			Name: l.Package.Name, Version: l.dist.Version, Metadata: l.dist.Metadata, EntryPoints: l.dist.EntryPoints, Licenses: map[string][]byte{},
		}
		for _, root := range l.dist.Roots {
			what.Roots = append(what.Roots, path.Join(dir, root))
		}
		for _, license := range l.dist.Licenses {
			what.Licenses[license.Path] = license.Data
		}
		if installed[i], err = venv.InstallLocal(spec, what); err != nil {
			return nil, err
		}
		installed[i].Rank = l.Rank
	}
	return installed, nil
}

// inImage is where a project is in the image, inPlace where it is on this machine.
func (p *Project) inImage(l local) (string, error) {
	at, err := p.locate(l.Package)
	return at.place(l.Package), err
}

func inPlace(l local) (string, error) { return filepath.ToSlash(l.dir), nil }

// apart takes the parts of projects out of those of an environment: they change with the projects, not with the lock.
func apart(parts []tree.Part) (dependencies, locals []tree.Part) {
	for _, part := range parts {
		if venv.IsLocal(part) {
			locals = append(locals, part)
		} else {
			dependencies = append(dependencies, part)
		}
	}
	return dependencies, locals
}

// reports are the packages of a report, with the projects that are installed in place, by name.
func reports(packages []Package, locals []local) []Package {
	for _, l := range locals {
		packages = append(packages, Package{
			Name: l.Package.Name, Version: l.dist.Version, Source: string(l.Package.Source.Kind), Path: l.Package.Source.Location, Hashes: []string{},
		})
	}
	slices.SortStableFunc(packages, func(a, b Package) int { return strings.Compare(a.Name, b.Name) })
	return packages
}
