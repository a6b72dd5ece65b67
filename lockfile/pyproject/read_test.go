package pyproject_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vpk/internal/fault"
	"vpk/lockfile/pep508"
	"vpk/lockfile/pyproject"
)

const full = `[project]
name = "My.Project"
version = "1.0.0-rc1"
dynamic = ["readme"]
requires-python = ">=3.10"
dependencies = [
    "Base [B,a] >= 1",
    "tool @ https://files.example/tool.whl",
]
license = { file = "LICENSE" }
[project.optional-dependencies]
Extra_1 = ["x; python_version < '3.12'"]
[project.scripts]
serve = "pkg.main:run"
[build-system]
requires = []
[dependency-groups]
test = [{ include-group = "Lint" }, "pytest"]
lint = ["ruff"]
dev = [{ include-group = "test" }, { include-group = "lint" }, "debug"]
[tool.uv]
package = false
default-groups = ["dev", "Test"]
dev-dependencies = ["legacy"]
[tool.uv.workspace]
members = ["packages/*"]
exclude = ["packages/old"]
[tool.uv.dependency-groups]
test = { requires-python = ">=3.12" }
[tool.other]
anything = 1
`

func texts(list []pep508.Requirement) []string {
	texts := []string{}
	for _, r := range list {
		texts = append(texts, r.String())
	}
	return texts
}

func TestRead(t *testing.T) {
	p, err := pyproject.Read([]byte(full), "pyproject.toml")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]any{
		"name":      p.Name,
		"version":   p.Version.String(),
		"dynamic":   p.Dynamic,
		"python":    p.RequiresPython.String(),
		"deps":      texts(p.Dependencies),
		"extra":     texts(p.OptionalDependencies["extra-1"]),
		"scripts":   p.Scripts,
		"build":     p.HasBuildSystem,
		"dev":       texts(p.DependencyGroups["dev"]),
		"test":      texts(p.DependencyGroups["test"]),
		"groups":    len(p.DependencyGroups),
		"includes":  p.GroupIncludes,
		"package":   *p.UV.Package,
		"defaults":  p.UV.DefaultGroups,
		"workspace": *p.UV.Workspace,
		"group":     p.UV.GroupPython["test"].String(),
		"data":      string(p.Data) == full,
		"filename":  p.Filename,
	}
	want := map[string]any{
		"name":    "my-project",
		"version": "1.0.0rc1",
		"dynamic": []string{"readme"},
		"python":  ">=3.10",
		"deps":    []string{"base[a,b]>=1", "tool @ https://files.example/tool.whl"},
		"extra":   []string{"x ; python_version < '3.12'"},
		"scripts": map[string]string{"serve": "pkg.main:run"},
		"build":   true,
		"dev": []string{
			"ruff ; python_full_version >= '3.12'", "pytest ; python_full_version >= '3.12'", "ruff", "debug", "legacy",
		},
		"test":      []string{"ruff ; python_full_version >= '3.12'", "pytest ; python_full_version >= '3.12'"},
		"includes":  map[string][]string{"test": {"lint"}, "dev": {"test", "lint"}},
		"groups":    3,
		"package":   false,
		"defaults":  pyproject.DefaultGroups{Set: true, Names: []string{"dev", "test"}},
		"workspace": pyproject.Workspace{Members: []string{"packages/*"}, Exclude: []string{"packages/old"}},
		"group":     ">=3.12",
		"data":      true,
		"filename":  "pyproject.toml",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestReadLittle(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    " false <nil> <nil> {false false []}",
		"[tool.uv.workspace]\nmembers = []":   " false <nil> &{[] []} {false false []}",
		"[tool.uv]\ndefault-groups = \"all\"": " false <nil> <nil> {true true []}",
		"[tool.uv]\ndefault-groups = []":      " false <nil> <nil> {true false []}",
		"[project]\nname = \"a\"\ndynamic = [\"version\"]\n[build-system]": "a true <nil> <nil> {false false []}",
		"[tool.uv]\ndefault-groups = [\"dev\"]":                            " false <nil> <nil> {true false [dev]}",
	} {
		p, err := pyproject.Read([]byte(text), "pyproject.toml")
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		got := fmt.Sprintf("%s %v %v %v %v", p.Name, p.HasBuildSystem, p.UV.Package, p.UV.Workspace, p.UV.DefaultGroups)
		if got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestReadErrors(t *testing.T) {
	const project = "[project]\nname = \"a\"\nversion = \"1\"\n"
	cases := map[string]struct{ text, want string }{
		"syntax":       {"[project\n", "p.toml:1:9: toml: "},
		"type":         {"[project]\nname = 1\n", "p.toml:2:8: in \"project.name\": want a string, got an integer"},
		"name":         {"[project]\nversion = \"1\"\n", `p.toml:1: key "name" is missing in [project]`},
		"bad name":     {"[project]\nname = \"-\"\nversion = \"1\"\n", "p.toml:2: "},
		"version":      {"[project]\nname = \"a\"\n", `p.toml:1: key "version" is missing in [project] and not in dynamic`},
		"bad version":  {"[project]\nname = \"a\"\nversion = \"x\"\n", `p.toml:3: parse version "x"`},
		"bad python":   {project + "requires-python = \"3\"\n", "p.toml:4: parse specifier"},
		"requirement":  {project + "dependencies = [\n  \"fine\",\n  \"not fine\",\n]\n", "p.toml:6: "},
		"extra":        {project + "[project.optional-dependencies]\na = [\"x y\"]\n", "p.toml:5: "},
		"extra name":   {project + "[project.optional-dependencies]\n\"-\" = []\n", "p.toml:5: "},
		"extra twice":  {project + "[project.optional-dependencies]\na_b = []\na-b = []\n", `"a-b" is there twice`},
		"group twice":  {"[dependency-groups]\nDev = []\ndev = []\n", `p.toml:3: group "dev" is there twice`},
		"group name":   {"[dependency-groups]\n\"-\" = []\n", "p.toml:2: "},
		"group item":   {"[dependency-groups]\na = [\n1]\n", `p.toml:3: want a requirement or {include-group = "NAME"}`},
		"group table":  {"[dependency-groups]\na = [{ include-group = \"a\", other = 1 }]\n", `p.toml:2: want a requirement or`},
		"group req":    {"[dependency-groups]\na = [\n\"x y\"]\n", `p.toml:3: `},
		"not included": {"[dependency-groups]\na = [\n{ include-group = \"b\" }]\n", `p.toml:3: group "a" includes "b", which is not defined`},
		"cycle":        {"[dependency-groups]\na = [{ include-group = \"b\" }]\nb = [{ include-group = \"c\" }]\nc = [{ include-group = \"B\" }]\n", "p.toml:4: [dependency-groups]: groups include one another: b -> c -> b"},
		"default":      {"[tool.uv]\ndefault-groups = [\"dev\",\n\"x\"]\n", `p.toml:3: default group "x" (tool.uv.default-groups) is not defined in [dependency-groups]`},
		"defaults":     {"[tool.uv]\ndefault-groups = \"none\"\n", `p.toml:2: default-groups: want a list of groups or "all"`},
		"default type": {"[tool.uv]\ndefault-groups = [1]\n", `p.toml:2: a default group is no string`},
		"group python": {"[dependency-groups]\na = []\n[tool.uv.dependency-groups]\na = { requires-python = \"3\" }\n", "p.toml:4: parse specifier"},
		"no group":     {"[tool.uv.dependency-groups]\na = { requires-python = \">=3\" }\n", `p.toml:2: group "a" is not defined in [dependency-groups]`},
		"all at once":  {"[project]\nname = \"-\"\nversion = \"x\"\nrequires-python = \"3\"\n", "p.toml:2: |p.toml:3: |p.toml:4: "},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := pyproject.Read([]byte(c.text), "p.toml")
			if fault.KindOf(err) != fault.Usage {
				t.Fatalf("got %v (kind %d)", err, fault.KindOf(err))
			}
			for want := range strings.SplitSeq(c.want, "|") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %v\nwant %s", err, want)
				}
			}
		})
	}
}

