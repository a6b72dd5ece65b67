package base

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"

	"vpk/layer/base/basetest"
)

// filesOf is the index of layers that are given as files.
func filesOf(t *testing.T, layers ...[]basetest.File) *Files {
	t.Helper()
	files, err := indexOf(t, layers...)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func indexOf(t testing.TB, layers ...[]basetest.File) (*Files, error) {
	t.Helper()
	var sources []layerSource
	for _, l := range layers {
		sources = append(sources, sourceOf(basetest.Tar(t, l...)))
	}
	return squash(t.Context(), sources, 2)
}

func paths(entries []Entry) (list []string) {
	for _, e := range entries {
		list = append(list, e.Path)
	}
	return list
}

var linkedRoot = []basetest.File{
	{Name: "lib", Link: "usr/lib"}, {Name: "usr/lib/python3.13/os.py", Body: "x"}, {Name: "usr/bin/python3", Link: "python3.13"},
	{Name: "usr/bin/python3.13", Mode: 0o755, Body: "x"}, {Name: "abs", Link: "/lib/python3.13"}, {Name: "up", Link: "../../usr/./bin"},
	{Name: "loop", Link: "loop2"}, {Name: "loop2", Link: "/loop"}, {Name: "dangling", Link: "nowhere/at/all"},
	{Name: "slash", Link: "usr/bin/"}, {Name: "file-slash", Link: "usr/bin/python3/"}, {Name: "usr-a", Body: ""}, {Name: "usr.d/x", Body: ""},
}

func TestResolve(t *testing.T) {
	files := filesOf(t, linkedRoot)
	for in, want := range map[string]string{
		"/usr/bin/python3":           "usr/bin/python3.13",
		"usr/bin/python3.13":         "usr/bin/python3.13",
		"/lib/python3.13/os.py":      "usr/lib/python3.13/os.py",
		"abs/os.py":                  "usr/lib/python3.13/os.py",
		"/abs":                       "usr/lib/python3.13",
		"up/python3":                 "usr/bin/python3.13",
		"slash/python3":              "usr/bin/python3.13",
		"/":                          ".",
		"":                           ".",
		"../../usr//bin/../bin/":     "usr/bin",
		"/usr/bin/python3.13":        "usr/bin/python3.13",
		"lib":                        "usr/lib",
		"/dangling":                  "",
		"/nothing":                   "",
		"/usr/bin/python3.13/below":  "",
		"/loop":                      "",
		"/loop/x":                    "",
		"file-slash":                 "", // not a directory
		"/usr/lib/python3.13/os.py/": "usr/lib/python3.13/os.py",
	} {
		got, err := files.Resolve(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("Resolve(%q) = %q, %v: want %q", in, got, err, want)
		}
	}
	if _, err := files.Resolve("/loop"); !errors.Is(err, ErrLoop) {
		t.Errorf("Resolve of a loop: %v", err)
	}
	if _, err := files.Resolve("/dangling"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Resolve of a dangling link: %v", err)
	}
}

func TestRealDirAndPlaceOfMergedUsr(t *testing.T) {
	files := filesOf(t, linkedRoot)
	for in, want := range map[string]string{
		"lib":                          "usr/lib",
		"/lib/python3.13/__pycache__":  "usr/lib/python3.13/__pycache__",
		"app/.venv/lib/python3.13":     "app/.venv/lib/python3.13",
		"abs/json/__pycache__":         "usr/lib/python3.13/json/__pycache__",
		"dangling/x":                   "nowhere/at/all/x",
		".":                            ".",
		"usr/bin/python3":              "", // a link to a file
		"usr/bin/python3.13/directory": "",
		"loop/x":                       "",
	} {
		got, err := files.RealDir(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("RealDir(%q) = %q, %v: want %q", in, got, err, want)
		}
	}
	for in, want := range map[string]string{
		"lib/new.so":      "usr/lib/new.so",
		"lib":             "lib", // the name itself is not followed
		"usr/bin/python3": "usr/bin/python3",
		"/app/x":          "app/x",
		"/":               ".",
		"usr-a/x":         "",
	} {
		got, err := files.Place(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("Place(%q) = %q, %v: want %q", in, got, err, want)
		}
	}
}

func TestReadDir(t *testing.T) {
	files := filesOf(t, linkedRoot)
	if got, want := paths(files.ReadDir("/usr")), []string{"usr/bin", "usr/lib"}; !slices.Equal(got, want) {
		t.Errorf("ReadDir(usr) = %q, want %q", got, want)
	}
	if got, want := paths(files.ReadDir("lib")), []string{"usr/lib/python3.13"}; !slices.Equal(got, want) {
		t.Errorf("ReadDir through a link = %q, want %q", got, want)
	}
	top := paths(files.ReadDir("/"))
	for _, p := range top {
		if path.Dir(p) != "." || p == "." {
			t.Errorf("ReadDir(/) has %q", p)
		}
	}
	if !slices.Contains(top, "usr.d") || !slices.Contains(top, "usr-a") || len(top) != 11 {
		t.Errorf("ReadDir(/) = %q", top)
	}
	if got := files.ReadDir("nothing"); got != nil {
		t.Errorf("ReadDir of nothing = %v", got)
	}
}

func TestLinkChainsHaveTheKernelsLimit(t *testing.T) {
	var list []basetest.File
	name := func(i int) string { return "l" + strings.Repeat("x", i) }
	for i := range maxLinks + 1 {
		list = append(list, basetest.File{Name: name(i), Link: name(i + 1)})
	}
	files := filesOf(t, append(list, basetest.File{Name: name(maxLinks + 1), Body: "end"}))
	if _, err := files.Resolve(name(1)); err != nil {
		t.Errorf("%d links: %v", maxLinks, err)
	}
	if _, err := files.Resolve(name(0)); !errors.Is(err, ErrLoop) {
		t.Errorf("%d links: %v", maxLinks+1, err)
	}
}
