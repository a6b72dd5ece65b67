package backend

import (
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"vpk/internal/fault"
	"vpk/lockfile/pep508"
)

// setuptools is setuptools with the settings of pyproject.toml, or where it has none, of setup.cfg.
type setuptools struct {
	w   setuptoolsWire
	cfg ini
	scm bool
}

type setuptoolsWire struct {
	Packages    any               `toml:"packages"`
	PackageDir  map[string]string `toml:"package-dir"`
	PyModules   []string          `toml:"py-modules"`
	ExtModules  []any             `toml:"ext-modules"`
	DataFiles   map[string]any    `toml:"data-files"`
	ScriptFiles []string          `toml:"script-files"`
	CmdClass    map[string]string `toml:"cmdclass"`
	Dynamic     map[string]any    `toml:"dynamic"`
}

func newSetuptools(p *project) (maker, error) {
	var doc struct {
		Tool struct {
			Setuptools setuptoolsWire `toml:"setuptools"`
			SCM        any            `toml:"setuptools_scm"`
			SCMDash    any            `toml:"setuptools-scm"`
			Versioning any            `toml:"versioningit"`
		} `toml:"tool"`
	}
	if err := p.decode(&doc); err != nil {
		return nil, err
	}
	s := setuptools{w: doc.Tool.Setuptools}
	s.scm = doc.Tool.SCM != nil || doc.Tool.SCMDash != nil || doc.Tool.Versioning != nil ||
		slices.ContainsFunc(p.system.Requires, func(r string) bool {
			parsed, err := pep508.ParseRequirement(r)
			return err == nil && (parsed.Name == "setuptools-scm" || parsed.Name == "versioningit")
		})
	if text, ok := p.read("setup.cfg"); ok {
		var err error
		if s.cfg, err = parseINI(text); err != nil {
			return nil, fault.New(fault.Usage, "", "%s: %w", path.Join(path.Dir(p.manifest.Filename), "setup.cfg"), err)
		}
	}
	return s, nil
}

// harmless is a line of a setup.py that does nothing but call setuptools.
var harmless = regexp.MustCompile(`^(?:#.*|import setuptools|from setuptools import setup|` +
	`(?:if __name__ == ["']__main__["']: *)?(?:(?:setuptools\.)?setup\(\s*\))?(?: *#.*)?)$`)

// runsCode tells a setup.py that does more than call setup().
func runsCode(text string) bool {
	if _, ok := docstring(text); ok {
		text = strings.Replace(text, statements(text)[0], "", 1)
	}
	for line := range strings.Lines(text) {
		if !harmless.MatchString(strings.TrimSpace(line)) {
			return true
		}
	}
	return false
}

func (s setuptools) findRoots(p *project) error {
	if text, ok := p.read("setup.py"); ok && runsCode(text) {
		p.cannot("setup.py runs code")
	}
	switch {
	case len(s.w.ExtModules) > 0:
		p.cannot("tool.setuptools.ext-modules are compiled")
	case len(s.w.CmdClass) > 0 || s.cfg["options"]["cmdclass"] != "":
		p.cannot("cmdclass runs code")
	}
	if len(s.w.DataFiles)+len(s.cfg["options.data_files"]) > 0 {
		p.cannot("data-files are installed elsewhere")
	}
	if len(s.w.ScriptFiles) > 0 || s.cfg["options"]["scripts"] != "" {
		p.cannot("script-files are installed elsewhere")
	}
	for _, root := range s.layout(p) {
		p.addRoot(root)
	}
	return nil
}

