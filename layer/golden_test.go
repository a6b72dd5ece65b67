package layer_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"vpk/layer"
	"vpk/venv/tree"
)

// storedContent is content that a wheel holds in one stored block: compressed bytes that no encoder decides over.
type storedContent struct {
	tree.Bytes
	stream []byte
}

func newStored(data []byte) storedContent {
	n := uint16(len(data))
	stream := binary.LittleEndian.AppendUint16([]byte{1}, n) // the last block, of type 00
	stream = binary.LittleEndian.AppendUint16(stream, ^n)
	return storedContent{data, append(stream, data...)}
}

func (c storedContent) Deflate() (tree.Deflate, bool) {
	return tree.Deflate{
		Size: int64(len(c.stream)), CRC32: crc32.ChecksumIEEE(c.Bytes), LastBlock: 0, End: int64(len(c.stream)) * 8,
		Open: func() (*io.SectionReader, error) {
			return io.NewSectionReader(bytes.NewReader(c.stream), 0, int64(len(c.stream))), nil
		},
	}, true
}

// spliced is a layer with what each encoder writes, and a stream that is taken over, between directories of a base.
func spliced(t testing.TB, how string) layer.Spec {
	spec := compressed(t, how)
	spec.Parts = append(spec.Parts, Part("wheel/third-3.0", tree.Entry{
		Path: "app/.venv/lib/python3.11/site-packages/third.bin", Kind: tree.File, Mode: 0o644, Content: newStored(Noise("third", 60_000)),
	}))
	spec.Directories = []layer.BaseDirectory{
		{Path: "app", Mode: 0o1777, Owner: layer.Owner{UID: 1, GID: 2}, MTime: time.Unix(1_600_000_000, 123_456_789)},
		{Path: "app/.venv", Mode: 0o750, Owner: layer.Owner{UID: 3_000_000, GID: 4}, MTime: time.Unix(1_600_000_000, 0)},
	}
	return spec
}

// TestGoldenEncodings holds the bytes of each encoder. The tar is one; encoders that are upgraded must not go unnoticed.
func TestGoldenEncodings(t *testing.T) {
	const diffID = "b5bd28db3e7932a815f96ce5b17ea1e4b6a8f89470881d22279c96abc7530efb"
	cache := Cache(t)
	for how, want := range map[string]string{
		"gzip":    "acdcd925c957b85659196e889e2b53a7904590216faa6b002bb61d00c221a3f8",
		"zstd:1":  "38079d5cbf28aaf3be11917df8d53888907ed7a4887c04e6628a5088aba135f3",
		"zstd:3":  "2a6aae82ee8b8eda78a3a1bc0c5c1161304e28b3d61943c4fba7aef36e29481d",
		"zstd:7":  "46a719bf52dea6c4c2299e2244c6270277bb833edeb83008e4fb2aa6b8dbb5b3",
		"zstd:22": "72d5bdb00ddcee69b7e7069b7915a841de890a4ab78b88562b0a09aa032bdb21",
		"none":    diffID,
	} {
		l := build(t, cache, spliced(t, how))
		got, _ := l.Digest()
		tarSum, _ := l.DiffID()
		if got.Hex != want || tarSum.Hex != diffID {
			t.Errorf("%s: digest %s, want %s; DiffID %s, want %s", how, got.Hex, want, tarSum.Hex, diffID)
		}
	}
}

// TestGoldenDocuments holds what is written in JSON: a config for every field, and what names an image in a layout.
func TestGoldenDocuments(t *testing.T) {
	for docker, want := range map[bool]string{false: "9295fb39c44bc2215750e7bde01e886302d99a02449fd25f21e7c61234053fdf", true: "b70f3bebec3782caaf8f4f7594ccb9115dd438b170b267b19269120b98fd3354"} {
		img, _ := Image(t, Cache(t), docker)
		config, err := img.RawConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if got := hexDigest(config); got != want {
			t.Errorf("config on a base of Docker's types: %t: digest %s, want %s\n%s", docker, got, want, config)
		}
	}
	img, _ := Image(t, Cache(t), false)
	dir := filepath.Join(t.TempDir(), "layout")
	deliver(t, layer.Layout{Dir: dir, Tag: "v1"}, layer.Artifact{Image: img, Names: names(t, "registry.example/app:v1")})
	for name, want := range map[string]string{
		"oci-layout": "18f0797eab35a4597c1e9624aa4f15fd91f6254e5538c1e0d193b2a95dd4acc6",
		"index.json": "bdf161eb744db3de9fe04c5881ecc057d658253d311d65500179a4625d5cc592",
	} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := hexDigest(data); got != want {
			t.Errorf("%s has digest %s, want %s\n%s", name, got, want, data)
		}
	}
}

func TestGoldenOCIArchive(t *testing.T) {
	img, _ := Image(t, Cache(t), false)
	file := filepath.Join(t.TempDir(), "app.tar")
	deliver(t, layer.OCIArchive{File: file}, layer.Artifact{Image: img, Names: names(t, "app:v1")})
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := hexDigest(data), "e3b1f802ff219a019d6282e2f86b5f8638bcf656b5ac26781a3615159230452a"; got != want {
		t.Errorf("archive has digest %s, want %s", got, want)
	}
}

func hexDigest(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }

// members are the headers of a layer's archive.
func members(t *testing.T, l *layer.Layer) (list []*tar.Header) {
	t.Helper()
	rc, err := l.Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	for r := tar.NewReader(rc); ; {
		h, err := r.Next()
		if err == io.EOF {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, h)
	}
}

// TestBaseDirectories: a directory that a layer repeats is as the base has it, to the nanosecond.
func TestBaseDirectories(t *testing.T) {
	spec := spliced(t, "none")
	found := map[string]string{}
	for _, h := range members(t, build(t, Cache(t), spec)) {
		found[h.Name] = fmt.Sprintf("%o %d:%d %s", h.Mode, h.Uid, h.Gid, h.ModTime.UTC().Format(time.RFC3339Nano))
	}
	for name, want := range map[string]string{
		"app/":           "1777 1:2 2020-09-13T12:26:40.123456789Z",
		"app/.venv/":     "750 3000000:4 2020-09-13T12:26:40Z",
		"app/.venv/lib/": "755 65532:65532 1980-01-01T00:00:00Z",
	} {
		if found[name] != want {
			t.Errorf("%s is %q, want %q", name, found[name], want)
		}
	}
	later := spec
	later.Directories = append([]layer.BaseDirectory{}, spec.Directories...)
	later.Directories[0].MTime = later.Directories[0].MTime.Add(1)
	cache := Cache(t)
	var digests []v1.Hash
	for _, s := range []layer.Spec{spec, later} {
		d, _ := build(t, cache, s).Digest()
		digests = append(digests, d)
	}
	if digests[0] == digests[1] {
		t.Error("a nanosecond makes no difference: the key lacks it")
	}
}
