package sandbox

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"vpk/internal/peer"
)

// pythonRoot returns the root of a real image with CPython, of the directory that a variable names or of a base image. It may
// be changed when own is true.
func pythonRoot(t *testing.T, variable, base string) (root string, own bool) {
	t.Helper()
	if root := os.Getenv(variable); root != "" {
		return root, false
	}
	layout := peer.Base(t, base)
	root = t.TempDir()
	if err := errors.Join(unpackLayout(layout, root), os.Chmod(filepath.Dir(root), 0o755)); err != nil {
		t.Fatal(err)
	}
	return root, true
}

// unpackLayout unpacks the only image of an OCI layout that has neither whiteouts nor several platforms.
func unpackLayout(layout, root string) error {
	type descriptor struct{ Digest string }
	var index struct{ Manifests []descriptor }
	var manifest struct{ Layers []descriptor }
	blob := func(d descriptor) string {
		return filepath.Join(layout, "blobs", strings.ReplaceAll(d.Digest, ":", "/"))
	}
	read := func(path string, v any) error {
		data, err := os.ReadFile(path)
		return errors.Join(err, json.Unmarshal(data, v))
	}
	if err := read(filepath.Join(layout, "index.json"), &index); err != nil {
		return err
	}
	if err := read(blob(index.Manifests[0]), &manifest); err != nil {
		return err
	}
	for _, layer := range manifest.Layers {
		f, err := os.Open(blob(layer))
		if err != nil {
			return err
		}
		z, err := gzip.NewReader(f)
		if err == nil {
			err = unpackTar(z, root)
		}
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}

func unpackTar(r io.Reader, root string) error {
	for in := tar.NewReader(r); ; {
		h, err := in.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		name := filepath.Join("/", h.Name)
		parent, err := inside(root, filepath.Dir(name))
		if errors.Is(err, fs.ErrNotExist) {
			parent, err = filepath.Dir(name), os.MkdirAll(filepath.Join(root, filepath.Dir(name)), 0o755)
		}
		if err != nil {
			return err
		}
		path := filepath.Join(root, parent, filepath.Base(name))
		if h.Typeflag != tar.TypeDir {
			_ = os.Remove(path) // of a lower layer
		}
		switch h.Typeflag {
		case tar.TypeDir:
			if err = os.MkdirAll(path, 0o755); name != "/" && err == nil {
				err = os.Chmod(path, h.FileInfo().Mode().Perm()|0o700)
			}
		case tar.TypeSymlink:
			err = os.Symlink(h.Linkname, path)
		case tar.TypeLink:
			err = os.Link(filepath.Join(root, h.Linkname), path)
		default:
			var f *os.File
			if f, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY, h.FileInfo().Mode().Perm()); err == nil {
				_, err = io.Copy(f, in)
				err = errors.Join(err, f.Close())
			}
		}
		if err != nil {
			return err
		}
	}
}

// pythonFacts prints what must be the same wherever the root's interpreter is started, from built-in, pure and extension
// modules, the last with libraries of the root's: the C library's version among them.
const pythonFacts = `import sys, json, ssl, sqlite3, ctypes
libc = ctypes.CDLL("libc.so.6").gnu_get_libc_version
libc.restype = ctypes.c_char_p
print(sys.version, ssl.OPENSSL_VERSION, sqlite3.sqlite_version, libc())`

func TestPython(t *testing.T) {
	for _, base := range []struct{ name, variable, base, version, libc string }{
		{"bookworm", "VPK_TEST_ROOT12", "BASE12", "3.11.", "b'2.36'"},
		{"trixie", "VPK_TEST_ROOT13", "BASE13", "3.13.", "b'2.41'"},
	} {
		t.Run(base.name, func(t *testing.T) {
			root, own := pythonRoot(t, base.variable, base.base)
			said := map[string]string{}
			for _, name := range allEngines {
				if name == "interpreter" {
					continue
				}
				t.Run(name, func(t *testing.T) {
					e := underTest(t, name)
					e.root = root
					c := e.command(nil)
					c.Args = []string{"/usr/bin/python3", "-S", "-B", "-c", pythonFacts}
					c.Env = []string{"PYTHONHASHSEED=0"}
					said[name] = e.output(t, c)
					if !strings.HasPrefix(said[name], base.version) || !strings.Contains(said[name], base.libc) {
						t.Errorf("it says %q", said[name])
					}
					c.Args = []string{"/usr/bin/python3", "-S", "-c", "import os; pid = os.fork(); pid or os._exit(3); print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))"}
					if got := e.output(t, c); got != "3\n" {
						t.Errorf("a child ends with %q", got)
					}
					if own && !e.engine {
						pythonScript(t, e)
					}
				})
			}
			for name, text := range said {
				if text != said["namespaces"] && said["namespaces"] != "" {
					t.Errorf("%s says %q, namespaces %q", name, text, said["namespaces"])
				}
			}
		})
	}
}

// pythonScript starts a script in the image, whose interpreter is a link to a link.
func pythonScript(t *testing.T, e *engineUnderTest) {
	t.Helper()
	script := filepath.Join(e.root, "app/bin/hello")
	if err := os.MkdirAll(filepath.Dir(script), 0o755); err != nil {
		t.Fatal(err)
	}
	interpreter := filepath.Join(e.root, "app/bin/python")
	_, _ = os.Remove(script), os.Remove(interpreter)
	err := errors.Join(
		os.WriteFile(script, []byte("#!/app/bin/python -S\nimport sys\nprint(sys.argv[1:])\n"), 0o755),
		os.Symlink("/usr/bin/python3", interpreter))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"/app/bin/hello", "hello", "bin/hello"} {
		c := e.command(nil)
		c.Args, c.Env, c.Dir = []string{name, "a b", "c"}, []string{"PATH=/usr/bin:/app/bin"}, "/app"
		if got := e.output(t, c); got != "['a b', 'c']\n" {
			t.Errorf("%q: %q", name, got)
		}
	}
}
