package backend_test

import (
	"bytes"
	"errors"
	"io/fs"
	"net/mail"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"vpk/internal/fault"
	"vpk/lockfile/backend"
	"vpk/lockfile/pyproject"
)

// read reads a project whose files are given by name and content.
func read(t *testing.T, o backend.Options, files map[string]string) (*backend.Distribution, error) {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	manifest, err := pyproject.Read([]byte(files["pyproject.toml"]), "pyproject.toml")
	if err != nil {
		t.Fatal(err)
	}
	return backend.Read(fsys, manifest, o)
}

// system is a pyproject.toml of a project "demo" with a build backend.
func system(name, rest string) string {
	return "[project]\nname = \"demo\"\nversion = \"1\"\n[build-system]\nrequires = []\nbuild-backend = \"" + name + "\"\n" + rest
}

// TestRoots finds source roots, or says why there are none. Names that begin with "!" are reasons.
func TestRoots(t *testing.T) {
	const (
		uv, hatch, st = "uv_build", "hatchling.build", "setuptools.build_meta"
		poetry, flit  = "poetry.core.masonry.api", "flit_core.buildapi"
		pdm           = "pdm.backend"
	)
	for _, c := range []struct {
		name, system, config string
		files                string // with spaces between
		want                 []string
	}{
		{"uv", uv, "", "src/demo/__init__.py", []string{"src"}},
		{"uv names", uv, "[tool.uv.build-backend]\nmodule-name = [\"a\", \"b.c\"]\nmodule-root = \"./lib\"", "lib/a/__init__.py lib/b/c/__init__.py", []string{"lib"}},
		{"uv stubs", uv, "[tool.uv.build-backend]\nmodule-name = \"a-stubs\"", "src/a-stubs/__init__.pyi", []string{"src"}},
		{"uv namespace", uv, "[tool.uv.build-backend]\nnamespace = true", "src/demo/part/x.py", []string{"src"}},
		{"uv nothing", uv, "", "demo/__init__.py", []string{"!there is no src/demo/__init__.py"}},
		{"uv no namespace", uv, "[tool.uv.build-backend]\nnamespace = true", "", []string{"!there is no namespace package src/demo"}},
		{"uv data", uv, "[tool.uv.build-backend.data]\nscripts = \"bin\"", "src/demo/__init__.py", []string{"!tool.uv.build-backend.data installs files elsewhere"}},
		{"uv outside", uv, "[tool.uv.build-backend]\nmodule-root = \"../x\"\nnamespace = true\nmodule-name = \"\"", "",
			[]string{"!there is no namespace package ../x", "!its source root \"../x\" is not inside the project"}},

		{"hatch flat before src", hatch, "", "demo/__init__.py src/demo/__init__.py", []string{"."}},
		{"hatch namespace", hatch, "", "ns/demo/__init__.py", []string{"."}},
		{"hatch nothing", hatch, "", "a/demo/__init__.py b/demo/__init__.py", []string{"!there is no package demo where hatchling looks for it"}},
		{"hatch dev", hatch, "[tool.hatch.build]\ndev-mode-dirs = [\".\", \"lib\"]", "", []string{".", "lib"}},
		{"hatch include", hatch, "[tool.hatch.build]\ninclude = [\"/src/**/*.py\", \"top/*\"]\nsources = [\"src\"]", "", []string{"src", "."}},
		{"hatch renames", hatch, "[tool.hatch.build.targets.wheel]\nonly-include = [\"src/a\"]\n[tool.hatch.build.targets.wheel.sources]\n\"src/a\" = \"b\"", "",
			[]string{"!sources of [tool.hatch.build] renames src/a to b"}},
		{"hatch keeps names", hatch, "[tool.hatch.build.targets.wheel]\nonly-include = [\"src/a\"]\n[tool.hatch.build.targets.wheel.sources]\n\"src/a\" = \"a\"", "", []string{"src"}},
		{"hatch adds a namespace", hatch, "[tool.hatch.build.targets.wheel]\nonly-include = [\"a\"]\n[tool.hatch.build.targets.wheel.sources]\n\"\" = \"ns\"", "",
			[]string{"!sources of [tool.hatch.build] renames a to ns/a"}},
		{"hatch elsewhere", hatch, "[tool.hatch.build.hooks.custom]\n[tool.hatch.build.targets.wheel]\npackages = [\"x\"]\n[tool.hatch.build.targets.wheel.force-include]\na = \"b\"\n" +
			"[tool.hatch.build.targets.wheel.shared-data]\na = \"b\"\n[tool.hatch.build.targets.wheel.hooks.mypyc]", "", []string{
			"!its build hooks run code: custom, mypyc", "!force-include of [tool.hatch.build] moves files", "!shared-data and shared-scripts of [tool.hatch.build] install files elsewhere",
		}},
		{"hatch nothing at all", hatch, "[tool.hatch.build.targets.wheel]\nbypass-selection = true", "", nil},

		{"setuptools src", st, "", "src/a.py", []string{"src"}},
		{"setuptools nothing", st, "", "README.md tests/a.py setup.cfg", nil},
		{"setuptools several", st, "", "demo/a.py other/a.py", []string{"!setuptools finds several packages or modules at the top: demo, other"}},
		{"setuptools modules", st, "", "demo.py setup.py conftest.py", []string{"."}},
		{"setuptools empty package-dir", st, "[tool.setuptools]\npackages = []", "demo/a.py", nil},
		{"setuptools find", st, "[tool.setuptools.packages.find]\nwhere = [\"a\", \"b\"]", "", []string{"a", "b"}},
		{"setuptools find here", st, "[tool.setuptools.packages.find]\nexclude = [\"x\"]", "", []string{"."}},
		{"setuptools renames", st, "[tool.setuptools]\npackages = [\"a\"]\npackage-dir = { a = \"lib\" }", "", []string{"!package-dir renames lib to a"}},
		{"setuptools deep", st, "[tool.setuptools]\npackages = [\"a.b\"]\npackage-dir = { \"a.b\" = \"x/a/b\", \"c\" = \"c\" }", "", []string{"x", "."}},
		{"setuptools elsewhere", st, "[tool.setuptools]\npackages = []\next-modules = [{ name = \"x\" }]\nscript-files = [\"a\"]\ndata-files = { a = [\"b\"] }", "", []string{
			"!tool.setuptools.ext-modules are compiled", "!data-files are installed elsewhere", "!script-files are installed elsewhere",
		}},

		{"poetry", poetry, "", "demo.py", []string{"."}},
		{"poetry src", poetry, "", "src/demo/a.py", []string{"src"}},
		{"poetry nothing", poetry, "", "", []string{"!there is no package demo where poetry looks for it"}},
		{"poetry moves", poetry, "[tool.poetry]\npackages = [{ include = \"a\", to = \"b\" }]\n[tool.poetry.build]\nscript = \"b.py\"", "",
			[]string{"!tool.poetry.build runs code", "!packages of [tool.poetry] moves a to b"}},

		{"flit", flit, "", "demo.py", []string{"."}},
		{"flit two", flit, "", "demo.py src/demo.py", []string{"!there is no module demo, or more than one of that name"}},
		{"flit data", flit, "[tool.flit.external-data]\ndirectory = \"d\"", "demo.py", []string{"!tool.flit.external-data installs files elsewhere"}},

		{"pdm", pdm, "", "demo/a.py", []string{"."}},
		{"pdm included", pdm, "[tool.pdm.build]\nincludes = [\"src/demo\"]", "src/demo/a.py", []string{"src"}},
		{"pdm excluded", pdm, "[tool.pdm.build]\nincludes = [\"lib/demo\"]", "src/x.py", []string{"."}},
		{"pdm said", pdm, "[tool.pdm.build]\npackage-dir = \"lib\"", "src/x.py", []string{"lib"}},
		{"pdm code", pdm, "[tool.pdm.build]\nrun-setuptools = true", "pdm_build.py",
			[]string{"!pdm_build.py runs code", "!tool.pdm.build.run-setuptools compiles"}},

		{"maturin", "maturin", "", "", []string{"!its build backend maturin compiles"}},
		{"unknown", "my.backend:api", "", "", []string{"!its build backend my.backend is not known"}},
		{"own", "x", "backend-path = [\".\"]", "", []string{"!its build backend is its own code (backend-path)"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := map[string]string{"pyproject.toml": system(c.system, c.config)}
			for _, name := range strings.Fields(c.files) {
				files[name] = ""
			}
			d, err := read(t, backend.Options{}, files)
			var got []string
			var u *backend.Unsupported
			switch {
			case errors.As(err, &u):
				for _, reason := range u.Layout {
					got = append(got, "!"+reason)
				}
				if len(u.Version) > 0 {
					t.Errorf("version: %q", u.Version)
				}
			case err != nil:
				t.Fatal(err)
			default:
				got = d.Roots
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			// The override is believed, whatever else is there.
			files["own/pkg/__init__.py"], files["mod.py"] = "", ""
			d, err = read(t, backend.Options{Packages: []string{"own/pkg", "./mod.py", "own/pkg/__init__.py"}}, files)
			if err != nil || !slices.Equal(d.Roots, []string{"own", ".", "own/pkg"}) {
				t.Errorf("override: %+v, %v", d, err)
			}
		})
	}
}

// TestVersions reads versions where they are, or says why it can't.
func TestVersions(t *testing.T) {
	head := func(backend, config string) string {
		return "[project]\nname = \"De.mo\"\ndynamic = [\"version\"]\n[build-system]\nrequires = [\"setuptools-scm[toml]>=8\"]\nbuild-backend = \"" + backend + "\"\n" + config
	}
	const set = " (set SETUPTOOLS_SCM_PRETEND_VERSION_FOR_DE_MO)"
	for _, c := range []struct {
		name, toml string
		files      map[string]string
		want       string
	}{
		{"attribute", head("setuptools.build_meta", "[tool.setuptools.dynamic]\nversion = { attr = \"de_mo.VERSION\" }"), map[string]string{"src/de_mo/__init__.py": "VERSION = (1, 2, 'rc3')"}, "1.2rc3"},
		{"attribute is code", head("setuptools.build_meta", "[tool.setuptools.dynamic]\nversion = { attr = \"de_mo.VERSION\" }"), map[string]string{"de_mo.py": "VERSION = f()"},
			"!VERSION of de_mo.py is no literal" + set},
		{"file", head("setuptools.build_meta", "[tool.setuptools.dynamic]\nversion = { file = [\"V\"] }"), map[string]string{"V": " 1.0-post2\n"}, "1.0.post2"},
		{"setup.cfg", strings.Replace(head("setuptools.build_meta:__legacy__", ""), "setuptools-scm[toml]>=8", "setuptools", 1), map[string]string{"setup.cfg": "[metadata]\nversion = attr: m.v\n", "m.py": "v = '3'"}, "3"},
		{"scm", head("setuptools.build_meta", ""), nil, "!its version is that of version control (setuptools-scm)" + set},
		{"hatch", head("hatchling.build", "[tool.hatch.version]\npath = \"v.py\""), map[string]string{"v.py": "x = 1\nversion: str = 'v2'\n"}, "2"},
		{"hatch pattern", head("hatchling.build", "[tool.hatch.version]\npath = \"v\"\npattern = \"ver=(?P<version>[^;]+)\""), map[string]string{"v": "a;ver=2.1;b"}, "2.1"},
		{"hatch odd pattern", head("hatchling.build", "[tool.hatch.version]\npath = \"v\"\npattern = \"(?<=a)b\""), map[string]string{"v": ""},
			"!the pattern for the version in v is one that only Python understands" + set},
		{"hatch no match", head("hatchling.build", "[tool.hatch.version]\npath = \"v\""), map[string]string{"v": ""}, "!v has no version by its pattern" + set},
		{"hatch no file", head("hatchling.build", "[tool.hatch.version]\npath = \"v\""), nil, "!there is no file v to read the version from" + set},
		{"hatch code", head("hatchling.build", "[tool.hatch.version]\nsource = \"code\"\npath = \"v.py\"\nexpression = \"V\""), map[string]string{"v.py": "V = '5'"}, "5"},
		{"hatch vcs", head("hatchling.build", "[tool.hatch.version]\nsource = \"vcs\""), nil, "!its version is that of version control (tool.hatch.version, vcs)" + set},
		{"hatch plugin", head("hatchling.build", "[tool.hatch.version]\nsource = \"nodejs\""), nil, "!its version is of the source nodejs (tool.hatch.version)" + set},
		{"flit", head("flit_core.buildapi", "[tool.flit.module]\nname = \"m\""), map[string]string{"m/__init__.py": "__version__ = '1'", "m/_version.py": "__version__ = '0'"}, "1"},
		{"flit code", head("flit_core.buildapi", "[tool.flit.module]\nname = \"m\""), map[string]string{"m.py": "from x import __version__"}, "!__version__ of m.py is no literal" + set},
		{"pdm", head("pdm.backend", "[tool.pdm.version]\nsource = \"file\"\npath = \"m.py\""), map[string]string{"m.py": "VERSION = '1.5'  # so"}, "1.5"},
		{"pdm scm", head("pdm.backend", "[tool.pdm.version]\nsource = \"scm\""), nil, "!its version is that of version control (tool.pdm.version)" + set},
		{"pdm call", head("pdm.backend", "[tool.pdm.version]\nsource = \"call\""), nil, "!its version is computed by code (tool.pdm.version)" + set},
		{"poetry", head("poetry.core.masonry.api", "[tool.poetry]\nversion = \"4.0\""), nil, "4.0"},
		{"other", head("other", ""), nil, "!its version is dynamic" + set},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := map[string]string{"pyproject.toml": c.toml}
			for name, text := range c.files {
				files[name] = text
			}
			ask := func(o backend.Options) string {
				o.Packages = []string{} // it is not about them
				d, err := read(t, o, files)
				var u *backend.Unsupported
				if errors.As(err, &u) {
					return "!" + u.Error()
				} else if err != nil {
					return err.Error()
				}
				if !strings.Contains(string(d.Metadata), "\nVersion: "+d.Version+"\n") {
					t.Errorf("METADATA says\n%s", d.Metadata)
				}
				return d.Version
			}
			if got := ask(backend.Options{}); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			pretended := map[string]string{"": "8.0", "DE_MO": "9.0"}
			want := c.want
			if strings.HasPrefix(want, "!") {
				want = "9.0"
			}
			if got := ask(backend.Options{Pretended: pretended}); got != want {
				t.Errorf("with a variable: got %s, want %s", got, want)
			}
			if got := ask(backend.Options{Pretended: pretended, Version: "v10-rc1"}); got != "10rc1" {
				t.Errorf("with a version: got %s", got)
			}
			if got := ask(backend.Options{Version: "x"}); !strings.Contains(got, "version of [tool.vpk]") {
				t.Errorf("with no version: got %s", got)
			}
		})
	}
	_, err := read(t, backend.Options{Version: "2"}, map[string]string{"pyproject.toml": system("other", "")})
	if fault.KindOf(err) != fault.Usage || !strings.Contains(err.Error(), "the project has a version, 1") {
		t.Errorf("a version over a version: %v", err)
	}
	for _, path := range []string{"gone", "../demo", "/abs", "."} {
		_, err := read(t, backend.Options{Packages: []string{path}}, map[string]string{"pyproject.toml": system("other", "")})
		if fault.KindOf(err) != fault.Usage {
			t.Errorf("packages %q: %v", path, err)
		}
	}
}

