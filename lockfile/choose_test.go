package lockfile_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vpk/internal/fault"
	"vpk/lockfile"
	"vpk/lockfile/pep508"
	"vpk/wheel/tag"
)

const demoHead = head + "@demo virtual\ndependencies = "

// TestSelectNamesAllPackages wants each package that cannot be installed, with what is wrong and who wants it.
func TestSelectNamesAllPackages(t *testing.T) {
	text := expandLock(demoHead + `[
    { name = "abi" }, { name = "archive" }, { name = "dir" }, { name = "fine" }, { name = "local" }, { name = "nothing" }, { name = "odd" },
    { name = "repo" }, { name = "source" },
]
@abi 1.0 cp311-cp311t-manylinux_2_17_x86_64 cp311-cp311d-win_amd64
@fine 1.0
dependencies = [{ name = "plat" }, { name = "middle" }]
@middle 1.0
dependencies = [{ name = "python" }]
@plat 1.0 cp311-cp311-win_amd64 cp311-cp311-macosx_11_0_arm64 cp39-cp39-manylinux_2_17_x86_64
@python 1.0 pp311-pypy311_pp73-manylinux_2_17_x86_64 jy27-none-any

[[package]]
name = "archive"
version = "1.0"
source = { url = "https://user:secret@files.example/archive-1.0.tar.gz" }
sdist = { hash = "md5:00000000000000000000000000000000" }
[[package]]
name = "dir"
source = { editable = "../dir" }
[[package]]
name = "file"
version = "1.0"
source = { path = "file-1.0.tar.gz" }
[[package]]
name = "local"
version = "1.0"
source = { registry = "../links" }
wheels = [{ path = "local-1.0-py3-none-any.whl" }]
[[package]]
name = "odd"
version = "1.0"
source = { registry = "https://index.example/simple" }
wheels = [{ url = "ftp://files.example/odd-1.0-py3-none-any.whl" }]
[[package]]
name = "nothing"
version = "1.0"
source = { registry = "https://index.example/simple" }
[[package]]
name = "repo"
version = "1.0"
source = { git = "https://git.example/repo#0123456789012345678901234567890123456789" }
dependencies = [{ name = "file" }]
[[package]]
name = "source"
version = "1.0"
source = { registry = "https://index.example/simple" }
sdist = { url = "https://index.example/source-1.0.tar.gz" }
`)
	_, err := lockfile.Select(mustParse(t, text), testTarget("3.11", tag.X8664), lockfile.Request{})
	if fault.KindOf(err) != fault.Package || len(fault.Hints(err)) != 2 {
		t.Fatalf("kind %d, hints %q of %v", fault.KindOf(err), fault.Hints(err), err)
	}
	want := `sources that can't be installed:
  archive 1.0 from url https://files.example/archive-1.0.tar.gz: it is a source distribution: depend on a release with a wheel, or build a wheel of it (` + "`uv build --wheel`" + `) and depend on that (demo → archive)
  file 1.0 from path file-1.0.tar.gz: it is a source distribution: build a wheel of it (` + "`uv build --wheel`" + `) and depend on that (demo → repo → file)
  nothing 1.0 from registry https://index.example/simple: the lock has no file of it (demo → nothing)
  odd 1.0 from registry https://index.example/simple: the address of its wheel is neither http, https nor a file of this machine (demo → odd)
  repo 1.0 from git https://git.example/repo at 0123456789012345678901234567890123456789: depend on a release with a wheel, or build a wheel of it (` + "`uv build --wheel`" + `) and depend on that (demo → repo)
  source 1.0 from registry https://index.example/simple: it has only a source distribution (source-1.0.tar.gz): choose a version with wheels, or build one and publish it (demo → source)
no wheel for CPython 3.11.0 on manylinux_2_36_x86_64:
  abi 1.0 from registry https://index.example/simple: wants ABI tag cp311, abi3 or none, its wheels have cp311d, cp311t (demo → abi)
  plat 1.0 from registry https://index.example/simple: wants platform manylinux_2_36_x86_64 or an older manylinux, its wheels have macosx_11_0_arm64, win_amd64 (demo → fine → plat)
  python 1.0 from registry https://index.example/simple: wants Python tag cp311, its wheels have jy27, pp311 (demo → fine → middle → python)`
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
}

