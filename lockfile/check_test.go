package lockfile_test

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"vpk/internal/fault"
	"vpk/lockfile"
	"vpk/lockfile/pyproject"
)

// checkedLock is the lock of checkedProject.
const checkedLock = head + `@demo virtual
dependencies = [
    { name = "base" },
    { name = "old", version = "1.0", source = { registry = "https://index.example/simple" }, marker = "python_full_version < '3.12'" },
    { name = "old", version = "2.0", source = { registry = "https://index.example/simple" }, marker = "python_full_version >= '3.12'" },
    { name = "repo" },
    { name = "win", marker = "sys_platform == 'win32'" },
    { name = "fast", extra = ["c"] },
]
[package.optional-dependencies]
x = [{ name = "base" }]
[package.dev-dependencies]
dev = [{ name = "base" }, { name = "tester", marker = "python_full_version >= '3.13'" }]
new = [{ name = "tester", marker = "python_full_version >= '3.13'" }]
[package.metadata]
requires-dist = [
    { name = "base", specifier = ">=1" },
    { name = "base", marker = "extra == 'x'" },
    { name = "demo", extras = ["x"], marker = "extra == 'x'" },
    { name = "fast", extras = ["c", "nothing"] },
    { name = "never", marker = "python_full_version < '3.8'" },
    { name = "old", marker = "python_full_version < '3.12'", specifier = "<2" },
    { name = "old", marker = "python_full_version >= '3.12'", specifier = ">=2" },
    { name = "repo", git = "https://git.example/repo?tag=v7" },
    { name = "win", marker = "sys_platform == 'win32'" },
]
provides-extras = ["x"]
[package.metadata.requires-dev]
dev = [{ name = "base", specifier = "==1.*" }, { name = "tester", marker = "python_full_version >= '3.13'" }]
new = [{ name = "tester", marker = "python_full_version >= '3.13'" }]
test = []

@base 1.5
@fast 1.0
[package.optional-dependencies]
c = [{ name = "base" }]

@old 1.0
@old 2.0
@tester 1.0
@win 1.0

[[package]]
name = "repo"
version = "0.1"
source = { git = "https://git.example/repo?tag=v7#0123456789012345678901234567890123456789" }
`

const checkedProject = `[project]
name = "Demo"
version = "1.0"
requires-python = ">=3.10.0"
dependencies = [
    "base>=1",
    "old<2; python_version < '3.12'",
    "old>=2; python_version >= '3.12'",
    "repo>=7",
    "win; sys_platform == 'win32'",
    "fast[c,nothing]",
    "never; python_version < '3.8'",
]
[project.optional-dependencies]
x = ["base", "demo[x]"]
[dependency-groups]
test = []
dev = [{ include-group = "new" }, "base==1.*"]
new = ["tester"]
[tool.uv.dependency-groups]
new = { requires-python = ">=3.13" }
[tool.uv.sources]
repo = { git = "https://user:secret@git.example/repo", tag = "v7" }
`

// files is a disk with the given files, below /src.
func files(files map[string]string) lockfile.Disk {
	disk := fstest.MapFS{}
	for name, text := range files {
		disk["src/"+name] = &fstest.MapFile{Data: []byte(text)}
	}
	return lockfile.Disk{
		Dir:      "/src",
		ReadFile: func(name string) ([]byte, error) { return disk.ReadFile(strings.TrimPrefix(name, "/")) },
		ReadDir:  func(name string) ([]fs.DirEntry, error) { return disk.ReadDir(strings.TrimPrefix(name, "/")) },
	}
}

// check is Check of a lock and what is beside it.
func check(t *testing.T, lock string, beside map[string]string) ([]string, error) {
	t.Helper()
	project, err := pyproject.Read([]byte(beside["pyproject.toml"]), "pyproject.toml")
	if err != nil {
		t.Fatal(err)
	}
	return lockfile.Check(mustParse(t, expandLock(lock)), lockfile.Freshness{Project: project, Disk: files(beside)})
}

