package lockfile_test

import (
	"strings"
	"testing"

	"vpk/internal/fault"
	"vpk/lockfile"
	"vpk/lockfile/pyproject"
)

// checkedLock is the lock of the project in TestCheck before it changes.
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
dev = [{ name = "base" }, { name = "tester" }]
new = [{ name = "tester", marker = "python_full_version >= '3.13'" }]
[package.metadata]
requires-dist = [
    { name = "base", specifier = ">=1" },
    { name = "base", marker = "extra == 'x'" },
    { name = "fast", extras = ["c", "nothing"] },
    { name = "old" },
    { name = "repo", git = "https://git.example/repo" },
    { name = "win", marker = "sys_platform == 'win32'" },
]
provides-extras = ["x"]
[package.metadata.requires-dev]
dev = [{ name = "base" }, { name = "tester" }]
new = [{ name = "tester" }]

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
source = { git = "https://git.example/repo#0123456789012345678901234567890123456789" }
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
`

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
	cases := map[string]struct {
		project, lock func(string) string
		want          []string // "" for a fresh lock
	}{
		"fresh":           {same, same, nil},
		"name":            {replaced("Demo", "other"), same, []string{`project "other" is not in it`}},
		"python":          {replaced(">=3.10.0", ">=3.11"), same, []string{`requires-python is ">=3.10", not ">=3.11" as in pyproject.toml`}},
		"python above":    {replaced(">=3.10.0", ">=3.10,<4"), same, []string{`requires-python is ">=3.10", not ">=3.10,<4"`}},
		"python hole":     {replaced(">=3.10.0", ">=3.10,!=3.12.*"), same, nil},
		"no python":       {replaced("requires-python = \">=3.10.0\"\n", ""), same, nil},
		"new":             {replaced(`"base>=1",`, `"base>=1", "more>1",`), same, []string{`requirement "more>1" is not locked`}},
		"new elsewhere":   {replaced(`"base>=1",`, `"base>=1", "more; sys_platform == 'win32'",`), same, nil},
		"new on arm":      {replaced(`"base>=1",`, `"base>=1", "more; platform_machine == 'aarch64'",`), same, []string{`is not locked`}},
		"now everywhere":  {replaced(`"win; sys_platform == 'win32'"`, `"win"`), same, []string{`requirement "win" is not locked`}},
		"version":         {replaced("base>=1", "base>=2"), same, []string{`requirement "base>=2" is locked to 1.5`}},
		"version by fork": {replaced("old<2;", "old<1;"), same, []string{`is locked to 1.0`}},
		"extra":           {replaced("fast[c,", "fast[d,c,"), same, []string{`is locked without extra "d"`}},
		"extra's":         {replaced(`x = ["base"`, `x = ["base", "tester"`), same, []string{`requirement "tester" of extra "x" is not locked`}},
		"new extra":       {replaced(`x = ["base"`, `y = ["base"]`+"\n"+`x = ["base"`), same, []string{`requirement "base" of extra "y" is not locked`}},
		"group's":         {replaced(`test = []`, `test = ["tester"]`), same, []string{`requirement "tester" of group "test" is not locked`}},
		"group's version": {replaced(`base==1.*`, `base==2.*`), same, []string{`requirement "base==2.*" of group "dev" is locked to 1.5`}},
		"group's python":  {replaced(`>=3.13`, `>=3.11`), same, []string{`requirement "tester" of group "new" is not locked`}},
		"dynamic":         {replaced("requires-python", "dynamic = [\"dependencies\"]\nrequires-python"), replaced(`{ name = "base" },`, ""), nil},
		"edited lock":     {same, replaced(`    { name = "base" },`, ""), []string{`requirement "base>=1" is not locked`}},
		"several": {
			replaced(`"base>=1"`, `"base>=3", "more"`), replaced(`requires-python = ">=3.10"`, `requires-python = ">=3.9"`),
			[]string{"uv.lock is out of date:\n  requires-python is", `requirement "base>=3" is locked to 1.5`, `requirement "more" is not locked`},
		},
		"excluded": {
			replaced(`"base>=1",`, `"base>=1", "more",`), replaced("\n@demo", "[manifest]\nexcludes = [\"more\"]\n\n@demo"), nil,
		},
		"overridden": {
			replaced("base>=1", "base>=2"), replaced("\n@demo", "[manifest]\noverrides = [{ name = \"base\", specifier = \"==1.5\" }]\n\n@demo"), nil,
		},
		"unsupported": {
			replaced(`"base>=1",`, `"base>=1", "more; platform_machine == 'aarch64'",`),
			replaced("\n@demo", "supported-markers = [\"platform_machine == 'x86_64'\"]\n\n@demo"), nil,
		},
		"workspace": {
			same, replaced("\n@demo", "[manifest]\nmembers = [\"demo\", \"other\"]\n\n@demo"), nil,
		},
		"narrower workspace": {
			replaced(">=3.10.0", ">=3.9"), replaced("\n@demo", "[manifest]\nmembers = [\"demo\", \"other\"]\n\n@demo"), nil,
		},
		"wider workspace": {
			replaced(">=3.10.0", ">=3.11"), replaced("\n@demo", "[manifest]\nmembers = [\"demo\", \"other\"]\n\n@demo"),
			[]string{`requires-python is ">=3.10", not ">=3.11"`},
		},
		"conflicts": {
			same, replaced("\n@demo", "conflicts = [[{ package = \"demo\", extra = \"x\" }, { package = \"demo\", group = \"dev\" }]]\n\n@demo"), nil,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			lock := mustParse(t, expandLock(c.lock(strings.Replace(checkedLock, head, head+"\n", 1))))
			project, err := pyproject.Read([]byte(c.project(checkedProject)), "pyproject.toml")
			if err != nil {
				t.Fatal(err)
			}
			err = lockfile.Check(lock, project)
			if c.want == nil {
				if err != nil {
					t.Error(err)
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
			if got := strings.Count(err.Error(), "\n"); len(c.want) == 1 && got != 1 {
				t.Errorf("got %d problems: %v", got, err)
			}
		})
	}
}

// TestCheckNoProject has nothing to say about a workspace root that is no project.
func TestCheckNoProject(t *testing.T) {
	project, err := pyproject.Read([]byte("[tool.uv.workspace]\nmembers = [\"a\"]\n"), "pyproject.toml")
	if err != nil {
		t.Fatal(err)
	}
	if err := lockfile.Check(mustParse(t, head), project); err != nil {
		t.Error(err)
	}
}