// TestSelectLocal selects projects that are packages apart from wheels, in one order of installation.
func TestSelectLocal(t *testing.T) {
	text := head + `
[[package]]
name = "demo"
version = "1.0"
source = { editable = "." }
dependencies = [{ name = "lib" }, { name = "fine" }]
[package.dev-dependencies]
dev = []
[[package]]
name = "fine"
version = "1.0"
source = { registry = "https://index.example/simple" }
wheels = [{ url = "https://index.example/fine-1.0-py3-none-any.whl" }]
[[package]]
name = "lib"
source = { directory = "../lib" }
dependencies = [{ name = "fine" }]
`
	lock := mustParse(t, text)
	target := testTarget("3.11", tag.X8664)
	names := func(s *lockfile.Selection) (list []string) {
		for _, p := range s.Packages {
			list = append(list, fmt.Sprintf("%d %s of %q", p.Rank, p.Package.Name, p.RequiredBy))
		}
		for _, p := range s.Local {
			list = append(list, fmt.Sprintf("%d local %s of %q", p.Rank, p.Package.Name, p.RequiredBy))
		}
		for _, r := range s.Reached {
			list = append(list, fmt.Sprintf("%s %d %d", r.Package.Name, r.Selected, r.Local))
		}
		return list
	}
	for _, c := range []struct {
		name    string
		request lockfile.Request
		want    []string
	}{
		{"all", lockfile.Request{}, []string{
			`0 fine of ["demo" "lib"]`, `2 local demo of []`, `1 local lib of ["demo"]`, "demo -1 0", "fine 0 -1", "lib -1 1",
		}},
		{"only groups", lockfile.Request{OnlyDev: true}, []string{"demo -1 -1"}},
		{"excluded", lockfile.Request{NoInstall: []string{"Demo"}}, []string{
			`0 fine of ["demo" "lib"]`, `1 local lib of ["demo"]`, "demo -1 -1", "fine 0 -1", "lib -1 0",
		}},
		{"no local", lockfile.Request{NoInstallLocal: true}, []string{`0 fine of ["demo" "lib"]`, "demo -1 -1", "fine 0 -1", "lib -1 -1"}},
	} {
		s, err := lockfile.Select(lock, target, c.request)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if diff := cmp.Diff(c.want, names(s)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", c.name, diff)
		}
	}
	all, err := lockfile.Select(lock, target, lockfile.Request{})
	if err != nil {
		t.Fatal(err)
	}
	less, err := lockfile.Select(lock, target, lockfile.Request{NoInstallProject: true})
	if err != nil || all.Digest() == less.Digest() {
		t.Errorf("the digest does not tell a project that is installed: %v", err)
	}
}

