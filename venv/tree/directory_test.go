package tree

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"vpk/internal/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func file(p, content string) Entry {
	return Entry{Path: p, Mode: 0o644, Content: Bytes(content)}
}

func program(p, content string) Entry {
	return Entry{Path: p, Mode: 0o755, Content: Bytes(content)}
}

func link(p, target string) Entry { return Entry{Path: p, Kind: Link, Mode: 0o777, Target: target} }

func tree(entries ...Entry) Tree {
	Sort(entries)
	return Tree{Parts: []Part{{Name: "test", Entries: entries}}}
}

// list describes what is below dir, one string a path: "0644 a/b content".
func list(t interface {
	Helper()
	Fatal(...any)
}, dir string) []string {
	t.Helper()
	var lines []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			lines = append(lines, fmt.Sprintf("%04o %s/", info.Mode().Perm(), rel))
		case d.Type() == fs.ModeSymlink:
			target, err := os.Readlink(p)
			lines = append(lines, fmt.Sprintf("link %s -> %s", rel, target))
			return err
		default:
			data, err := os.ReadFile(p)
			lines = append(lines, fmt.Sprintf("%04o %s %s", info.Mode().Perm(), rel, data))
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func equal(t *testing.T, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

var sample = tree(
	program("app/.venv/bin/tool", "#!x\n"),
	link("app/.venv/bin/python", "/usr/bin/python3.11"),
	link("app/.venv/lib64", "lib"),
	file("app/.venv/lib/a.py", "a = 1\n"),
	file("app/main.py", ""),
	Entry{Path: "app/spool", Kind: Dir, Mode: 0o755},
)

var sampleListing = []string{
	"0755 .venv/",
	"0755 .venv/bin/",
	"link .venv/bin/python -> /usr/bin/python3.11",
	"0755 .venv/bin/tool #!x\n",
	"0755 .venv/lib/",
	"0644 .venv/lib/a.py a = 1\n",
	"link .venv/lib64 -> lib",
	"0644 main.py ",
	"0755 spool/",
}

func TestWriteDir(t *testing.T) {
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	top := t.TempDir()
	mtime := time.Unix(315532800, 0)
	for name, mode := range map[string]fs.FileMode{"deep/new/out": 0o755, "empty": 0o700} {
		dir := filepath.Join(top, name)
		if name == "empty" { // its own mode stays
			if err := os.Mkdir(dir, mode); err != nil {
				t.Fatal(err)
			}
		}
		if err := WriteDir(context.Background(), sample, dir, WriteOptions{Base: "app", ModTime: mtime}); err != nil {
			t.Fatal(err)
		}
		equal(t, list(t, dir), sampleListing)
		err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err == nil && !info.ModTime().Equal(mtime) {
				t.Errorf("%s: time is %v", p, info.ModTime())
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(dir)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != mode {
			t.Errorf("%s: mode is %o, want %o", name, info.Mode().Perm(), mode)
		}
	}
}

func TestWriteDirThroughALink(t *testing.T) {
	top := t.TempDir()
	if err := os.Symlink("real", filepath.Join(top, "link")); err != nil {
		t.Fatal(err)
	}
	err := WriteDir(context.Background(), sample, filepath.Join(top, "link"), WriteOptions{Base: "app"})
	if fault.KindOf(err) != fault.Usage {
		t.Errorf("a link to nothing: %v", err)
	}
	if err := os.Mkdir(filepath.Join(top, "real"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := WriteDir(context.Background(), sample, filepath.Join(top, "link"), WriteOptions{Base: "app"}); err != nil {
		t.Fatal(err)
	}
	equal(t, list(t, filepath.Join(top, "real")), sampleListing)
}

func TestWriteDirThatHoldsSomething(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "out")
	if err := os.MkdirAll(filepath.Join(dir, "old"), 0o700); err != nil {
		t.Fatal(err)
	}
	err := WriteDir(context.Background(), sample, dir, WriteOptions{Base: "app"})
	if fault.KindOf(err) != fault.Usage || len(fault.Hints(err)) == 0 {
		t.Errorf("error = %v, kind %v", err, fault.KindOf(err))
	}
	equal(t, list(t, dir), []string{"0700 old/"})

	broken := tree(file("app/a", "x"), Entry{Path: "app/z", Mode: 0o644, Content: liar{"abc"}})
	if err := WriteDir(context.Background(), broken, dir, WriteOptions{Base: "app", Replace: true}); err == nil {
		t.Fatal("wrong content was written")
	}
	equal(t, list(t, top), []string{"0700 out/", "0700 out/old/"})

	if err := WriteDir(context.Background(), sample, dir, WriteOptions{Base: "app", Replace: true}); err != nil {
		t.Fatal(err)
	}
	equal(t, list(t, dir), sampleListing)
	if names, _ := os.ReadDir(top); len(names) != 1 {
		t.Errorf("left behind: %v", names)
	}
}

func TestWriteDirNotADirectory(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := WriteDir(context.Background(), sample, name, WriteOptions{Replace: true})
	if fault.KindOf(err) != fault.Usage || !strings.Contains(err.Error(), "not a directory") {
		t.Errorf("error = %v", err)
	}
}

// liar is content that is not what it says.
type liar struct{ s string }

func (l liar) Digest() Digest               { return Bytes("other").Digest() }
func (l liar) Size() int64                  { return int64(len(l.s)) }
func (l liar) Open() (io.ReadCloser, error) { return Bytes(l.s).Open() }

// endless is content that never ends.
type endless struct{ liar }

func (endless) Open() (io.ReadCloser, error) { return io.NopCloser(zeros{}), nil }

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// failing is content whose reading calls a function first, which may fail.
type failing struct {
	liar
	f func() error
}

func (c failing) Open() (io.ReadCloser, error) { return io.NopCloser(callReader(c.f)), nil }

type callReader func() error

func (f callReader) Read([]byte) (int, error) { return 0, f() }

func TestWriteDirFailureLeavesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	damaged := fault.New(fault.Integrity, "", "crc is wrong")
	for _, c := range []struct {
		name    string
		content Content
		want    string
		kind    fault.Kind
	}{
		{"wrong digest", liar{"abc"}, "not what was planned", fault.Integrity},
		{"endless", endless{}, "not what was planned", fault.Integrity},
		{"read error", failing{f: func() error { return damaged }}, `read content of "app/m": crc is wrong`, fault.Integrity},
		{"cancel", failing{f: func() error { cancel(); return nil }}, "context canceled", fault.Other},
	} {
		t.Run(c.name, func(t *testing.T) {
			top := t.TempDir()
			broken := tree(file("app/a", "x"), Entry{Path: "app/m", Mode: 0o644, Content: c.content}, link("app/z", "a"))
			if err := os.Mkdir(filepath.Join(top, "empty"), 0o755); err != nil {
				t.Fatal(err)
			}
			for _, dir := range []string{"new/deep", "empty"} {
				err := WriteDir(ctx, broken, filepath.Join(top, dir), WriteOptions{})
				if err == nil || !strings.Contains(err.Error(), c.want) || fault.KindOf(err) != c.kind {
					t.Errorf("error = %v, want %q", err, c.want)
				}
			}
			equal(t, list(t, top), []string{"0755 empty/"})
		})
	}
	if !errors.Is(ctx.Err(), context.Canceled) {
		t.Fatal("nothing was cancelled")
	}
}

func TestWriteDirDiskError(t *testing.T) {
	if os.Getuid() == 0 {
		// Root may write anywhere; a file in the place of the parent stops it too.
		name := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		err := WriteDir(context.Background(), sample, filepath.Join(name, "out"), WriteOptions{})
		if fault.KindOf(err) != fault.Delivery {
			t.Errorf("error = %v, kind %v", err, fault.KindOf(err))
		}
		return
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	err := WriteDir(context.Background(), sample, filepath.Join(dir, "out"), WriteOptions{})
	if fault.KindOf(err) != fault.Delivery {
		t.Errorf("error = %v, kind %v", err, fault.KindOf(err))
	}
}

func TestFlatten(t *testing.T) {
	for _, c := range []struct {
		name string
		tree Tree
		base string
		want string // error, empty for none
	}{
		{"same entry twice", Tree{Parts: []Part{{Entries: []Entry{file("a", "1")}}, {Entries: []Entry{file("a", "1")}}}}, "", ""},
		{"other content", Tree{Parts: []Part{{Entries: []Entry{file("a", "1")}}, {Entries: []Entry{file("a", "2")}}}}, "",
			`path "a" is in the tree twice, with different content or mode`},
		{"other mode", Tree{Parts: []Part{{Entries: []Entry{file("a", "1")}}, {Entries: []Entry{program("a", "1")}}}}, "",
			`path "a" is in the tree twice, with different content or mode`},
		{"file above file", tree(file("a", "1"), file("a/b/c", "1")), "", `path "a" is both a directory and something else`},
		{"file and directory", Tree{Parts: []Part{
			{Entries: []Entry{file("a", "1")}}, {Entries: []Entry{{Path: "a", Kind: Dir, Mode: 0o755}}}}}, "",
			"path \"a\" is in the tree twice, with different content or mode"},
		{"link above file", tree(link("lib64", "lib"), file("lib64/a", "1")), "", `path "lib64" is both a directory and something else`},
		{"two problems", tree(link("b", "lib"), file("b/a", "1"), file("a", ""), file("a/b", "")), "",
			"path \"a\" is both a directory and something else\npath \"b\" is both a directory and something else"},
		{"outside", tree(file("etc/passwd", "")), "app", `part "test": path "etc/passwd" is not below "app"`},
		{"escaping", tree(file("../x", "")), "", `part "test": path "../x" is not a clean relative path`},
		{"absolute", tree(file("/x", "")), "", `part "test": path "/x" is not a clean relative path`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := c.tree.flatten(c.base)
			got := ""
			if err != nil {
				got = err.Error()
			}
			equal(t, got, c.want)
		})
	}
}

// TestWriteDirRoundTrip writes random trees and reads them back.
func TestWriteDirRoundTrip(t *testing.T) {
	top := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		dir := filepath.Join(top, fmt.Sprint(n))
		paths := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-c]{1,2}(/[a-c ñ]{1,2}){0,3}`), 0, 12, rapid.ID).Draw(t, "paths")
		var want []string
		var parts []Part
		files := map[string]bool{}
		for _, p := range paths {
			clash := false
			for other := range files {
				clash = clash || strings.HasPrefix(other, p+"/") || strings.HasPrefix(p, other+"/")
			}
			if clash {
				continue
			}
			files[p] = true
			e := file(p, rapid.StringMatching(`[a-z\n]{0,20}`).Draw(t, "content"))
			line := "0644 " + p + " " + string(e.Content.(Bytes))
			switch rapid.IntRange(0, 3).Draw(t, "kind") {
			case 0:
				e.Mode = 0o755
				line = "0755" + line[4:]
			case 1:
				e = link(p, "../"+path.Base(p))
				line = "link " + p + " -> ../" + path.Base(p)
			}
			want = append(want, line)
			parts = append(parts, Part{Name: p, Entries: []Entry{e}})
		}
		if err := WriteDir(context.Background(), Tree{Parts: parts}, dir, WriteOptions{Parallel: 3}); err != nil {
			t.Fatal(err)
		}
		got := map[string]bool{}
		for _, line := range list(t, dir) {
			if !strings.HasSuffix(line, "/") {
				got[line] = true
			}
		}
		for _, line := range want {
			if !got[line] {
				t.Errorf("missing %q in %v", line, got)
			}
		}
		if len(got) != len(want) {
			t.Errorf("got %d files, want %d", len(got), len(want))
		}
	})
}

func BenchmarkWriteDir(b *testing.B) {
	var entries []Entry
	for i := range 3000 {
		entries = append(entries, file(fmt.Sprintf("app/.venv/lib/python3.11/site-packages/pkg%d/mod%d.py", i%100, i), strings.Repeat("x = 1\n", 1000)))
	}
	t := tree(entries...)
	for i := 0; b.Loop(); i++ {
		if err := WriteDir(context.Background(), t, filepath.Join(b.TempDir(), fmt.Sprint(i)), WriteOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}