// TestReadManyIncludes refuses groups that double with each include.
func TestReadManyIncludes(t *testing.T) {
	var text strings.Builder
	text.WriteString("[dependency-groups]\ng0 = [\"a\", \"b\"]\n")
	for i := 1; i < 64; i++ {
		fmt.Fprintf(&text, "g%d = [{ include-group = \"g%d\" }, { include-group = \"g%d\" }]\n", i, i-1, i-1)
	}
	_, err := pyproject.Read([]byte(text.String()), "p.toml")
	if err == nil || !strings.Contains(err.Error(), "more than 100000 requirements") {
		t.Errorf("got %v", err)
	}
}

// FuzzRead wants every input to be read or refused as a usage error, and names to be normalised in what is read.
func FuzzRead(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte(uvKeys))
	f.Add([]byte("[dependency-groups]\na = [{ include-group = \"b\" }]\nb = [{ include-group = \"a\" }]\n"))
	f.Add([]byte("project.name = \"a\"\nproject.dynamic = [\"version\"]\n[tool]\nuv = { default-groups = \"all\" }"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := pyproject.Read(data, "p.toml")
		if err != nil {
			if fault.KindOf(err) != fault.Usage {
				t.Fatalf("kind %d of %v", fault.KindOf(err), err)
			}
			return
		}
		names := []string{p.Name}
		for group := range p.DependencyGroups {
			names = append(names, group)
		}
		for extra := range p.OptionalDependencies {
			names = append(names, extra)
		}
		for _, name := range names {
			if name != pep508.NormalizeName(name) {
				t.Errorf("name %q is not normalised", name)
			}
		}
	})
}
