package backend

import (
	"cmp"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// hatch is hatchling; its settings are those of the target wheel, else those of the whole build.
type hatch struct{ w hatchWire }

type hatchWire struct {
	Version struct {
		Source     string `toml:"source"`
		Path       string `toml:"path"`
		Pattern    any    `toml:"pattern"`
		Expression string `toml:"expression"`
	} `toml:"version"`
	Build struct {
		hatchSelection
		DevModeDirs []string `toml:"dev-mode-dirs"`
		Targets     struct {
			Wheel struct {
				hatchSelection
				DevModeDirs   []string          `toml:"dev-mode-dirs"`
				SharedData    map[string]string `toml:"shared-data"`
				SharedScripts map[string]string `toml:"shared-scripts"`
			} `toml:"wheel"`
		} `toml:"targets"`
	} `toml:"build"`
}

type hatchSelection struct {
	Include         []string          `toml:"include"`
	Packages        []string          `toml:"packages"`
	OnlyInclude     []string          `toml:"only-include"`
	Sources         any               `toml:"sources"`
	ForceInclude    map[string]string `toml:"force-include"`
	Hooks           map[string]any    `toml:"hooks"`
	BypassSelection bool              `toml:"bypass-selection"`
}

func newHatch(p *project) (maker, error) {
	var doc struct {
		Tool struct {
			Hatch hatchWire `toml:"hatch"`
		} `toml:"tool"`
	}
	if err := p.decode(&doc); err != nil {
		return nil, err
	}
	return hatch{doc.Tool.Hatch}, nil
}

func (h hatch) findRoots(p *project) error {
	build, wheel := h.w.Build, h.w.Build.Targets.Wheel
	hooks := slices.Sorted(maps.Keys(build.Hooks))
	hooks = slices.AppendSeq(hooks, maps.Keys(wheel.Hooks))
	if len(hooks) > 0 {
		slices.Sort(hooks)
		p.cannot("its build hooks run code: %s", strings.Join(slices.Compact(hooks), ", "))
	}
	if len(build.ForceInclude)+len(wheel.ForceInclude) > 0 {
		p.cannot("force-include of [tool.hatch.build] moves files")
	}
	if len(wheel.SharedData)+len(wheel.SharedScripts) > 0 {
		p.cannot("shared-data and shared-scripts of [tool.hatch.build] install files elsewhere")
	}
	if dirs := first(wheel.DevModeDirs, build.DevModeDirs); len(dirs) > 0 {
		for _, dir := range dirs {
			p.addRoot(dir)
		}
		return nil
	}
	selected := hatchSelection{
		Include:     first(wheel.Include, build.Include),
		Packages:    first(wheel.Packages, build.Packages),
		OnlyInclude: first(wheel.OnlyInclude, build.OnlyInclude),
		Sources:     wheel.Sources,
	}
	if selected.Sources == nil {
		selected.Sources = build.Sources
	}
	if len(selected.Include)+len(selected.Packages)+len(selected.OnlyInclude) == 0 {
		if wheel.BypassSelection {
			return nil
		}
		selected.byDefault(p)
	}
	selected.roots(p)
	return nil
}

func first(lists ...[]string) []string {
	for _, l := range lists {
		if l != nil {
			return l
		}
	}
	return nil
}

// byDefault is the default selection (hatchling: builders/wheel.py, default_file_selection_options).
func (s *hatchSelection) byDefault(p *project) {
	raw := ""
	if p.table != nil {
		raw = strings.NewReplacer("-", "_", ".", "_").Replace(p.table.Name)
	}
	names := slices.Compact([]string{raw, p.moduleName()})
	for _, name := range names {
		switch {
		case p.isFile(path.Join(name, "__init__.py")):
			s.Packages = []string{name}
			return
		case p.isFile(path.Join("src", name, "__init__.py")):
			s.Packages = []string{"src/" + name}
			return
		case p.isFile(name + ".py"):
			s.OnlyInclude = []string{name + ".py"}
			return
		}
		if found, _ := fs.Glob(p.fsys, path.Join("*", name, "__init__.py")); len(found) == 1 {
			s.Packages = []string{strings.SplitN(found[0], "/", 2)[0]}
			return
		}
	}
	p.cannot("there is no package %s where hatchling looks for it", strings.Join(names, " or "))
}

// roots finds where the selected paths are imported from: what the sources leave of a path is its place in a wheel.
func (s *hatchSelection) roots(p *project) {
	sources := s.sources(p)
	for _, list := range [][]string{s.OnlyInclude, s.Packages, s.Include} {
		for _, name := range list {
			name = path.Clean(strings.TrimPrefix(name, "/"))
			if i := strings.IndexAny(name, "*?["); i >= 0 {
				name = path.Dir(name[:i] + "x")
			}
			place := name
			for _, from := range slices.Sorted(maps.Keys(sources)) {
				if rest, ok := cutDirectory(name, from); ok {
					place = path.Join(".", sources[from], rest)
					break
				}
			}
			switch {
			case place == name:
				p.addRoot(".")
			case place == ".":
				p.addRoot(name)
			case strings.HasSuffix(name, "/"+place):
				p.addRoot(strings.TrimSuffix(name, "/"+place))
			default:
				p.cannot("sources of [tool.hatch.build] renames %s to %s", name, place)
			}
		}
		if len(list) > 0 {
			return // the first that is set decides
		}
	}
}

// cutDirectory is what is below the directory dir in name.
func cutDirectory(name, dir string) (string, bool) {
	if name == dir || dir == "." {
		return strings.TrimPrefix(name, dir), true
	}
	return strings.CutPrefix(name, dir+"/")
}

// sources are the prefixes that are replaced, with what replaces them.
func (s *hatchSelection) sources(p *project) map[string]string {
	sources := map[string]string{}
	switch list := s.Sources.(type) {
	case nil:
	case []any:
		for _, item := range list {
			if from, ok := item.(string); ok {
				sources[path.Clean(from)] = ""
			}
		}
	case map[string]any:
		for from, item := range list {
			if to, ok := item.(string); ok {
				sources[path.Clean(cmp.Or(from, "."))] = strings.TrimPrefix(path.Clean(to), ".")
			}
		}
	default:
		p.cannot("sources of [tool.hatch.build] is neither a list nor a table")
	}
	for _, name := range s.Packages {
		if dir := path.Dir(path.Clean(name)); dir != "." && len(s.OnlyInclude) == 0 {
			if _, ok := sources[path.Clean(name)]; !ok {
				sources[dir] = ""
			}
		}
	}
	return sources
}

// hatchPattern is hatchling's DEFAULT_PATTERN, in which the quotes must be the same.
const hatchPattern = `(?i)^(?:__version__|VERSION)(?: ?: ?str)? *= *["']v?(?P<version>.+?)["']`

// complete reads the version of a file.
func (h hatch) complete(p *project) error {
	if !p.isDynamic("version") {
		return nil
	}
	v := h.w.Version
	switch v.Source {
	case "", "regex":
		pattern, _ := v.Pattern.(string)
		if v.Path == "" {
			p.cannotVersion("tool.hatch.version does not say where its version is")
			return nil
		}
		return p.versionByPattern(v.Path, cmp.Or(pattern, hatchPattern))
	case "code":
		text, _ := p.read(v.Path)
		if value, ok := literal(text, cmp.Or(v.Expression, "__version__")); ok {
			p.metadata.version = value
			return nil
		}
		p.cannotVersion("its version is computed by %s", v.Path)
	case "vcs", "uv-dynamic-versioning", "versioningit":
		p.cannotVersion("its version is that of version control (tool.hatch.version, %s)", v.Source)
	default:
		p.cannotVersion("its version is of the source %s (tool.hatch.version)", v.Source)
	}
	return nil
}
