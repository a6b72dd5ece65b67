package pyproject_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vpk/internal/fault"
	"vpk/lockfile/pep440"
	"vpk/lockfile/pep508"
	"vpk/lockfile/pyproject"
)

const uvKeys = `[project]
name = "p"
version = "1"
[tool.poetry]
name = "p"
[tool.uv]
managed = true
environments = "sys_platform == 'linux'"
required-environments = ["sys_platform == 'linux'", "sys_platform == 'darwin'"]
conflicts = [[{ extra = "A" }, { package = "Q", group = "B_c" }, { package = "r" }]]
constraint-dependencies = ["c<2"]
override-dependencies = ["o==1 ; os_name == 'nt'"]
build-constraint-dependencies = ["setuptools<80"]
exclude-dependencies = ["Not_Me"]
resolution = "lowest-direct"
prerelease = "allow"
fork-strategy = "fewest"
exclude-newer = "2025-01-02"
exclude-newer-package = { Torch = "3 days", numpy = false, idna = "2025-01-02T03:04:05Z" }
index-url = "https://index.example/simple"
extra-index-url = ["https://index.example/more"]
find-links = ["../links"]
no-index = true
no-sources = true
[[tool.uv.index]]
name = "first"
url = "https://index.example/first"
default = true
[[tool.uv.dependency-metadata]]
name = "Odd"
version = "1.0"
requires-dist = ["x>=1"]
requires-python = ">=3.9"
provides-extra = ["E"]
[tool.uv.sources]
Git_One = { git = "https://git.example/r", rev = "v1", subdirectory = "s", lfs = true }
many = [
    { index = "first", marker = "os_name == 'posix'" },
    { url = "https://files.example/m.whl", extra = "A" },
    { path = "../m", editable = false, package = false, group = "G" },
]
member = { workspace = true, editable = true }
`

func TestReadUV(t *testing.T) {
	p, err := pyproject.Read([]byte(uvKeys), "pyproject.toml")
	if err != nil {
		t.Fatal(err)
	}
	yes, no := true, false
	marker := func(s string) pep508.Marker {
		m, err := pep508.ParseMarker(s)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	requirements := func(s string) []pep508.Requirement {
		r, err := pep508.ParseRequirement(s)
		if err != nil {
			t.Fatal(err)
		}
		return []pep508.Requirement{r}
	}
	python, _ := pep440.ParseSpecifiers(">=3.9")
	want := pyproject.UV{
		Managed:              &yes,
		Environments:         []pep508.Marker{marker("sys_platform == 'linux'")},
		RequiredEnvironments: []pep508.Marker{marker("sys_platform == 'linux'"), marker("sys_platform == 'darwin'")},
		Conflicts:            [][]pyproject.ConflictItem{{{Extra: "a"}, {Package: "q", Group: "b-c"}, {Package: "r"}}},
		Constraints:          requirements("c<2"),
		Overrides:            requirements("o==1 ; os_name == 'nt'"),
		BuildConstraints:     requirements("setuptools<80"),
		Excludes:             []string{"not-me"},
		Sources: map[string][]pyproject.Source{
			"git-one": {{Git: "https://git.example/r", Rev: "v1", Subdirectory: "s", LFS: true}},
			"many": {
				{Index: "first", Marker: marker("os_name == 'posix'")},
				{URL: "https://files.example/m.whl", Extra: "a"},
				{Path: "../m", Editable: &no, Package: &no, Group: "g"},
			},
			"member": {{Workspace: true, Editable: &yes}},
		},
		Settings: pyproject.Settings{
			Resolution: "lowest-direct", Prerelease: "allow", ForkStrategy: "fewest",
			ExcludeNewer:        "2025-01-02",
			ExcludeNewerPackage: map[string]string{"torch": "3 days", "numpy": "false", "idna": "2025-01-02T03:04:05Z"},
			Index:               []pyproject.Index{{Name: "first", URL: "https://index.example/first", Default: true}},
			ExtraIndexURL:       []string{"https://index.example/more"},
			IndexURL:            "https://index.example/simple",
			FindLinks:           []string{"../links"}, NoIndex: pyproject.Flag{Set: true, On: true}, NoSources: pyproject.Flag{Set: true, On: true},
			DependencyMetadata: []pyproject.DependencyMetadata{{
				Name: "odd", Version: pep440.MustParse("1.0"), RequiresDist: requirements("x>=1"), RequiresPython: python,
				ProvidesExtras: []string{"e"},
			}},
		},
	}
	compare := []cmp.Option{
		cmp.Comparer(func(a, b pep508.Marker) bool { return a.String() == b.String() }),
		cmp.Comparer(func(a, b pep440.Version) bool { return a == b }),
	}
	if diff := cmp.Diff(want, p.UV, compare...); diff != "" {
		t.Error(diff)
	}
	if !p.HasPoetry {
		t.Error("[tool.poetry] is not seen")
	}
	_, table, _ := strings.Cut(uvKeys, "resolution =")
	table, _, _ = strings.Cut("resolution ="+table, "[tool.uv.sources]")
	settings, err := pyproject.ReadSettings([]byte(strings.ReplaceAll(table, "tool.uv.", "")), "uv.toml")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Settings, settings, compare...); diff != "" {
		t.Errorf("uv.toml: %s", diff)
	}
}

