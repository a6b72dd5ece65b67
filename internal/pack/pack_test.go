package pack

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"vpk/internal/config"
	"vpk/internal/progress"
	"vpk/internal/testwheel"
	"vpk/layer"
	"vpk/layer/base/basetest"
	"vpk/wheel/tag"
)

var debian12 = tag.Target{Python: tag.Python{Major: 3, Minor: 11, Full: "3.11.2"}, Arch: tag.X8664, Glibc: tag.Glibc{Major: 2, Minor: 36}}

// fakeBase is a layout with an image that looks like a base. Its layer is not compressed: golden digests must not depend on a compressor
// of the tests.
func fakeBase(t *testing.T) string {
	t.Helper()
	config, files := basetest.Python(debian12)
	img := basetest.Image(t, config, basetest.Layer(t, basetest.Tar(t, files...), types.OCIUncompressedLayer))
	dir := filepath.Join(t.TempDir(), "base")
	l, err := layout.Write(dir, empty.Index)
	if err == nil {
		err = l.AppendImage(img)
	}
	if err != nil {
		t.Fatal(err)
	}
	return "oci:" + dir
}

// demo is a project with two wheels, written to a new directory.
func demo(t *testing.T, dir, extra string) string {
	t.Helper()
	server := testwheel.NewServer(t)
	alpha := testwheel.New("alpha", "1.0").File("alpha/__init__.py", "X = 1\n").EntryPoint("alpha", "alpha:main").Data("data", "share/alpha.txt", "data")
	beta := testwheel.New("Beta.Pkg", "2.0").Tags("cp311-cp311-manylinux_2_17_x86_64").
		File("beta/__init__.py", "").Executable("beta/tool.sh", "#!/bin/sh\n").Stored("beta/"+strings.Repeat("long", 40)+".txt", "é")
	wheel := func(b *testwheel.Builder) string {
		return fmt.Sprintf("{ url = %q, hash = \"sha256:%s\", size = %s }", server.AddWheel(b), b.SHA256(), b.Size())
	}
	files := map[string]string{
		"pyproject.toml": "[project]\nname = \"demo\"\nversion = \"0\"\nrequires-python = \">=3.11\"\ndependencies = [\"alpha\"]\n" + extra,
		"uv.lock": `version = 1
revision = 3
requires-python = ">=3.11"

[[package]]
name = "alpha"
version = "1.0"
source = { registry = "https://index.example/simple" }
dependencies = [{ name = "beta-pkg" }]
wheels = [` + wheel(alpha) + `]

[[package]]
name = "beta-pkg"
version = "2.0"
source = { registry = "https://index.example/simple" }
wheels = [` + wheel(beta) + `]

[[package]]
name = "demo"
version = "0"
source = { virtual = "." }
dependencies = [{ name = "alpha" }]
[package.metadata]
requires-dist = [{ name = "alpha" }]
`,
		"app.py":      "print('app')\n",
		"static/a.js": "x\n",
		".env":        "SECRET=1\n",
	}
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func sources(t *testing.T, cache string) *Sources {
	t.Helper()
	s, err := OpenSources(t.Context(), SourceOptions{CacheDir: cache, Network: config.Network{ReadTimeout: 10 * time.Second}, Reporter: progress.Discard})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func packed(t *testing.T, cache, dir, base string, created time.Time) *Result {
	t.Helper()
	p, err := ReadProject(dir, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	out, err := layer.ParseOutput("oci:" + filepath.Join(t.TempDir(), "image"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Pack(t.Context(), sources(t, cache), Options{
		Project: p, Base: base, Arch: "amd64", Created: created, Deliveries: Deliveries{Outputs: []layer.Output{out}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// goldenImage is the manifest digest of the demo on the fake base. It changes with every deliberate change of bytes, and
// then layer.FormatVersion, venv's or the project's must rise with it; never otherwise, whatever the machine or the toolchain.
const goldenImage = "sha256:2b5bf62e8cb1e341be1054786712d4bacc67df09b02bbe82a84ec2ee77d2b667"

func TestGoldenImage(t *testing.T) {
	base := fakeBase(t)
	extra := "[tool.vpk]\ncmd = [\"python\", \"app.py\"]\nports = [8000]\nenv = {B = '2', A = '1'}\nlabels = {x = 'y'}\n"
	cache := t.TempDir()
	first := packed(t, cache, demo(t, t.TempDir(), extra), base, time.Unix(0, 0))
	if first.Digest != goldenImage {
		t.Errorf("digest = %s, want %s", first.Digest, goldenImage)
	}
	for _, p := range first.Packages {
		if p.Cached {
			t.Errorf("%s came from an empty cache", p.Name)
		}
	}
	// Another directory, another server, the same cache; then another cache.
	again := packed(t, cache, demo(t, t.TempDir(), extra), base, time.Unix(0, 0))
	if again.Digest != first.Digest {
		t.Errorf("packed again: %s, was %s", again.Digest, first.Digest)
	}
	for _, p := range again.Packages {
		if !p.Cached {
			t.Errorf("%s was downloaded again", p.Name)
		}
	}
	if other := packed(t, t.TempDir(), demo(t, t.TempDir(), extra), base, time.Unix(0, 0)); other.Digest != first.Digest {
		t.Errorf("packed with another cache: %s, was %s", other.Digest, first.Digest)
	}
}

// The time of a build reaches the project's layer and the config; never the layer of dependencies.
func TestCreatedLeavesDependenciesAlone(t *testing.T) {
	base, cache, dir := fakeBase(t), t.TempDir(), demo(t, t.TempDir(), "")
	epoch := packed(t, cache, dir, base, time.Unix(0, 0))
	dated := packed(t, cache, dir, base, time.Unix(1_700_000_000, 0))
	if epoch.Digest == dated.Digest || epoch.Layers[1].Digest == dated.Layers[1].Digest {
		t.Error("the time makes no difference")
	}
	if epoch.Layers[0].Digest != dated.Layers[0].Digest || !dated.Layers[0].Cached {
		t.Error("the time changes the layer of dependencies")
	}
}

// A change of the project's files leaves the layer of dependencies as it is.
func TestProjectChangeLeavesDependenciesAlone(t *testing.T) {
	base, cache, dir := fakeBase(t), t.TempDir(), demo(t, t.TempDir(), "")
	before := packed(t, cache, dir, base, time.Unix(0, 0))
	if err := os.WriteFile(filepath.Join(dir, "app.py"), []byte("print('changed')\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	after := packed(t, cache, dir, base, time.Unix(0, 0))
	if before.Layers[0].Digest != after.Layers[0].Digest || before.Layers[1].Digest == after.Layers[1].Digest {
		t.Errorf("layers before %v, after %v", before.Layers, after.Layers)
	}
}

// A lock of an index that tells no sizes has none, which is nothing to remark on.
func TestLockWithoutSizes(t *testing.T) {
	dir := demo(t, t.TempDir(), "")
	name := filepath.Join(dir, "uv.lock")
	lock, err := os.ReadFile(name)
	if err == nil {
		err = os.WriteFile(name, regexp.MustCompile(`, size = \d+`).ReplaceAll(lock, nil), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	p, err := ReadProject(dir, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	s, err := OpenSources(t.Context(), SourceOptions{CacheDir: t.TempDir(), Network: config.Network{ReadTimeout: 10 * time.Second}, Reporter: progress.NewPlain(&said, false, false)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r, err := Pack(t.Context(), s, Options{
		Project: p, Base: fakeBase(t), Arch: "amd64",
		Deliveries: Deliveries{Outputs: []layer.Output{{Form: layer.FormOCIArchive, Path: filepath.Join(t.TempDir(), "image.tar")}}},
	})
	if err != nil || said.Len() > 0 {
		t.Fatalf("%v: %s", err, &said)
	}
	for _, p := range r.Packages {
		if p.Size <= 0 {
			t.Errorf("%s has %d bytes", p.Name, p.Size)
		}
	}
}
