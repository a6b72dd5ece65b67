package base

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"pgregory.net/rapid"

	"vpk/internal/fault"
	"vpk/internal/trace"
	"vpk/layer/base/basetest"
)

// sourceOf is an uncompressed archive as a layer.
func sourceOf(archive []byte) layerSource {
	desc := v1.Descriptor{Size: int64(len(archive)), Digest: digestOf(archive)}
	return layerSource{diffID: desc.Digest, open: func(context.Context) (io.ReadCloser, error) {
		return verify(io.NopCloser(bytes.NewReader(archive)), desc), nil
	}}
}

// show writes an index in short: "a/ b=5 c->d e==b", in order, without the root.
func show(files *Files) string {
	var words []string
	for _, e := range files.All() {
		switch {
		case e.Path == ".":
		case e.HardLink != "":
			words = append(words, e.Path+"=="+e.HardLink)
		case e.Mode.IsDir():
			words = append(words, e.Path+"/")
		case e.Mode&fs.ModeSymlink != 0:
			words = append(words, e.Path+"->"+e.Link)
		case e.Mode.IsRegular():
			words = append(words, fmt.Sprintf("%s=%d", e.Path, e.Size))
		default:
			words = append(words, e.Path+"!")
		}
	}
	return strings.Join(words, " ")
}

// short reads the files of a layer in the form of show; "x==y" is a hard link, "x!" a FIFO. The number is the size.
func short(words string) (files []basetest.File) {
	for word := range strings.FieldsSeq(words) {
		f := basetest.File{Name: word}
		if name, target, ok := strings.Cut(word, "->"); ok {
			f = basetest.File{Name: name, Link: target}
		} else if name, target, ok := strings.Cut(word, "=="); ok {
			f = basetest.File{Name: name, Link: target, Type: tar.TypeLink}
		} else if name, size, ok := strings.Cut(word, "="); ok {
			n := 0
			_, _ = fmt.Sscan(size, &n)
			f = basetest.File{Name: name, Body: strings.Repeat("x", n)}
		} else if name, ok := strings.CutSuffix(word, "!"); ok {
			f = basetest.File{Name: name, Type: tar.TypeFifo}
		}
		files = append(files, f)
	}
	return files
}

