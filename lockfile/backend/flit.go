package backend

import (
	"path"
	"strings"
)

// flit is flit-core.
type flit struct{ name string }

type flitWire struct {
	Module struct {
		Name string `toml:"name"`
	} `toml:"module"`
	ExternalData map[string]any `toml:"external-data"`
	Metadata     map[string]any `toml:"metadata"`
}

func newFlit(p *project) (maker, error) {
	var doc struct {
		Tool struct {
			Flit flitWire `toml:"flit"`
		} `toml:"tool"`
	}
	if err := p.decode(&doc); err != nil {
		return nil, err
	}
	w := doc.Tool.Flit
	if len(w.Metadata) > 0 {
		p.cannot("its metadata is in [tool.flit.metadata], not in [project]")
	}
	if len(w.ExternalData) > 0 {
		p.cannot("tool.flit.external-data installs files elsewhere")
	}
	f := flit{w.Module.Name}
	if f.name == "" && p.table != nil {
		f.name = strings.ReplaceAll(p.table.Name, "-", "_")
	}
	return f, nil
}

// find finds the module: the root that it is in, and the package's directory or the module's file. All is empty where there
// is none, or more than one.
func (f flit) find(p *project) (root, module string, isPackage bool) {
	stem := strings.ReplaceAll(f.name, ".", "/")
	found := 0
	for _, dir := range []string{".", "src"} {
		if at := path.Join(dir, stem); p.isDir(at) {
			root, module, isPackage = dir, at, true
			found++
		}
		if at := path.Join(dir, stem) + ".py"; p.isFile(at) {
			root, module, isPackage = dir, at, false
			found++
		}
	}
	if found != 1 {
		return "", "", false
	}
	return root, module, isPackage
}

func (f flit) findRoots(p *project) error {
	root, _, _ := f.find(p)
	if root == "" {
		p.cannot("there is no module %s, or more than one of that name", f.name)
		return nil
	}
	p.addRoot(root)
	return nil
}

// complete reads version and description from the module, of which some files are looked at first.
func (f flit) complete(p *project) error {
	if p.table != nil {
		if license, ok := p.table.License.(map[string]any); ok && license["file"] != nil {
			p.metadata.licenseText = "" // the file is enough
		}
	}
	_, module, isPackage := f.find(p)
	if module == "" {
		return nil
	}
	files := []string{module}
	if isPackage {
		files = files[:0]
		for _, name := range []string{"__version__.py", "_version.py", "version.py", "__init__.py"} {
			if at := path.Join(module, name); p.isFile(at) {
				files = append(files, at)
			}
		}
	}
	if len(files) == 0 {
		return nil
	}
	if p.isDynamic("version") {
		for _, name := range files {
			text, _ := p.read(name)
			if v, ok := literal(text, "__version__"); ok {
				p.metadata.version = v // later files take precedence
			}
		}
		if p.metadata.version == "" {
			p.cannotVersion("__version__ of %s is no literal", files[len(files)-1])
		}
	}
	if p.isDynamic("description") {
		text, _ := p.read(files[len(files)-1])
		summary, _ := docstring(text)
		p.metadata.summary, _, _ = strings.Cut(strings.TrimSpace(summary), "\n")
	}
	return nil
}
