package backend

import (
	"path"
	"strings"
)

// uvBuild is uv_build (crates/uv-build-backend/src/settings.rs, lib.rs). Its editable wheels have no data, and neither has this.
type uvBuild struct{}

type uvBuildWire struct {
	ModuleRoot *string           `toml:"module-root"`
	ModuleName any               `toml:"module-name"`
	Namespace  bool              `toml:"namespace"`
	Data       map[string]string `toml:"data"`
}

func (uvBuild) complete(*project) error { return nil }

func (uvBuild) findRoots(p *project) error {
	var doc struct {
		Tool struct {
			UV struct {
				BuildBackend uvBuildWire `toml:"build-backend"`
			} `toml:"uv"`
		} `toml:"tool"`
	}
	if err := p.decode(&doc); err != nil {
		return err
	}
	w := doc.Tool.UV.BuildBackend
	root := "src"
	if w.ModuleRoot != nil {
		root = path.Clean(*w.ModuleRoot)
	}
	if len(w.Data) > 0 {
		p.cannot("tool.uv.build-backend.data installs files elsewhere")
	}
	var names []string
	switch name := w.ModuleName.(type) {
	case string:
		names = []string{name}
	case []any:
		for _, n := range name {
			if text, ok := n.(string); ok {
				names = append(names, text)
			}
		}
	default:
		names = []string{p.moduleName()}
	}
	for _, name := range names {
		dir := path.Join(root, strings.ReplaceAll(name, ".", "/"))
		init := path.Join(dir, "__init__.py")
		if strings.HasSuffix(strings.SplitN(name, ".", 2)[0], "-stubs") {
			init += "i"
		}
		switch {
		case w.Namespace && !p.isDir(dir):
			p.cannot("there is no namespace package %s", dir)
		case !w.Namespace && !p.isFile(init):
			p.cannot("there is no %s", init)
		}
	}
	p.addRoot(root)
	return nil
}
