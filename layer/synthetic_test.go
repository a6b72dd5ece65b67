// Synthetic layers and images for the tests of layer and its destinations.

package layer_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/flate"

	"vpk/internal/cas"
	"vpk/layer"
	"vpk/venv/tree"
)

// MTime is the time of dependency layers.
var MTime = time.Unix(315532800, 0)

// Cache is a new cache in a directory of the test.
func Cache(t testing.TB) *cas.Store {
	t.Helper()
	store, err := cas.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// Noise is n incompressible bytes that are the same for ever.
func Noise(seed string, n int) []byte {
	var out []byte
	for i := uint64(0); len(out) < n; i++ {
		sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(seed), i))
		out = append(out, sum[:]...)
	}
	return out[:n]
}

// Source is about n bytes that compress like source code.
func Source(seed string, n int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		noise := Noise(fmt.Sprint(seed, i), 6)
		fmt.Fprintf(&b, "def function_%x(self, value, *, key=None):\n    return self.table[%d].get(value, 0x%x)\n\n", noise[:3], noise[3], noise[4:])
	}
	return b.Bytes()
}

// File is an entry with content.
func File(path string, data []byte, executable bool) tree.Entry {
	return tree.Entry{Path: path, Kind: tree.File, Mode: tree.FileMode(executable), Content: tree.Bytes(data)}
}

// Deflated is a file that is at hand compressed, as the members of wheels are.
func Deflated(path string, data []byte, executable bool) tree.Entry {
	var stream bytes.Buffer
	w, err := flate.NewWriter(&stream, 9)
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		panic(err) // writing to memory
	}
	e := File(path, data, executable)
	e.Content = deflated{tree.Bytes(data), append(stream.Bytes(), 3, 0)}
	return e
}

// deflated has a stream that ends in an empty block of fixed codes, which has ten bits.
type deflated struct {
	tree.Bytes
	stream []byte
}

func (d deflated) Deflate() (tree.Deflate, bool) {
	last := 8 * int64(len(d.stream)-2)
	return tree.Deflate{
		Size: int64(len(d.stream)), CRC32: crc32.ChecksumIEEE(d.Bytes), LastBlock: last, End: last + 10,
		Open: func() (*io.SectionReader, error) {
			return io.NewSectionReader(bytes.NewReader(d.stream), 0, int64(len(d.stream))), nil
		},
	}, true
}

// Link is a symbolic link.
func Link(path, target string) tree.Entry {
	return tree.Entry{Path: path, Kind: tree.Link, Mode: 0o777, Target: target}
}

// Dir is a directory that stands for itself.
func Dir(path string) tree.Entry { return tree.Entry{Path: path, Kind: tree.Dir, Mode: 0o755} }

// Part is a part with its entries sorted, and a key of its name.
func Part(name string, entries ...tree.Entry) tree.Part {
	tree.Sort(entries)
	return tree.Part{Name: name, Key: "key of " + name, Entries: entries}
}

// Dependencies is a layer with everything that a tar header can have to say.
func Dependencies() layer.Spec {
	site := "app/.venv/lib/python3.11/site-packages/"
	return layer.Spec{
		Name:      "dependencies",
		CreatedBy: "vpk: dependencies",
		Owner:     layer.Owner{UID: 65532, GID: 65532},
		MTime:     MTime,
		Parts: []tree.Part{
			Part("skeleton",
				Link("app/.venv/bin/python", "/usr/bin/python3.11"),
				Link("app/.venv/lib64", "lib"),
				File("app/.venv/pyvenv.cfg", []byte("home = /usr/bin\n"), false),
			),
			Part("wheel/first-1.0",
				File("app/.venv/bin/first", []byte("#!/app/.venv/bin/python\nimport first\n"), true),
				File(site+"first/__init__.py", nil, false),
				Deflated(site+"first/core.py", Source("core", 100_000), false),
				File(site+"first/native.so", Noise("native", 70_001), true),
				Deflated(site+"first/nativer.so", Noise("nativer", 80_384), true), // no padding after it
				File(site+"first/data/"+strings.Repeat("long", 20)+".txt", []byte("a path for the prefix field"), false),
				File(site+"first/data/"+strings.Repeat("longer", 40)+".txt", []byte("a path for PAX"), false),
				File(site+"first/data/größe.txt", []byte("a path beyond ASCII"), false),
				Link(site+"first/data/link", strings.Repeat("../", 50)+"target"),
				Dir(site+"first/empty"),
				File(site+"shared/__init__.py", []byte("# the same in both\n"), false),
			),
			Part("wheel/second-2.0",
				File(site+"second.py", bytes.Repeat([]byte{'x'}, 512), false),
				File(site+"shared/__init__.py", []byte("# the same in both\n"), false),
				File(site+"shared/second.py", []byte("# only here\n"), false),
			),
		},
	}
}