func TestCheck(t *testing.T) {
	replaced := func(was, is string) func(string) string {
		return func(text string) string {
			if !strings.Contains(text, was) {
				t.Fatalf("there is no %q to replace", was)
			}
			return strings.Replace(text, was, is, 1)
		}
	}
	same := func(text string) string { return text }
	const wants = `pyproject.toml wants `
	cases := map[string]struct {
		project, lock func(string) string
		want          []string // nothing for a fresh lock
	}{
		"fresh":         {same, same, nil},
		"name":          {replaced("Demo", "other"), same, []string{`project "other" is not in it`}},
		"python":        {replaced(">=3.10.0", ">=3.11"), same, []string{wants + `requires-python = ">=3.11", uv.lock was made for ">=3.10"`}},
		"python hole":   {replaced(">=3.10.0", ">=3.10,!=3.12.*"), same, nil},
		"no python":     {replaced("requires-python = \">=3.10.0\"\n", ""), same, nil},
		"no python now": {replaced("requires-python = \">=3.10.0\"\n", ""), replaced("requires-python = \">=3.10\"", "requires-python = \">=3.10, <4\""), []string{`no project has requires-python, uv.lock was made for ">=3.10,<4"`}},
		"version":       {replaced(`"1.0"`, `"1.1"`), same, []string{`pyproject.toml has version 1.1, uv.lock was made for 1.0`}},
		"dynamic now":   {replaced(`version = "1.0"`, `dynamic = ["version"]`), same, []string{`pyproject.toml has a dynamic version, uv.lock was made for 1.0`}},
		"new":           {replaced(`"base>=1",`, `"base>=1", "more>1",`), same, []string{wants + `"more>1", which uv.lock was made without`}},
		"gone":          {replaced("    \"win; sys_platform == 'win32'\",\n", ""), same, []string{`uv.lock was made for "win ; sys_platform == 'win32'", which pyproject.toml does not want`}},
		"bound":         {replaced("base>=1", "base>=2"), same, []string{wants + `"base>=2", uv.lock was made for "base>=1"`}},
		"extra":         {replaced("fast[c,", "fast[d,c,"), same, []string{wants + `"fast[c,d,nothing]", uv.lock was made for "fast[c,nothing]"`}},
		"new extra":     {replaced(`x = ["base"`, "y = []\nx = [\"base\""), same, []string{wants + `the extras of demo ["x", "y"], uv.lock was made for ["x"]`}},
		"group's":       {replaced(`test = []`, `test = ["tester"]`), same, []string{wants + `"tester" in group "test", which uv.lock was made without`}},
		"group gone":    {replaced("test = []\n", ""), same, []string{`pyproject.toml lacks the empty group "test", which uv.lock was made for`}},
		"group new":     {same, replaced("test = []\n", ""), []string{`pyproject.toml has the empty group "test", which uv.lock was made without`}},
		"source":        {replaced(`tag = "v7"`, `branch = "v7"`), same, []string{wants + `"repo @ git https://git.example/repo?branch=v7", uv.lock was made for "repo @ git https://git.example/repo?tag=v7"`}},
		"resolution":    {replaced("[tool.uv.sources]", "[tool.uv]\nresolution = \"lowest\"\n[tool.uv.sources]"), same, []string{wants + `resolution = "lowest", uv.lock was made for "highest"`}},
		"environments": {
			replaced("[tool.uv.sources]", "[tool.uv]\nenvironments = [\"sys_platform == 'linux'\"]\n[tool.uv.sources]"), same,
			[]string{wants + `environments ["sys_platform == 'linux'"], uv.lock was made for []`},
		},
		"conflicts": {
			same, replaced("\n@demo", "conflicts = [[{ package = \"demo\", extra = \"x\" }, { package = \"demo\", group = \"dev\" }]]\n\n@demo"),
			[]string{`pyproject.toml declares the conflicts [], uv.lock was made for [{demo:dev, demo[x]}]`},
		},
		"coverage": {
			same, replaced("\n@demo", "resolution-markers = [\"python_full_version >= '3.12'\"]\n\n@demo"),
			[]string{`the resolution-markers of uv.lock do not cover all environments that it is for`},
		},
		"excludes":    {same, replaced("\n@demo", "[manifest]\nexcludes = [\"more\"]\n\n@demo"), []string{wants + `exclude-dependencies [], uv.lock was made for ["more"]`}},
		"overrides":   {same, replaced("\n@demo", "[manifest]\noverrides = [{ name = \"base\", specifier = \"==1.5\" }]\n\n@demo"), []string{`uv.lock was made for "base==1.5" in override-dependencies, which pyproject.toml does not want`}},
		"members":     {same, replaced("\n@demo", "[manifest]\nmembers = [\"demo\", \"other\"]\n\n@demo"), []string{`uv.lock has "other", which is not in the workspace`, `"demo" is alone now`}},
		"kind":        {replaced("[tool.uv.sources]", "[build-system]\nrequires = []\n[tool.uv.sources]"), same, []string{`pyproject.toml makes "demo" editable, uv.lock was made for virtual`}},
		"edited lock": {same, replaced(`    { name = "base" },`, ""), []string{`requirement "base>=1" of "demo" is not locked`}},
		"edited version": {same, replaced("@base 1.5", "@base 0.5"), []string{
			`requirement "base>=1" of "demo" is locked to 0.5`, `requirement "base==1.*" of group "dev" of "demo" is locked to 0.5`,
		}},
		"edited marker": {same, replaced(`, marker = "python_full_version >= '3.12'" },
    { name = "repo" }`, `, marker = "python_full_version >= '3.13'" },
    { name = "repo" }`), []string{`requirement "old>=2 ; python_version >= '3.12'" of "demo" is not locked`}},
		"unknown index": {replaced("[tool.uv.sources]", "[[tool.uv.index]]\nurl = \"https://index.example/other\"\ndefault = true\n[tool.uv.sources]"), same, []string{
			`uv.lock has base 1.5 from index https://index.example/simple, which neither pyproject.toml nor the user's configuration names`,
		}},
		"several": {
			replaced(`"base>=1"`, `"base>=3", "more"`), replaced(`requires-python = ">=3.10"`, `requires-python = ">=3.9"`),
			[]string{"uv.lock is out of date:\n  pyproject.toml wants requires-python", `wants "base>=3"`, `wants "more"`},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			lock := c.lock(strings.Replace(checkedLock, head, head+"revision = 3\n\n", 1))
			notes, err := check(t, lock, map[string]string{"pyproject.toml": c.project(checkedProject)})
			if c.want == nil {
				if err != nil || len(notes) > 0 {
					t.Error(err, notes)
				}
				return
			}
			if fault.KindOf(err) != fault.Lock || len(fault.Hints(err)) != 1 {
				t.Fatalf("kind %d, hints %q of %v", fault.KindOf(err), fault.Hints(err), err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %v\nwant %s", err, want)
				}
			}
			if got := strings.Count(err.Error(), "\n"); name != "several" && got != len(c.want) {
				t.Errorf("got %d problems: %v", got, err)
			}
		})
	}
}

