package lockfile_test

import (
	"strings"
	"testing"

	"vpk/internal/fault"
	"vpk/lockfile"
	"vpk/lockfile/pep440"
	"vpk/wheel/tag"
)

// TestSelectRoots finds the projects that are asked for, or says what is wrong with what was asked for.
func TestSelectRoots(t *testing.T) {
	const tree = "[[package]]\nname = \"alpha\"\nsource = { virtual = \"alpha\" }\n[[package]]\nname = \"beta\"\nsource = { virtual = \"beta\" }\n"
	const project = "[[package]]\nname = \"app\"\nsource = { virtual = \".\" }\n"
	members := head + "[manifest]\nmembers = [\"alpha\", \"beta\"]\n" + tree
	cases := map[string]struct {
		text string
		r    lockfile.Request
		want string // the roots, or the error
		kind fault.Kind
		hint string
	}{
		"project":            {text: head + project, want: "app"},
		"all of one":         {text: head + project, r: lockfile.Request{AllPackages: true}, want: "app"},
		"root of several":    {text: head + "[manifest]\nmembers = [\"alpha\", \"app\", \"beta\"]\n" + tree + project, want: "app"},
		"all of several":     {text: head + "[manifest]\nmembers = [\"alpha\", \"app\", \"beta\"]\n" + tree + project, r: lockfile.Request{AllPackages: true}, want: "alpha app beta"},
		"no project":         {text: members, want: "alpha beta"},
		"no project, all":    {text: members, r: lockfile.Request{AllPackages: true}, want: "alpha beta"},
		"no project, no one": {text: head, want: ""},
		"one":                {text: members, r: lockfile.Request{Packages: []string{"Beta"}}, want: "beta"},
		"two":                {text: members, r: lockfile.Request{Packages: []string{"beta", "alpha", "BETA"}}, want: "beta alpha"},
		"one and all": {
			members, lockfile.Request{Packages: []string{"beta"}, AllPackages: true},
			`all packages and package "beta" are asked for`, fault.Usage, "choose one",
		},
		"misspelt": {
			members, lockfile.Request{Packages: []string{"alhpa", "bete"}},
			"uv.lock has no package \"alhpa\"\nuv.lock has no package \"bete\"", fault.Lock, `did you mean "alpha"?; did you mean "beta"?`,
		},
		"not there": {
			members, lockfile.Request{Packages: []string{"zzz"}}, `uv.lock has no package "zzz"`, fault.Lock,
			"run `uv lock`, or name a member of the workspace: alpha, beta",
		},
		"not there, misspelt project": {
			head + project, lockfile.Request{Packages: []string{"ap"}}, `uv.lock has no package "ap"`, fault.Lock, `did you mean "app"?`,
		},
		"ambiguous": {
			expandLock(head + "@a 1.0\n@a 2.0\n"), lockfile.Request{Packages: []string{"a"}},
			`uv.lock has 2 packages named "a": one of them cannot be the root`, fault.Lock, "",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s, err := lockfile.Select(mustParse(t, c.text), testTarget("3.11", tag.X8664), c.r)
			if c.kind == 0 {
				if err != nil {
					t.Fatal(err)
				}
				var names []string
				for _, root := range s.Roots {
					names = append(names, root.Name)
				}
				if got := strings.Join(names, " "); got != c.want {
					t.Errorf("roots %q, want %q", got, c.want)
				}
				return
			}
			if err == nil || err.Error() != c.want || fault.KindOf(err) != c.kind || !strings.Contains(strings.Join(fault.Hints(err), ""), c.hint) {
				t.Errorf("got %v (kind %d, hints %q), want %s", err, fault.KindOf(err), fault.Hints(err), c.want)
			}
		})
	}
}

// TestSelectMisspelt wants the word that was meant, for extras and groups of all roots.
func TestSelectMisspelt(t *testing.T) {
	text := "version = 1\nrevision = 3\nrequires-python = \">=3.10\"\n" + `[manifest]
members = ["a", "b"]
[manifest.dependency-groups]
tools = []
[[package]]
name = "a"
source = { virtual = "a" }
[package.metadata]
provides-extras = ["postgres"]
[[package]]
name = "b"
source = { virtual = "b" }
[package.metadata.requires-dev]
lint = []
`
	lock := mustParse(t, text)
	target := testTarget("3.11", tag.X8664)
	for _, r := range []lockfile.Request{
		{Extras: []string{"postgres"}, Groups: []string{"tools", "lint", "empty"}, RootGroups: []string{"Empty"}},
		{Packages: []string{"a", "b"}, Extras: []string{"postgres"}, NoGroups: []string{"lint"}},
	} {
		if _, err := lockfile.Select(lock, target, r); err != nil {
			t.Error(err)
		}
	}
	_, err := lockfile.Select(lock, target, lockfile.Request{Extras: []string{"postgers"}, OnlyGroups: []string{"tool", "other"}})
	want := "extra \"postgers\" is not in optional-dependencies of any of \"a\", \"b\", which have \"postgres\"\n" +
		"group \"other\" is not in dependency-groups of any of \"a\", \"b\", which have \"lint\", \"tools\"\ngroup \"tool\" is not in dependency-groups of any of \"a\", \"b\", which have \"lint\", \"tools\""
	if err == nil || err.Error() != want || fault.KindOf(err) != fault.Usage {
		t.Errorf("got %v\nwant %s", err, want)
	}
	if got := strings.Join(fault.Hints(err), ""); got != `did you mean extra "postgres"? did you mean group "tools"?` {
		t.Errorf("hint %q", got)
	}
	// The groups of the workspace's root are not those of a member.
	if _, err := lockfile.Select(lock, target, lockfile.Request{Packages: []string{"a"}, Groups: []string{"tools"}}); fault.KindOf(err) != fault.Usage {
		t.Errorf("got %v", err)
	}
}

