package lockfile_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"vpk/internal/fault"
	"vpk/lockfile"
	"vpk/wheel/tag"
)

func mustParse(t testing.TB, text string) *lockfile.Lock {
	t.Helper()
	lock, err := lockfile.Parse([]byte(text), "uv.lock")
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return lock
}

const head = "version = 1\nrequires-python = \">=3.10\"\n"

// everything has each table, kind of source and form of file of the format, and keys that no version of uv wrote yet.
const everything = `version = 1
revision = 9
requires-python = ">=3.10"
resolution-markers = ["python_full_version >= '3.12'", "python_full_version < '3.12'"]
supported-markers = ["sys_platform == 'linux'"]
required-markers = ["platform_machine == 'aarch64'"]
conflicts = [[{ package = "root", extra = "A_b" }, { package = "root", group = "g" }, { package = "root" }]]
future = { yes = true }

[options]
resolution-mode = "lowest"
prerelease-mode = "allow"
fork-strategy = "fewest"
exclude-newer = "2026-01-01T00:00:00Z"
exclude-newer-span = "P1W"
[options.exclude-newer-package]
numpy = false

[manifest]
members = ["Root", "lib"]
requirements = [{ name = "r", specifier = ">=1", index = "https://index.example/simple", conflict = { package = "root", extra = "a-b" } }]
constraints = [{ name = "c", extras = ["x"], marker = "sys_platform == 'linux'" }]
overrides = [{ name = "o", git = "https://git.example/o?rev=main" }]
build-constraints = [{ name = "b", directory = "../b/" }]
excludes = ["e"]
[manifest.dependency-groups]
dev = [{ name = "d", url = "https://files.example/d.zip", subdirectory = "sub" }]
[[manifest.dependency-metadata]]
name = "m"
version = "1.0"
requires-dist = ["x>=1"]
requires-python = ">=3"
provides-extras = ["y"]

[[package]]
name = "root"
source = { editable = "." }
dependencies = [
    { name = "archive" },
    { name = "dir" },
    { name = "file" },
    { name = "indexed", extra = ["z", "X", "x", "gone"] },
    { name = "local" },
    { name = "many", version = "1.0", source = { git = "https://git.example/many#0123456789012345678901234567890123456789" } },
    { name = "many", version = "1.0", source = { registry = "https://index.example/simple" }, marker = "sys_platform == 'linux'" },
    { name = "sdist" },
    { name = "virt" },
]
[package.optional-dependencies]
A-b = [{ name = "indexed" }]
[package.dev-dependencies]
g = [{ name = "root", extra = ["a.b"] }]
[package.metadata]
requires-dist = [{ name = "lib", editable = "lib", extras = ["q"], groups = ["w"] }]
provides-extras = ["A_b"]
[package.metadata.requires-dev]
g = [{ name = "root", virtual = "." }]

[[package]]
name = "archive"
version = "1.0"
source = { url = "https://files.example/archive-1.0-py3-none-any.whl", subdirectory = "s" }
wheels = [{ url = "https://files.example/archive-1.0-py3-none-any.whl", hash = "sha512:SHA512" }]

[[package]]
name = "dir"
version = "1.0"
source = { directory = "../dir/" }

[[package]]
name = "file"
version = "1.0"
source = { path = "dist/file-1.0-py3-none-any.whl" }
wheels = [{ filename = "file-1.0-py3-none-any.whl", hash = "md5:MD5" }]

[[package]]
name = "indexed"
version = "1.0.post1"
source = { registry = "https://index.example/simple", future = 1 }
resolution-markers = ["python_full_version >= '3.12'"]
sdist = { url = "https://index.example/indexed-1.0.post1.tar.gz", hash = "sha256:SHA256", size = 7, upload-time = "2026-01-01T00:00:00Z" }
wheels = [
    { url = "https://index.example/Indexed-1.0.post1%2Bcpu-1-py3-none-any.whl?query#fragment", size = 9, zstd = { size = 1 } },
]
[package.optional-dependencies]
x = [{ name = "dir" }]
z = []

[[package]]
name = "lib"
version = "1.0"
source = { directory = "lib" }

[[package]]
name = "local"
version = "1.0"
source = { registry = "../links" }
sdist = { path = "local-1.0.tar.gz" }
wheels = [{ path = "sub/local-1.0-py3-none-any.whl", hash = "blake2b:BLAKE2B" }]

[[package]]
name = "many"
version = "1.0"
source = { git = "https://git.example/many#0123456789012345678901234567890123456789" }

[[package]]
name = "many"
version = "1.0"
source = { registry = "https://index.example/simple" }

[[package]]
name = "sdist"
version = "1.0"
source = { path = "sdist.tar.gz" }
sdist = { hash = "sha384:SHA384" }

[[package]]
name = "virt"
version = "1.0"
source = { virtual = "./virt" }
`

