package base

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"vpk/layer/base/basetest"
)

// model is the squashing of the package comment in its dumbest form: a flat map from path to what is there, and every rule
// a loop over all of it.
type model map[string]modelEntry

type modelEntry struct {
	layer int
	kind  byte // 'd', 'f', 'l'
	link  string
	body  string
	inode int
}

var errModel = errors.New("refused")

// real follows the links of every component of p. With make, missing directories are made.
func (m model) real(p string, layer int, mkdir bool) (string, bool, error) {
	done, todo, links := "", strings.Split(p, "/"), 0
	for len(todo) > 0 {
		part := todo[0]
		todo = todo[1:]
		if part == "" || part == "." {
			continue
		}
		if part == ".." {
			done = strings.TrimSuffix(path.Dir("/"+done), "/")
			done = strings.TrimPrefix(done, "/")
			continue
		}
		next := strings.TrimPrefix(done+"/"+part, "/")
		e, ok := m[next]
		switch {
		case !ok && !mkdir:
			return "", false, nil
		case !ok:
			m[next] = modelEntry{layer: layer, kind: 'd'}
		case e.kind == 'l':
			if links++; links > 40 {
				return "", false, errModel
			}
			if strings.HasPrefix(e.link, "/") {
				done = ""
			}
			todo = append(strings.Split(e.link, "/"), todo...)
			continue
		case e.kind != 'd':
			return "", false, fmt.Errorf("%w: not a directory", errModel)
		}
		done = next
	}
	return done, true, nil
}

// below is every path in a directory at any depth; of "" everything.
func (m model) below(dir string) (list []string) {
	for p := range maps.Keys(m) {
		if dir == "" || strings.HasPrefix(p, dir+"/") {
			list = append(list, p)
		}
	}
	return list
}

// hide removes what lower layers made at or below p, but for directories in which something stays.
func (m model) hide(p string, layer int, itself bool) {
	victims := m.below(p)
	if _, ok := m[p]; ok && itself {
		victims = append(victims, p)
	}
	keep := map[string]bool{}
	for _, q := range victims {
		if m[q].layer == layer {
			for ; q != "." && q != ""; q = path.Dir(q) {
				keep[q] = true
			}
		}
	}
	for _, q := range victims {
		if !keep[q] {
			delete(m, q)
		}
	}
}

func (m model) apply(layer, ordinal int, f basetest.File) error {
	name := strings.Trim(f.Name, "/")
	dir, base := path.Split(name)
	if base == ".wh..wh..opq" {
		if real, ok, _ := m.real(dir, layer, false); ok {
			m.hide(real, layer, false)
		}
		return nil
	}
	if hidden, ok := strings.CutPrefix(base, ".wh."); ok {
		if real, ok, _ := m.real(dir, layer, false); ok {
			m.hide(strings.TrimPrefix(real+"/"+hidden, "/"), layer, true)
		}
		return nil
	}
	e := modelEntry{layer: layer, kind: 'f', body: f.Body, inode: layer*1000 + ordinal}
	switch {
	case f.Type == tar.TypeLink:
		tdir, tbase := path.Split(f.Link)
		real, ok, err := m.real(tdir, 0, false)
		target, there := m[strings.TrimPrefix(real+"/"+tbase, "/")]
		if err != nil || !ok || !there || target.kind == 'd' {
			return fmt.Errorf("%w: hard link", errModel)
		}
		e = target
		e.layer = layer
	case f.Link != "":
		e = modelEntry{layer: layer, kind: 'l', link: f.Link}
	case strings.HasSuffix(f.Name, "/"):
		e = modelEntry{layer: layer, kind: 'd'}
	}
	real, _, err := m.real(dir, layer, true)
	if err != nil {
		return err
	}
	p := strings.TrimPrefix(real+"/"+base, "/")
	if e.kind != 'd' || m[p].kind != 'd' {
		for _, q := range m.below(p) {
			delete(m, q)
		}
	}
	m[p] = e
	return nil
}

