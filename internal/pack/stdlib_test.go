package pack

import (
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"vpk/internal/config"
	"vpk/layer/base"
	"vpk/layer/base/basetest"
)

// libraryBase is an opened base with more in and around its standard library.
func libraryBase(t *testing.T, more ...basetest.File) *base.Image {
	t.Helper()
	c, files := basetest.Python(debian12)
	dir := t.TempDir()
	l, err := layout.Write(dir, empty.Index)
	if err == nil {
		err = l.AppendImage(basetest.Image(t, c, basetest.Layer(t, basetest.Tar(t, append(files, more...)...), types.OCIUncompressedLayer)))
	}
	if err != nil {
		t.Fatal(err)
	}
	ref, err := base.ParseRef("oci:" + dir)
	if err != nil {
		t.Fatal(err)
	}
	b, err := base.Open(t.Context(), ref, sources(t, t.TempDir()).baseOptions("amd64"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestStandardLibrarySources(t *testing.T) {
	lib := "usr/lib/python3.11/"
	b := libraryBase(t,
		basetest.File{Name: lib + "tool.py", Body: "tool", Mode: 0o755},
		basetest.File{Name: lib + "data.txt"},
		basetest.File{Name: lib + "test/badsyntax.py", Body: "print 1"},
		basetest.File{Name: lib + "has.py"}, basetest.File{Name: lib + "__pycache__/has.cpython-311.pyc"},
		basetest.File{Name: lib + "other.py"}, basetest.File{Name: lib + "__pycache__/other.cpython-310.pyc"},
		basetest.File{Name: lib + "__pycache__/stray.py"},
		basetest.File{Name: lib + "site-packages/x.py"}, basetest.File{Name: lib + "dist-packages/x.py"}, basetest.File{Name: lib + "inner/site-packages/x.py"},
		basetest.File{Name: "etc/python3.11/sitecustomize.py", Body: "site"},
		basetest.File{Name: lib + "sitecustomize.py", Link: "/etc/python3.11/sitecustomize.py"},
		basetest.File{Name: lib + "nothing.py", Link: "nowhere.py"}, basetest.File{Name: lib + "loop.py", Link: "loop.py"},
		basetest.File{Name: "opt/lib/x.py"}, basetest.File{Name: lib + "linked", Link: "/opt/lib"}, basetest.File{Name: lib + "dir.py/"},
		basetest.File{Name: lib + "odd/a.py"}, basetest.File{Name: lib + "odd/__pycache__"},
		basetest.File{Name: lib + "odder/a.py"}, basetest.File{Name: lib + "odder/__pycache__", Link: "/tmp"},
		basetest.File{Name: "usr/lib/python3/x.py"},
	)
	c := &compiler{root: func() (string, error) { return b.Root(t.Context()) }}
	part := c.sources(b)
	if err := part.Check(); err != nil {
		t.Error(err)
	}
	got := map[string]string{}
	for _, e := range part.Entries {
		r, err := e.Content.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		got[strings.TrimPrefix(e.Path, lib)] = string(data)
	}
	want := map[string]string{
		"os.py": "# os\n", "json/__init__.py": "# json\n", "tool.py": "tool", "test/badsyntax.py": "print 1", "other.py": "",
		"inner/site-packages/x.py": "", "sitecustomize.py": "site",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// The key is that of the sources alone.
func TestStandardLibraryKey(t *testing.T) {
	c := &compiler{}
	key := func(more ...basetest.File) string { return c.sources(libraryBase(t, more...)).Key }
	start := key()
	if other := key(basetest.File{Name: "opt/x.py"}, basetest.File{Name: "usr/lib/python3.11/data.txt"}); other != start {
		t.Error("a file that is no module of the library changes the key")
	}
	for _, name := range []string{"new.py", "os.py"} {
		if key(basetest.File{Name: "usr/lib/python3.11/" + name, Body: "pass"}) == start {
			t.Errorf("another %s does not change the key", name)
		}
	}
}

func TestNoStandardLibrary(t *testing.T) {
	no := false
	for name, c := range map[string]*compiler{"without a compiler": nil, "not wanted": {options: bytecodeOptions{config.Bytecode{Stdlib: &no}}}} {
		// A compiler that is asked to compile would fail: it has no processes.
		parts, err := c.standardLibrary(t.Context(), nil)
		if err != nil || parts != nil {
			t.Errorf("%s: %v, %v", name, parts, err)
		}
	}
	lib := "usr/lib/python3.11/"
	compiled := libraryBase(t, basetest.File{Name: lib + "__pycache__/os.cpython-311.pyc"}, basetest.File{Name: lib + "json/__pycache__/__init__.cpython-311.pyc"})
	if parts, err := (&compiler{}).standardLibrary(t.Context(), compiled); err != nil || parts != nil {
		t.Errorf("a base that has bytecode: %v, %v", parts, err)
	}
}
