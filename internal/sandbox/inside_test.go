package sandbox

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// linked makes a root with some files and links.
func linked(t testing.TB, links map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for _, file := range []string{"usr/bin/python3.11", "usr/lib/x/ld.so", "etc/passwd"} {
		path := filepath.Join(root, file)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range links {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestInside(t *testing.T) {
	root := linked(t, map[string]string{
		"lib":             "usr/lib",
		"lib64":           "/usr/lib/x",
		"usr/bin/python3": "/usr/bin/python3.11",
		"usr/bin/python":  "python3",
		"up":              "../../../../etc",
		"loop":            "/loop",
		"nowhere":         "/no/such/file",
	})
	for path, want := range map[string]string{
		"/":                        "/",
		"/usr/bin/python3.11":      "/usr/bin/python3.11",
		"/usr/bin/python":          "/usr/bin/python3.11",
		"/lib64/ld.so":             "/usr/lib/x/ld.so",
		"/lib/x/ld.so":             "/usr/lib/x/ld.so",
		"/up/passwd":               "/etc/passwd",
		"//usr/./lib/../bin/":      "/usr/bin",
		"/../../etc/passwd":        "/etc/passwd",
		"/lib/../etc/../../passwd": "", // /usr/etc does not exist: ".." is taken after the link
	} {
		got, err := inside(root, path)
		if got != want || (want == "") != (err != nil) {
			t.Errorf("inside(%q) = %q, %v; want %q", path, got, err, want)
		}
	}
	if _, err := inside(root, "/loop"); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("a loop: %v", err)
	}
	if _, err := inside(root, "/nowhere"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a link to nowhere: %v", err)
	}
}

// FuzzInside: whatever a root's links say, the result has no links and is what the name means in the root.
func FuzzInside(f *testing.F) {
	f.Add("/usr/bin/python", "../lib", "/a/../usr")
	f.Add("/../etc/passwd", "/", "b/b/b")
	f.Add("/a/b/x/ld.so", "/usr/lib", "../../a")
	f.Fuzz(func(t *testing.T, path, a, b string) {
		if strings.ContainsRune(path+a+b, 0) || a == "" || b == "" || len(path+a+b) > 1000 {
			return
		}
		root := t.TempDir()
		for _, dir := range []string{"usr/lib/x", "usr/bin", "etc"} {
			if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(os.Symlink(a, filepath.Join(root, "a")), os.Symlink(b, filepath.Join(root, "usr/b"))); err != nil {
			t.Fatal(err)
		}
		got, err := inside(root, path)
		if err != nil {
			return
		}
		if !filepath.IsAbs(got) || filepath.Clean(got) != got {
			t.Fatalf("inside(%q) = %q", path, got)
		}
		host := filepath.Join(root, got)
		if real, err := filepath.EvalSymlinks(host); err != nil || real != host {
			t.Fatalf("inside(%q) = %q, which is %q, %v", path, got, real, err)
		}
		if again, err := inside(root, got); err != nil || again != got {
			t.Fatalf("inside(%q) = %q, %v", got, again, err)
		}
	})
}
