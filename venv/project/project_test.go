package project

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/patternmatcher"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"vpk/internal/fault"
	"vpk/venv/tree"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var ctx = context.Background()

// write makes files; a name that ends in "/" is a directory, "a -> b" a link, "*a" is executable. The content is the name.
func write(t testing.TB, root string, names ...string) {
	t.Helper()
	for _, name := range names {
		name, executable := strings.CutPrefix(name, "*")
		name, target, isLink := strings.Cut(name, " -> ")
		p := filepath.Join(root, name)
		err := os.MkdirAll(filepath.Dir(p), 0o755)
		switch {
		case err != nil:
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(p, 0o755)
		case isLink:
			err = os.Symlink(target, p)
		case executable:
			err = os.WriteFile(p, []byte(name), 0o711)
		default:
			err = os.WriteFile(p, []byte(name), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// paths are those of a part's entries below app/.
func paths(p tree.Part) []string {
	out := []string{}
	for _, e := range p.Entries {
		out = append(out, strings.TrimPrefix(e.Path, "app/"))
	}
	return out
}

func files(t testing.TB, root string, o Options) []string {
	t.Helper()
	p, err := Files(ctx, root, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Check(); err != nil {
		t.Error(err)
	}
	return paths(p)
}

func equal(t testing.TB, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestFiles(t *testing.T) {
	root := t.TempDir()
	write(t, root, "b.py", "a/z.py", "*run.sh", "empty/", "a.py", "link -> a/z.py", "a/up -> ../b.py", "dir -> a", "dangling -> nothing")
	p, err := Files(ctx, root, Options{Dest: "/srv/code"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range p.Entries {
		content := "-> " + e.Target
		if e.Kind == tree.File {
			r, err := e.Content.Open()
			if err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(r)
			if err = errors.Join(err, r.Close()); err != nil {
				t.Fatal(err)
			}
			content = string(data)
			if e.Content.Digest() != tree.Bytes(data).Digest() || e.Content.Size() != int64(len(data)) {
				t.Errorf("%s: wrong identity", e.Path)
			}
		}
		got = append(got, fmt.Sprintf("%o %s %s", e.Mode, e.Path, content))
	}
	equal(t, got, []string{
		"644 srv/code/a.py a.py",
		"777 srv/code/a/up -> ../b.py",
		"644 srv/code/a/z.py a/z.py",
		"644 srv/code/b.py b.py",
		"777 srv/code/dangling -> nothing",
		"777 srv/code/dir -> a",
		"777 srv/code/link -> a/z.py",
		"755 srv/code/run.sh run.sh",
	})
	equal(t, p.Name, "project")
	equal(t, p.Check(), nil)
}

func TestFilter(t *testing.T) {
	write1 := []string{
		"app.py", "uv.lock", ".env", ".env.local", ".envrc", "pkg/mod.py", "pkg/.env", "pkg/uv.lock", "pkg/__pycache__/mod.cpython-311.pyc",
		"pkg/__pycache__/keep.txt", "pkg/old.pyc", ".git/config", "sub/.git", ".venv/bin/python", "sub/.venv/x", "sub/a.txt", "sub/b.txt",
		"image/oci-layout", "image/index.json", "image/deep/blob", "docs/a.md", "docs/b.txt",
		".image.tar.vpk-0badcafe", "sub/.vpk-1/blob", // of a vpk that was killed
	}
	standard := []string{"app.py", "docs/a.md", "docs/b.txt", "pkg/mod.py", "sub/a.txt", "sub/b.txt"}
	with := func(more ...string) []string {
		all := append(append([]string{}, standard...), more...)
		entries := make([]tree.Entry, len(all))
		for i, p := range all {
			entries[i].Path = p
		}
		tree.Sort(entries)
		return paths(tree.Part{Entries: entries})
	}
	for _, c := range []struct {
		name string
		o    Options
		want []string
	}{
		{"fixed", Options{}, standard},
		{"directory", Options{Ignore: []string{"docs"}}, []string{"app.py", "pkg/mod.py", "sub/a.txt", "sub/b.txt"}},
		{"slashes, comments, blanks", Options{Ignore: []string{"# x", "", " /docs/ "}}, []string{"app.py", "pkg/mod.py", "sub/a.txt", "sub/b.txt"}},
		{"not anchored is anchored", Options{Ignore: []string{"*.txt"}}, standard},
		{"everywhere", Options{Ignore: []string{"**/*.txt"}}, []string{"app.py", "docs/a.md", "pkg/mod.py"}},
		{"all but", Options{Ignore: []string{"*", "!docs"}}, []string{"docs/a.md", "docs/b.txt"}},
		{"all but one deep", Options{Ignore: []string{"*", "!sub/a.txt"}}, []string{"sub/a.txt"}},
		{"all but a wildcard", Options{Ignore: []string{"*", "!**/*.txt"}}, []string{"docs/b.txt", "sub/a.txt", "sub/b.txt"}},
		{"a list of what is wanted", Options{Ignore: []string{"*", "!pkg"}}, []string{"pkg/mod.py"}},
		{"a list of what is wanted, deep", Options{Ignore: []string{"**", "!pkg/**"}}, []string{"pkg/mod.py"}},
		{"a list of what is wanted, by name", Options{Ignore: []string{"*", "!pkg", "!pkg/.env", "!**/*.pyc"}},
			[]string{"pkg/.env", "pkg/__pycache__/mod.cpython-311.pyc", "pkg/mod.py", "pkg/old.pyc"}},
		{"the last decides", Options{Ignore: []string{"!sub/a.txt", "sub"}}, []string{"app.py", "docs/a.md", "docs/b.txt", "pkg/mod.py"}},
		{"fixed comes back", Options{Ignore: []string{"!.env.local", "!**/uv.lock", "!pkg/__pycache__/*.txt"}},
			with(".env.local", "uv.lock", "pkg/uv.lock", "pkg/__pycache__/keep.txt")},
		{"never comes back", Options{Ignore: []string{"!.git", "!.venv", "!**/.git", "!**/.venv/**"}, Exclude: []string{"!.git/config"}}, standard},
		{"image comes back", Options{Ignore: []string{"!image/"}}, with("image/oci-layout", "image/index.json", "image/deep/blob")},
		{"image by a wildcard", Options{Ignore: []string{"*", "!*", "!**/*"}}, standard},
		{"image asked for and excluded", Options{Ignore: []string{"!image"}, Exclude: []string{"image/deep"}}, with("image/oci-layout", "image/index.json")},
		{"a file in an image does not", Options{Ignore: []string{"!image/index.json"}}, standard},
		{"include", Options{Ignore: []string{"**/b.txt"}, Include: []string{"docs/*.md", "sub", "*.py"}}, []string{"app.py", "docs/a.md", "sub/a.txt"}},
		{"include by name", Options{Include: []string{"app.py", ".env.local", "**/*.pyc", "image"}},
			[]string{".env.local", "app.py", "image/deep/blob", "image/index.json", "image/oci-layout", "pkg/__pycache__/mod.cpython-311.pyc", "pkg/old.pyc"}},
		{"include and exclude", Options{Include: []string{"docs", "sub"}, Exclude: []string{"docs/b.txt", "sub", "!sub/b.txt"}},
			[]string{"docs/a.md", "sub/b.txt"}},
		{"exclude after ignore", Options{Ignore: []string{"docs"}, Exclude: []string{"!docs/a.md"}}, []string{"app.py", "docs/a.md", "pkg/mod.py", "sub/a.txt", "sub/b.txt"}},
		{"include nothing that is there", Options{Include: []string{"nothing"}}, []string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			write(t, root, write1...)
			equal(t, files(t, root, c.o), c.want)
		})
	}
}

func TestOutputs(t *testing.T) {
	top := t.TempDir()
	root := filepath.Join(top, "project")
	write(t, root, "app.py", "out/index.json", "out/blobs/x", "digest.txt", "sub/image.tar", "real/x", "alias -> real")
	if err := os.Symlink(root, filepath.Join(top, "way")); err != nil {
		t.Fatal(err)
	}
	way := filepath.Join(top, "way")
	o := Options{
		Outputs: []string{
			filepath.Join(root, "out"), filepath.Join(way, "digest.txt"), filepath.Join(way, "sub/image.tar"), filepath.Join(root, "alias"),
			filepath.Join(root, "not/there/yet"), filepath.Join(top, "elsewhere"),
		},
		Ignore: []string{"!out", "!digest.txt"},
	}
	for _, r := range []string{root, way} {
		equal(t, files(t, r, o), []string{"app.py"})
	}
	if _, err := Files(ctx, root, Options{Outputs: []string{way}}); fault.KindOf(err) != fault.Usage {
		t.Errorf("project as output: %v", err)
	}
}

func TestBadFiles(t *testing.T) {
	top := t.TempDir()
	root := filepath.Join(top, "project")
	write(t, root, "app.py", "absolute -> /etc/passwd", "inner -> "+filepath.Join(root, "app.py"), "leaving -> ../secret",
		"sub/hidden -> way/../../../secret", "sub/way -> .", "loop -> loop", "bytes -> b\xff", "\xff\xfe.py", "bad\xff/x", "skipped/leaving -> ../../secret", "through -> app.py/x")
	write(t, top, "secret")
	if err := syscall.Mkfifo(filepath.Join(root, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(root, "sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = Files(ctx, root, Options{Ignore: []string{"skipped"}})
	if fault.KindOf(err) != fault.Usage || len(fault.Hints(err)) != 1 {
		t.Fatalf("error = %v, kind %v", err, fault.KindOf(err))
	}
	want := fmt.Sprintf(`read project %q: "\xff\xfe.py": its name is not UTF-8
"absolute": it is a link to "/etc/passwd", not a relative path in UTF-8
"bad\xff": its name is not UTF-8
"bytes": it is a link to "b\xff", not a relative path in UTF-8
"inner": it is a link to %q, not a relative path in UTF-8
"leaving": it is a link to "../secret", which cannot be followed inside the project: path escapes from parent
"loop": it is a link to "loop", which cannot be followed inside the project: too many levels of symbolic links
"pipe": it is a named pipe, not a file
"sock": it is a socket, not a file
"sub/hidden": it is a link to "way/../../../secret", which cannot be followed inside the project: path escapes from parent
"through": it is a link to "app.py/x", which cannot be followed inside the project: not a directory`, root, filepath.Join(root, "app.py"))
	equal(t, err.Error(), want)
}

// locked is a file system with a directory that may not be read.
type locked struct {
	fs.FS
	dir string
}

func (l locked) ReadDir(name string) ([]fs.DirEntry, error) {
	if name == l.dir {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return fs.ReadDir(l.FS, name)
}

func TestUnreadable(t *testing.T) {
	root := t.TempDir()
	write(t, root, "a.py", "locked/x.py")
	dir, err := os.OpenRoot(root)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	for _, c := range []struct {
		ignore []string
		want   []string
	}{
		{nil, []string{`"locked": cannot be read: permission denied`, `"a.py": cannot be read: no such file or directory`}},
		{[]string{"locked"}, []string{`"a.py": cannot be read: no such file or directory`}},
		{[]string{"locked", "!locked/x.py"}, []string{`"a.py": cannot be read: no such file or directory`}},
	} {
		write(t, root, "a.py")
		f, err := newFilter(Options{Ignore: c.ignore})
		if err != nil {
			t.Fatal(err)
		}
		w := walk{root: dir, fsys: locked{dir.FS(), "locked"}, filter: f}
		if err := w.directory(ctx, ".", false, nil); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(root, "a.py")); err != nil {
			t.Fatal(err)
		}
		if err := w.hash(ctx, root); err != nil {
			t.Fatal(err)
		}
		equal(t, w.problems, c.want)
	}
}

func TestChangedFile(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(p string) error
	}{
		{"other content", func(p string) error { return os.WriteFile(p, []byte("b.py"), 0o600) }},
		{"shorter", func(p string) error { return os.WriteFile(p, []byte("a"), 0o600) }},
		{"empty", func(p string) error { return os.Truncate(p, 0) }},
		{"longer", func(p string) error { return os.WriteFile(p, []byte("a.py and more"), 0o600) }},
		{"gone", os.Remove},
		{"now a link out", func(p string) error { return errors.Join(os.Remove(p), os.Symlink("/etc/passwd", p)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			write(t, root, "a.py")
			p, err := Files(ctx, root, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := c.change(filepath.Join(root, "a.py")); err != nil {
				t.Fatal(err)
			}
			r, err := p.Entries[0].Content.Open()
			if err == nil {
				_, err = io.ReadAll(r)
				r.Close()
			}
			if err == nil || !strings.Contains(err.Error(), "a.py") {
				t.Errorf("error = %v", err)
			}
		})
	}
}

func TestKey(t *testing.T) {
	keyOf := func(dest string, names ...string) string {
		root := t.TempDir()
		write(t, root, names...)
		p, err := Files(ctx, root, Options{Dest: dest})
		if err != nil {
			t.Fatal(err)
		}
		return p.Key
	}
	base := keyOf("", "a", "b -> a")
	equal(t, keyOf("/app", "a", "b -> a", ".git/x"), base)
	seen := map[string]string{base: "base"}
	for _, c := range []struct {
		name, dest string
		names      []string
	}{
		{"another path", "", []string{"c", "b -> a"}}, {"another target", "", []string{"a", "b -> c"}},
		{"executable", "", []string{"*a", "b -> a"}}, {"another place", "/srv", []string{"a", "b -> a"}},
		{"a file for a link", "", []string{"a", "b"}}, {"fewer", "", []string{"a"}},
	} {
		k := keyOf(c.dest, c.names...)
		if other, ok := seen[k]; ok {
			t.Errorf("%s has the key of %s", c.name, other)
		}
		seen[k] = c.name
	}
}

func TestBadOptions(t *testing.T) {
	root := t.TempDir()
	write(t, root, "a.py")
	for _, c := range []struct {
		name string
		o    Options
		want string
	}{
		{"malformed", Options{Ignore: []string{"ok", "[a"}}, `read patterns of .dockerignore: "[a" is not a pattern`},
		{"malformed range", Options{Exclude: []string{"![z-a]"}}, `read patterns of exclude: "![z-a]" is not a pattern`},
		{"only !", Options{Ignore: []string{"!"}}, `read patterns of .dockerignore: "!" is not a pattern`},
		{"! in include", Options{Include: []string{"!a"}}, `include pattern "!a" begins with !`},
		{"dest", Options{Dest: "app"}, `destination "app" is not a clean absolute path`},
		{"dest root", Options{Dest: "/"}, `destination "/" is not a clean absolute path`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Files(ctx, root, c.o)
			if fault.KindOf(err) != fault.Usage || !strings.HasSuffix(err.Error(), c.want) {
				t.Errorf("error = %v, want %s", err, c.want)
			}
		})
	}
	if _, err := Files(ctx, filepath.Join(root, "nowhere"), Options{}); fault.KindOf(err) != fault.Usage {
		t.Errorf("missing root: %v", err)
	}
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := Files(canceled, root, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

func TestReadIgnore(t *testing.T) {
	root := t.TempDir()
	got, err := ReadIgnore(root)
	if got != nil || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if err := os.WriteFile(filepath.Join(root, ".dockerignore"), []byte("\xef\xbb\xbf# c\n/a/\n\n!b \r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err = ReadIgnore(root)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, got, []string{"a", "!b"})
}

// TestPruning holds Files against a walk that enters every directory, as BuildKit's would without its shortcuts.
func TestPruning(t *testing.T) {
	root := t.TempDir()
	component := rapid.SampledFrom([]string{"a", "b", "ab", "c.py", "*", "?", "**", "a*", "[ab]"})
	pattern := rapid.Custom(func(t *rapid.T) string {
		bang := rapid.SampledFrom([]string{"", "!"}).Draw(t, "bang")
		return bang + strings.Join(rapid.SliceOfN(component, 1, 4).Draw(t, "pattern"), "/")
	})
	var all []string
	for _, x := range []string{"a", "b", "ab"} {
		for _, y := range []string{"a", "b", "ab"} {
			all = append(all, x+"/"+y+"/a", x+"/"+y+"/c.py", x+"/"+y+"/b/ab")
		}
		all = append(all, x+"/c.py")
	}
	write(t, root, append(all, "c.py")...)
	rapid.Check(t, func(rt *rapid.T) {
		o := Options{Ignore: rapid.SliceOfN(pattern, 0, 5).Draw(rt, "patterns")}
		m, err := patternmatcher.New(o.Ignore)
		if err != nil {
			rt.Fatal(err)
		}
		want := []string{}
		var enter func(dir string, info patternmatcher.MatchInfo)
		enter = func(dir string, info patternmatcher.MatchInfo) {
			entries, err := os.ReadDir(filepath.Join(root, dir))
			if err != nil {
				rt.Fatal(err)
			}
			for _, d := range entries {
				p := filepath.Join(dir, d.Name())
				out, own, err := m.MatchesUsingParentResults(p, info)
				if err != nil {
					rt.Fatal(err)
				}
				if d.IsDir() {
					enter(p, own)
				} else if !out {
					want = append(want, p)
				}
			}
		}
		enter("", patternmatcher.MatchInfo{})
		p, err := Files(ctx, root, o)
		if err != nil {
			rt.Fatal(err)
		}
		got := map[string]bool{}
		for _, n := range paths(p) {
			got[n] = true
		}
		for _, n := range want {
			if !got[n] {
				rt.Errorf("%s is missing", n)
			}
		}
		if len(got) != len(want) {
			rt.Errorf("got %d files, want %d", len(got), len(want))
		}
	})
}

func BenchmarkFiles(b *testing.B) {
	root := b.TempDir()
	for i := range 2000 {
		write(b, root, fmt.Sprintf("pkg%d/mod%d.py", i%50, i))
	}
	for b.Loop() {
		if _, err := Files(ctx, root, Options{Ignore: []string{"node_modules", "**/*.md", "!README.md"}}); err != nil {
			b.Fatal(err)
		}
	}
}
