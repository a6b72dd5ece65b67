package layer_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"vpk/internal/cas"
	"vpk/internal/fault"
	"vpk/layer"
	"vpk/venv/tree"
)

// The bytes that FormatVersion 3 stands for. When one of these changes and the version does not, every digest that was
// ever pushed changes silently.
const (
	goldenDiffID   = "43f9007cf0e58ec163161aadb1c2ae8518a2d42cdb9b3a4f51ba520f3478b09d"
	goldenDigest   = "ff66b9628f433a9d2e10c8fa103e65005bcadf37e4b0e6ec7d2a2cc7936c0b4d"
	goldenManifest = "d935abce1f0dfecbb361d2a155e740176940a9ef8e3d93fa29f031b2933f4960"
)

func build(t testing.TB, cache *cas.Store, spec layer.Spec) *layer.Layer {
	t.Helper()
	l, err := layer.Build(t.Context(), cache, spec)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func digests(l *layer.Layer) string {
	digest, _ := l.Digest()
	diffID, _ := l.DiffID()
	size, _ := l.Size()
	tarSize, _ := l.UncompressedSize()
	return fmt.Sprintf("digest %s, diffID %s, %d of %d bytes", digest, diffID, size, tarSize)
}

func blob(t testing.TB, l *layer.Layer) []byte {
	t.Helper()
	rc, err := l.Compressed()
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(rc)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // net/http closes twice
		if err := rc.Close(); err != nil {
			t.Error(err)
		}
	}
	return data
}

func TestGolden(t *testing.T) {
	if layer.FormatVersion != 3 {
		t.Error("a new format version needs new golden digests")
	}
	l := build(t, Cache(t), Dependencies())
	digest, _ := l.Digest()
	diffID, _ := l.DiffID()
	if diffID.Hex != goldenDiffID {
		t.Errorf("the tar is another: DiffID %s, want %s", diffID.Hex, goldenDiffID)
	}
	if digest.Hex != goldenDigest {
		t.Errorf("the blob is another: digest %s, want %s", digest.Hex, goldenDigest)
	}
	if head := blob(t, l)[:10]; !bytes.Equal(head, []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff}) {
		t.Errorf("gzip header is % x", head)
	}
	if err := validate.Layer(l); err != nil {
		t.Error(err)
	}
}

func TestGoldenImage(t *testing.T) {
	img, _ := Image(t, Cache(t), false)
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if digest.Hex != goldenManifest {
		manifest, _ := img.RawManifest()
		config, _ := img.RawConfigFile()
		t.Errorf("manifest has digest %s, want %s\n%s\n%s", digest.Hex, goldenManifest, manifest, config)
	}
}