// TestMetadata writes all that the differential tests leave out.
func TestMetadata(t *testing.T) {
	files := map[string]string{"pyproject.toml": `[project]
name = "demo"
version = "1"
description = """Two
lines"""
readme = { text = "Read\n", content-type = "text/plain" }
license = { text = """Some
text""" }
dynamic = ["dependencies", "optional-dependencies"]
[project.scripts]
b = "demo:b"
a = "demo:a"
[project.entry-points.z]
p = "demo"
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
`, "demo.py": "", "NOTICE": "n", "AUTHORS.txt": "a", "sub/LICENSE": "no"}
	d, err := read(t, backend.Options{Requires: []string{"Dep>=1", "opt ; extra == 'more'"}, Extras: []string{"more"}}, files)
	if err != nil {
		t.Fatal(err)
	}
	want := `Metadata-Version: 2.4
Name: demo
Version: 1
Summary: Two
License: Some
        text
License-File: AUTHORS.txt
License-File: NOTICE
Requires-Dist: dep>=1
Requires-Dist: opt ; extra == 'more'
Provides-Extra: more
Description-Content-Type: text/plain

Read
`
	if diff := cmp.Diff(want, string(d.Metadata)); diff != "" {
		t.Errorf("METADATA (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff("[console_scripts]\na = demo:a\nb = demo:b\n\n[z]\np = demo\n", string(d.EntryPoints)); diff != "" {
		t.Errorf("entry_points.txt (-want +got)\n%s", diff)
	}
	if len(d.Licenses) != 2 || string(d.Licenses[1].Data) != "n" {
		t.Errorf("licences: %+v", d.Licenses)
	}
	files["pyproject.toml"] = "[build-system]\nrequires = [\"setuptools\"]\n"
	for name, text := range map[string]string{"": "its metadata is not in [project]", "a = b": "setup.cfg: line 1: there is no section yet"} {
		if files["setup.cfg"] = name; name == "" {
			delete(files, "setup.cfg")
		}
		if _, err := read(t, backend.Options{}, files); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("setup.cfg %q: %v", name, err)
		}
	}
}

