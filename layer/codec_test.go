package layer_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"vpk/internal/cas"
	"vpk/internal/fault"
	"vpk/internal/peer"
	"vpk/layer"
	"vpk/venv/tree"
)

// compressed is Dependencies in one of the compressions.
func compressed(t testing.TB, how string) layer.Spec {
	t.Helper()
	spec := Dependencies()
	var err error
	if spec.Compression, err = layer.ParseCompression(how); err != nil {
		t.Fatal(err)
	}
	return spec
}

func TestParseCompression(t *testing.T) {
	for given, want := range map[string]string{
		"": "gzip", "gzip": "gzip", "none": "none", "zstd": "zstd:3", "zstd:1": "zstd:1", "zstd:22": "zstd:22",
	} {
		if c, err := layer.ParseCompression(given); err != nil || c.String() != want {
			t.Errorf("%q: %q, %v", given, c, err)
		}
	}
	for _, given := range []string{"gzip:6", "zstd:", "zstd:0", "zstd:23", "zstd:fast", "none:1", "GZIP", "bzip2", "zstd "} {
		if c, err := layer.ParseCompression(given); fault.KindOf(err) != fault.Usage {
			t.Errorf("%q is taken for %q, %v", given, c, err)
		}
	}
}

func TestCompressionsHoldTheSameTar(t *testing.T) {
	cache := Cache(t)
	_, want, _ := strings.Cut(digests(build(t, cache, Dependencies())), "diffID ")
	want, _, _ = strings.Cut(want, ",")
	seen := map[string]string{}
	for how, media := range map[string]types.MediaType{
		"gzip": types.OCILayer, "zstd": types.OCILayerZStd, "zstd:1": types.OCILayerZStd, "zstd:7": types.OCILayerZStd, "none": types.OCIUncompressedLayer,
	} {
		l := build(t, cache, compressed(t, how))
		rc, err := l.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		if tar, _, err := v1.SHA256(rc); err != nil || tar.String() != want {
			t.Errorf("%s: the tar has digest %s, %v, want %s", how, tar, err, want)
		}
		rc.Close()
		if got, _ := l.DiffID(); got.String() != want {
			t.Errorf("%s: DiffID %s, want %s", how, got, want)
		}
		if got, _ := l.MediaType(); got != media {
			t.Errorf("%s: type %q", how, got)
		}
		digest, _ := l.Digest()
		if other, ok := seen[digest.String()]; ok {
			t.Errorf("%s and %s are one blob", how, other)
		}
		seen[digest.String()] = how
		if again := build(t, Cache(t), compressed(t, how)); digests(again) != digests(l) {
			t.Errorf("%s: %s, then %s", how, digests(l), digests(again))
		}
	}
}

// TestReadersAgreeOnTheTar gives blobs to programs that inflate, each of which has code of its own.
func TestReadersAgreeOnTheTar(t *testing.T) {
	want := blob(t, build(t, Cache(t), compressed(t, "none")))
	python := peer.Python(t)
	const zlib = "import sys, zlib; d = zlib.decompressobj(31); out = d.decompress(sys.stdin.buffer.read()); assert d.eof and not d.unused_data; sys.stdout.buffer.write(out)"
	for how, readers := range map[string][][]string{
		"gzip": {
			{peer.Tool(t, "gzip"), "-dc"}, {peer.Tool(t, "pigz"), "-dc"}, {peer.Tool(t, "igzip"), "-dc"}, {peer.Tool(t, "busybox"), "gzip", "-dc"},
			{peer.Tool(t, "bsdcat")}, {python, "-c", zlib},
			{python, "-c", "import sys, gzip; sys.stdout.buffer.write(gzip.decompress(sys.stdin.buffer.read()))"},
		},
		"zstd": {{peer.Tool(t, "zstd"), "-dc"}, {peer.Tool(t, "bsdcat")}},
	} {
		data := blob(t, build(t, Cache(t), compressed(t, how)))
		for _, args := range readers {
			if got := run(t, data, args[0], args[1:]...); got != string(want) {
				t.Errorf("%s: %v gives %d bytes of %d", how, args, len(got), len(want))
			}
		}
	}
}

