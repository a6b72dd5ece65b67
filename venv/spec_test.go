package venv

import (
	"strings"
	"testing"

	"vpk/internal/fault"
	"vpk/venv/tree"
	"vpk/wheel/tag"
)

func TestSkeleton(t *testing.T) {
	p, err := Skeleton(spec)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, p.Name, "skeleton")
	equal(t, p.Check(), nil)
	equal(t, golden(t, p), `== 777 bin/python
-> /usr/bin/python3.11
== 777 bin/python3
-> python
== 777 bin/python3.11
-> python
== 777 lib64
-> lib
== 644 pyvenv.cfg
home = /usr/bin
implementation = CPython
version_info = 3.11.2
include-system-site-packages = false
`)
	equal(t, spec.SitePackages(), "app/.venv/lib/python3.11/site-packages")
}

func TestSkeletonKey(t *testing.T) {
	seen := map[string]bool{}
	for _, change := range []func(*Spec){
		func(s *Spec) {}, func(s *Spec) { s.Prefix = "/srv/env" }, func(s *Spec) { s.Python.Full = "3.11.3" }, func(s *Spec) { s.Python.Full = "" },
		func(s *Spec) { s.Interpreter = "/usr/bin/python3" },
	} {
		s := spec
		change(&s)
		p, err := Skeleton(s)
		if err != nil {
			t.Fatal(err)
		}
		if seen[p.Key] {
			t.Errorf("%+v has a known key", s)
		}
		seen[p.Key] = true
	}
}

func TestSpecCheck(t *testing.T) {
	// 2 + 113 + len("/bin/python") + 1 is 127.
	longest := "/" + strings.Repeat("x", 112)
	for _, c := range []struct {
		name   string
		change func(*Spec)
		want   string // a part of the error
	}{
		{"good", func(s *Spec) {}, ""},
		{"longest", func(s *Spec) { s.Prefix = longest }, ""},
		{"too long", func(s *Spec) { s.Prefix = longest + "x" }, "would have 128 bytes, at most 127"},
		{"space", func(s *Spec) { s.Prefix = "/my app/.venv" }, "white space"},
		{"no-break space", func(s *Spec) { s.Prefix = "/my\u00a0app/.venv" }, "white space"},
		{"newline", func(s *Spec) { s.Prefix = "/my\napp/.venv" }, "not a clean absolute path"},
		{"relative", func(s *Spec) { s.Prefix = "app/.venv" }, "not a clean absolute path"},
		{"not clean", func(s *Spec) { s.Prefix = "/app/../.venv" }, "not a clean absolute path"},
		{"slash at the end", func(s *Spec) { s.Prefix = "/app/.venv/" }, "not a clean absolute path"},
		{"root", func(s *Spec) { s.Prefix = "/" }, "below the root"},
		{"empty", func(s *Spec) { *s = Spec{} }, "is not a CPython 3"},
		{"python 2", func(s *Spec) { s.Python = tag.Python{Major: 2, Minor: 7} }, "Python 2.7 is not a CPython 3"},
		{"interpreter", func(s *Spec) { s.Interpreter = "python3" }, `interpreter "python3" is not a clean absolute path`},
		{"interpreter with a line", func(s *Spec) { s.Interpreter = "/usr/bin\nx = y/python3" }, "is not a clean absolute path"},
		{"interpreter with a space", func(s *Spec) { s.Interpreter = "/my python/bin/python3" }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := spec
			c.change(&s)
			err := s.Check()
			_, skeletonErr := Skeleton(s)
			if c.want == "" {
				if err != nil || skeletonErr != nil {
					t.Error(err, skeletonErr)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || fault.KindOf(err) != fault.Usage {
				t.Errorf("error = %v, want %q", err, c.want)
			}
			if _, err := Install(s, Package{}); err == nil || skeletonErr == nil {
				t.Error("the spec is used unchecked")
			}
		})
	}
}

func TestOwns(t *testing.T) {
	p, err := Skeleton(spec)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range p.Entries {
		if rel := strings.TrimPrefix(e.Path, "app/.venv/"); !spec.owns(rel) || !spec.owns(rel+"/x") {
			t.Errorf("%s is not owned", rel)
		}
	}
	for _, other := range []string{"bin/python2", "bin/python3.12", "lib", "lib/x", "pyvenv.cfg.bak", "bin/pip"} {
		if spec.owns(other) {
			t.Errorf("%s is owned", other)
		}
	}
	equal(t, p.Entries[0].Kind, tree.Link)
}