func fullLock() string {
	digits := func(n int) string { return strings.Repeat("0f", n) }
	return strings.NewReplacer("MD5", digits(16), "SHA256", digits(32), "SHA384", digits(48), "SHA512", digits(64),
		"BLAKE2B", strings.ToUpper(digits(32))).Replace(everything)
}

func TestParseEverything(t *testing.T) {
	lock := mustParse(t, fullLock())
	root := lock.Named("root")[0]
	var edges []string
	for _, d := range root.Dependencies {
		edges = append(edges, fmt.Sprintf("%s %s %v %s", d.Package, d.Package.Source.Kind, d.Extras, d.Marker))
	}
	wantEdges := []string{
		"archive 1.0 url [] ", "dir 1.0 directory [] ", "file 1.0 path [] ", "indexed 1.0.post1 registry [x z] ",
		"local 1.0 registry [] ", "many 1.0 git [] ", "many 1.0 registry [] sys_platform == 'linux'", "sdist 1.0 path [] ",
		"virt 1.0 virtual [] ",
	}
	if diff := cmp.Diff(wantEdges, edges); diff != "" {
		t.Errorf("edges of the root:\n%s", diff)
	}
	wantSources := map[string]lockfile.Source{
		"root":    {Kind: lockfile.Editable, Location: "."},
		"archive": {Kind: lockfile.URL, Location: "https://files.example/archive-1.0-py3-none-any.whl", Subdirectory: "s"},
		"dir":     {Kind: lockfile.Directory, Location: "../dir"},
		"file":    {Kind: lockfile.Path, Location: "dist/file-1.0-py3-none-any.whl"},
		"indexed": {Kind: lockfile.Registry, Location: "https://index.example/simple"},
		"lib":     {Kind: lockfile.Directory, Location: "lib"},
		"local":   {Kind: lockfile.Registry, Location: "../links"},
		"sdist":   {Kind: lockfile.Path, Location: "sdist.tar.gz"},
		"virt":    {Kind: lockfile.Virtual, Location: "virt"},
	}
	for name, want := range wantSources {
		if got := lock.Named(name)[0].Source; got != want {
			t.Errorf("source of %s: %v, want %v", name, got, want)
		}
	}
	many := lock.Named("many")[0]
	if got := many.Source.Commit(); got != "0123456789012345678901234567890123456789" {
		t.Errorf("commit %q", got)
	}
	if !root.Version.IsZero() || root.String() != "root" || !root.Source.IsRoot() {
		t.Errorf("the root is %v, %v", root, root.Source)
	}

	indexed := lock.Named("indexed")[0]
	wantWheel := lockfile.Wheel{
		Filename: tag.Filename{
			Name: "Indexed", Version: "1.0.post1+cpu", Build: "1", Pythons: []string{"py3"}, ABIs: []string{"none"},
			Platforms: []string{"any"},
		},
		URL:  "https://index.example/Indexed-1.0.post1%2Bcpu-1-py3-none-any.whl?query#fragment",
		Size: 9,
	}
	if diff := cmp.Diff([]lockfile.Wheel{wantWheel}, indexed.Wheels); diff != "" {
		t.Error(diff)
	}
	wantSdist := &lockfile.Sdist{
		URL: "https://index.example/indexed-1.0.post1.tar.gz", Size: 7,
		Hash: lockfile.Hash{Algorithm: "sha256", Hex: strings.Repeat("0f", 32)},
	}
	if diff := cmp.Diff(wantSdist, indexed.Sdist); diff != "" {
		t.Error(diff)
	}
	local := lock.Named("local")[0]
	if w := local.Wheels[0]; w.Path != "sub/local-1.0-py3-none-any.whl" || w.URL != "" || w.Size != -1 ||
		w.Filename.Name != "local" || w.Hash.String() != "blake2b:"+strings.Repeat("0f", 32) {
		t.Errorf("wheel of a local index: %+v", w)
	}
	if w := lock.Named("file")[0].Wheels[0]; w.Path != "" || w.URL != "" || w.Filename.Name != "file" {
		t.Errorf("wheel of a path: %+v", w)
	}

	wantConflicts := [][]lockfile.ConflictItem{{
		{Package: "root", Extra: "a-b"}, {Package: "root", Group: "g"}, {Package: "root"},
	}}
	if diff := cmp.Diff(wantConflicts, lock.Conflicts); diff != "" {
		t.Error(diff)
	}
	wantOptions := lockfile.Options{
		ResolutionMode: "lowest", PrereleaseMode: "allow", ForkStrategy: "fewest", ExcludeNewer: "2026-01-01T00:00:00Z",
		ExcludeNewerSpan:    "P1W",
		ExcludeNewerPackage: map[string]string{"numpy": "false"},
	}
	if diff := cmp.Diff(wantOptions, lock.Options); diff != "" {
		t.Error(diff)
	}
	m := lock.Manifest
	requirement := func(r lockfile.Requirement) string {
		return fmt.Sprintf("%s%v%v %s %q %s %s %v", r.Name, r.Extras, r.Groups, r.Source.Kind, r.Source.Location, r.Specifiers, r.Marker, r.Conflict)
	}
	requirements := map[string]lockfile.Requirement{
		`r[][] registry "https://index.example/simple" >=1  root[a-b]`: m.Requirements[0],
		`c[x][] registry ""  sys_platform == 'linux' <nil>`:            m.Constraints[0],
		`o[][] git "https://git.example/o?rev=main"   <nil>`:           m.Overrides[0],
		`b[][] directory "../b"   <nil>`:                               m.BuildConstraints[0],
		`d[][] url "https://files.example/d.zip"   <nil>`:              m.DependencyGroups["dev"][0],
		`lib[q][w] editable "lib"   <nil>`:                             root.Metadata.RequiresDist[0],
		`root[][] virtual "."   <nil>`:                                 root.Metadata.RequiresDev["g"][0],
	}
	for want, r := range requirements {
		if got := requirement(r); got != want {
			t.Errorf("requirement %s, want %s", got, want)
		}
	}
	wantMetadata := []lockfile.DependencyMetadata{{
		Name: "m", Version: "1.0", RequiresDist: []string{"x>=1"}, RequiresPython: ">=3", ProvidesExtras: []string{"y"},
	}}
	if diff := cmp.Diff(wantMetadata, m.DependencyMetadata, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"root", "lib"}, m.Members); diff != "" {
		t.Error(diff)
	}
	if lock.Revision != 9 || len(lock.ResolutionMarkers) != 2 || len(lock.SupportedMarkers) != 1 || len(lock.RequiredMarkers) != 1 {
		t.Errorf("head: %+v", lock)
	}
	if got := root.DevDependencies["g"][0]; got.Package != root || got.Extras[0] != "a-b" {
		t.Errorf("a group's edge to the root: %v", got)
	}
}