// TestCheckNotes: what cannot be decided is said, and the lock is trusted.
func TestCheckNotes(t *testing.T) {
	dynamic := strings.Replace(checkedProject, "requires-python", "dynamic = [\"dependencies\"]\nrequires-python", 1)
	notes, err := check(t, checkedLock, map[string]string{"pyproject.toml": dynamic})
	if err != nil || len(notes) != 1 || !strings.Contains(notes[0], `the requirements of "demo" are dynamic`) {
		t.Errorf("dynamic: %q, %v", notes, err)
	}
	const project = "[project]\nname = \"p\"\nversion = \"1\"\nrequires-python = \">=3.10\"\ndependencies = [\"a\", \"t\"]\n" +
		"[tool.uv.sources]\na = { path = \"a.whl\" }\nt = { path = \"tree\" }\n"
	const lock = head + `@p virtual
dependencies = [{ name = "a" }, { name = "t" }]
[package.metadata]
requires-dist = [{ name = "a", path = "a.whl" }, { name = "t", directory = "tree" }]

[[package]]
name = "a"
version = "1"
source = { path = "a.whl" }
wheels = [{ filename = "a-1-py3-none-any.whl", hash = "sha256:` + "0123456789012345678901234567890123456789012345678901234567890123" + `" }]

[[package]]
name = "t"
version = "1"
source = { directory = "tree" }
`
	notes, err = check(t, strings.Replace(lock, "@p virtual", "[[package]]\nname = \"p\"\nversion = \"1\"\nsource = { virtual = \".\" }", 1),
		map[string]string{"pyproject.toml": project, "a.whl": "", "tree/setup.py": ""})
	if err != nil || len(notes) != 2 || !strings.Contains(notes[0], "of a 1, an archive,") || !strings.Contains(notes[1], `of "t" are not in a pyproject.toml`) {
		t.Errorf("archive and tree: %q, %v", notes, err)
	}
}

