package backend

import (
	"cmp"
	"slices"
	"strings"
)

// pdm is pdm-backend.
type pdm struct{ w pdmWire }

type pdmWire struct {
	Version struct {
		Source  string `toml:"source"`
		Path    string `toml:"path"`
		Pattern string `toml:"pattern"`
	} `toml:"version"`
	Build struct {
		PackageDir    *string        `toml:"package-dir"`
		Includes      []string       `toml:"includes"`
		Excludes      []string       `toml:"excludes"`
		CustomHook    string         `toml:"custom-hook"`
		RunSetuptools bool           `toml:"run-setuptools"`
		WheelData     map[string]any `toml:"wheel-data"`
		Hooks         map[string]any `toml:"hooks"`
	} `toml:"build"`
}

func newPDM(p *project) (maker, error) {
	var doc struct {
		Tool struct {
			PDM pdmWire `toml:"pdm"`
		} `toml:"tool"`
	}
	if err := p.decode(&doc); err != nil {
		return nil, err
	}
	return pdm{doc.Tool.PDM}, nil
}

func (b pdm) findRoots(p *project) error {
	build := b.w.Build
	if hook := cmp.Or(build.CustomHook, "pdm_build.py"); p.isFile(hook) {
		p.cannot("%s runs code", hook)
	}
	if build.RunSetuptools {
		p.cannot("tool.pdm.build.run-setuptools compiles")
	}
	if len(build.WheelData) > 0 {
		p.cannot("tool.pdm.build.wheel-data installs files elsewhere")
	}
	if len(build.Hooks) > 0 {
		p.cannot("tool.pdm.build.hooks run code")
	}
	root := "."
	below := func(pattern string) bool { return pattern == "src" || strings.HasPrefix(pattern, "src/") }
	switch {
	case build.PackageDir != nil:
		root = *build.PackageDir
	case p.isDir("src") && len(build.Includes) == 0,
		slices.ContainsFunc(build.Includes, below) && !slices.Contains(build.Excludes, "src") && !slices.Contains(build.Excludes, "src/"):
		root = "src"
	}
	p.addRoot(root)
	return nil
}

// complete reads the version of a file.
func (b pdm) complete(p *project) error {
	v := b.w.Version
	switch {
	case !p.isDynamic("version"):
		return nil
	case v.Source == "file" || v.Source == "" && v.Path != "":
		return p.versionByPattern(v.Path, cmp.Or(v.Pattern, `^(?:__version__|VERSION)\s*=\s*["'](.+?)["']\s*(?:#.*)?$`))
	case v.Source == "scm":
		p.cannotVersion("its version is that of version control (tool.pdm.version)")
	default:
		p.cannotVersion("its version is computed by code (tool.pdm.version)")
	}
	return nil
}