// TestTar2sqfsReadsLayer: of several gzip members it would read only the first.
func TestTar2sqfsReadsLayer(t *testing.T) {
	tool, list := peer.Tool(t, "tar2sqfs"), peer.Tool(t, "rdsquashfs")
	for _, how := range []string{"gzip", "zstd", "none"} {
		file := filepath.Join(t.TempDir(), "layer.sqfs")
		cmd := exec.Command(tool, "--quiet", file)
		cmd.Stdin = bytes.NewReader(blob(t, build(t, Cache(t), compressed(t, how))))
		peer.Output(t, cmd)
		got := map[string]bool{}
		for line := range strings.Lines(peer.Output(t, exec.Command(list, "--describe", file))) {
			// file NAME 0644 65532 65532, with quotes around names that have spaces
			if kind, rest, _ := strings.Cut(strings.TrimSpace(line), " "); kind == "file" {
				got[strings.TrimPrefix(strings.Fields(rest)[0], "/")] = true
			}
		}
		for _, p := range Dependencies().Parts {
			for _, e := range p.Entries {
				if e.Kind == tree.File && !got[e.Path] {
					t.Errorf("%s: %q is missing", how, e.Path)
				}
			}
		}
	}
}

// TestContainerdUnpacks needs a containerd, such as the one that Docker starts.
func TestContainerdUnpacks(t *testing.T) {
	ctr := peer.Tool(t, "ctr")
	var socket string
	for _, path := range []string{os.Getenv("VPK_TEST_CONTAINERD"), "/run/containerd/containerd.sock", "/run/docker/containerd/containerd.sock"} {
		if _, err := os.Stat(path); err == nil && path != "" {
			socket = path
			break
		}
	}
	if socket == "" {
		peer.Missing(t, "no socket of containerd: VPK_TEST_CONTAINERD is not set")
	}
	if out, err := exec.Command(ctr, "--address", socket, "version").CombinedOutput(); err != nil {
		peer.Missing(t, "containerd does not answer: %v: %s", err, out)
	}
	namespace := fmt.Sprintf("vpk-test-%d", os.Getpid())
	do := func(args ...string) string {
		t.Helper()
		return peer.Output(t, exec.Command(ctr, append([]string{"--address", socket, "--namespace", namespace}, args...)...))
	}
	t.Cleanup(func() {
		for image := range strings.FieldsSeq(do("images", "list", "--quiet")) {
			do("images", "remove", "--sync", image) // what only it needed goes with it
		}
		do("namespaces", "remove", namespace)
	})
	for _, how := range []string{"gzip", "zstd", "none"} {
		cache, base := Cache(t), Base(t, false)
		img, err := layer.Image(base, BaseInfo(t, base), []*layer.Layer{build(t, cache, compressed(t, how))}, Config())
		if err != nil {
			t.Fatal(err)
		}
		ref := "vpk.test/" + strings.ReplaceAll(how, ":", "-") + ":1"
		archive := filepath.Join(t.TempDir(), "image.tar")
		deliver(t, layer.OCIArchive{File: archive}, layer.Artifact{Image: img, Names: names(t, ref)})
		do("images", "import", "--snapshotter", "native", "--index-name", ref, archive)
		rootfs := filepath.Join(t.TempDir(), "rootfs")
		if err := os.Mkdir(rootfs, 0o755); err != nil {
			t.Fatal(err)
		}
		do("images", "mount", "--snapshotter", "native", ref, rootfs)
		for _, p := range Dependencies().Parts {
			for _, e := range p.Entries {
				if e.Kind != tree.File {
					continue
				}
				data, err := os.ReadFile(filepath.Join(rootfs, e.Path))
				if err != nil || tree.Bytes(data).Digest() != e.Content.Digest() {
					t.Errorf("%s: %q: %d bytes, %v", how, e.Path, len(data), err)
				}
			}
		}
		do("images", "unmount", "--rm", rootfs)
	}
}

// three are parts of more than the interval of hash states each.
func three() layer.Spec {
	spec := layer.Spec{Name: "three", MTime: MTime, Shared: []string{"lib/site"}}
	for _, name := range []string{"a", "b", "c"} {
		spec.Parts = append(spec.Parts, Part(name,
			Deflated("lib/site/"+name+"/large", Source(name, 1<<20), false), File("lib/site/"+name+"/small", Source(name, 400<<10), false)))
	}
	return spec
}