// TestSelectPlaces says where each wheel is, and what direct_url.json may say.
func TestSelectPlaces(t *testing.T) {
	wheel := func(source, file string) string {
		return head + "@demo virtual\ndependencies = [{ name = \"a\" }]\n\n[[package]]\nname = \"a\"\nversion = \"1.0\"\nsource = { " + source +
			" }\nwheels = [{ " + file + ", hash = \"sha256:" + strings.Repeat("0", 64) + "\" }]\n"
	}
	type place struct{ url, path, direct string }
	for name, c := range map[string]struct {
		source, file string
		want         place
	}{
		"index":            {`registry = "https://index.example/simple"`, `url = "https://files.example/a-1.0-py3-none-any.whl"`, place{url: "https://files.example/a-1.0-py3-none-any.whl"}},
		"url":              {`url = "https://u:p@files.example/a-1.0-py3-none-any.whl?token=t#sha256=0"`, `url = "https://files.example/a-1.0-py3-none-any.whl"`, place{"https://files.example/a-1.0-py3-none-any.whl", "", "https://files.example/a-1.0-py3-none-any.whl"}},
		"url of file":      {`url = "file:///w/a-1.0-py3-none-any.whl"`, `url = "file:///w/a-1.0-py3-none-any.whl"`, place{path: "/w/a-1.0-py3-none-any.whl"}},
		"url, no address":  {`url = "https://files.example/a-1.0-py3-none-any.whl"`, `filename = "a-1.0-py3-none-any.whl"`, place{"https://files.example/a-1.0-py3-none-any.whl", "", "https://files.example/a-1.0-py3-none-any.whl"}},
		"path":             {`path = "../wheels/a-1.0-py3-none-any.whl"`, `filename = "a-1.0-py3-none-any.whl"`, place{path: "../wheels/a-1.0-py3-none-any.whl"}},
		"flat":             {`registry = "../links"`, `path = "sub/a-1.0-py3-none-any.whl"`, place{path: "../links/sub/a-1.0-py3-none-any.whl"}},
		"flat, up":         {`registry = "links"`, `path = "../../a-1.0-py3-none-any.whl"`, place{path: "../a-1.0-py3-none-any.whl"}},
		"flat, absolute":   {`registry = "links"`, `path = "/w/a-1.0-py3-none-any.whl"`, place{path: "/w/a-1.0-py3-none-any.whl"}},
		"flat, elsewhere":  {`registry = "links"`, `url = "https://files.example/a-1.0-py3-none-any.whl"`, place{url: "https://files.example/a-1.0-py3-none-any.whl"}},
		"file index":       {`registry = "file:///my%20links"`, `path = "a-1.0-py3-none-any.whl"`, place{path: "/my links/a-1.0-py3-none-any.whl"}},
		"file of an index": {`registry = "file:///links"`, `url = "file:///links/a-1.0%2Bx-py3-none-any.whl"`, place{path: "/links/a-1.0+x-py3-none-any.whl"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := lockfile.Select(mustParse(t, expandLock(wheel(c.source, c.file))), testTarget("3.11", tag.X8664), lockfile.Request{})
			if err != nil {
				t.Fatal(err)
			}
			if got := (place{s.Packages[0].URL, s.Packages[0].Path, s.Packages[0].DirectURL}); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	for name, c := range map[string][2]string{
		"path in an index": {`registry = "https://index.example/simple"`, `path = "a-1.0-py3-none-any.whl"`},
		"nowhere":          {`registry = "links"`, `filename = "a-1.0-py3-none-any.whl"`},
		"another machine":  {`registry = "links"`, `url = "file://host/a-1.0-py3-none-any.whl"`},
		"no URL":           {`registry = "links"`, `url = "http%://secret@x/a-1.0-py3-none-any.whl"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := lockfile.Select(mustParse(t, expandLock(wheel(c[0], c[1]))), testTarget("3.11", tag.X8664), lockfile.Request{})
			if fault.KindOf(err) != fault.Package || !strings.Contains(err.Error(), "a 1.0 from ") || strings.Contains(err.Error(), "secret") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestSelectGroupPython refuses a group that is for other Pythons, if it is asked for.
func TestSelectGroupPython(t *testing.T) {
	lock := mustParse(t, head+"[[package]]\nname = \"app\"\nsource = { virtual = \".\" }\n[package.metadata.requires-dev]\nnew = []\n")
	specifiers, err := pep440.ParseSpecifiers(">=3.12")
	if err != nil {
		t.Fatal(err)
	}
	r := lockfile.Request{GroupPython: map[string]pep440.Specifiers{"new": specifiers}}
	if _, err := lockfile.Select(lock, testTarget("3.11", tag.X8664), r); err != nil {
		t.Error(err)
	}
	r.Groups = []string{"New"}
	if _, err := lockfile.Select(lock, testTarget("3.12", tag.X8664), r); err != nil {
		t.Error(err)
	}
	_, err = lockfile.Select(lock, testTarget("3.11", tag.X8664), r)
	if fault.KindOf(err) != fault.Base || !strings.Contains(err.Error(), `group "new" (tool.uv.dependency-groups) requires >=3.12`) {
		t.Errorf("got %v", err)
	}
}