// TestCheckWorkspaceErrors: a workspace that cannot be read is no matter of the lock.
func TestCheckWorkspaceErrors(t *testing.T) {
	const member = "[project]\nname = \"m\"\nversion = \"1\"\n"
	for name, c := range map[string]struct {
		definition string
		files      map[string]string
		want       string
	}{
		"no pyproject": {`members = ["p/*"]`, map[string]string{"p/a/x.py": ""}, `workspace member "/src/p/a", of pattern "p/*", has no pyproject.toml`},
		"no project":   {`members = ["p"]`, map[string]string{"p/pyproject.toml": ""}, "pyproject.toml has no [project]"},
		"bad project":  {`members = ["p"]`, map[string]string{"p/pyproject.toml": "["}, "/src/p/pyproject.toml:1:"},
		"twice":        {`members = ["p", "q"]`, map[string]string{"p/pyproject.toml": member, "q/pyproject.toml": member}, `"/src/p" and "/src/q" are both project "m"`},
		"pattern":      {`members = ["p/[a*"]`, nil, `the "]" is missing`},
		"exclude":      {`exclude = ["[a"]`, nil, `the "]" is missing`},
		"settings":     {``, map[string]string{"uv.toml": "["}, "/src/uv.toml:1:"},
	} {
		t.Run(name, func(t *testing.T) {
			beside := map[string]string{"pyproject.toml": "[tool.uv.workspace]\n" + c.definition + "\n"}
			for name, text := range c.files {
				beside[name] = text
			}
			if _, err := check(t, head, beside); fault.KindOf(err) != fault.Usage || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

// TestCheckDynamicVersion: requirements are compared nevertheless, and extras of extras may be flattened, as a build
// backend may have done.
func TestCheckDynamicVersion(t *testing.T) {
	const project = `[project]
name = "p"
dynamic = ["version"]
requires-python = ">=3.10"
dependencies = ["a"]
[project.optional-dependencies]
x = ["b ; os_name == 'posix'", "p[y]>1"]
y = ["c"]
`
	lock := func(requires string) string {
		return head + `revision = 3

[[package]]
name = "p"
source = { virtual = "." }
dependencies = [{ name = "a" }]
[package.optional-dependencies]
x = [{ name = "b" }, { name = "c" }]
y = [{ name = "c" }]
[package.metadata]
requires-dist = [{ name = "a" }, ` + requires + `]
provides-extras = ["x", "y"]

@a 1
@b 1
@c 1
`
	}
	for name, c := range map[string]struct {
		requires string
		fresh    bool
	}{
		"as written": {`{ name = "b", marker = "os_name == 'posix' and extra == 'x'" }, { name = "p", extras = ["y"], marker = "extra == 'x'", specifier = ">1" },
			{ name = "c", marker = "extra == 'y'" }`, true},
		"flat": {`{ name = "b", marker = "os_name == 'posix' and extra == 'x'" }, { name = "c", marker = "extra == 'y'" },
			{ name = "c", marker = "extra == 'x'" }, { name = "p", marker = "extra == 'x'", specifier = ">1" }`, true},
		"neither": {`{ name = "b", marker = "os_name == 'posix' and extra == 'x'" }, { name = "c", marker = "extra == 'x'" }`, false},
	} {
		if _, err := check(t, lock(c.requires), map[string]string{"pyproject.toml": project}); (err == nil) != c.fresh {
			t.Errorf("%s: %v", name, err)
		}
	}
	static := strings.Replace(project, "dynamic = [\"version\"]", "version = \"1\"", 1)
	_, err := check(t, lock(`{ name = "c" }`), map[string]string{"pyproject.toml": static})
	if err == nil || !strings.Contains(err.Error(), "pyproject.toml has version 1, uv.lock was made for a dynamic one") {
		t.Errorf("static: %v", err)
	}
}

// TestCheckDefaultIndex: a package of the default index is told once that is known and others are configured.
func TestCheckDefaultIndex(t *testing.T) {
	text := checkedProject + "[[tool.uv.index]]\nurl = \"https://index.example/other\"\n"
	project, err := pyproject.Read([]byte(text), "pyproject.toml")
	if err != nil {
		t.Fatal(err)
	}
	lock := mustParse(t, expandLock(strings.Replace(checkedLock, head, head+"revision = 3\n", 1)))
	for index, fresh := range map[string]bool{"": true, "https://index.example/simple": true, "https://index.example/third": false} {
		_, err := lockfile.Check(lock, lockfile.Freshness{Project: project, Disk: files(nil), DefaultIndex: index})
		if (err == nil) != fresh {
			t.Errorf("default %q: %v", index, err)
		}
	}
}

// FuzzCheck wants every pyproject.toml to be fresh, stale or refused, and stale again when it is asked again.
func FuzzCheck(f *testing.F) {
	f.Add([]byte(checkedProject))
	f.Add([]byte("[tool.uv.workspace]\nmembers = [\"**/[!a]?*\"]\nexclude = [\"m*\"]\n"))
	f.Add([]byte("[project]\nname = \"demo\"\nversion = \"1.0\"\n[tool.uv]\nconflicts = [[{ group = \"a\" }, { group = \"b\" }]]\n" +
		"[dependency-groups]\na = [{ include-group = \"b\" }]\nb = [\"repo @ git+ssh://git@git.example/x@v1#subdirectory=y\"]\n"))
	lock, err := lockfile.Parse([]byte(expandLock(strings.Replace(checkedLock, head, head+"revision = 3\n", 1))), "uv.lock")
	if err != nil {
		f.Fatal(err)
	}
	disk := files(map[string]string{"mem/pyproject.toml": "[project]\nname = \"mem\"\nversion = \"1\"\n", "mem/x/y": ""})
	f.Fuzz(func(t *testing.T, data []byte) {
		project, err := pyproject.Read(data, "pyproject.toml")
		if err != nil {
			return
		}
		check := func() string {
			notes, err := lockfile.Check(lock, lockfile.Freshness{Project: project, Disk: disk})
			if kind := fault.KindOf(err); err != nil && kind != fault.Lock && kind != fault.Usage {
				t.Fatalf("kind %d of %v", kind, err)
			}
			return fmt.Sprint(notes, err)
		}
		if a, b := check(), check(); a != b {
			t.Fatalf("%s\nand\n%s", a, b)
		}
	})
}
