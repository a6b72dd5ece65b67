package venv

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"vpk/internal/fault"
	"vpk/internal/testwheel"
	"vpk/venv/tree"
)

const site = "app/.venv/lib/python3.11/site-packages/"

// fake is a package with files below site-packages: "path=content", "*path=content" executable. Modules get bytecode if
// compile says so.
func fake(name string, rank int, compile bool, files ...string) Installed {
	in := Installed{Name: name, Version: "1", Rank: rank, site: strings.TrimSuffix(site, "/"), record: site + name + "-1.dist-info/RECORD"}
	in.Part = tree.Part{Name: "wheel/" + name + "-1", Key: "key of " + name}
	for _, f := range append(files, name+"-1.dist-info/RECORD=") {
		f, executable := strings.CutPrefix(f, "*")
		p, text, _ := strings.Cut(f, "=")
		in.Part.Entries = append(in.Part.Entries, tree.Entry{Path: site + p, Mode: tree.FileMode(executable), Content: tree.Bytes(text)})
		in.rows = append(in.rows, newRow(p, tree.Bytes(text)))
		if stem, ok := strings.CutSuffix(p, ".py"); ok && compile {
			dir, base := site, stem
			if i := strings.LastIndexByte(stem, '/'); i >= 0 {
				dir, base = site+stem[:i+1], stem[i+1:]
			}
			in.Bytecode.Entries = append(in.Bytecode.Entries,
				tree.Entry{Path: dir + "__pycache__/" + base + ".cpython-311.pyc", Mode: 0o644, Content: tree.Bytes("code of " + text)})
		}
	}
	if compile {
		in.Bytecode.Name, in.Bytecode.Key = "bytecode/"+name+"-1", "bytecode key of "+name
	}
	tree.Sort(in.Part.Entries)
	tree.Sort(in.Bytecode.Entries)
	in.writeRecord()
	return in
}

// summary prints parts: the name, then each path with its content in one line, RECORD's as its paths.
func summary(t testing.TB, parts []tree.Part) []string {
	t.Helper()
	var lines []string
	for _, p := range parts {
		if err := p.Check(); err != nil {
			t.Error(err)
		}
		lines = append(lines, p.Name)
		for _, e := range p.Entries {
			text := content(t, e)
			if strings.HasSuffix(e.Path, "RECORD") {
				rows, err := parseRecord([]byte(text))
				if err != nil {
					t.Fatal(err)
				}
				text = ""
				for _, r := range rows {
					text += " " + r.path
				}
			}
			lines = append(lines, "  "+strings.TrimPrefix(e.Path, site)+"="+text)
		}
	}
	return lines
}

var bare = tree.Part{Name: "skeleton", Key: "s"}

