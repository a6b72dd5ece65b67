package pack

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"vpk/internal/config"
	"vpk/internal/fault"
	"vpk/lockfile"
	"vpk/lockfile/pep508"
	"vpk/lockfile/pyproject"
)

// Project is a workspace as its files say, before anything is chosen from it, and the project of it that is meant.
type Project struct {
	Dir      string             // of the workspace's root, where the lock is; as named by the user if that is the place named
	Manifest *pyproject.Project // of the root
	// Config is [tool.vpk] of the project that is meant, filled in from the root's.
	Config config.File
	// Packages are the members that are packed where the command line does not say: none for what uv would take at the root.
	Packages []string
	Lock     *lockfile.Lock // nil after ReadManifest
	// Settings are uv's, of all places; nil before Configure.
	Settings *pyproject.Settings

	root settings // of the root
	// here is the project that the place named by the user belongs to, and member the one that is meant; they may be the root.
	here, member settings
	versions     map[string]string // see config.Environment
}

// settings is one pyproject.toml: what it says of the project, and of packing it.
type settings struct {
	dir      string // relative to the working directory or absolute, as Project.Dir
	manifest *pyproject.Project
	config   config.File
}

// readSettings reads the pyproject.toml of a directory.
func readSettings(dir string) (settings, error) {
	name := filepath.Join(dir, "pyproject.toml")
	data, err := os.ReadFile(name)
	if err != nil {
		return settings{}, fault.New(fault.Usage, "", "read project: %w", err)
	}
	s := settings{dir: dir}
	var configErr error
	s.manifest, err = pyproject.Read(data, name)
	if err == nil {
		s.config, configErr = config.Read(data, name)
	}
	return s, errors.Join(err, configErr)
}

// osDisk reads the disk of this machine.
func osDisk(dir string) lockfile.Disk {
	return lockfile.Disk{Dir: dir, ReadFile: os.ReadFile, ReadDir: os.ReadDir}
}

// ReadManifest finds the project that a directory belongs to, and its workspace, and reads what their pyproject.toml say.
func ReadManifest(dir string) (*Project, error) {
	missing := fault.New(fault.Usage, "name the directory of a project, or change to it", "read project: there is no %q", filepath.Join(dir, "pyproject.toml"))
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, missing
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fault.New(fault.Usage, "", "read project: %w", err)
	}
	here, root, err := lockfile.FindProject(abs, osDisk(""))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, missing
	} else if err != nil {
		return nil, err
	}
	p := &Project{}
	if p.here, err = readSettings(asNamed(dir, abs, here)); err != nil {
		return nil, err
	}
	p.root = p.here
	if root != here {
		if p.root, err = readSettings(asNamed(dir, abs, root)); err != nil {
			return nil, err
		}
	}
	p.Dir, p.Manifest = p.root.dir, p.root.manifest
	p.mean(p.here)
	return p, nil
}

// asNamed is the absolute path of a directory above the one that the user named, in the user's words.
func asNamed(dir, abs, above string) string {
	rel, err := filepath.Rel(abs, above)
	if err != nil {
		return above
	}
	return filepath.Join(dir, rel)
}

// mean takes a project for the one that is meant.
func (p *Project) mean(member settings) {
	p.member = member
	p.Config = member.config
	if member.dir != p.root.dir {
		p.Config = member.config.Fill(p.root.config)
	}
}

// ReadProject reads the pyproject.toml of a project and its workspace, and the lock. The project that is meant is the one of
// packages, if it is one; else, if not all are asked for, the one that dir belongs to or, at the root, the one that [tool.vpk]
// names.
func ReadProject(dir string, packages []string, all bool) (*Project, error) {
	p, err := ReadManifest(dir)
	if err != nil {
		return nil, err
	}
	name := filepath.Join(p.Dir, "uv.lock")
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.Lock, "run `uv lock`", "read lock: there is no %q", name)
	} else if err != nil {
		return nil, fault.New(fault.Lock, "", "read lock: %w", err)
	}
	if p.Lock, err = lockfile.Parse(data, name); err != nil {
		return nil, err
	}
	switch {
	case p.here.dir != p.root.dir:
		p.Packages = []string{p.here.manifest.Name}
	case p.root.config.Package != "":
		p.Packages = []string{p.root.config.Package}
	}
	switch {
	case len(packages) > 0:
	case all:
		packages = nil
	default:
		packages = p.Packages
	}
	return p, p.meanPackages(packages)
}

// meanPackages takes the one package for the project that is meant, and the root where there are several or none.
func (p *Project) meanPackages(packages []string) error {
	p.mean(p.root)
	if len(packages) != 1 {
		return nil
	}
	for _, pkg := range p.Lock.Named(pep508.NormalizeName(packages[0])) {
		if !pkg.Source.IsTree() || pkg.Source.IsRoot() {
			continue
		}
		member, err := readSettings(p.path(pkg.Source.Location))
		if errors.Is(err, fs.ErrNotExist) {
			return nil // for whoever compares the lock with the workspace to say
		} else if err != nil {
			return err
		}
		p.mean(member)
		return nil
	}
	return nil // for whoever selects to say
}

// baseDir is the directory that a path in `base` of [tool.vpk] is relative to, and mirrorDir that of `mirror`.
func (p *Project) baseDir() string {
	if p.member.config.Base != "" {
		return p.member.dir
	}
	return p.Dir
}

func (p *Project) mirrorDir() string {
	if len(p.member.config.Mirrors) > 0 {
		return p.member.dir
	}
	return p.Dir
}

// pinned is the pyproject.toml that `base` is written into: the one that has it, else the project's own.
func (p *Project) pinned() settings {
	if p.member.config.Base == "" && p.root.config.Base != "" {
		return p.root
	}
	return p.member
}
