package backend

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"vpk/internal/fault"
	"vpk/lockfile/pep440"
	"vpk/lockfile/pep508"
	"vpk/lockfile/pyproject"
	"vpk/lockfile/tomlpos"
)

// Options say what the project's files do not.
type Options struct {
	// Packages are import packages and modules by their paths, relative to the project ("src/foo", "src/bar.py"); nil to find
	// them by the rules of the backend.
	Packages []string
	// Version of a project whose version is dynamic.
	Version string
	// Pretended are the versions that variables give for version control's: SETUPTOOLS_SCM_PRETEND_VERSION_FOR_NAME by NAME,
	// SETUPTOOLS_SCM_PRETEND_VERSION by "".
	Pretended map[string]string
	// Requires and Extras are what the lock recorded of the project: PEP 508, extras normalised.
	Requires, Extras []string
}

// Distribution is a project as it is installed.
type Distribution struct {
	// Name is as written, Version in normal form.
	Name, Version string
	// Metadata is METADATA, EntryPoints entry_points.txt, empty where there are none.
	Metadata, EntryPoints []byte
	// Licenses are files of the project that belong into licenses/ of the dist-info directory.
	Licenses []File
	// Roots are the source roots, relative to the project, with slashes; "." is the project itself.
	Roots []string
}

// File is a file of the project, by its path relative to it.
type File struct {
	Path string
	Data []byte
}

// Unsupported says why a project can't be installed in place.
type Unsupported struct {
	// Layout and Version are reasons; the first ones an override of packages takes away, the second ones a version.
	Layout, Version []string
}

func (u *Unsupported) Error() string { return strings.Join(slices.Concat(u.Layout, u.Version), "; ") }

// project is what is known of a project while it is read.
type project struct {
	fsys     fs.FS
	manifest *pyproject.Project
	table    *table
	system   buildSystem
	options  Options

	metadata    metadata
	entryPoints entryPoints
	roots       []string
	unsupported Unsupported
}

// buildSystem is [build-system].
type buildSystem struct {
	Requires    []string `toml:"requires"`
	Backend     string   `toml:"build-backend"`
	BackendPath []string `toml:"backend-path"`
}

// maker knows one build backend.
type maker interface {
	// findRoots finds the source roots. It is not called where they are given.
	findRoots(p *project) error
	// complete fills in the metadata that is not in [project].
	complete(p *project) error
}

// Read reads the project in fsys. The error is an *Unsupported where that takes more than reading; else, for what the user
// wrote wrong, of kind fault.Usage.
func Read(fsys fs.FS, manifest *pyproject.Project, o Options) (*Distribution, error) {
	p := &project{fsys: fsys, manifest: manifest, options: o}
	var doc struct {
		BuildSystem buildSystem `toml:"build-system"`
		Project     *table      `toml:"project"`
	}
	if err := p.decode(&doc); err != nil {
		return nil, err
	}
	p.system, p.table = doc.BuildSystem, doc.Project
	m, err := p.maker()
	if err != nil {
		return nil, err
	}
	if p.table != nil {
		if err := p.fromTable(); err != nil {
			return nil, err
		}
	}
	if err := m.complete(p); err != nil {
		return nil, err
	}
	if o.Packages == nil {
		err = m.findRoots(p)
	} else {
		p.unsupported.Layout = nil
		err = p.givenRoots()
	}
	if err != nil {
		return nil, err
	}
	if err := p.settleVersion(); err != nil {
		return nil, err
	}
	if p.metadata.name == "" {
		p.cannot("its metadata is not in [project]")
	}
	if len(p.unsupported.Layout)+len(p.unsupported.Version) > 0 {
		return nil, &p.unsupported
	}
	if _, err := pep508.ParseName(p.metadata.name); err != nil {
		return nil, fault.New(fault.Usage, "", "%s: %w", p.manifest.Filename, err)
	}
	if err := p.entryPoints.check(); err != nil {
		return nil, fault.New(fault.Usage, "", "%s: %w", p.manifest.Filename, err)
	}
	d := &Distribution{
		Name: p.metadata.name, Version: p.metadata.version,
		EntryPoints: p.entryPoints.format(), Roots: p.roots,
	}
	if d.Licenses, err = p.licenses(); err != nil {
		return nil, err
	}
	for _, l := range d.Licenses {
		p.metadata.licenseFiles = append(p.metadata.licenseFiles, l.Path)
	}
	d.Metadata = p.metadata.format()
	return d, nil
}

// decode decodes pyproject.toml into v, of which keys that it lacks are ignored.
func (p *project) decode(v any) error {
	return fault.Wrap(fault.Usage, "", tomlpos.Decode(p.manifest.Data, p.manifest.Filename, v))
}

// cannot notes why the project can't be installed in place.
func (p *project) cannot(format string, args ...any) {
	if reason := fmt.Sprintf(format, args...); !slices.Contains(p.unsupported.Layout, reason) {
		p.unsupported.Layout = append(p.unsupported.Layout, reason)
	}
}

// cannotVersion notes why the version is not known.
func (p *project) cannotVersion(format string, args ...any) {
	p.unsupported.Version = append(p.unsupported.Version, fmt.Sprintf(format, args...))
}

