package venv

import (
	"fmt"
	"path"
	"strings"
	"unicode"

	"vpk/internal/cas"
	"vpk/internal/fault"
	"vpk/venv/tree"
	"vpk/wheel/tag"
)

// Spec says which environment: where it is and whose it is.
type Spec struct {
	// Prefix is the absolute path of the environment, in the image or on the host: "/app/.venv".
	Prefix string
	// Python is the interpreter's version. Its full form goes into pyvenv.cfg when it is known.
	Python tag.Python
	// Interpreter is the absolute path that bin/python leads to: "/usr/bin/python3.11".
	Interpreter string
}

// maxShebang is how long a first line may be, with its newline: what Linux before 5.1 reads, and where uv and pip switch
// to a /bin/sh trampoline (uv: crates/uv-install-wheel/src/wheel.rs:113).
const maxShebang = 127

// Check proves that the environment can be made without a shell.
func (s Spec) Check() error {
	if s.Python.Major != 3 || s.Python.Minor < 0 {
		return fault.New(fault.Usage, "", "virtual environment: Python %s is not a CPython 3", s.Python.Short())
	}
	if !cleanAbsolute(s.Interpreter) {
		return fault.New(fault.Usage, "", "virtual environment: interpreter %q is not a clean absolute path", s.Interpreter)
	}
	if !cleanAbsolute(s.Prefix) || s.Prefix == "/" {
		return fault.New(fault.Usage, "", "virtual environment: %q is not a clean absolute path below the root", s.Prefix)
	}
	if strings.ContainsFunc(s.Prefix, unicode.IsSpace) {
		return fault.New(fault.Usage, "choose a path without spaces", "virtual environment %q: scripts cannot name an interpreter in a path with white space", s.Prefix)
	}
	if n := len(s.shebang()); n > maxShebang {
		return fault.New(fault.Usage, "choose a shorter path", "virtual environment %q: the first line of its scripts would have %d bytes, at most %d work everywhere",
			s.Prefix, n, maxShebang)
	}
	return nil
}

// cleanAbsolute also refuses what could not stand in a line of pyvenv.cfg.
func cleanAbsolute(p string) bool {
	return path.IsAbs(p) && path.Clean(p) == p && !strings.ContainsFunc(p, unicode.IsControl)
}

// shebang is the first line of every script, with its newline.
func (s Spec) shebang() string { return "#!" + s.Prefix + "/bin/python\n" }

// SitePackages is the path in the tree of the one directory that modules are installed into:
// "app/.venv/lib/python3.11/site-packages".
func (s Spec) SitePackages() string { return s.inTree(s.sitePackages()) }

// sitePackages is the same relative to the prefix, as all paths of this package's plan are.
func (s Spec) sitePackages() string { return "lib/python" + s.Python.Short() + "/site-packages" }

func (s Spec) inTree(p string) string { return s.Prefix[1:] + "/" + p }

// Skeleton is what an environment has before anything is installed: pyvenv.cfg, the links to the interpreter, lib64.
// Its part is named "skeleton".
func Skeleton(s Spec) (tree.Part, error) {
	if err := s.Check(); err != nil {
		return tree.Part{}, err
	}
	version := s.Python.Full
	if version == "" {
		version = s.Python.Short()
	}
	config := fmt.Sprintf("home = %s\nimplementation = CPython\nversion_info = %s\ninclude-system-site-packages = false\n",
		path.Dir(s.Interpreter), version)
	entries := []tree.Entry{
		{Path: "pyvenv.cfg", Kind: tree.File, Mode: 0o644, Content: tree.Bytes(config)},
		{Path: "bin/python", Kind: tree.Link, Mode: 0o777, Target: s.Interpreter},
		{Path: "bin/python3", Kind: tree.Link, Mode: 0o777, Target: "python"},
		{Path: "bin/python" + s.Python.Short(), Kind: tree.Link, Mode: 0o777, Target: "python"},
		{Path: "lib64", Kind: tree.Link, Mode: 0o777, Target: "lib"},
	}
	for i := range entries {
		entries[i].Path = s.inTree(entries[i].Path)
	}
	tree.Sort(entries)
	return tree.Part{
		Name:    "skeleton",
		Key:     cas.Key("skeleton", FormatVersion, s.Prefix, s.Python.Short(), version, s.Interpreter),
		Entries: entries,
	}, nil
}

// owns says whether the skeleton needs a path for itself: one of its own, one above it as a file, or one below it.
func (s Spec) owns(p string) bool {
	top, below, _ := strings.Cut(p, "/")
	switch top {
	case "pyvenv.cfg", "lib64":
		return true
	case "bin":
		name, _, _ := strings.Cut(below, "/")
		return name == "" || name == "python" || name == "python3" || name == "python"+s.Python.Short()
	}
	return false
}
