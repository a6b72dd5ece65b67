package base

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"vpk/internal/cas"
	"vpk/internal/fault"
	"vpk/layer/base/basetest"
)

func TestOCIArchive(t *testing.T) {
	img := basetest.PythonImage(t, bookworm)
	plain := tarDir(t, writeLayout(t, []string{"nonroot"}, []mutate.Appendable{img}))
	store := newStore(t)
	for name, data := range map[string][]byte{"plain.tar": plain, "x.tar.gz": gzipBytes(t, plain), "x.tar.zst": zstdBytes(t, plain)} {
		path := writeTemp(t, name, data)
		for range 2 {
			got := mustOpen(t, "oci-archive:"+path+":nonroot", Options{Cache: store})
			if got.Digest != digestOfImage(t, img) {
				t.Errorf("%s: digest %s", name, got.Digest)
			}
			if err := validate.Image(got.V1(t.Context())); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	// An inflated archive that is damaged is inflated again.
	damaged := 0
	for _, f := range cacheFiles(t, store, kindArchive) {
		damaged++
		if err := os.WriteFile(f, []byte("damaged"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if damaged != 1 {
		t.Fatalf("%d inflated archives, want one for both", damaged)
	}
	mustOpen(t, "oci-archive:"+writeTemp(t, "x.tar.gz", gzipBytes(t, plain)), Options{Cache: store})
}

// cacheFiles are the entries of a kind in a cache.
func cacheFiles(t testing.TB, store *cas.Store, kind cas.Kind) (files []string) {
	t.Helper()
	probe, err := store.Path(kind, "000")
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Dir(filepath.Dir(probe))
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files = append(files, p)
		}
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return files
}

func TestDockerArchive(t *testing.T) {
	config, list := basetest.Python(bookworm)
	archive := basetest.Tar(t, list...)
	img := basetest.Image(t, config, basetest.Layer(t, archive, types.OCILayer))
	second := basetest.Image(t, config, basetest.Layer(t, archive, types.OCILayer), basetest.Layer(t, basetest.Tar(t, short("x=1")...), types.OCILayer))
	write := func(images map[name.Tag]v1.Image) string {
		path := filepath.Join(t.TempDir(), "image.tar")
		if err := tarball.MultiWriteToFile(path, images); err != nil {
			t.Fatal(err)
		}
		return path
	}
	a, b := name.MustParseReference("registry.example/a:1").(name.Tag), name.MustParseReference("b:2").(name.Tag)
	one := write(map[name.Tag]v1.Image{a: img})
	first := mustOpen(t, "docker-archive:"+one, Options{})
	if first.Facts.Target != bookworm || first.Pinned() {
		t.Errorf("got %+v", first.Facts)
	}
	if err := validate.Image(first.V1(t.Context())); err != nil {
		t.Error(err)
	}
	if _, err := first.Pin(); fault.KindOf(err) != fault.Usage {
		t.Errorf("pin: %v", err)
	}
	for _, tag := range []string{"1", "registry.example/a:1"} {
		if got := mustOpen(t, "docker-archive:"+one+":"+tag, Options{}); got.Digest != first.Digest {
			t.Errorf("%s: digest %s, want %s", tag, got.Digest, first.Digest)
		}
	}
	two := write(map[name.Tag]v1.Image{a: img, b: second})
	if got := mustOpen(t, "docker-archive:"+two+":b:2", Options{}); len(got.ConfigFile().RootFS.DiffIDs) != 2 {
		t.Errorf("b:2 has %d layers", len(got.ConfigFile().RootFS.DiffIDs))
	}
	for ref, want := range map[string]string{
		"docker-archive:" + two:           "several images",
		"docker-archive:" + two + ":3":    `there is no tag "3"`,
		"docker-archive:" + one + ":zzzz": `["registry.example/a:1"]`,
	} {
		if _, err := openRef(t, ref, Options{}); err == nil || fault.KindOf(err) != fault.Base || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v: want %q", ref, err, want)
		}
	}
}

// TestSavedByDocker reads the form of old `docker save`: uncompressed layers, one a link to another image's.
func TestSavedByDocker(t *testing.T) {
	config, list := basetest.Python(bookworm)
	archive := basetest.Tar(t, list...)
	img := basetest.Image(t, config, basetest.Layer(t, archive, types.OCIUncompressedLayer))
	raw, err := img.RawConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	saved := func(files ...basetest.File) string {
		return "docker-archive:" + writeTemp(t, "saved.tar", basetest.Tar(t, append(files,
			basetest.File{Name: "abc.json", Body: string(raw)},
			basetest.File{Name: "manifest.json", Body: `[{"Config":"abc.json","RepoTags":null,"Layers":["two/layer.tar"]}]`},
		)...))
	}
	linked := mustOpen(t, saved(basetest.File{Name: "one/layer.tar", Body: string(archive)}, basetest.File{Name: "two/layer.tar", Link: "../one/layer.tar"}), Options{})
	layers, err := linked.V1(t.Context()).Layers()
	if err != nil {
		t.Fatal(err)
	}
	if mediaType, err := layers[0].MediaType(); err != nil || mediaType != types.OCIUncompressedLayer {
		t.Errorf("media type %s, %v", mediaType, err)
	}
	checkLayerBytes(t, linked.V1(t.Context()))
	if direct := mustOpen(t, saved(basetest.File{Name: "two/layer.tar", Body: string(archive)}), Options{}); direct.Digest != linked.Digest {
		t.Errorf("the same image has digests %s and %s", direct.Digest, linked.Digest)
	}
	for want, files := range map[string][]basetest.File{
		"too many levels": {{Name: "two/layer.tar", Link: "layer.tar"}},
		"file does not":   nil,
		"DiffID":          {{Name: "two/layer.tar", Body: string(gzipBytes(t, basetest.Tar(t)))}},
	} {
		if _, err := openRef(t, saved(files...), Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: want %q", err, want)
		}
	}
}