// layout finds the source roots.
func (s setuptools) layout(p *project) []string {
	dirs := s.w.PackageDir
	if dirs == nil {
		dirs = s.cfg.table("options", "package_dir")
	}
	top := path.Clean(dirs[""])
	var roots []string
	add := func(root string) {
		if !slices.Contains(roots, root) {
			roots = append(roots, root)
		}
	}
	// A package with a directory of its own must be called like that.
	for _, name := range slices.Sorted(maps.Keys(dirs)) {
		if name == "" {
			continue
		}
		switch dir, stem := path.Clean(dirs[name]), strings.ReplaceAll(name, ".", "/"); {
		case dir == stem:
			add(".")
		case strings.HasSuffix(dir, "/"+stem):
			add(strings.TrimSuffix(dir, "/"+stem))
		default:
			p.cannot("package-dir renames %s to %s", dir, name)
		}
	}
	packages, where, found := s.packages()
	for _, name := range packages {
		if _, own := dirs[strings.SplitN(name, ".", 2)[0]]; !own {
			add(top)
		}
	}
	for _, dir := range where {
		add(path.Clean(dir))
	}
	modules := s.w.PyModules
	if modules == nil {
		modules = s.cfg.list("options", "py_modules")
	}
	if len(modules) > 0 {
		add(top)
	}
	if found || s.w.PyModules != nil || len(modules) > 0 || len(roots) > 0 {
		return roots
	}
	return discover(p, dirs[""])
}

// packages are those that are listed, or else the directories to find them in; found is false where nothing is said of them.
func (s setuptools) packages() (names, where []string, found bool) {
	switch w := s.w.Packages.(type) {
	case []any:
		for _, item := range w {
			if name, ok := item.(string); ok {
				names = append(names, name)
			}
		}
		return names, nil, true
	case map[string]any:
		find, _ := w["find"].(map[string]any)
		dirs, ok := find["where"].([]any)
		if !ok {
			return nil, []string{"."}, true
		}
		for _, item := range dirs {
			if dir, ok := item.(string); ok {
				where = append(where, dir)
			}
		}
		return nil, where, true
	}
	switch packages := s.cfg["options"]["packages"]; packages {
	case "":
		return nil, nil, false
	case "find:", "find_namespace:":
		if where = s.cfg.list("options.packages.find", "where"); where == nil {
			where = []string{"."}
		}
		return nil, where, true
	}
	return s.cfg.list("options", "packages"), nil, true
}

// Names that are no packages and modules of a project whose modules are beside its pyproject.toml (setuptools/discovery.py:210).
var (
	noPackages = strings.Fields(`ci bin debian doc docs documentation manpages news newsfragments changelog test tests unit_test unit_tests
		example examples scripts tools util utils python build dist venv env requirements tasks fabfile site_scons benchmark benchmarks
		exercise exercises htmlcov`)
	noModules = strings.Fields(`setup conftest test tests example examples build toxfile noxfile pavement dodo tasks fabfile SConstruct
		sconstruct conanfile manage benchmark benchmarks exercise exercises`)
	identifier = regexp.MustCompile(`^[\pL][\pL\p{Nd}_]*$`)
)

// discover is setuptools' automatic discovery: src if there is such a directory, else the one package or module at the top.
func discover(p *project, top string) []string {
	src := "src"
	if top != "" {
		src = path.Clean(top)
	}
	if p.isDir(src) {
		return []string{src}
	}
	entries, err := fs.ReadDir(p.fsys, ".")
	if err != nil {
		p.cannot("its directory cannot be read: %v", err)
		return nil
	}
	var packages, modules []string
	for _, e := range entries {
		name := e.Name()
		stem, isModule := strings.CutSuffix(name, ".py")
		switch {
		case p.isDir(name) && identifier.MatchString(name) && !slices.Contains(noPackages, name):
			packages = append(packages, name)
		case isModule && identifier.MatchString(stem) && !slices.Contains(noModules, stem) && p.isFile(name):
			modules = append(modules, stem)
		}
	}
	tops := packages
	if len(tops) == 0 {
		tops = modules
	}
	switch {
	case len(tops) > 1:
		p.cannot("setuptools finds several packages or modules at the top: %s", strings.Join(tops, ", "))
	case len(tops) == 0:
		return nil
	}
	return []string{"."}
}