func TestReadUVErrors(t *testing.T) {
	for text, want := range map[string]string{
		"sources = { a = 1 }":                                                "p.toml:2: want a source",
		"sources = { a = { rev = \"x\" } }":                                  "p.toml:2: a source has one of git, url, path, index and workspace",
		"sources = { a = { git = \"x\", path = \"y\" } }":                    "a source has one of git",
		"sources = { a = { workspace = false } }":                            "workspace = false",
		"sources = { a = { git = \"x\", rev = \"1\", tag = \"2\" } }":        "one of rev and tag only",
		"sources = { a = { path = \"x\", what = \"1\" } }":                   `unknown key "what" in a source`,
		"sources = { a = { path = \"x\", what = true } }":                    `unknown key "what" in a source`,
		"sources = { a = { path = 1 } }":                                     `key "path" of a source is neither`,
		"sources = { a = { path = \"x\", marker = \"?\" } }":                 "parse marker",
		"sources = { a-b = { path = \"x\" }, a_b = { path = \"x\" } }":       `package "a-b" has its sources twice`,
		"environments = [1]":                                                 "want a marker or a list of them",
		"required-environments = [\"x\"]":                                    "parse marker",
		"conflicts = [[{ extra = \"a\" }]]":                                  "two items or more",
		"conflicts = [[{ extra = \"a\", group = \"b\" }, { }]]":              "a conflict names a package, an extra or a group",
		"conflicts = [[{ extra = \"a\", what = \"b\" }, { extra = \"c\" }]]": `unknown key "what" in a conflict`,
		"constraint-dependencies = [\"a b\"]":                                "parse requirement",
		"exclude-dependencies = [\"a b\"]":                                   "p.toml:2: ",
		"exclude-newer = 2025-01-02":                                         "p.toml:2: want a date, a time or a span, in quotes",
		"exclude-newer = 1":                                                  "want a date, a time or a span, in quotes",
		"index = [{ name = \"x\" }]":                                         `key "url" of an index is missing`,
		"dependency-metadata = [{ name = \"a\", version = \"x\" }]":          "parse version",
	} {
		_, err := pyproject.Read([]byte("[tool.uv]\n"+text+"\n"), "p.toml")
		if fault.KindOf(err) != fault.Usage || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
	if _, err := pyproject.ReadSettings([]byte("x = ["), "uv.toml"); fault.KindOf(err) != fault.Usage {
		t.Errorf("got %v", err)
	}
	if _, err := pyproject.ReadSettings([]byte("exclude-newer = 1"), "uv.toml"); fault.KindOf(err) != fault.Usage || !strings.HasPrefix(err.Error(), "uv.toml:1: ") {
		t.Errorf("got %v", err)
	}
}