func TestJoin(t *testing.T) {
	for _, c := range []struct {
		name       string
		packages   []Installed
		parts      []string
		collisions []string
	}{
		{"none", nil, []string{"skeleton"}, nil},
		{"nothing shared", []Installed{fake("b", 0, true, "b.py=1"), fake("a", 1, false, "a.py=1")},
			[]string{"skeleton", "wheel/a-1", "  a-1.dist-info/RECORD= a-1.dist-info/RECORD a.py", "  a.py=1",
				"wheel/b-1", "  b-1.dist-info/RECORD= b-1.dist-info/RECORD b.py", "  b.py=1", "bytecode/b-1", "  __pycache__/b.cpython-311.pyc=code of 1"}, nil},
		{"the same file", []Installed{fake("a", 0, true, "n/__init__.py="), fake("b", 1, true, "n/__init__.py=")},
			[]string{"skeleton", "wheel/a-1", "  a-1.dist-info/RECORD= a-1.dist-info/RECORD n/__init__.py", "  n/__init__.py=",
				"bytecode/a-1", "  n/__pycache__/__init__.cpython-311.pyc=code of ",
				"wheel/b-1", "  b-1.dist-info/RECORD= b-1.dist-info/RECORD n/__init__.py", "  n/__init__.py=",
				"bytecode/b-1", "  n/__pycache__/__init__.cpython-311.pyc=code of "}, nil},
		{"the later owns", []Installed{fake("a", 5, true, "n/m.py=A", "n/o.py=A"), fake("b", 2, true, "n/m.py=B", "n/p.py=B")},
			[]string{"skeleton", "wheel/a-1", "  a-1.dist-info/RECORD= a-1.dist-info/RECORD n/m.py n/o.py", "  n/m.py=A", "  n/o.py=A",
				"bytecode/a-1", "  n/__pycache__/m.cpython-311.pyc=code of A", "  n/__pycache__/o.cpython-311.pyc=code of A",
				"wheel/b-1", "  b-1.dist-info/RECORD= b-1.dist-info/RECORD n/p.py", "  n/p.py=B",
				"bytecode/b-1", "  n/__pycache__/p.cpython-311.pyc=code of B"},
			[]string{site + "n/m.py: of a 1, not of b 1"}},
		{"no bytecode is left", []Installed{fake("a", 0, true, "m.py=A"), fake("b", 0, false, "m.py=B")},
			[]string{"skeleton", "wheel/a-1", "  a-1.dist-info/RECORD= a-1.dist-info/RECORD", "wheel/b-1", "  b-1.dist-info/RECORD= b-1.dist-info/RECORD m.py", "  m.py=B"},
			[]string{site + "m.py: of b 1, not of a 1"}},
		{"mode alone", []Installed{fake("a", 0, false, "*m.sh=A"), fake("b", 1, false, "m.sh=A")},
			[]string{"skeleton", "wheel/a-1", "  a-1.dist-info/RECORD= a-1.dist-info/RECORD", "wheel/b-1", "  b-1.dist-info/RECORD= b-1.dist-info/RECORD m.sh", "  m.sh=A"},
			[]string{site + "m.sh: of b 1, not of a 1"}},
		{"three", []Installed{fake("a", 0, false, "m=X"), fake("b", 1, false, "m=Y"), fake("c", 2, false, "m=X")},
			[]string{"skeleton", "wheel/a-1", "  a-1.dist-info/RECORD= a-1.dist-info/RECORD m", "  m=X",
				"wheel/b-1", "  b-1.dist-info/RECORD= b-1.dist-info/RECORD",
				"wheel/c-1", "  c-1.dist-info/RECORD= c-1.dist-info/RECORD m", "  m=X"},
			[]string{site + "m: of c 1, not of b 1"}},
		{"outside site-packages", []Installed{fake("a", 0, false, "../../../bin/x=A"), fake("b", 1, false, "../../../bin/x=B")}, nil, nil},
		{"shipped bytecode of a lost module", []Installed{fake("a", 0, false, "m.py=A", "__pycache__/m.cpython-39.opt-1.pyc=old"), fake("b", 1, false, "m.py=B")},
			[]string{"skeleton", "wheel/a-1", "  a-1.dist-info/RECORD= a-1.dist-info/RECORD", "wheel/b-1", "  b-1.dist-info/RECORD= b-1.dist-info/RECORD m.py", "  m.py=B"},
			[]string{site + "m.py: of b 1, not of a 1"}},
		{"fresh bytecode replaces shipped", []Installed{fake("a", 0, true, "m.py=A", "__pycache__/m.cpython-311.pyc=old"), fake("b", 1, false, "__pycache__/m.cpython-311.pyc=older")},
			[]string{"skeleton", "wheel/a-1", "  a-1.dist-info/RECORD= a-1.dist-info/RECORD m.py", "  m.py=A", "bytecode/a-1", "  __pycache__/m.cpython-311.pyc=code of A",
				"wheel/b-1", "  b-1.dist-info/RECORD= b-1.dist-info/RECORD"}, nil},
		{"the one bytecode of a module that both have", []Installed{fake("a", 0, true, "m.py=M"), fake("b", 1, false, "m.py=M")},
			[]string{"skeleton", "wheel/a-1", "  a-1.dist-info/RECORD= a-1.dist-info/RECORD m.py", "  m.py=M",
				"bytecode/a-1", "  __pycache__/m.cpython-311.pyc=code of M",
				"wheel/b-1", "  b-1.dist-info/RECORD= b-1.dist-info/RECORD m.py", "  m.py=M"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "outside site-packages" {
				// The entries' paths have to be clean.
				for i := range c.packages {
					for k := range c.packages[i].Part.Entries {
						e := &c.packages[i].Part.Entries[k]
						e.Path = strings.Replace(e.Path, site+"../../../", "app/.venv/", 1)
					}
					tree.Sort(c.packages[i].Part.Entries)
				}
				c.parts = []string{"skeleton", "wheel/a-1", "  a-1.dist-info/RECORD= a-1.dist-info/RECORD",
					"wheel/b-1", "  app/.venv/bin/x=B", "  b-1.dist-info/RECORD= ../../../bin/x b-1.dist-info/RECORD"}
				c.collisions = []string{"app/.venv/bin/x: of b 1, not of a 1"}
			}
			keys := map[string]string{}
			var before []string
			for _, p := range c.packages {
				before = append(before, summary(t, []tree.Part{p.Part, p.Bytecode})...)
				keys[p.Part.Name], keys[p.Bytecode.Name] = p.Part.Key, p.Bytecode.Key
			}
			parts, collisions, err := Join(bare, c.packages, Report)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, summary(t, parts), c.parts)
			var got []string
			for _, x := range collisions {
				got = append(got, x.String())
			}
			equal(t, got, c.collisions)
			var after []string
			for _, p := range c.packages {
				after = append(after, summary(t, []tree.Part{p.Part, p.Bytecode})...)
			}
			equal(t, after, before) // the arguments stay as they were
			for _, p := range parts[1:] {
				changed := len(p.Entries) != len(original(c.packages, p.Name).Entries)
				if (p.Key != keys[p.Name]) != changed {
					t.Errorf("%s: the key is %q, changed entries: %v", p.Name, p.Key, changed)
				}
			}
			_, _, err = Join(bare, c.packages, Refuse)
			if len(c.collisions) == 0 {
				equal(t, err, nil)
			} else if fault.KindOf(err) != fault.Collision || !strings.Contains(err.Error(), c.collisions[0]) {
				t.Errorf("error = %v", err)
			}
		})
	}
}

