package layer_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"pgregory.net/rapid"

	"vpk/internal/peer"
	"vpk/layer"
	"vpk/venv/tree"
)

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }

// run runs a program on input and returns what it writes.
func run(t *testing.T, input []byte, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = bytes.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		t.Fatalf("%s %v: %v\n%s", name, args, err, stderr.String())
	}
	return string(out)
}

// expected is the listing of a spec as the readers below print it.
func expected(s layer.Spec) []string {
	lines := map[string]bool{}
	for _, p := range s.Parts {
		for _, e := range p.Entries {
			switch e.Kind {
			case tree.File:
				lines[fmt.Sprintf("file %o %d %s", e.Mode, e.Content.Size(), e.Path)] = true
			case tree.Link:
				lines[fmt.Sprintf("link %s -> %s", e.Path, e.Target)] = true
			case tree.Dir:
				lines["dir "+e.Path] = true
			}
			for dir := path.Dir(e.Path); dir != "."; dir = path.Dir(dir) {
				lines["dir "+dir] = true
			}
		}
	}
	var all []string
	for l := range lines {
		all = append(all, l)
	}
	return sorted(all)
}

func TestPythonReadsLayer(t *testing.T) {
	python := peer.Python(t)
	const script = `
import sys, tarfile
with tarfile.open(fileobj=sys.stdin.buffer, mode="r|gz") as tar:
    for m in tar:
        assert m.uid == m.gid == 65532 and not m.uname and not m.gname and m.mtime == 315532800, m.get_info()
        if m.isdir(): print("dir", m.name)
        elif m.issym(): print("link", m.name, "->", m.linkname)
        else:
            assert m.isreg() and len(tar.extractfile(m).read()) == m.size
            print("file", "%o" % m.mode, m.size, m.name)
`
	out := run(t, blob(t, build(t, Cache(t), Dependencies())), python, "-X", "utf8", "-c", script)
	if diff := cmp.Diff(expected(Dependencies()), sorted(strings.Split(strings.TrimSpace(out), "\n"))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestGNUToolsReadLayer(t *testing.T) {
	gzipTool, tarTool := peer.Tool(t, "gzip"), peer.Tool(t, "tar")
	l := build(t, Cache(t), Dependencies())
	data := blob(t, l)
	plain := run(t, data, gzipTool, "-dc")
	if size, _ := l.UncompressedSize(); int64(len(plain)) != size {
		t.Errorf("gzip gives %d bytes, want %d", len(plain), size)
	}
	var got []string
	for line := range strings.Lines(run(t, []byte(plain), tarTool, "-tvf", "-", "--numeric-owner", "--quoting-style=literal", "--full-time", "--utc")) {
		// -rw-r--r-- 65532/65532 12 1980-01-01 00:00:00 name [-> target]
		f := strings.Fields(line)
		if f[1] != "65532/65532" || f[3] != "1980-01-01" || f[4] != "00:00:00" {
			t.Errorf("tar lists %q", line)
		}
		switch line[0] {
		case 'd':
			got = append(got, "dir "+strings.TrimSuffix(f[5], "/"))
		case 'l':
			got = append(got, "link "+strings.Join(f[5:], " "))
		default:
			mode := map[string]string{"-rw-r--r--": "644", "-rwxr-xr-x": "755"}[f[0]]
			got = append(got, fmt.Sprintf("file %s %s %s", mode, f[2], f[5]))
		}
	}
	if diff := cmp.Diff(expected(Dependencies()), sorted(got)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestRandomTreesReadBack: whatever tree goes in comes out, with its parents, and the same way twice.
func TestRandomTreesReadBack(t *testing.T) {
	cache := Cache(t)
	name := rapid.StringMatching(`[a-zA-Z0-9._ é-]{1,12}|[a-z]{90,110}|[a-z]{200,255}`).
		Filter(func(s string) bool { return s != "." && s != ".." })
	rapid.Check(t, func(t *rapid.T) {
		files := map[string]tree.Entry{}
		for _, segments := range rapid.SliceOfN(rapid.SliceOfN(name, 1, 4), 0, 12).Draw(t, "paths") {
			p := strings.Join(segments, "/")
			if taken(files, p) {
				continue
			}
			switch rapid.IntRange(0, 4).Draw(t, "kind") {
			case 0:
				files[p] = Dir(p)
			case 1:
				files[p] = Link(p, rapid.StringMatching(`[a-z./é]{1,130}`).Draw(t, "target"))
			default:
				data := rapid.SliceOfN(rapid.Byte(), 0, 1100).Draw(t, "data")
				files[p] = File(p, data, rapid.Bool().Draw(t, "executable"))
			}
		}
		spec := layer.Spec{
			Name:  "random",
			Owner: layer.Owner{UID: rapid.IntRange(0, 1<<22).Draw(t, "uid"), GID: 5},
			MTime: MTime,
			Parts: []tree.Part{{Name: "a"}, {Name: "b"}},
		}
		for _, p := range sorted(keys(files)) {
			at := rapid.IntRange(0, 1).Draw(t, "part")
			spec.Parts[at].Entries = append(spec.Parts[at].Entries, files[p])
		}
		l, err := layer.Build(t.Context(), cache, spec)
		if err != nil {
			t.Fatal(err)
		}
		got, contents := list(t, l, spec.Owner)
		if diff := cmp.Diff(expected(spec), sorted(got)); diff != "" {
			t.Fatalf("-want +got:\n%s", diff)
		}
		for p, e := range files {
			if e.Kind == tree.File && !bytes.Equal(contents[p], e.Content.(tree.Bytes)) {
				t.Fatalf("%q has other content", p)
			}
		}
		if again, err := layer.Build(t.Context(), cache, spec); err != nil || digests(again) != digests(l) {
			t.Fatalf("built again: %v", err)
		}
	})
}

// taken says whether a path, or what must be a directory for it, is there already.
func taken(files map[string]tree.Entry, p string) bool {
	for other, e := range files {
		if other == p || strings.HasPrefix(other, p+"/") || strings.HasPrefix(p, other+"/") && e.Kind != tree.Dir {
			return true
		}
	}
	return false
}

func keys(m map[string]tree.Entry) []string {
	var all []string
	for k := range m {
		all = append(all, k)
	}
	return all
}

// list reads a layer back in the form of expected, parents checked to come first.
func list(t *rapid.T, l *layer.Layer, owner layer.Owner) (lines []string, contents map[string][]byte) {
	rc, err := l.Compressed()
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	zr, err := gzip.NewReader(rc)
	if err != nil {
		t.Fatal(err)
	}
	contents = map[string][]byte{}
	seen := map[string]bool{".": true}
	for tr := tar.NewReader(zr); ; {
		h, err := tr.Next()
		if err == io.EOF {
			return lines, contents
		}
		if err != nil {
			t.Fatal(err)
		}
		p := strings.TrimSuffix(h.Name, "/")
		if seen[p] || !seen[path.Dir(p)] {
			t.Fatalf("%q comes twice, or before its parent", p)
		}
		if h.Uid != owner.UID || h.Gid != owner.GID || h.Format&^(tar.FormatUSTAR|tar.FormatPAX) != 0 {
			t.Fatalf("%q: owner %d:%d, format %v", p, h.Uid, h.Gid, h.Format)
		}
		switch h.Typeflag {
		case tar.TypeDir:
			seen[p] = true
			lines = append(lines, "dir "+p)
		case tar.TypeSymlink:
			lines = append(lines, "link "+p+" -> "+h.Linkname)
		default:
			if contents[p], err = io.ReadAll(tr); err != nil {
				t.Fatal(err)
			}
			lines = append(lines, fmt.Sprintf("file %o %d %s", h.Mode, h.Size, p))
		}
	}
}