// TestSameDigestUnderOtherConditions builds under whatever a machine may have set otherwise.
func TestSameDigestUnderOtherConditions(t *testing.T) {
	want := digests(build(t, Cache(t), Dependencies()))
	check := func(name string, l *layer.Layer) {
		t.Helper()
		if got := digests(l); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	for _, n := range []int{1, 2, 8} {
		old := runtime.GOMAXPROCS(n)
		check(fmt.Sprintf("GOMAXPROCS=%d", n), build(t, Cache(t), Dependencies()))
		runtime.GOMAXPROCS(old)
	}

	cache := Cache(t)
	umask := syscall.Umask(0o077)
	check("umask 077", build(t, cache, Dependencies()))
	syscall.Umask(umask)
	check("warm cache", build(t, cache, Dependencies()))

	local := time.Local
	time.Local = time.FixedZone("far", 13*3600)
	spec := Dependencies()
	spec.MTime = spec.MTime.In(time.Local).Add(999 * time.Millisecond)
	check("time zone", build(t, Cache(t), spec))
	time.Local = local

	for name, wrap := range map[string]func(io.Reader) io.Reader{
		"single bytes": iotest.OneByteReader, "halves": iotest.HalfReader, "data with EOF": iotest.DataErrReader,
	} {
		check("content in "+name, build(t, Cache(t), withContent(Dependencies(), func(c tree.Content) tree.Content {
			return strange{Content: c, open: func() (io.ReadCloser, error) {
				rc, err := c.Open()
				return io.NopCloser(wrap(rc)), err
			}}
		})))
	}
}

// withContent replaces the content of every file.
func withContent(s layer.Spec, change func(tree.Content) tree.Content) layer.Spec {
	for _, p := range s.Parts {
		for i := range p.Entries {
			if p.Entries[i].Kind == tree.File {
				p.Entries[i].Content = change(p.Entries[i].Content)
			}
		}
	}
	return s
}

// strange is content that opens in a way of its own.
type strange struct {
	tree.Content
	open func() (io.ReadCloser, error)
}

func (s strange) Open() (io.ReadCloser, error) { return s.open() }

func (s strange) Deflate() (tree.Deflate, bool) {
	if d, ok := s.Content.(tree.Deflated); ok {
		return d.Deflate()
	}
	return tree.Deflate{}, false
}

func TestMembers(t *testing.T) {
	spec := Dependencies()
	spec.Directories = []layer.BaseDirectory{
		{Path: "app", Mode: 0o1777, Owner: layer.Owner{UID: 7, GID: 8}, MTime: time.Unix(99, 0)},
		{Path: "not/needed", Mode: 0o700},
	}
	rc, err := build(t, Cache(t), spec).Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()

	var got []string
	for tr := tar.NewReader(rc); ; {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%c %4o %s", h.Typeflag, h.Mode, strings.Replace(h.Name, "app/.venv/lib/python3.11/site-packages/", "SITE/", 1)))
		if h.Uname != "" || h.Gname != "" || !h.AccessTime.IsZero() || !h.ChangeTime.IsZero() || h.ModTime.Nanosecond() != 0 {
			t.Errorf("%q: header says too much: %+v", h.Name, h)
		}
		wantOwner, wantTime := layer.Owner{UID: 65532, GID: 65532}, MTime
		if h.Name == "app/" {
			wantOwner, wantTime = layer.Owner{UID: 7, GID: 8}, time.Unix(99, 0)
		}
		if (layer.Owner{UID: h.Uid, GID: h.Gid}) != wantOwner || !h.ModTime.Equal(wantTime) {
			t.Errorf("%q: owner %d:%d at %v", h.Name, h.Uid, h.Gid, h.ModTime)
		}
		needsPAX := strings.Contains(h.Name, "longerlonger") || strings.Contains(h.Name, "größe") || len(h.Linkname) > 100
		if want := map[bool]tar.Format{true: tar.FormatPAX, false: tar.FormatUSTAR}[needsPAX]; h.Format != want {
			t.Errorf("%q: format %v, want %v", h.Name, h.Format, want)
		}
		if needsPAX && len(h.PAXRecords) != 1 {
			t.Errorf("%q: PAX records %v, want one", h.Name, h.PAXRecords)
		}
	}
	want := []string{
		"5 1777 app/",
		"5  755 app/.venv/",
		"5  755 app/.venv/bin/",
		"2  777 app/.venv/bin/python",
		"2  777 app/.venv/lib64",
		"0  644 app/.venv/pyvenv.cfg",
		"5  755 app/.venv/lib/",
		"5  755 app/.venv/lib/python3.11/",
		"5  755 SITE/",
		"5  755 SITE/first/",
		"5  755 SITE/first/data/",
		"5  755 SITE/first/empty/",
		"5  755 SITE/shared/",
		"0  755 app/.venv/bin/first",
		"0  644 SITE/first/__init__.py",
		"0  644 SITE/first/core.py",
		"0  644 SITE/first/data/größe.txt",
		"2  777 SITE/first/data/link",
		"0  644 SITE/first/data/" + strings.Repeat("longer", 40) + ".txt",
		"0  644 SITE/first/data/" + strings.Repeat("long", 20) + ".txt",
		"0  755 SITE/first/native.so",
		"0  755 SITE/first/nativer.so",
		"0  644 SITE/shared/__init__.py",
		"0  644 SITE/second.py",
		"0  644 SITE/shared/second.py",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("members -want +got:\n%s", diff)
	}
}

func TestContradictingPartsAreAllReported(t *testing.T) {
	spec := Project()
	spec.Parts = append(spec.Parts,
		Part("other", File("app/app.py", []byte("other"), false), File("same", nil, false)),
		Part("third", File("app/app.py/x", nil, false), File("same", nil, true)),
	)
	_, err := layer.Build(t.Context(), Cache(t), spec)
	if fault.KindOf(err) != fault.Collision {
		t.Fatalf("kind %d of %v", fault.KindOf(err), err)
	}
	want := `plan layer "project": ` + strings.Join([]string{
		`"app/app.py" differs between "project" and "other"`,
		`"app/app.py" is a directory in "third" and none in "project"`,
		`"same" differs between "other" and "third"`,
	}, "\n")
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestInvalidPartIsRefused(t *testing.T) {
	spec := Project()
	spec.Parts[0].Entries[0].Path = "../app.py"
	if _, err := layer.Build(t.Context(), Cache(t), spec); err == nil {
		t.Error("a path out of the image was accepted")
	}
	spec = Project()
	spec.Directories = []layer.BaseDirectory{{Path: "/app"}}
	if _, err := layer.Build(t.Context(), Cache(t), spec); err == nil {
		t.Error("an absolute directory was accepted")
	}
}

// claims is content that claims to be other content than it is.
type claims struct {
	tree.Content
	real []byte
}

func (c claims) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(c.real)), nil }