// TestHashingGoesOnFromWhereItChanged: what comes before a part that changed is not even opened, and the digests are those of a
// layer that is made from nothing.
func TestHashingGoesOnFromWhereItChanged(t *testing.T) {
	for _, how := range []string{"gzip", "zstd", "none"} {
		first, changed := three(), three()
		var err error
		if first.Compression, err = layer.ParseCompression(how); err != nil {
			t.Fatal(err)
		}
		changed.Compression = first.Compression
		changed.Parts[2] = Part("c", Deflated("lib/site/c/large", Source("other", 1<<20), false), File("lib/site/c2/new", []byte("x"), true))
		changed.Parts[2].Key = "another"
		want := digests(build(t, Cache(t), changed))

		cache := Cache(t)
		build(t, cache, first)
		opened := map[string]bool{}
		for _, p := range changed.Parts[:2] {
			for i := range p.Entries {
				p.Entries[i].Content = watched{p.Entries[i].Content, func() { opened[p.Entries[i].Path] = true }}
			}
		}
		if got := digests(build(t, cache, changed)); got != want {
			t.Errorf("%s: %s, want %s", how, got, want)
		}
		if len(opened) > 0 {
			t.Errorf("%s: opened %v", how, opened)
		}
	}
}

// watched is content that tells when it is opened, in either form.
type watched struct {
	tree.Content
	tell func()
}

func (w watched) Open() (io.ReadCloser, error) {
	w.tell()
	return w.Content.Open()
}

func (w watched) Deflate() (tree.Deflate, bool) {
	c, ok := w.Content.(tree.Deflated)
	if !ok {
		return tree.Deflate{}, false
	}
	d, ok := c.Deflate()
	open := d.Open
	d.Open = func() (*io.SectionReader, error) {
		w.tell()
		return open()
	}
	return d, ok
}

// TestPartsDoNotDependOnEachOther: a part in another layer, next to others, is compressed no second time.
func TestPartsDoNotDependOnEachOther(t *testing.T) {
	cache := Cache(t)
	build(t, cache, three())
	known := len(segmentFiles(t, cache))
	for name, parts := range map[string][]int{"alone": {1}, "another order": {2, 0, 1}, "without the first": {1, 2}} {
		spec := three()
		spec.Parts = nil
		for _, i := range parts {
			spec.Parts = append(spec.Parts, three().Parts[i])
		}
		build(t, cache, spec)
		if n := len(segmentFiles(t, cache)); n != known {
			t.Errorf("%s: %d segments, %d were there", name, n, known)
		}
	}
}

// TestDamagedWheelIsAnError: content that is spliced from a damaged place is found out before it becomes a digest, and when it
// is sent.
func TestDamagedWheelIsAnError(t *testing.T) {
	spec := Dependencies()
	cache := Cache(t)
	l := build(t, cache, spec)
	damaged := withContent(Dependencies(), func(c tree.Content) tree.Content {
		if d, ok := c.(deflated); ok {
			d.stream = bytes.Clone(d.stream)
			d.stream[len(d.stream)/2] ^= 0x10
			return brokenContent{d}
		}
		return c
	})
	if _, err := layer.Build(t.Context(), Cache(t), damaged); !errors.Is(err, errBroken) {
		t.Errorf("made with damaged content: %v", err)
	}
	again := build(t, cache, damaged)
	if digests(again) != digests(l) || !again.Cached() {
		t.Fatal("the layer is not known")
	}
	rc, err := again.Compressed()
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	if _, err := io.Copy(io.Discard, rc); !errors.Is(err, errBroken) {
		t.Errorf("sent with damaged content: %v", err)
	}
}

var errBroken = errors.New("the wheel was damaged")

// brokenContent finds out, as a wheel does, when it is read.
type brokenContent struct{ deflated }

func (brokenContent) Open() (io.ReadCloser, error) { return nil, errBroken }

func TestCacheOfAnotherMachineGivesTheSameBlob(t *testing.T) {
	var all []string
	for _, prepare := range []func(*cas.Store){
		func(*cas.Store) {},
		func(cache *cas.Store) { build(t, cache, three()) },
		func(cache *cas.Store) {
			if err := layer.NewBuilder(cache).Prepare(t.Context(), Dependencies()); err != nil {
				t.Fatal(err)
			}
		},
	} {
		cache := Cache(t)
		prepare(cache)
		all = append(all, digests(build(t, cache, Dependencies())))
	}
	if diff := cmp.Diff([]string{all[0], all[0], all[0]}, all); diff != "" {
		t.Error(diff)
	}
}