func TestSquash(t *testing.T) {
	for name, test := range map[string]struct {
		layers []string
		want   string
	}{
		"parents are made":                 {[]string{"a/b/c=1"}, "a/ a/b/ a/b/c=1"},
		"any spelling of a name":           {[]string{"./a/=0 ./a//b=1 /c=2 ./"}, "a/ a/b=1 c=2"},
		"upper wins":                       {[]string{"a=1 b=1", "a=2"}, "a=2 b=1"},
		"later in a layer wins":            {[]string{"a=1 a=2"}, "a=2"},
		"whiteout of a file":               {[]string{"a=1 b=1", ".wh.a"}, "b=1"},
		"whiteout of a tree":               {[]string{"d/ d/x=1 d/e/y=1 f=1", ".wh.d"}, "f=1"},
		"whiteout of nothing":              {[]string{"a=1", ".wh.b c/.wh.d a/.wh.x"}, "a=1"},
		"whiteout before its replacement":  {[]string{"a=1", ".wh.a a=2"}, "a=2"},
		"whiteout after its replacement":   {[]string{"a=1", "a=2 .wh.a"}, "a=2"},
		"whiteout spares the same layer":   {[]string{"d/old=1", "d/new=1 .wh.d"}, "d/ d/new=1"},
		"whiteout that leads nowhere":      {[]string{"a=1 l->l", "a/.wh.x l/.wh.x l/.wh..wh..opq"}, "a=1 l->l"},
		"whiteout through a link":          {[]string{"usr/lib/x=1 lib->usr/lib", "lib/.wh.x"}, "lib->usr/lib usr/ usr/lib/"},
		"whiteout does not follow":         {[]string{"a=1 l->a", ".wh.l"}, "a=1"},
		"opaque":                           {[]string{"d/ d/x=1 d/e/y=1", "d/ d/.wh..wh..opq d/z=1"}, "d/ d/z=1"},
		"opaque after":                     {[]string{"d/ d/x=1", "d/z=1 d/.wh..wh..opq"}, "d/ d/z=1"},
		"opaque of nothing":                {[]string{"a=1", "d/.wh..wh..opq"}, "a=1"},
		"opaque root":                      {[]string{"a=1", ".wh..wh..opq b=1"}, "b=1"},
		"aufs' own names":                  {[]string{"a=1 .wh..wh.aufs=0 .wh..wh.plnk/ .wh..wh.plnk/1.2=0 d/.wh..wh.orph/x=1"}, "a=1"},
		"file over directory":              {[]string{"a/x=1", "a=1"}, "a=1"},
		"directory over file":              {[]string{"a=1", "a/ a/x=1"}, "a/ a/x=1"},
		"directory over directory":         {[]string{"a/x=1", "a/ a/y=1"}, "a/ a/x=1 a/y=1"},
		"directory over link":              {[]string{"usr/lib/x=1 lib->usr/lib", "lib/"}, "lib/ usr/ usr/lib/ usr/lib/x=1"},
		"link over directory":              {[]string{"a/x=1 b/", "a->b"}, "a->b b/"},
		"below a link":                     {[]string{"usr/lib/ lib->usr/lib", "lib/y=1"}, "lib->usr/lib usr/ usr/lib/ usr/lib/y=1"},
		"below an absolute link":           {[]string{"usr/lib/ lib->/usr/lib", "lib/y=1"}, "lib->/usr/lib usr/ usr/lib/ usr/lib/y=1"},
		"below a link out of the root":     {[]string{"a->../../../b", "a/y=1"}, "a->../../../b b/ b/y=1"},
		"below a dangling link":            {[]string{"a->b/c", "a/y=1"}, "a->b/c b/ b/c/ b/c/y=1"},
		"over a link":                      {[]string{"a=1 l->a", "l=2"}, "a=1 l=2"},
		"hard link":                        {[]string{"b=3 a==b"}, "a=3 b==a"},
		"hard link to a lower layer":       {[]string{"a=3", "b==a"}, "a=3 b==a"},
		"hard link outlives its target":    {[]string{"a=3", "b==a", ".wh.a"}, "b=3"},
		"hard link and a new target":       {[]string{"a=3 b==a", "a=5"}, "a=5 b=3"},
		"hard link to a link":              {[]string{"a=1 l->a h==l"}, "a=1 h->a l->a"},
		"hard link through a link":         {[]string{"usr/lib/x=1 lib->usr/lib", "y==./lib/x"}, "lib->usr/lib usr/ usr/lib/ usr/lib/x=1 y==usr/lib/x"},
		"hard link into its own directory": {[]string{"d/a=1 d==d/a"}, "d=1"},
		"others":                           {[]string{"p! d/p!"}, "d/ d/p! p!"},
		"no layer has anything":            {[]string{"", ""}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var layers [][]basetest.File
			for _, words := range test.layers {
				layers = append(layers, short(words))
			}
			if got := show(filesOf(t, layers...)); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestSquashRefuses(t *testing.T) {
	long := strings.Repeat("x", MaxName+1)
	for name, test := range map[string]struct {
		files []basetest.File
		want  string
	}{
		"..":                        {short("a/../b=1"), `name with ".."`},
		".. at the end":             {short("a/..=1"), `name with ".."`},
		".. in a hard link":         {short("a=1 b==../a"), `name with ".."`},
		"below a file":              {short("a=1 a/b=1"), "not a directory"},
		"below a link to a file":    {short("a=1 l->a l/b=1"), "not a directory"},
		"loop":                      {short("a->b b->a a/x=1"), "too many levels"},
		"hard link to nothing":      {short("a==b"), "does not exist"},
		"hard link to itself":       {short("a==a"), "does not exist"},
		"hard link to a directory":  {short("d/ a==d"), "is a directory"},
		"hard link below a file":    {short("a=1 b==a/x"), "does not exist"},
		"root as a file":            {[]basetest.File{{Name: "./", Type: tar.TypeSymlink, Link: "x"}}, "root must be a directory"},
		"whiteout without a name":   {short("d/.wh."), "whiteout of nothing"},
		"whiteout of a parent":      {short("d/.wh..."), "whiteout of nothing"},
		"a long name":               {short(long + "=1"), "longer than 255 bytes"},
		"a long name made by links": {[]basetest.File{{Name: "a", Link: long}, {Name: "a/b"}}, "longer than 255 bytes"},
		"an unknown type":           {[]basetest.File{{Name: "a", Type: 'Z'}}, "unknown type"},
	} {
		t.Run(name, func(t *testing.T) {
			files, err := indexOf(t, test.files)
			if err == nil {
				t.Fatalf("no error, but %s", show(files))
			}
			if fault.KindOf(err) != fault.Base || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "layer 1") {
				t.Errorf("kind %d: %v: want a base error with the layer and %q", fault.KindOf(err), err, test.want)
			}
		})
	}
}

func TestLinksCannotMakeEndlessPaths(t *testing.T) {
	// Each link adds 200 directories to what it stands for.
	var list []basetest.File
	deep := strings.Repeat("d/", 200)
	for i := range 30 {
		list = append(list, basetest.File{Name: fmt.Sprintf("l%02d", i), Link: fmt.Sprintf("l%02d/%s", i+1, deep)})
	}
	list = append(list, basetest.File{Name: "l30/"}, basetest.File{Name: "l00/x"})
	if files, err := indexOf(t, list); err == nil || fault.KindOf(err) != fault.Base {
		t.Errorf("got %d entries, %v", len(files.All()), err)
	}
}

func TestMetadataIsKept(t *testing.T) {
	files := filesOf(t, []basetest.File{
		{Name: "d/", Mode: 0o1777, UID: 1, GID: 2}, {Name: "d/suid", Mode: 0o6755, Body: "x"},
		{Name: "d/implicit/f"},
	}, []basetest.File{{Name: "d/", Mode: 0o700, UID: 3}})
	for path, want := range map[string]string{"d": "drwx------ 3 0", "d/suid": "ugrwxr-xr-x 0 0", "d/implicit": "drwxr-xr-x 0 0"} {
		e, ok := files.Lookup(path)
		if got := fmt.Sprintf("%s %d %d", e.Mode, e.UID, e.GID); !ok || got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	if e, _ := files.Lookup("d/suid"); e.ModTime.Year() != 2024 || fmt.Sprint(e.Digest) != "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881" {
		t.Errorf("time %v, digest %s", e.ModTime, e.Digest)
	}
	all := paths(files.All())
	if !slices.IsSorted(all) || all[0] != "." {
		t.Errorf("order: %q", all)
	}
}

func TestCeilings(t *testing.T) {
	archive := basetest.Tar(t, basetest.File{Name: "big", Body: strings.Repeat("x", 1<<20)}, basetest.File{Name: "small", Body: "x"})
	bomb := layerSource{diffID: digestOf(archive), open: sourceOf(zstdBytes(t, archive)).open}
	visit := func(int, *tar.Header, io.Reader) error { return nil }
	for name, test := range map[string]struct {
		bytes, sizes, files, names int64
		want                       string
	}{
		"enough":          {int64(len(archive)), 1<<20 + 1, 2, 8, ""},
		"inflated bytes":  {1 << 20, 1 << 30, 100, 100, "larger than"},
		"sizes of files":  {1 << 30, 1 << 20, 100, 100, "files of the image are larger"},
		"number of files": {1 << 30, 1 << 30, 1, 100, "more than"},
		"names":           {1 << 30, 1 << 30, 100, 7, "names in the image"},
	} {
		b := new(budget)
		b.bytes.Store(test.bytes)
		b.sizes.Store(test.sizes)
		b.files.Store(test.files)
		b.names.Store(test.names)
		err := bomb.read(t.Context(), trace.IndexBase, b, visit)
		if (err == nil) != (test.want == "") || err != nil && (!strings.Contains(err.Error(), test.want) || fault.KindOf(err) != fault.Base) {
			t.Errorf("%s: %v: want %q", name, err, test.want)
		}
	}
	if _, err := squash(t.Context(), make([]layerSource, MaxLayers+1), 1); fault.KindOf(err) != fault.Base {
		t.Errorf("layers: %v", err)
	}
	half := v1.Descriptor{MediaType: types.OCILayer, Digest: digestOf(nil), Size: MaxSize/2 + 1}
	huge := document{manifest: &v1.Manifest{Config: v1.Descriptor{MediaType: types.OCIConfigJSON, Digest: digestOf(nil)}, Layers: []v1.Descriptor{half, half}}}
	if err := checkManifest(huge); fault.KindOf(err) != fault.Base {
		t.Errorf("sizes of layers: %v", err)
	}
	if _, err := readDocument(strings.NewReader(strings.Repeat(" ", MaxDocument+1)), v1.Hash{}); fault.KindOf(err) != fault.Base {
		t.Errorf("document: %v", err)
	}
}

// TestHidingAgain: that a directory is hidden once a layer, and no more often, changes nothing.
func TestHidingAgain(t *testing.T) {
	paths := []string{"a", "a/b", "a/b/c", "a/d", "e", "a/b/c/f", "l", "l/c"}
	rapid.Check(t, func(t *rapid.T) {
		quick, plain := newSquasher(), newSquasher()
		for layer := range rapid.IntRange(1, 4).Draw(t, "layers") {
			for range rapid.IntRange(0, 12).Draw(t, "items") {
				it := item{path: rapid.SampledFrom(paths).Draw(t, "path"), kind: rapid.SampledFrom([]itemKind{itemNode, itemNode, itemWhiteout, itemOpaque}).Draw(t, "kind")}
				if it.kind == itemNode {
					it.inode = &inode{Entry{Mode: fs.ModeDir | 0o755}}
					switch {
					case it.path == "l":
						it.inode = &inode{Entry{Mode: fs.ModeSymlink | 0o777, Link: "a/b"}}
					case rapid.IntRange(0, 3).Draw(t, "file") == 0:
						it.inode = &inode{Entry{Mode: 0o644}}
					}
				}
				forget(plain.root)
				errQuick, errPlain := quick.applyItem(layer, it), plain.applyItem(layer, it)
				if fmt.Sprint(errQuick) != fmt.Sprint(errPlain) {
					t.Fatalf("%v, %v", errQuick, errPlain)
				}
			}
		}
		var got, want []string
		for files, list := range map[*squasher]*[]string{quick: &got, plain: &want} {
			index, err := files.files()
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range index.All() {
				*list = append(*list, fmt.Sprint(e.Path, e.Mode, e.Link))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	})
}

// forget makes a tree one in which nothing is known to be hidden.
func forget(n *node) {
	n.hidden = 0
	for _, child := range n.children {
		forget(child)
	}
}

// BenchmarkHiding is a layer that hides a directory with each of its entries: linear, or it takes hours for a million.
func BenchmarkHiding(b *testing.B) {
	const entries = 100_000
	items := make([]item, 0, 2*entries)
	for i := range entries {
		items = append(items, item{path: fmt.Sprint("d/", i), inode: &inode{Entry{Mode: 0o644}}}, item{path: "d", kind: itemOpaque})
	}
	for b.Loop() {
		if err := newSquasher().apply(1, items); err != nil {
			b.Fatal(err)
		}
	}
}
