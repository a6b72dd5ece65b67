package venv

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"

	"vpk/internal/cas"
	"vpk/internal/fault"
	"vpk/lockfile/pep508"
	"vpk/venv/tree"
)

// Local is a project to install in place.
type Local struct {
	Name, Version string
	// Metadata and EntryPoints are METADATA and entry_points.txt; without entry points there is no such file.
	Metadata, EntryPoints []byte
	// Licenses are the files in licenses/ of the dist-info directory, by their paths there.
	Licenses map[string][]byte
	// Roots are the directories that its modules are imported from, absolute, in the image or on the host.
	Roots []string
}

// InstallLocal plans a project that is installed in place. Its part is named "local/NAME-VERSION" and holds no modules. What is
// wrong with the project is one error of kind fault.Package that names it.
func InstallLocal(s Spec, l Local) (Installed, error) {
	if err := s.Check(); err != nil {
		return Installed{}, err
	}
	name := pep508.NormalizeName(l.Name)
	stem := strings.ReplaceAll(name, "-", "_")
	in := &installation{spec: s, site: s.sitePackages(), name: name, distInfo: stem + "-" + l.Version + ".dist-info", files: map[string]placed{}}
	in.planLocal(stem, l)
	in.checkDirectories()
	if len(in.problems) > 0 {
		slices.Sort(in.problems)
		return Installed{}, fault.New(fault.Package, "", "install %s %s: %s", name, l.Version, strings.Join(slices.Compact(in.problems), "; "))
	}
	return in.assemble(l.Version, tree.Part{Name: localPrefix + name + "-" + l.Version, Key: in.localKey()}), nil
}

const localPrefix = "local/"

// IsLocal tells the part of a project that is installed in place.
func IsLocal(p tree.Part) bool { return strings.HasPrefix(p.Name, localPrefix) }

// localWheel is the WHEEL of what was never one: as a backend would write it.
const localWheel = "Wheel-Version: 1.0\nGenerator: vpk\nRoot-Is-Purelib: true\nTag: py3-none-any\n"

func (in *installation) planLocal(stem string, l Local) {
	if len(l.Roots) > 0 {
		in.generate(path.Join(in.site, stem+".pth"), 0o644, in.pathFile(l.Roots))
	}
	var err error
	if in.scripts, err = parseScripts(l.EntryPoints, in.spec.Python.Minor); err != nil {
		in.problem("entry points: %v", err)
	}
	shebang := in.spec.shebang()
	for _, s := range in.scripts {
		in.generate("bin/"+s.name, 0o755, s.launcher(shebang))
	}
	info := path.Join(in.site, in.distInfo) + "/"
	in.generate(info+"METADATA", 0o644, l.Metadata)
	in.generate(info+"WHEEL", 0o644, []byte(localWheel))
	if len(l.EntryPoints) > 0 {
		in.generate(info+"entry_points.txt", 0o644, l.EntryPoints)
	}
	for name, data := range l.Licenses {
		in.generate(info+"licenses/"+name, 0o644, data)
	}
	in.generate(info+"REQUESTED", 0o644, nil)
	in.generate(info+"INSTALLER", 0o644, []byte("vpk"))
	in.place(info+"RECORD", placed{mode: 0o644, size: -1})
}

// pathFile is a .pth file. The site module of Python reads it line by line and takes trailing white space away.
func (in *installation) pathFile(roots []string) []byte {
	var b strings.Builder
	for _, root := range roots {
		if !cleanAbsolute(root) || strings.TrimRightFunc(root, unicode.IsSpace) != root {
			in.problem("%q cannot be a line of a .pth file", root)
		}
		fmt.Fprintln(&b, root)
	}
	return []byte(b.String())
}

// localKey names everything that was placed.
func (in *installation) localKey() string {
	inputs := []string{"local", FormatVersion, in.spec.Prefix, in.spec.Python.Short()}
	names := make([]string, 0, len(in.files))
	for name := range in.files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		inputs = append(inputs, name, in.files[name].hash)
	}
	return cas.Key(inputs...)
}
