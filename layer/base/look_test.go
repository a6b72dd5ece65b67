package base

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// settle makes everything below a root look old: as the machine's clock can't be moved, the times of change can't either, and what
// is remembered is moved instead.
func settle(t *testing.T, img *Image, root string) {
	t.Helper()
	l, err := img.look(root)
	if err != nil {
		t.Fatal(err)
	}
	l.Changed = time.Time{}
	if err := img.remember(l); err != nil {
		t.Fatal(err)
	}
}

func isRemembered(t *testing.T, img *Image, root string) bool {
	t.Helper()
	l, err := img.look(root)
	return err == nil && img.isRemembered(l)
}

func TestLookIsRememberedOnceItIsSettled(t *testing.T) {
	img := openPython(t)
	img.opts.Boot = "boot"
	root, err := img.Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if isRemembered(t, img, root) {
		t.Error("files that were written just now are remembered")
	}
	settle(t, img, root)
	if !isRemembered(t, img, root) {
		t.Fatal("files that were compared are not remembered")
	}
	img.opts.Boot = "another"
	if isRemembered(t, img, root) {
		t.Error("files that were compared in another boot are remembered")
	}
}

func TestLookTellsDamage(t *testing.T) {
	img := openPython(t)
	img.opts.Boot = "boot"
	const module = "usr/lib/python3.11/os.py"
	for name, damage := range map[string]func(root string) error{
		"other content of the same size and time": func(root string) error {
			path := filepath.Join(root, module)
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			data[0] ^= 1
			return errors.Join(os.WriteFile(path, data, 0o644), os.Chtimes(path, info.ModTime(), info.ModTime()))
		},
		"another file in its place": func(root string) error {
			path := filepath.Join(root, module)
			return errors.Join(os.WriteFile(path+".new", nil, 0o644), os.Rename(path+".new", path))
		},
		"one more module": func(root string) error {
			return os.WriteFile(filepath.Join(root, "usr/lib/python3.11/sitecustomize.py"), nil, 0o644)
		},
		"bytecode": func(root string) error { return os.Mkdir(filepath.Join(root, "usr/lib/python3.11/__pycache__"), 0o755) },
		"gone":     func(root string) error { return os.Remove(filepath.Join(root, "usr/bin/python3.11")) },
		"a link":   func(root string) error { return relink(filepath.Join(root, "usr/bin/python3.11"), "/etc/passwd") },
		"another directory in its place": func(root string) error {
			lib := filepath.Join(root, "usr/lib/python3.11")
			return errors.Join(os.Rename(lib, lib+".old"), os.CopyFS(lib, os.DirFS(lib+".old")), os.WriteFile(filepath.Join(lib, "os.py"), nil, 0o644))
		},
	} {
		t.Run(name, func(t *testing.T) {
			root, err := img.Root(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			settle(t, img, root)
			want := describeDir(t, root)
			if err := damage(root); err != nil {
				t.Fatal(err)
			}
			if _, err := img.Root(t.Context()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, describeDir(t, root)); diff != "" {
				t.Errorf("-before +after:\n%s", diff)
			}
		})
	}
}

// What looks as it did is not read: nothing else can show that but damage that leaves no trace in a directory entry.
func TestLookSparesReading(t *testing.T) {
	img := openPython(t)
	img.opts.Boot = "boot"
	root, err := img.Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, "usr/lib/python3.11/os.py")
	if err := os.WriteFile(path, []byte("# no\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	settle(t, img, root)
	if err := img.checkRoot(t.Context(), root); err != nil {
		t.Errorf("files were read that look as they did: %v", err)
	}
	if err := img.opts.Cache.Remove(kindLook, img.Digest.Hex); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if err := img.checkRoot(t.Context(), root); err == nil {
		t.Error("without a look, files were not read")
	}
}