// TestParseOldNames reads the keys of the first versions of uv.
func TestParseOldNames(t *testing.T) {
	lock := mustParse(t, `version = 1
requires-python = ">=3.10"
[[distribution]]
name = "root"
version = "1.0"
source = { virtual = "." }
[distribution.dependency-groups]
dev = [{ name = "root" }]
[distribution.metadata.dependency-groups]
dev = [{ name = "root", virtual = "." }]
`)
	root := lock.Packages[0]
	if len(root.DevDependencies["dev"]) != 1 || len(root.Metadata.RequiresDev["dev"]) != 1 {
		t.Errorf("%+v", root)
	}
}

func TestParseErrors(t *testing.T) {
	cases := map[string]struct{ text, want string }{
		"syntax":         {"version = 1\nrequires-python = >=3.10\n", `uv.lock:2:19: toml: `},
		"type":           {"version = 1\nrequires-python = 3\n", `uv.lock:2:19: in "requires-python": want a string, got an integer`},
		"future version": {"version = 2\nrequires-python = 3\n[package]\n", "uv.lock: unsupported schema version 2: only version 1 can be read"},
		"no version":     {"requires-python = \">=3.10\"\n", `uv.lock: key "version" is missing`},
		"no python":      {"version = 1\n", `uv.lock: key "requires-python" is missing`},
		"bad python":     {"version = 1\nrequires-python = \"3.10\"\n", `uv.lock:2: parse specifier`},
		"bad marker":     {head + "resolution-markers = [\n  \"os_name == 'posix'\",\n  \"nonsense\",\n]\n", `uv.lock:5: parse marker "nonsense"`},
		"conflict key":   {head + `conflicts = [[{ package = "a", extras = "b" }]]`, `uv.lock:3: unknown key "extras" in a conflict`},
		"conflict both":  {head + `conflicts = [[{ package = "a", extra = "b", group = "c" }]]`, `uv.lock:3: a conflict names a package and at most one of extra and group`},
		"no source":      {head + "[[package]]\nname = \"a\"\nversion = \"1\"\n", `uv.lock:3: package "a": no source: want one of `},
		"no pkg version": {head + "[[package]]\nname = \"a\"\nsource = { registry = \"x\" }\n", `uv.lock:3: package "a": key "version" is missing`},
		"bad name":       {head + "[[package]]\nname = \"-\"\nversion = \"1\"\nsource = { registry = \"x\" }\n", `uv.lock:4: `},
		"bad version":    {head + "[[package]]\nname = \"a\"\nversion = \"x\"\nsource = { registry = \"x\" }\n", `uv.lock:5: package "a": parse version "x"`},
		"twice":          {head + "@a 1.0\n@a 1.0\n", `package "a 1.0": it is there twice`},
		"bad wheel":      {head + "@a 1.0 py3-none\n", `uv.lock:9: package "a 1.0": parse wheel file name "a-1.0-py3-none.whl"`},
		"git, no commit": {
			head + "[[package]]\nname = \"a\"\nversion = \"1.0\"\nsource = { git = \"https://u:secret@git.example/a?rev=x#0123\" }\n",
			`uv.lock:6: package "a": its source, git https://git.example/a?rev=x at 0123, does not end in # and a commit of 40 hexadecimal digits`,
		},
		"no such edge": {head + "@a 1.0\ndependencies = [\n{ name = \"b\" }]\n", `uv.lock:12: package "a 1.0": dependency on "b": there is no such package in the lock`},
		"ambiguous edge": {
			head + "@a 1.0\ndependencies = [{ name = \"b\" }]\n@b 1.0\n@b 2.0\n",
			`uv.lock:11: package "a 1.0": dependency on "b": key "source" is missing, and there are b 1.0 from registry https://index.example/simple and b 2.0 from registry https://index.example/simple`,
		},
		"edge without version": {
			head + "@a 1.0\ndependencies = [{ name = \"b\", source = { registry = \"" + index + "\" } }]\n@b 1.0\n@b 2.0\n",
			`dependency on "b": key "version" is missing, and there are b 1.0 from registry https://index.example/simple and b 2.0 from registry https://index.example/simple`,
		},
		"edge to another version": {
			head + "@a 1.0\ndependencies = [{ name = \"b\", version = \"3.0\" }]\n@b 1.0\n",
			`dependency on "b": the lock has no b 3.0 from registry https://index.example/simple, only b 1.0 from registry https://index.example/simple`,
		},
		"edge twice": {
			head + "@a 1.0\ndependencies = [{ name = \"b\", extra = [\"x\"] }, { name = \"B\", extra = [\"X\"] }]\n@b 1.0\n",
			`the same dependency on "b 1.0" is there twice`,
		},
		"group twice": {
			head + "@a 1.0\n[package.dev-dependencies]\ndev = []\nDev = []\n", `uv.lock:12: "dev" is there twice`,
		},
		"both names": {
			head + "@a 1.0\n[package.dev-dependencies]\ndev = []\n[package.dependency-groups]\ndev = []\n",
			`uv.lock:13: it is given under both its names`,
		},
		"wheel of another version": {
			head + "[[package]]\nname = \"a\"\nversion = \"1.0\"\nsource = { registry = \"x\" }\nwheels = [{ url = \"a-1.1-py3-none-any.whl\" }]\n",
			`uv.lock:7: package "a 1.0": wheel "a-1.1-py3-none-any.whl": its version is 1.1 and not the package's`,
		},
		"archive without hash": {
			head + "[[package]]\nname = \"a\"\nversion = \"1.0\"\nsource = { path = \"x\" }\nwheels = [{ filename = \"a-1.0-py3-none-any.whl\" }]\n",
			`uv.lock:7: package "a 1.0": wheel "a-1.0-py3-none-any.whl" has no hash: one from path x needs one`,
		},
		"directory with hash": {
			head + "[[package]]\nname = \"a\"\nversion = \"1.0\"\nsource = { directory = \"x\" }\nwheels = [{ filename = \"a-1.0-py3-none-any.whl\", hash = \"md5:" + strings.Repeat("0", 32) + "\" }]\n",
			`one from directory x can't have one`,
		},
		"wheel without name": {
			head + "[[package]]\nname = \"a\"\nversion = \"1.0\"\nsource = { registry = \"x\" }\nwheels = [{ size = 1 }]\n",
			`uv.lock:7: package "a 1.0": a wheel has none of url, path and filename`,
		},
		"bad hash": {
			head + "[[package]]\nname = \"a\"\nversion = \"1.0\"\nsource = { registry = \"x\" }\nsdist = { hash = \"sha256:12\" }\n",
			`uv.lock:7: package "a 1.0": parse hash "sha256:12": want 64 hexadecimal digits`,
		},
		"unknown hash": {
			head + "[[package]]\nname = \"a\"\nversion = \"1.0\"\nsource = { registry = \"x\" }\nsdist = { hash = \"crc:12\" }\n",
			`parse hash "crc:12": want ALGORITHM:HEX`,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := lockfile.Parse([]byte(expandLock(c.text)), "uv.lock")
			if err == nil || !strings.Contains(err.Error(), c.want) || fault.KindOf(err) != fault.Lock || len(fault.Hints(err)) == 0 {
				t.Errorf("got %v (kind %d, hints %q)\nwant %s", err, fault.KindOf(err), fault.Hints(err), c.want)
			}
		})
	}
}

// TestParseAllProblems wants problems in the order of the file, and not thousands of them.
func TestParseAllProblems(t *testing.T) {
	text := head + strings.Repeat("[[package]]\nname = \"a\"\nsource = { registry = \"x\" }\nversion = \"bad\"\n", 30)
	_, err := lockfile.Parse([]byte(text), "uv.lock")
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 21 || !strings.HasPrefix(lines[0], "uv.lock:6: ") || lines[20] != "uv.lock: and 39 more problems" {
		t.Errorf("%d lines: %v", len(lines), err)
	}
}