// lines is the model in the form of describe.
func (m model) lines() []string {
	list := []string{}
	first := map[int]string{}
	for _, p := range slices.Sorted(maps.Keys(m)) {
		e := m[p]
		line := fmt.Sprintf("%s %c %s", p, e.kind, e.link)
		if e.kind == 'f' {
			line += fmt.Sprintf("%x", sha256.Sum256([]byte(e.body)))
			if other, ok := first[e.inode]; ok {
				line += " = " + other
			} else {
				first[e.inode] = p
			}
		}
		list = append(list, line)
	}
	return list
}

// describe is an index as lines.
func describe(files *Files) []string {
	list := []string{}
	for _, e := range files.All() {
		if e.Path == "." {
			continue
		}
		kind := map[fs.FileMode]byte{fs.ModeDir: 'd', 0: 'f', fs.ModeSymlink: 'l'}[e.Mode.Type()]
		line := fmt.Sprintf("%s %c %s", e.Path, kind, e.Link)
		if kind == 'f' {
			line += e.Digest.String()
			if e.HardLink != "" {
				line += " = " + e.HardLink
			}
		}
		list = append(list, line)
	}
	return list
}

// describeDir is a directory as lines, with devices told by their absence.
func describeDir(t interface{ Fatal(...any) }, dir string) []string {
	list := []string{}
	first := map[uint64]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch info.Mode().Type() {
		case fs.ModeDir:
			list = append(list, rel+" d ")
		case fs.ModeSymlink:
			link, err := os.Readlink(p)
			if err != nil {
				return err
			}
			list = append(list, rel+" l "+link)
		case 0:
			data, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			line := fmt.Sprintf("%s f %x", rel, sha256.Sum256(data))
			inode := info.Sys().(*syscall.Stat_t).Ino
			if other, ok := first[inode]; ok {
				line += " = " + other
			} else {
				first[inode] = rel
			}
			list = append(list, line)
		default:
			list = append(list, rel+" ?")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// WalkDir's order is by component, the index's by the whole path; a hard link's first name depends on it.
	slices.Sort(list)
	return list
}

// decodeLayers makes layers of few names, so that they meet each other, from bytes.
func decodeLayers(data []byte) (layers [][]basetest.File) {
	names := []string{"a", "b", "c", "a-b"}
	targets := []string{"a", "b", "/a", "../b", "a/b", "/", "b/../c", "c/./a", "../../c", "a/"}
	layers = append(layers, nil)
	for len(data) >= 3 && len(layers) <= 4 {
		op, where, what := data[0], data[1], data[2]
		data = data[3:]
		p := names[where%4]
		if where&16 != 0 {
			p = names[where>>2%4] + "/" + p
		}
		if where&32 != 0 {
			p = names[where>>6%4] + "/" + p
		}
		f := basetest.File{Name: p}
		switch op % 8 {
		case 0, 1:
			f.Body = strings.Repeat("x", int(what))
		case 2:
			f.Name += "/"
		case 3:
			f.Link = targets[int(what)%len(targets)]
		case 4:
			f.Type, f.Link = tar.TypeLink, strings.Trim(targets[int(what)%5], "./")
		case 5:
			dir, base := path.Split(p)
			f.Name = dir + ".wh." + base
		case 6:
			dir, _ := path.Split(p)
			f.Name = dir + ".wh..wh..opq"
		case 7:
			layers = append(layers, nil)
			continue
		}
		layers[len(layers)-1] = append(layers[len(layers)-1], f)
	}
	return layers
}

// checkLayers compares the index of layers with the model, and the unpacked directory with the index.
func checkLayers(t interface{ Fatalf(string, ...any) }, tb testing.TB, dir string, layers [][]basetest.File) {
	m := model{}
	var refused error
	for i, layer := range layers {
		for n, f := range layer {
			if refused == nil {
				refused = m.apply(i, n, f)
			}
		}
	}
	var sources []layerSource
	for _, l := range layers {
		sources = append(sources, sourceOf(basetest.Tar(tb, l...)))
	}
	files, err := squash(tb.Context(), sources, 1)
	if (err != nil) != (refused != nil) {
		t.Fatalf("index: %v, model: %v\n%+v", err, refused, layers)
	}
	if err != nil {
		return
	}
	if diff := cmp.Diff(m.lines(), describe(files)); diff != "" {
		t.Fatalf("index and model differ (-model +index):\n%s%+v", diff, layers)
	}
	again, err := decodeFiles(files.encode())
	if err != nil {
		t.Fatalf("decode record: %v", err)
	}
	if diff := cmp.Diff(describe(files), describe(again)); diff != "" {
		t.Fatalf("index and its record differ: %s", diff)
	}
	if err := unpack(tb.Context(), again, sources, 1, dir); err != nil {
		t.Fatalf("unpack: %v\n%+v", err, layers)
	}
	if diff := cmp.Diff(withoutHardLinks(describe(files)), withoutHardLinks(describeDir(tb, dir))); diff != "" {
		t.Fatalf("index and directory differ (-index +directory):\n%s%+v", diff, layers)
	}
	for _, e := range files.All() {
		if e.HardLink != "" && !sameInode(filepath.Join(dir, e.Path), filepath.Join(dir, e.HardLink)) {
			t.Fatalf("%s and %s are not hard links", e.Path, e.HardLink)
		}
	}
}

func withoutHardLinks(lines []string) []string {
	for i, l := range lines {
		lines[i], _, _ = strings.Cut(l, " = ")
	}
	slices.Sort(lines)
	return lines
}

func sameInode(a, b string) bool {
	x, errX := os.Lstat(a)
	y, errY := os.Lstat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

func TestIndexEqualsModelAndDirectory(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		data := rapid.SliceOfN(rapid.Byte(), 0, 120).Draw(rt, "layers")
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatalf("%v", err)
		}
		checkLayers(rt, t, dir, decodeLayers(data))
	})
}