func TestContentMustBeWhatItClaims(t *testing.T) {
	for name, real := range map[string]string{"longer": "print('hello!')\n\n", "shorter": "print()", "other": "print('HELLO')\n", "empty": ""} {
		cache := Cache(t)
		_, err := layer.Build(t.Context(), cache, withContent(Project(), func(c tree.Content) tree.Content {
			return claims{c, []byte(real)}
		}))
		if fault.KindOf(err) != fault.Integrity || !strings.Contains(err.Error(), `"app/app.py"`) {
			t.Errorf("%s: %v", name, err)
		}
		noScratch(t, cache)
	}
	failure := errors.New("no such wheel")
	_, err := layer.Build(t.Context(), Cache(t), withContent(Project(), func(c tree.Content) tree.Content {
		return strange{c, func() (io.ReadCloser, error) { return nil, failure }}
	}))
	if !errors.Is(err, failure) {
		t.Errorf("failing open: %v", err)
	}
}

// noScratch makes sure that nothing is left of what could not be finished, and that no layer is known.
func noScratch(t *testing.T, cache *cas.Store) {
	t.Helper()
	for _, pattern := range []string{"tmp/*", "layer-v*/*/*", "layer-state-v*/*/*"} {
		if left, err := filepath.Glob(filepath.Join(cache.Dir(), pattern)); err != nil || len(left) > 0 {
			t.Errorf("the cache has %q, %v", left, err)
		}
	}
}

func TestCancelledBuildLeavesNothing(t *testing.T) {
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cache := Cache(t)
	_, err := layer.Build(ctx, cache, withContent(Dependencies(), func(c tree.Content) tree.Content {
		return strange{c, func() (io.ReadCloser, error) {
			cancel(cause)
			return c.Open()
		}}
	}))
	if !errors.Is(err, cause) {
		t.Errorf("err = %v", err)
	}
	noScratch(t, cache)
}