// Project is a small layer above Dependencies.
func Project() layer.Spec {
	return layer.Spec{
		Name:      "project",
		CreatedBy: "vpk: project",
		Owner:     layer.Owner{UID: 65532, GID: 65532},
		MTime:     time.Unix(1_700_000_000, 0),
		Parts:     []tree.Part{Part("project", File("app/app.py", []byte("print('hello')\n"), false))},
	}
}

// Base is an image of two layers, the second of them twice, as distroless' own sometimes are, of OCI or of Docker types.
func Base(t testing.TB, docker bool) v1.Image {
	t.Helper()
	layerType, manifestType, configType := types.OCILayer, types.OCIManifestSchema1, types.OCIConfigJSON
	if docker {
		layerType, manifestType, configType = types.DockerLayer, types.DockerManifestSchema2, types.DockerConfigJSON
	}
	var adds []mutate.Addendum
	for _, name := range []string{"etc/os-release", "usr/bin/tool", "usr/bin/tool"} {
		l, err := layer.Build(t.Context(), Cache(t), layer.Spec{
			Name: name, MTime: time.Unix(0, 0), Parts: []tree.Part{Part(name, File(name, Source(name, 3000), true))},
		})
		if err != nil {
			t.Fatal(err)
		}
		blob, err := l.Compressed()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(blob)
		if err != nil {
			t.Fatal(err)
		}
		adds = append(adds, mutate.Addendum{
			Layer:     static.NewLayer(data, layerType),
			MediaType: layerType,
			History:   v1.History{Created: v1.Time{Time: time.Unix(0, 0).UTC()}, CreatedBy: "base: " + name},
		})
		// static.NewLayer says that its bytes are the tar as well.
		adds[len(adds)-1].Layer = baseLayer{adds[len(adds)-1].Layer, l}
	}
	img, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{
		OS: "linux", Architecture: "amd64",
		RootFS: v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{}},
		Config: v1.Config{
			Env:          []string{"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"},
			Entrypoint:   []string{"/usr/bin/python3.11"},
			User:         "0",
			WorkingDir:   "/",
			Labels:       map[string]string{"from": "base", "org.opencontainers.image.base.name": "index.example/lower"},
			Volumes:      map[string]struct{}{"/data": {}},
			ExposedPorts: map[string]struct{}{"53/udp": {}},
			Healthcheck:  &v1.HealthConfig{Test: []string{"NONE"}},
			Hostname:     "0123456789ab",
			OnBuild:      []string{"RUN false"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	img = mutate.ConfigMediaType(mutate.MediaType(img, manifestType), configType)
	if img, err = mutate.Append(img, adds...); err != nil {
		t.Fatal(err)
	}
	return mutate.Annotations(img, map[string]string{"about": "the base"}).(v1.Image)
}

type baseLayer struct {
	v1.Layer
	made *layer.Layer
}

func (b baseLayer) DiffID() (v1.Hash, error)             { return b.made.DiffID() }
func (b baseLayer) Uncompressed() (io.ReadCloser, error) { return b.made.Uncompressed() }

// BaseInfo is what is known of Base.
func BaseInfo(t testing.TB, base v1.Image) layer.BaseInfo {
	t.Helper()
	digest, err := base.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return layer.BaseInfo{Name: "index.example/python:nonroot", Digest: digest}
}

// Config is an image's config as a service has it.
func Config() layer.Config {
	return layer.Config{
		User:         "65532:65532",
		WorkingDir:   "/app",
		Env:          []string{"PATH=/app/.venv/bin:/usr/bin:/bin", "PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1"},
		ExposedPorts: []string{"8000/tcp"},
		Cmd:          []string{"/app/.venv/bin/first", "app:app"},
		Labels:       map[string]string{"mine": "<yes & no>"},
		Annotations:  map[string]string{"about": "the service"},
		Created:      time.Unix(1_700_000_000, 0),
	}
}

// Image is Dependencies and Project on Base.
func Image(t testing.TB, cache *cas.Store, docker bool) (v1.Image, tree.Tree) {
	t.Helper()
	var layers []*layer.Layer
	var all tree.Tree
	for _, spec := range []layer.Spec{Dependencies(), Project()} {
		l, err := layer.Build(t.Context(), cache, spec)
		if err != nil {
			t.Fatal(err)
		}
		layers = append(layers, l)
		all.Parts = append(all.Parts, spec.Parts...)
	}
	base := Base(t, docker)
	img, err := layer.Image(base, BaseInfo(t, base), layers, Config())
	if err != nil {
		t.Fatal(err)
	}
	return img, all
}