// FuzzSquash: whatever the layers, the index is the model's, its record reads back, and the directory is the index.
func FuzzSquash(f *testing.F) {
	f.Add([]byte{0, 0, 1, 3, 1, 0, 7, 0, 0, 5, 1, 0})
	f.Add([]byte{2, 16, 0, 0, 17, 9, 3, 2, 0, 7, 0, 0, 6, 16, 0, 4, 3, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		checkLayers(t, t, t.TempDir(), decodeLayers(data))
	})
}

// FuzzLayer: any bytes as a layer are refused, or unpack to what their index says, and nothing appears beside the root.
func FuzzLayer(f *testing.F) {
	for _, layer := range [][]basetest.File{
		short("a=1 d/ d/b=2 l->/etc l/passwd=3 h==a p! .wh.x d/.wh..wh..opq"),
		{{Name: strings.Repeat("long/", 60) + "x", Body: "PAX"}, {Name: "ü", ModTime: time.Unix(1<<34, 5)}},
	} {
		f.Add(basetest.Tar(f, layer...))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		source := sourceOf(data)
		files, err := squash(t.Context(), []layerSource{source}, 1)
		if err != nil {
			return
		}
		var size int64
		for _, e := range files.All() {
			size += e.Size
		}
		if size > 1<<20 || len(files.All()) > 1000 {
			return
		}
		parent := t.TempDir()
		root := filepath.Join(parent, "root")
		if err := os.Mkdir(root, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := unpack(t.Context(), files, []layerSource{source}, 1, root); err != nil {
			// Names that the file system does not take; but no escape and no half-known state.
			t.Logf("unpack: %v", err)
		} else {
			want := []string{}
			for _, line := range describe(files) {
				if !strings.Contains(line, " \x00 ") {
					want = append(want, line)
				}
			}
			if diff := cmp.Diff(withoutHardLinks(want), withoutHardLinks(describeDir(t, root))); diff != "" {
				t.Fatalf("index and directory differ (-index +directory):\n%s", diff)
			}
		}
		if list, err := os.ReadDir(parent); err != nil || len(list) != 1 {
			t.Fatalf("beside the root: %v, %v", list, err)
		}
	})
}

// FuzzDecodeFiles: a record is refused or is the record of what it reads as.
func FuzzDecodeFiles(f *testing.F) {
	s := newSquasher()
	files, err := s.files()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(files.encode())
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, data []byte) {
		files, err := decodeFiles(data)
		if err != nil {
			return
		}
		again, err := decodeFiles(files.encode())
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(files.encode(), again.encode()) {
			t.Fatal("the record of a record differs")
		}
	})
}