func TestFullDiskIsADeliveryFault(t *testing.T) {
	cache, err := cas.Open(mount(t, 0, "size=64k"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = layer.Build(t.Context(), cache, Dependencies())
	if fault.KindOf(err) != fault.Delivery || !errors.Is(err, syscall.ENOSPC) || len(fault.Hints(err)) == 0 {
		t.Errorf("err = %v, hints %q", err, fault.Hints(err))
	}
	noScratch(t, cache)
}

// untouchable is content that must not be read.
func untouchable(t *testing.T) func(tree.Content) tree.Content {
	return func(c tree.Content) tree.Content {
		return strange{c, func() (io.ReadCloser, error) {
			t.Error("content was read")
			return c.Open()
		}}
	}
}

func TestKnownLayerReadsNothing(t *testing.T) {
	cache := Cache(t)
	first := build(t, cache, Dependencies())
	again := build(t, cache, withContent(Dependencies(), untouchable(t)))
	if first.Cached() || !again.Cached() {
		t.Errorf("cached: first %v, again %v", first.Cached(), again.Cached())
	}
	if digests(first) != digests(again) {
		t.Errorf("%s, then %s", digests(first), digests(again))
	}
	if !bytes.Equal(blob(t, first), blob(t, again)) {
		t.Error("blobs differ")
	}
}

func TestKeyHoldsEveryInput(t *testing.T) {
	cache := Cache(t)
	build(t, cache, Dependencies())
	for name, change := range map[string]func(*layer.Spec){
		"owner":     func(s *layer.Spec) { s.Owner.GID++ },
		"time":      func(s *layer.Spec) { s.MTime = s.MTime.Add(time.Second) },
		"part":      func(s *layer.Spec) { s.Parts[1].Key += "x" },
		"order":     func(s *layer.Spec) { s.Parts[0], s.Parts[1] = s.Parts[1], s.Parts[0] },
		"fewer":     func(s *layer.Spec) { s.Parts = s.Parts[:2] },
		"directory": func(s *layer.Spec) { s.Directories = []layer.BaseDirectory{{Path: "app", Mode: 0o700}} },
		"no key":    func(s *layer.Spec) { s.Parts[2].Key = "" },
		"shared":    func(s *layer.Spec) { s.Shared = []string{"app/.venv"} },
	} {
		spec := Dependencies()
		change(&spec)
		if build(t, cache, spec).Cached() {
			t.Errorf("%s: taken from the cache", name)
		}
	}
	spec := Dependencies()
	spec.Name, spec.CreatedBy = "renamed", "somebody else"
	if !build(t, cache, spec).Cached() {
		t.Error("names that are not in the bytes are in the key")
	}
}

// segmentFiles are what the cache has of compressed segments.
func segmentFiles(t *testing.T, cache *cas.Store) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(cache.Dir(), "segment-data-v*", "*", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("segments %q, %v", files, err)
	}
	return files
}

func TestLostSegmentIsMadeAgain(t *testing.T) {
	cache := Cache(t)
	l := build(t, cache, Dependencies())
	want := blob(t, l)
	for _, file := range segmentFiles(t, cache) {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(blob(t, l), want) {
			t.Error("the blob made again differs")
		}
	}
}

// damages are what may happen to a file.
var damages = map[string]func([]byte) []byte{
	"bit":       func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
	"zeros":     func(b []byte) []byte { clear(b[len(b)/2:]); return b },
	"truncated": func(b []byte) []byte { return b[:len(b)-1] },
	"longer":    func(b []byte) []byte { return append(b, 0) },
	"empty":     func([]byte) []byte { return nil },
}

// TestDamagedSegmentIsMadeAgain: at worst one opening of the blob tells that it is damaged; the next one is good.
func TestDamagedSegmentIsMadeAgain(t *testing.T) {
	cache := Cache(t)
	l := build(t, cache, Dependencies())
	want := blob(t, l)
	for _, file := range segmentFiles(t, cache) {
		for name, damage := range damages {
			good, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, damage(bytes.Clone(good)), 0o644); err != nil {
				t.Fatal(err)
			}
			rc, err := l.Compressed()
			if err != nil {
				t.Fatal(err)
			}
			switch got, err := io.ReadAll(rc); {
			case err == nil && bytes.Equal(got, want):
			case !errors.Is(err, layer.ErrDamaged) || fault.KindOf(err) != fault.Integrity:
				t.Errorf("%s: err = %v", name, err)
			case len(got) >= len(want):
				t.Errorf("%s: all bytes were given away", name)
			}
			rc.Close()
			if !bytes.Equal(blob(t, l), want) {
				t.Errorf("%s: the blob made again differs", name)
			}
		}
	}
}

// TestDamagedSegmentIsNotBuiltWith: what the cache has of another layer's parts is checked before it becomes a digest.
func TestDamagedSegmentIsNotBuiltWith(t *testing.T) {
	want := digests(build(t, Cache(t), Dependencies()))
	for name, damage := range damages {
		cache := Cache(t)
		// The same parts, in a layer of another key.
		if err := layer.NewBuilder(cache).Prepare(t.Context(), Dependencies()); err != nil {
			t.Fatal(err)
		}
		for _, file := range segmentFiles(t, cache) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, damage(data), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got := digests(build(t, cache, Dependencies())); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestLayerMadeAgainMustBeTheSame(t *testing.T) {
	cache := Cache(t)
	build(t, cache, Project())
	loseSegments(t, cache)
	other := Project()
	other.Parts[0].Entries[0].Content = tree.Bytes("print('other')\n") // the key does not say so
	rc, err := build(t, cache, other).Compressed()
	if err == nil {
		_, err = io.ReadAll(rc)
		rc.Close()
	}
	if fault.KindOf(err) != fault.NotReproducible {
		t.Errorf("err = %v", err)
	}
}

// loseSegments removes what the cache has of segments.
func loseSegments(t *testing.T, cache *cas.Store) {
	t.Helper()
	for _, file := range segmentFiles(t, cache) {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
}