// maker chooses by [build-system]. Without a backend it is setuptools, as PEP 517 says.
func (p *project) maker() (maker, error) {
	if len(p.system.BackendPath) > 0 {
		p.cannot("its build backend is its own code (backend-path)")
		return static{}, nil
	}
	switch name, _, _ := strings.Cut(p.system.Backend, ":"); name {
	case "", "setuptools.build_meta":
		return newSetuptools(p)
	case "uv_build":
		return uvBuild{}, nil
	case "hatchling.build", "hatchling.ouroboros":
		return newHatch(p)
	case "poetry.core.masonry.api", "poetry.masonry.api":
		return newPoetry(p)
	case "flit_core.buildapi", "flit.buildapi":
		return newFlit(p)
	case "pdm.backend", "pdm.pep517.api":
		return newPDM(p)
	case "maturin", "scikit_build_core.build", "mesonpy", "setuptools_rust", "py_build_cmake.build", "sipbuild.api", "cffi_buildtool":
		p.cannot("its build backend %s compiles", name)
	default:
		p.cannot("its build backend %s is not known", name)
	}
	return static{}, nil
}

// static is a backend of which nothing is known: the metadata is what [project] has.
type static struct{}

func (static) findRoots(*project) error { return nil }
func (static) complete(*project) error  { return nil }

// givenRoots are the directories that hold the packages and modules that were named.
func (p *project) givenRoots() error {
	p.roots = nil
	for _, name := range p.options.Packages {
		clean := path.Clean(name)
		if !fs.ValidPath(clean) || clean == "." || !p.isDir(clean) && !p.isFile(clean) {
			return fault.New(fault.Usage, "name directories and .py files relative to the project: \"src/foo\"",
				"%s: packages of [tool.vpk]: there is no package or module %q", p.manifest.Filename, name)
		}
		p.addRoot(path.Dir(clean))
	}
	return nil
}

// addRoot adds a source root, each once.
func (p *project) addRoot(dir string) {
	dir = path.Clean(dir)
	if !fs.ValidPath(dir) {
		p.cannot("its source root %q is not inside the project", dir)
		return
	}
	if !slices.Contains(p.roots, dir) {
		p.roots = append(p.roots, dir)
	}
}

// settleVersion takes the version from outside where the project does not have one.
func (p *project) settleVersion() error {
	why := "its version is dynamic"
	if len(p.unsupported.Version) > 0 {
		why = strings.Join(p.unsupported.Version, "; ")
	}
	p.unsupported.Version = nil
	if p.options.Version != "" {
		if !p.manifest.Version.IsZero() {
			return fault.New(fault.Usage, "leave it out", "%s: version of [tool.vpk]: the project has a version, %s", p.manifest.Filename, p.manifest.Version)
		}
		return p.setVersion("version of [tool.vpk]", p.options.Version)
	}
	if p.metadata.version != "" {
		return p.setVersion("version", p.metadata.version)
	}
	const variable = "SETUPTOOLS_SCM_PRETEND_VERSION"
	name := strings.ToUpper(strings.ReplaceAll(p.manifestName(), "-", "_"))
	if text := p.options.Pretended[name]; text != "" {
		return p.setVersion(variable+"_FOR_"+name, text)
	}
	if text := p.options.Pretended[""]; text != "" {
		return p.setVersion(variable, text)
	}
	p.cannotVersion("%s (set %s_FOR_%s)", why, variable, name)
	return nil
}

func (p *project) setVersion(source, text string) error {
	v, err := pep440.Parse(strings.TrimSpace(text))
	if err != nil {
		return fault.New(fault.Usage, "", "%s: %s: %w", p.manifest.Filename, source, err)
	}
	p.metadata.version = v.String()
	return nil
}

// isDynamic tells a field of [project] that is for the backend to fill in.
func (p *project) isDynamic(field string) bool {
	return p.table == nil || slices.Contains(p.table.Dynamic, field)
}

func (p *project) isDir(name string) bool {
	info, err := fs.Stat(p.fsys, name)
	return err == nil && info.IsDir()
}

func (p *project) isFile(name string) bool {
	info, err := fs.Stat(p.fsys, name)
	return err == nil && info.Mode().IsRegular()
}

// maxText bounds each file of a project that is read into memory.
const maxText = 16 << 20

// read reads a file that the project names; ok is false where there is none.
func (p *project) read(name string) (text string, ok bool) {
	clean := path.Clean(name)
	if info, err := fs.Stat(p.fsys, clean); err != nil || !info.Mode().IsRegular() || info.Size() > maxText {
		return "", false
	}
	data, err := fs.ReadFile(p.fsys, clean)
	if err != nil {
		return "", false
	}
	text = strings.TrimPrefix(string(data), "\ufeff")
	return lineEnds.Replace(text), true
}

// manifestName is the normalised name.
func (p *project) manifestName() string { return cmp.Or(p.manifest.Name, normalize(p.metadata.name)) }

// moduleName is the name of the project as backends make one of a module: with underscores.
func (p *project) moduleName() string { return strings.ReplaceAll(p.manifestName(), "-", "_") }