func original(packages []Installed, name string) tree.Part {
	for _, p := range packages {
		if p.Part.Name == name {
			return p.Part
		}
		if p.Bytecode.Name == name {
			return p.Bytecode
		}
	}
	return tree.Part{}
}

func TestJoinRefuses(t *testing.T) {
	for _, c := range []struct {
		name     string
		packages []Installed
		want     string
		kind     fault.Kind
	}{
		{"file and directory", []Installed{fake("a", 0, false, "n=1", "z/y=1"), fake("b", 1, false, "n/m.py=1", "n/o.py=1", "z=1")},
			"packages cannot be installed together: " + site + "n is a file of a 1 and a directory of b 1; " + site + "z is a file of b 1 and a directory of a 1", fault.Collision},
		{"a file where bytecode goes", []Installed{fake("a", 0, false, "n/__pycache__=1"), fake("b", 1, true, "n/m.py=1")},
			"packages cannot be installed together: " + site + "n/__pycache__ is a file of a 1 and a directory of b 1", fault.Collision},
		{"one dist-info", []Installed{fake("a", 0, false), func() Installed {
			p := fake("b", 0, false)
			p.record = site + "a-1.dist-info/RECORD"
			return p
		}()}, "packages cannot be installed together: a 1 and b 1 have one dist-info directory, " + site + "a-1.dist-info", fault.Collision},
		{"twice", []Installed{fake("a", 0, false), fake("a", 1, false)}, `join environment: package "a" is installed twice`, fault.Other},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := Join(bare, c.packages, Report)
			if err == nil || fault.KindOf(err) != c.kind {
				t.Fatalf("error = %v", err)
			}
			equal(t, err.Error(), c.want)
		})
	}
}

func TestJoinListsAll(t *testing.T) {
	_, _, err := Join(bare, []Installed{fake("a", 0, false, "x=1", "y=1"), fake("b", 1, false, "x=2", "y=2"), fake("c", 2, false, "x=3")}, Refuse)
	equal(t, fmt.Sprint(err), "packages bring different files for one path:\n  "+site+"x: of c 1, not of a 1\n  "+site+"x: of c 1, not of b 1\n  "+site+"y: of b 1, not of a 1")
}

// TestJoinWheels joins what Install gives.
func TestJoinWheels(t *testing.T) {
	a := install(t, testwheel.New("a", "1").File("n/m.py", "a").Data("scripts", "run", "#!python\na").EntryPoint("tool", "a:main"))
	b := install(t, testwheel.New("b", "2").File("n/m.py", "b").Data("data", "bin/run", "b").EntryPoint("tool", "b:main"))
	b.Rank = 1
	skeleton, err := Skeleton(spec)
	if err != nil {
		t.Fatal(err)
	}
	parts, collisions, err := Join(skeleton, []Installed{a, b}, Report)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, collisions, []Collision{
		{"app/.venv/bin/run", "b 2", "a 1"}, {"app/.venv/bin/tool", "b 2", "a 1"}, {site + "n/m.py", "b 2", "a 1"},
	})
	equal(t, len(parts), 3)
	for _, r := range recordOf(t, parts[1]) {
		if !strings.HasPrefix(r.path, "a-1.dist-info/") {
			t.Errorf("row of %s is left", r.path)
		}
	}
}