func TestSelectMessages(t *testing.T) {
	conflicting := loadScenario(t, "testdata/select/conflicts.txtar")
	groups := loadScenario(t, "testdata/select/groups.txtar")
	supported := loadScenario(t, "testdata/select/supported.txtar")
	cases := map[string]struct {
		s      *scenario
		target string
		flags  string
		want   string
	}{
		"extras":      {conflicting, "3.11", "--all-extras", "extra \"cpu\" of \"foo\" (one of all extras) and extra \"gpu\" of \"foo\" (one of all extras) conflict: pyproject.toml declares {foo[cpu], foo[gpu]}"},
		"groups":      {conflicting, "3.11", "--group a --group b", "group \"a\" of \"foo\" and group \"b\" of \"foo\" conflict: pyproject.toml declares {foo:a, foo:b}"},
		"twice":       {conflicting, "3.11", "--group cg", `"idna" is selected twice: idna 3.10 from registry https://index.example/simple (foo → idna) and idna 3.9 from registry https://index.example/simple (foo[gpu] → idna)`},
		"undefined":   {groups, "3.11", "--group nope --extra What --no-group no.pe", "extra \"what\" is not in optional-dependencies of \"demo\", which has \"extra\"\ngroup \"no-pe\" is not in dependency-groups of \"demo\", which has \"dev\", \"docs\", \"empty\", \"lint\", \"new\", \"self\", \"self-extra\"\ngroup \"nope\""},
		"python":      {supported, "3.12", "", "the image has CPython 3.12.0, uv.lock requires >=3.10,!=3.12.*"},
		"environment": {supported, "3.11", "", `uv.lock supports only "platform_machine == 'x86_64' and sys_platform == 'linux'", "sys_platform == 'darwin'", not CPython 3.11.0 on manylinux_2_36_aarch64`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			arch := tag.X8664
			if name == "environment" {
				arch = tag.AArch64
			}
			_, err := lockfile.Select(c.s.lock, testTarget(c.target, arch), request(t, strings.Fields(c.flags), c.s.project.UV.DefaultGroups))
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestSelectRequiredByAndRank(t *testing.T) {
	s := loadScenario(t, "testdata/select/cycles.txtar")
	selection, err := lockfile.Select(s.lock, testTarget("3.11", tag.X8664), lockfile.Request{})
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		Name       string
		Rank       int
		RequiredBy []string
	}
	var got []row
	for _, p := range selection.Packages {
		got = append(got, row{p.Package.Name, p.Rank, p.RequiredBy})
	}
	want := []row{
		{"a", 1, []string{"b", "c"}}, {"b", 3, []string{"b", "demo"}}, {"c", 2, []string{"a"}}, {"d", 0, []string{"c"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestDigest pins the form of the digest, which is a label of images, and what it depends on.
func TestDigest(t *testing.T) {
	digest := func(text string, target tag.Target) string {
		s, err := lockfile.Select(mustParse(t, expandLock(text)), target, lockfile.Request{})
		if err != nil {
			t.Fatal(err)
		}
		return s.Digest()
	}
	target := testTarget("3.11", tag.X8664)
	text := demoHead + "[{ name = \"a\" }, { name = \"b\" }]\n@a 1.0\n@b 1.0\n"
	const pinned = "sha256:d4c91da9dc58dea75487e678f5b2c84c118eadbc6ea13db617d415f9990c8c2e"
	original := digest(text, target)
	if original != pinned {
		t.Errorf("digest %s, want %s", original, pinned)
	}
	same := strings.ReplaceAll(expandLock(text), "https://index.example/files", "https://mirror.example/other")
	if got := digest(same, testTarget("3.13", tag.AArch64)); got != original {
		t.Errorf("another host or target changes the digest: %s", got)
	}
	for name, other := range map[string]string{
		"a version":      strings.ReplaceAll(text, "@b 1.0", "@b 2.0"),
		"another wheel":  strings.ReplaceAll(text, "@b 1.0", "@b 1.0 py2.py3-none-any"),
		"a package less": strings.ReplaceAll(text, ", { name = \"b\" }", ""),
	} {
		if got := digest(other, target); got == original {
			t.Errorf("%s does not change the digest", name)
		}
	}
	hash := expandLock(text)
	if i := strings.LastIndex(hash, "sha256:"); digest(hash[:i+7]+strings.Repeat("0", 64)+hash[i+71:], target) == original {
		t.Error("another hash does not change the digest")
	}
}

func TestMarkerEnvironment(t *testing.T) {
	got := lockfile.MarkerEnvironment(tag.Target{
		Python: tag.Python{Major: 3, Minor: 14, Full: "3.14.0rc1"}, Arch: tag.AArch64, Glibc: tag.Glibc{Major: 2, Minor: 41},
	})
	want := pep508.Environment{
		ImplementationName: "cpython", ImplementationVersion: "3.14.0rc1", OSName: "posix", PlatformMachine: "aarch64",
		PlatformPythonImplementation: "CPython", PlatformSystem: "Linux", PythonVersion: "3.14",
		PythonFullVersion: "3.14.0rc1", SysPlatform: "linux",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestCheckPython counts only the release of a pre-release, as uv does.
func TestCheckPython(t *testing.T) {
	lock := mustParse(t, "version = 1\nrequires-python = \">=3.14\"\n")
	for full, ok := range map[string]bool{"3.14.0rc1": true, "3.14.2": true, "3.13.9": false} {
		p, err := tag.ParsePython(full)
		if err != nil {
			t.Fatal(err)
		}
		err = lockfile.CheckPython(lock.RequiresPython, "uv.lock", tag.Target{Python: p})
		if (err == nil) != ok || err != nil && fault.KindOf(err) != fault.Base {
			t.Errorf("%s: %v", full, err)
		}
	}
}