// FuzzRead: whatever is in pyproject.toml and setup.cfg, it is read or refused; and what METADATA and entry_points.txt say is what
// was said, without a line that nobody wrote.
func FuzzRead(f *testing.F) {
	archives, err := filepath.Glob("../../internal/pack/testdata/local/*.txtar")
	if err != nil || len(archives) == 0 {
		f.Fatalf("no projects: %v", err)
	}
	for _, name := range archives {
		a, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		texts := map[string]string{}
		for _, file := range a.Files {
			texts[path.Base(file.Name)] = string(file.Data)
		}
		f.Add(texts["pyproject.toml"], texts["setup.cfg"])
	}
	f.Fuzz(func(t *testing.T, manifest, config string) {
		p, err := pyproject.Read([]byte(manifest), "pyproject.toml")
		if err != nil {
			return
		}
		fsys := fstest.MapFS{
			"pyproject.toml": {Data: []byte(manifest)}, "setup.cfg": {Data: []byte(config)}, "src/demo/__init__.py": {Data: []byte("__version__ = '1'\n")},
			"README.md": {Data: []byte("Read: me\n")}, "LICENSE": {},
		}
		for _, o := range []backend.Options{{}, {Packages: []string{"src/demo"}, Pretended: map[string]string{"": "1"}, Requires: []string{"a"}}} {
			d, err := backend.Read(fsys, p, o)
			var u *backend.Unsupported
			if errors.As(err, &u) {
				if len(u.Layout)+len(u.Version) == 0 {
					t.Error("there is no reason")
				}
				continue
			} else if err != nil {
				if fault.KindOf(err) != fault.Usage {
					t.Errorf("kind of %v", err)
				}
				continue
			}
			for _, root := range d.Roots {
				if !fs.ValidPath(root) {
					t.Errorf("source root %q", root)
				}
			}
			m, err := mail.ReadMessage(bytes.NewReader(append(bytes.Clone(d.Metadata), "\n\n"...)))
			if err != nil {
				t.Fatalf("%v in\n%s", err, d.Metadata)
			}
			if got := m.Header["Version"]; len(got) != 1 || got[0] != d.Version {
				t.Errorf("Version %q, want %q", got, d.Version)
			}
			if got := m.Header["Name"]; len(got) != 1 {
				t.Errorf("Name %q", got)
			}
			for line := range strings.Lines(string(d.EntryPoints)) {
				if line != "\n" && line[0] != '[' && !strings.Contains(line, " = ") {
					t.Errorf("entry_points.txt has the line %q", line)
				}
			}
		}
	})
}