func TestSourceless(t *testing.T) {
	sourceless := func(in Installed) Installed {
		in.Sourceless = true
		return in
	}
	a := fake("a", 0, true, "n/__init__.py=N", "n/m.py=A", "n/data=D", "taken.py=T", "bare.py=B")
	a.Bytecode.Entries = slices.DeleteFunc(a.Bytecode.Entries, func(e tree.Entry) bool { return strings.Contains(e.Path, "bare") })
	b := fake("b", 1, true, "n/__init__.py=N", "n/m.py=B", "taken.pyc=old")
	parts, collisions, err := Join(bare, []Installed{sourceless(a), sourceless(b)}, Report)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, summary(t, parts), []string{
		"skeleton",
		"wheel/a-1", "  a-1.dist-info/RECORD= a-1.dist-info/RECORD bare.py n/data taken.py", "  bare.py=B", "  n/data=D", "  taken.py=T",
		"bytecode/a-1", "  __pycache__/taken.cpython-311.pyc=code of T", "  n/__init__.pyc=code of N",
		"wheel/b-1", "  b-1.dist-info/RECORD= b-1.dist-info/RECORD taken.pyc", "  taken.pyc=old",
		"bytecode/b-1", "  n/__init__.pyc=code of N", "  n/m.pyc=code of B",
	})
	equal(t, collisions, []Collision{{site + "n/m.py", "b 1", "a 1"}})
	with, _, err := Join(bare, []Installed{a, b}, Report)
	if err != nil {
		t.Fatal(err)
	}
	for i := range parts[1:] {
		if parts[i+1].Key == with[i+1].Key {
			t.Errorf("%s has the key that it has with sources", parts[i+1].Name)
		}
	}
	plain, _, err := Join(bare, []Installed{sourceless(fake("c", 0, false, "c.py=C"))}, Report)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, plain[1].Key, "key of c")
}

func TestSource(t *testing.T) {
	for p, want := range map[string]string{
		"a/__pycache__/m.cpython-311.pyc":        "a/m.py",
		"__pycache__/m.cpython-311.opt-2.pyc":    "m.py",
		"a/__pycache__/x.y.cpython-311.pyc":      "a/x.y.py",
		"a/__pycache__/m.pyc":                    "",
		"a/m.pyc":                                "",
		"a/__pycache__/m.cpython-311.so":         "",
		"__pycache__/b/m.cpython-311.pyc":        "",
		"a/not__pycache__/m.cpython-311.pyc":     "",
		"a/__pycache__/__pycache__/m.tag.pyc":    "a/__pycache__/m.py",
		"a/__pycache__/__init__.cpython-313.pyc": "a/__init__.py",
	} {
		equal(t, source(p), want)
	}
}

// TestJoinProperties: the order of the arguments does not matter; every path that someone brought is there, once or the
// same each time, and is what its last claimant brought; RECORD lists what the part has.
func TestJoinProperties(t *testing.T) {
	names := []string{"a.py", "b.py", "n/__init__.py", "n/m.py", "data.txt"}
	rapid.Check(t, func(t *rapid.T) {
		var packages []Installed
		want := map[string]string{}
		ranks := rapid.Permutation([]int{0, 1, 2, 3, 4}).Draw(t, "ranks")
		n := rapid.IntRange(0, 5).Draw(t, "packages")
		compile := rapid.Bool().Draw(t, "compile")
		for i := range n {
			var files []string
			for _, f := range names {
				if rapid.Bool().Draw(t, f) {
					files = append(files, f+"="+rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "content"))
				}
			}
			packages = append(packages, fake(fmt.Sprintf("p%d", i), ranks[i], compile, files...))
		}
		byRank := slices.SortedFunc(slices.Values(packages), func(a, b Installed) int { return a.Rank - b.Rank })
		for _, p := range byRank {
			for _, e := range slices.Concat(p.Part.Entries, p.Bytecode.Entries) {
				want[e.Path] = string(e.Content.(tree.Bytes))
			}
		}
		parts, collisions, err := Join(bare, packages, Report)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, p := range parts {
			paths := map[string]bool{}
			var record []row
			for _, e := range p.Entries {
				text := string(e.Content.(tree.Bytes))
				if strings.HasSuffix(e.Path, "RECORD") {
					if record, err = parseRecord([]byte(text)); err != nil {
						t.Fatal(err)
					}
					text = ""
					want[e.Path] = ""
				}
				if other, ok := got[e.Path]; ok && other != text {
					t.Errorf("%s is there with different content", e.Path)
				}
				got[e.Path] = text
				paths[e.Path] = true
			}
			if strings.HasPrefix(p.Name, "wheel/") {
				listed := map[string]bool{}
				for _, r := range record {
					listed[site+r.path] = true
				}
				if !maps.Equal(listed, paths) {
					t.Errorf("%s: RECORD lists %v, the part has %v", p.Name, listed, paths)
				}
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		shuffled := rapid.Permutation(packages).Draw(t, "shuffled")
		parts2, collisions2, err := Join(bare, shuffled, Report)
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(parts2) != fmt.Sprint(parts) || fmt.Sprint(collisions2) != fmt.Sprint(collisions) {
			t.Errorf("another order of arguments gives another result")
		}
	})
}
