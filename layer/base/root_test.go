package base

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"vpk/layer/base/basetest"
)

func openPython(t testing.TB) *Image {
	t.Helper()
	dir := writeLayout(t, []string{""}, []mutate.Appendable{basetest.PythonImage(t, bookworm)})
	return mustOpen(t, "oci:"+dir, Options{})
}

func TestUnpackImage(t *testing.T) {
	outside := t.TempDir()
	files := []basetest.File{
		{Name: "d/", Mode: 0o555, UID: 12345}, {Name: "d/suid", Mode: 0o6711, Body: "x"}, {Name: "d/secret", Mode: 0o020, Body: "x"},
		{Name: "tmp/", Mode: 0o1777}, {Name: "null", Type: tar.TypeChar}, {Name: "pipe", Type: tar.TypeFifo}, {Name: "hard", Type: tar.TypeLink, Link: "d/suid"},
		{Name: "out", Link: outside}, {Name: "out/x", Body: "inside"}, {Name: "up", Link: strings.Repeat("../", 30) + outside[1:]}, {Name: "up/y", Body: "inside"},
		{Name: "closed/", Mode: 0o001}, {Name: "closed/f", Body: "x"}, {Name: "self", Link: "self"},
	}
	img := basetest.Image(t, v1.ConfigFile{}, basetest.Layer(t, basetest.Tar(t, files...), types.OCILayer))
	dir := t.TempDir()
	if err := UnpackImage(t.Context(), img, dir); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"d": "drwxr-xr-x", "d/suid": "-rwx--x--x", "d/secret": "-r--------", "tmp": "drwxr-xr-x", "hard": "-rwx--x--x",
		"closed": "drwx-----x", "closed/f": "-rw-r--r--", "null": "", "pipe": "", "out": "L", "self": "L",
	} {
		info, err := os.Lstat(filepath.Join(dir, path))
		switch {
		case want == "":
			if !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s is there", path)
			}
		case err != nil:
			t.Error(err)
		case want == "L":
			if info.Mode().Type() != fs.ModeSymlink {
				t.Errorf("%s: %s", path, info.Mode())
			}
		case info.Mode().String() != want:
			t.Errorf("%s: %s, want %s", path, info.Mode(), want)
		}
	}
	if !sameInode(filepath.Join(dir, "hard"), filepath.Join(dir, "d/suid")) {
		t.Error("a hard link is a copy")
	}
	for _, name := range []string{"x", "y"} {
		if data, err := os.ReadFile(filepath.Join(dir, outside, name)); err != nil || string(data) != "inside" {
			t.Errorf("%s below a link: %q, %v", name, data, err)
		}
	}
	if list, err := os.ReadDir(outside); err != nil || len(list) != 0 {
		t.Errorf("outside of the root: %v, %v", list, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "d")); err != nil || info.ModTime().Year() != 2024 {
		t.Errorf("time of a directory: %v, %v", info.ModTime(), err)
	}
}

func TestUnpackWantsAnEmptyDirectory(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("/etc", filepath.Join(dir, "d")); err != nil {
		t.Fatal(err)
	}
	img := basetest.Image(t, v1.ConfigFile{}, basetest.Layer(t, basetest.Tar(t, short("d/ d/x=1")...), types.OCILayer))
	if err := UnpackImage(t.Context(), img, dir); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v", err)
	}
}

func TestRootIsMadeOnce(t *testing.T) {
	img := openPython(t)
	var dirs [4]string
	var wg sync.WaitGroup
	for i := range dirs {
		wg.Go(func() {
			var err error
			if dirs[i], err = img.Root(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, dir := range dirs {
		if dir != dirs[0] || dir == "" {
			t.Errorf("roots %q", dirs)
		}
	}
	if got := describeDir(t, dirs[0]); len(got) != len(img.needed().All())-1 {
		t.Errorf("%d entries, want %d", len(got), len(img.needed().All())-1)
	}
}

func TestDamagedRootIsMadeAgain(t *testing.T) {
	img := openPython(t)
	for name, damage := range map[string]func(root string) error{
		"a module": func(root string) error {
			return os.WriteFile(filepath.Join(root, "usr/lib/python3.11/os.py"), []byte("# no\n"), 0o644)
		},
		"a library": func(root string) error { return os.Truncate(filepath.Join(root, "lib/x86_64-linux-gnu/libm.so.6"), 10) },
		"gone":      func(root string) error { return os.Remove(filepath.Join(root, "usr/bin/python3.11")) },
		"a link":    func(root string) error { return relink(filepath.Join(root, "usr/bin/python3.11"), "/etc/passwd") },
		"bytecode": func(root string) error {
			return os.MkdirAll(filepath.Join(root, "usr/lib/python3.11/__pycache__"), 0o755)
		},
		"everything": func(root string) error { return os.RemoveAll(filepath.Join(root, "usr")) },
		"a file":     func(root string) error { return errors.Join(os.RemoveAll(root), os.WriteFile(root, nil, 0o644)) },
	} {
		t.Run(name, func(t *testing.T) {
			root, err := img.Root(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			want := describeDir(t, root)
			if err := damage(root); err != nil {
				t.Fatal(err)
			}
			again, err := img.Root(t.Context())
			if err != nil || again != root {
				t.Fatalf("root %q, %v: want %q", again, err, root)
			}
			if diff := cmp.Diff(want, describeDir(t, again)); diff != "" {
				t.Errorf("-before +after:\n%s", diff)
			}
		})
	}
}

func relink(path, target string) error {
	return errors.Join(os.Remove(path), os.Symlink(target, path))
}

func TestFailedUnpackLeavesNothing(t *testing.T) {
	img := openPython(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := img.Root(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	for _, dir := range []string{"tmp", fmt.Sprintf("%s-v%d", kindRoot.Name, kindRoot.Version)} {
		list, err := os.ReadDir(filepath.Join(img.opts.Cache.Dir(), dir))
		if err != nil && !errors.Is(err, fs.ErrNotExist) || len(list) != 0 {
			t.Errorf("%s: %v, %v", dir, list, err)
		}
	}
}

func TestCancelledOpen(t *testing.T) {
	dir := writeLayout(t, []string{""}, []mutate.Appendable{basetest.PythonImage(t, bookworm)})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Open(ctx, mustRef(t, "oci:"+dir), Options{Cache: newStore(t), Platform: amd64})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestHiddenLayersAreNotReadAgain(t *testing.T) {
	hidden, top := sourceOf(basetest.Tar(t, short("a=1")...)), sourceOf(basetest.Tar(t, short("a=2")...))
	files, err := squash(t.Context(), []layerSource{hidden, top}, 1)
	if err != nil {
		t.Fatal(err)
	}
	hidden.open = func(context.Context) (io.ReadCloser, error) { return nil, errors.New("it was read") }
	if err := unpack(t.Context(), files, []layerSource{hidden, top}, 1, t.TempDir()); err != nil {
		t.Error(err)
	}
}
