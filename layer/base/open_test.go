package base

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	ggcrlayout "github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"go.uber.org/goleak"

	"vpk/internal/cas"
	"vpk/internal/fault"
	"vpk/layer/base/basetest"
	"vpk/wheel/tag"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	amd64 = v1.Platform{OS: "linux", Architecture: "amd64"}
	arm64 = v1.Platform{OS: "linux", Architecture: "arm64"}
)

func bookwormOn(arch tag.Arch) tag.Target {
	target := bookworm
	target.Arch = arch
	return target
}

func newStore(t testing.TB) *cas.Store {
	t.Helper()
	store, err := cas.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func mustRef(t testing.TB, s string) Ref {
	t.Helper()
	r, err := ParseRef(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func openRef(t testing.TB, ref string, opts Options) (*Image, error) {
	t.Helper()
	if opts.Cache == nil {
		opts.Cache = newStore(t)
	}
	if opts.Platform.OS == "" {
		opts.Platform = amd64
	}
	return Open(t.Context(), mustRef(t, ref), opts)
}

func mustOpen(t testing.TB, ref string, opts Options) *Image {
	t.Helper()
	img, err := openRef(t, ref, opts)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func digestOfImage(t testing.TB, img interface{ Digest() (v1.Hash, error) }) v1.Hash {
	t.Helper()
	h, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// writeLayout writes images and indexes into a new layout, each under the tag it stands at; "" is none.
func writeLayout(t testing.TB, tags []string, images []mutate.Appendable) string {
	t.Helper()
	dir := t.TempDir()
	path, err := ggcrlayout.Write(dir, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	for i, img := range images {
		var options []ggcrlayout.Option
		if tags[i] != "" {
			options = append(options, ggcrlayout.WithAnnotations(map[string]string{annotationRefName: tags[i]}))
		}
		switch img := img.(type) {
		case v1.Image:
			err = path.AppendImage(img, options...)
		case v1.ImageIndex:
			err = path.AppendIndex(img, options...)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// tarDir writes a directory as an archive.
func tarDir(t testing.TB, dir string) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	if err := w.AddFS(os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func writeTemp(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func gzipBytes(t testing.TB, data []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func zstdBytes(t testing.TB, data []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	return w.EncodeAll(data, nil)
}

func TestOpenLayout(t *testing.T) {
	img := basetest.PythonImage(t, bookworm)
	dir := writeLayout(t, []string{"nonroot"}, []mutate.Appendable{img})
	want := digestOfImage(t, img)
	for _, ref := range []string{"oci:" + dir, "oci:" + dir + ":nonroot", "oci:" + dir + "@" + want.String(), "oci:" + dir + ":other@" + want.String()} {
		got := mustOpen(t, ref, Options{})
		if got.Digest != want || got.IndexDigest != (v1.Hash{}) || got.Facts.Target != bookworm || got.Ref.String() != ref || got.Platform.String() != "linux/amd64" {
			t.Errorf("%s: %+v", ref, got)
		}
		if pinned := strings.Contains(ref, "@"); got.Pinned() != pinned {
			t.Errorf("%s: pinned %v", ref, got.Pinned())
		}
		pin, err := got.Pin()
		if base, _, _ := strings.Cut(ref, "@"); err != nil || pin.String() != base+"@"+want.String() {
			t.Errorf("%s: pin %q, %v", ref, pin, err)
		}
	}
}

func TestV1IsTheSameImage(t *testing.T) {
	img := basetest.PythonImage(t, bookworm)
	dir := writeLayout(t, []string{""}, []mutate.Appendable{img})
	got := mustOpen(t, "oci:"+dir, Options{}).V1(t.Context())
	if err := validate.Image(got); err != nil {
		t.Error(err)
	}
	a, errA := img.RawManifest()
	b, errB := got.RawManifest()
	if errA != nil || errB != nil || !bytes.Equal(a, b) {
		t.Errorf("manifest %s (%v), want %s (%v)", b, errB, a, errA)
	}
}

func TestOpenFollowsIndexes(t *testing.T) {
	onAMD, onARM := basetest.PythonImage(t, bookwormOn(tag.X8664)), basetest.PythonImage(t, bookwormOn(tag.AArch64))
	index := basetest.Index(t, onAMD, onARM)
	nested := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: index})
	dir := writeLayout(t, []string{"flat", "nested"}, []mutate.Appendable{index, nested})
	for ref, outermost := range map[string]v1.ImageIndex{"oci:" + dir + ":flat": index, "oci:" + dir + ":nested": nested} {
		for _, test := range []struct {
			platform v1.Platform
			img      v1.Image
		}{{amd64, onAMD}, {v1.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"}, onARM}} {
			platform, img := test.platform, test.img
			got := mustOpen(t, ref, Options{Platform: platform})
			if got.Digest != digestOfImage(t, img) || got.IndexDigest != digestOfImage(t, outermost) || got.Facts.Target.Arch.OCI() != platform.Architecture {
				t.Errorf("%s for %s: %s through %s, %s", ref, platform, got.Digest, got.IndexDigest, got.Facts.Target)
			}
			pin, err := got.Pin()
			if err != nil || pin.digest != got.IndexDigest.String() {
				t.Errorf("pin of an index: %q, %v", pin, err)
			}
			if again := mustOpen(t, pin.String(), Options{Platform: platform}); again.Digest != got.Digest {
				t.Errorf("the pin %q leads to %s, not to %s", pin, again.Digest, got.Digest)
			}
		}
	}
}

func TestLayoutWithoutIndexHoldsPlatforms(t *testing.T) {
	// Two manifests under one tag, without platforms: their configs decide.
	onAMD, onARM := basetest.PythonImage(t, bookwormOn(tag.X8664)), basetest.PythonImage(t, bookwormOn(tag.AArch64))
	dir := writeLayout(t, []string{"x", "x"}, []mutate.Appendable{onAMD, onARM})
	got := mustOpen(t, "oci:"+dir, Options{Platform: arm64})
	if got.Digest != digestOfImage(t, onARM) || got.IndexDigest != (v1.Hash{}) {
		t.Errorf("got %s through %s", got.Digest, got.IndexDigest)
	}
}

func TestOpenRefuses(t *testing.T) {
	onARM := basetest.PythonImage(t, bookwormOn(tag.AArch64))
	config, list := basetest.Python(bookworm)
	archive := basetest.Tar(t, list...)
	other := basetest.Image(t, config, basetest.Layer(t, archive, types.OCILayerZStd))
	good := basetest.PythonImage(t, bookworm)
	windows := config
	windows.OS = "windows"
	lying := config
	lying.Architecture = "arm64"
	oneTag := func(img mutate.Appendable) string {
		return "oci:" + writeLayout(t, []string{"t"}, []mutate.Appendable{img})
	}
	index := func(img v1.Image, p v1.Platform) v1.ImageIndex {
		return mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &p}})
	}
	artifact := mutate.ConfigMediaType(good, "application/vnd.example.artifact+json")
	encrypted := basetest.Image(t, config, static.NewLayer(archive, "application/vnd.oci.image.layer.v1.tar+gzip+encrypted"))
	for name, test := range map[string]struct {
		ref  string
		want string
		kind fault.Kind
	}{
		"nothing there":         {"oci:" + filepath.Join(t.TempDir(), "x"), "no such file", fault.Base},
		"a directory alone":     {"oci:" + t.TempDir(), "there is no OCI layout", fault.Base},
		"a file as a layout":    {"oci:" + writeTemp(t, "x", nil), "not a directory", fault.Base},
		"a layout as a file":    {"oci-archive:" + t.TempDir(), "not a file", fault.Base},
		"not an archive":        {"oci-archive:" + writeTemp(t, "x", []byte("something else")), "read archive", fault.Base},
		"an empty archive":      {"docker-archive:" + writeTemp(t, "x", tarDir(t, t.TempDir())), "no Docker archive", fault.Base},
		"no such tag":           {oneTag(good) + ":u", `there is no tag "u": there is ["t"]`, fault.Base},
		"no such digest":        {oneTag(good) + "@" + someDigest, "the layout has no " + someDigest, fault.Base},
		"several tags":          {"oci:" + writeLayout(t, []string{"a", "b"}, []mutate.Appendable{good, other}), `several images: ["a" "b"]`, fault.Base},
		"several without a tag": {"oci:" + writeLayout(t, []string{"", ""}, []mutate.Appendable{good, other}), "several images for linux/amd64", fault.Base},
		"another platform":      {oneTag(onARM), "no image for linux/amd64: it has linux/arm64", fault.Base},
		"index without it":      {oneTag(basetest.Index(t, onARM, basetest.Image(t, windows, basetest.Layer(t, archive, types.OCILayer)))), "no image for linux/amd64: it has linux/arm64, windows/amd64", fault.Base},
		"an index that lies":    {oneTag(index(onARM, amd64)), "is for linux/amd64, its config says linux/arm64", fault.Base},
		"a config that lies":    {oneTag(basetest.Image(t, lying, basetest.Layer(t, archive, types.OCILayer))), "no image for linux/amd64", fault.Base},
		"no layers":             {oneTag(basetest.Image(t, config)), "has 0 layers", fault.Base},
		"an artifact":           {oneTag(artifact) + "@" + digestOfImage(t, artifact).String(), "is not an image: its config is", fault.Base},
		"an encrypted layer":    {oneTag(encrypted), "not a layer that can be unpacked", fault.Base},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := openRef(t, test.ref, Options{})
			if err == nil {
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "base image") || fault.KindOf(err) != test.kind {
				t.Errorf("kind %d: %v\nwant kind %d and %q", fault.KindOf(err), err, test.kind, test.want)
			}
		})
	}
}

func TestOpenWantsAPlatformThatCanBe(t *testing.T) {
	for _, p := range []v1.Platform{{OS: "windows", Architecture: "amd64"}, {OS: "linux", Architecture: "s390x"}} {
		if _, err := openRef(t, "oci:x", Options{Platform: p}); fault.KindOf(err) != fault.Usage {
			t.Errorf("%s: %v", p, err)
		}
	}
}

func TestOpenMakesNothingOfArtifacts(t *testing.T) {
	good := basetest.PythonImage(t, bookworm)
	attestation := mutate.IndexAddendum{Add: empty.Image, Descriptor: v1.Descriptor{
		Platform:    &v1.Platform{OS: "unknown", Architecture: "unknown"},
		Annotations: map[string]string{"vnd.docker.reference.type": "attestation-manifest"},
	}}
	signature := mutate.IndexAddendum{Add: mutate.ConfigMediaType(empty.Image, "application/vnd.example+json")}
	index := mutate.AppendManifests(empty.Index, attestation, signature, mutate.IndexAddendum{Add: good})
	dir := writeLayout(t, []string{""}, []mutate.Appendable{index})
	if got := mustOpen(t, "oci:"+dir, Options{}); got.Digest != digestOfImage(t, good) {
		t.Errorf("got %s", got.Digest)
	}
}

func TestOpenReadsEveryCompression(t *testing.T) {
	config, list := basetest.Python(bookworm)
	archive := basetest.Tar(t, list...)
	var index string
	for _, mediaType := range []types.MediaType{types.OCILayer, types.OCILayerZStd, types.OCIUncompressedLayer} {
		img := basetest.Image(t, config, basetest.Layer(t, archive, mediaType))
		got := mustOpen(t, "oci:"+writeLayout(t, []string{""}, []mutate.Appendable{img}), Options{})
		checkLayerBytes(t, got.V1(t.Context()))
		if s := show(got.Files); index == "" {
			index = s
		} else if s != index {
			t.Errorf("%s: another index", mediaType)
		}
		root, err := got.Root(t.Context())
		if err != nil {
			t.Errorf("%s: %v", mediaType, err)
		}
		if _, err := os.Stat(filepath.Join(root, "usr/lib/python3.11/os.py")); err != nil {
			t.Error(err)
		}
	}
	// Two gzip members, and a zstd frame that is skipped, are the same layer.
	half := len(archive) / 2
	members := append(gzipBytes(t, archive[:half]), gzipBytes(t, archive[half:])...)
	skipped := append([]byte{0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'x', 'y', 'z'}, zstdBytes(t, archive)...)
	for _, blob := range [][]byte{members, skipped} {
		source := layerSource{diffID: digestOf(archive), open: sourceOf(blob).open}
		files, err := squash(t.Context(), []layerSource{source}, 1)
		if err != nil || show(files) != index {
			t.Errorf("%v, same index %v", err, err == nil && show(files) == index)
		}
	}
}

// checkLayerBytes proves what layers say of themselves, whatever their compression (validate.Image knows gzip only).
func checkLayerBytes(t *testing.T, img v1.Image) {
	t.Helper()
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range layers {
		digest, _ := l.Digest()
		diffID, _ := l.DiffID()
		size, _ := l.Size()
		for want, open := range map[v1.Hash]func() (io.ReadCloser, error){digest: l.Compressed, diffID: l.Uncompressed} {
			r, err := open()
			if err != nil {
				t.Fatal(err)
			}
			got, n, err := v1.SHA256(r)
			if err != nil || got != want || want == digest && digest != diffID && n != size {
				t.Errorf("%s has digest %s and %d bytes, %v", want, got, n, err)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestDamagedLayers(t *testing.T) {
	_, list := basetest.Python(bookworm)
	archive := basetest.Tar(t, list...)
	blob := gzipBytes(t, archive)
	layer := func(promised, served []byte, diffID v1.Hash) layerSource {
		desc := v1.Descriptor{Size: int64(len(promised)), Digest: digestOf(promised)}
		return layerSource{diffID: diffID, open: func(context.Context) (io.ReadCloser, error) {
			return verify(io.NopCloser(bytes.NewReader(served)), desc), nil
		}}
	}
	flipped := bytes.Clone(blob)
	flipped[len(flipped)/2] ^= 1
	garbage := []byte("\x1f\x8bnot a gzip stream at all")
	trailing := append(bytes.Clone(blob), "trailing"...)
	for name, test := range map[string]struct {
		layer layerSource
		kind  fault.Kind
		want  string
	}{
		"another bit":     {layer(blob, flipped, digestOf(archive)), fault.Integrity, "is damaged"},
		"cut short":       {layer(blob, blob[:len(blob)-9], digestOf(archive)), fault.Integrity, "is damaged"},
		"longer":          {layer(blob, trailing, digestOf(archive)), fault.Integrity, "is damaged"},
		"another DiffID":  {layer(blob, blob, digestOf(blob)), fault.Integrity, "layer has DiffID"},
		"not gzip":        {layer(garbage, garbage, digestOf(garbage)), fault.Base, "inflate"},
		"promised damage": {layer(flipped, flipped, digestOf(archive)), fault.Base, "read"},
		"no archive":      {layer([]byte("x"), []byte("x"), digestOf([]byte("x"))), fault.Base, "read entry 0"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := squash(t.Context(), []layerSource{test.layer}, 1)
			if err == nil || fault.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.want) {
				t.Errorf("kind %d: %v: want kind %d and %q", fault.KindOf(err), err, test.kind, test.want)
			}
		})
	}
}

func TestIndexIsReadOnceForADigest(t *testing.T) {
	img := basetest.PythonImage(t, bookworm)
	dir := writeLayout(t, []string{""}, []mutate.Appendable{img})
	store := newStore(t)
	first := mustOpen(t, "oci:"+dir, Options{Cache: store})
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, blobName(digestOfImage(t, layers[0])))); err != nil {
		t.Fatal(err)
	}
	second := mustOpen(t, "oci:"+dir, Options{Cache: store})
	if show(first.Files) != show(second.Files) || first.Facts.Target != second.Facts.Target {
		t.Error("the second time it is another image")
	}
	if _, err := openRef(t, "oci:"+dir, Options{}); err == nil || fault.KindOf(err) != fault.Base {
		t.Errorf("without the layer and the cache: %v", err)
	}
	// A damaged record counts as none: here there is nothing to make it again from.
	for _, f := range cacheFiles(t, store, kindFiles) {
		if err := os.WriteFile(f, []byte(strings.Repeat("damaged", 100)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := openRef(t, "oci:"+dir, Options{Cache: store}); err == nil {
		t.Error("a damaged record was believed")
	}
}

func TestLoadTakesAnyImage(t *testing.T) {
	img := basetest.Image(t, v1.ConfigFile{OS: "linux", Architecture: "amd64"}, basetest.Layer(t, basetest.Tar(t, short("x=1")...), types.OCILayer))
	dir := writeLayout(t, []string{""}, []mutate.Appendable{img})
	got, err := Load(t.Context(), mustRef(t, "oci:"+dir), Options{Cache: newStore(t), Platform: amd64})
	if err != nil || digestOfImage(t, got) != digestOfImage(t, img) {
		t.Errorf("%v", err)
	}
}
