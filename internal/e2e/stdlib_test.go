package e2e

import (
	"archive/tar"
	"crypto/sha256"
	"fmt"
	"io"
	"path"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"vpk/internal/peer"
)

// startup imports what a web service does and says, for each module of the standard library that has source, whether its code
// came from bytecode. Frozen modules have no file to come from.
const startup = `
import sys, json, logging, asyncio, email.message, http.client, urllib.request, ssl
for name, m in sorted(sys.modules.items()):
    spec = getattr(m, "__spec__", None)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py") or not spec.has_location:
        continue
    if "site-packages" not in spec.origin:
        print(name, bool(spec.cached) and __import__("os").path.exists(spec.cached))
`

// TestStandardLibraryHasBytecode: it is there, it is used, and one layer serves every project on the base.
func TestStandardLibraryHasBytecode(t *testing.T) {
	t.Parallel()
	u, image := newUser(t), base(t, base12)
	project, other := u.example(fastapiDemo), u.example(hypercornDemo)
	edit(t, u.path("project2", "pyproject.toml"), "[tool.vpk]\n", "[tool.vpk]\nowner = \"1:1\"\n")
	r := u.pack(project, "--base", image, "-o", "oci:"+u.path("image"))
	if n := r.Bytecode.Stdlib.Modules; n < 400 || r.Bytecode.Stdlib.Cached {
		t.Errorf("%d modules of the standard library have bytecode, made before: %t", n, r.Bytecode.Stdlib.Cached)
	}
	second := u.pack(other, "--base", image, "-o", "oci:"+u.path("other"))
	if second.layer("stdlib") != r.layer("stdlib") || !second.Bytecode.Stdlib.Cached {
		t.Errorf("another project has layer %s, compiled again: %t; want %s", second.layer("stdlib"), !second.Bytecode.Stdlib.Cached, r.layer("stdlib"))
	}
	edit(t, u.path("project", "pyproject.toml"), "[tool.vpk]\n", "[tool.vpk]\nbytecode.stdlib = false\n")
	without := u.pack(project, "--base", image, "-o", "oci:"+u.path("without"))
	if layer := without.layer("stdlib"); layer != "" || without.layer("dependencies") != r.layer("dependencies") {
		t.Errorf("without it: layer %q, dependencies %s and %s", layer, without.layer("dependencies"), r.layer("dependencies"))
	}
	none := u.pack(project, "--base", image, "--no-bytecode", "-o", "oci:"+u.path("none"))
	if layer := none.layer("stdlib"); layer != "" {
		t.Errorf("without any bytecode: layer %q", layer)
	}

	ran := u.vpk("run", "oci:"+u.path("image"), "--", "python", "-v", "-c", startup)
	if ran.code == sandboxFault {
		peer.Missing(t, "no sandbox to run images in: %s", ran.stderr)
	}
	compiled := 0
	for line := range strings.Lines(ran.stdout) {
		if name, has, _ := strings.Cut(strings.TrimSpace(line), " "); has != "True" {
			t.Errorf("module %s has no bytecode", name)
		}
		compiled++
	}
	// What the interpreter itself says of where code comes from.
	used := strings.Count(ran.stderr, "# code object from '/usr/lib/python3.11/")
	if compiled < 60 || used < 60 || strings.Contains(ran.stderr, "# code object from /usr/lib/python3.11/") {
		t.Errorf("of %d modules, %d come from bytecode\n%s", compiled, used, ran.stderr)
	}

	// For the log: how long a start takes. Machines differ too much to ask for a ratio here.
	if !peer.InFull() {
		return
	}
	for _, name := range []string{"none", "without", "image"} {
		t.Logf("%-8s %s to import the service", name, u.startupTime("oci:"+u.path(name)))
	}
}

// startupTime is the median of some starts that import the example's modules, in one container.
func (u *user) startupTime(image string) string {
	u.t.Helper()
	const measure = `
import subprocess, sys
code = "import time; began = time.process_time(); import fastapi, uvicorn; print(time.process_time() - began)"
times = sorted(float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(5))
print(f"{times[2]:.3f} s")
`
	return u.does("run", image, "--", "python", "-c", measure)
}

// TestStandardLibraryLeavesBaseAlone: the base and that layer together, less the bytecode, are the base with all its metadata.
func TestStandardLibraryLeavesBaseAlone(t *testing.T) {
	t.Parallel()
	for _, name := range []string{base12, base13} {
		t.Run(name, func(t *testing.T) {
			u, image := warmUser(t), base(t, name)
			r := u.pack(u.example(fastapiDemo), "--base", image, "-o", "oci:"+u.path("image"))
			layers := layersOf(t, imageIn(t, u.path("image"), r.Digest))
			from := ownLayers(t, imageIn(t, u.path("image"), r.Digest))
			before, after := merged(t, layers[:from]), merged(t, layers[:from+1])
			if r.layer("stdlib") != digestOf(t, layers[from]) {
				t.Fatal("the first layer is not the standard library's")
			}
			added := 0
			for name, line := range after {
				if dir, _, ok := strings.Cut(name, "/__pycache__"); ok {
					if !strings.Contains(line, " 0:0 ") || before[dir] == "" {
						t.Errorf("%s: %s", name, line)
					}
					added++
				} else if before[name] != line {
					t.Errorf("%s: %s, in the base %q", name, line, before[name])
				}
			}
			if len(after)-added != len(before) || added < 400 {
				t.Errorf("%d paths, %d of them bytecode; the base has %d", len(after), added, len(before))
			}
		})
	}
}

func digestOf(t *testing.T, l v1.Layer) string {
	t.Helper()
	digest, err := l.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest.String()
}

func layersOf(t *testing.T, img v1.Image) []v1.Layer {
	t.Helper()
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	return layers
}

// merged is what lies at each path when layers that hide nothing are put on top of each other: a line with all that an archive says.
func merged(t *testing.T, layers []v1.Layer) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, l := range layers {
		r, err := l.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		for in := tar.NewReader(r); ; {
			h, err := in.Next()
			if err == io.EOF {
				break
			}
			sum := sha256.New()
			if err == nil {
				_, err = io.Copy(sum, in)
			}
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(path.Base(h.Name), ".wh.") {
				t.Fatalf("a layer hides %s", h.Name)
			}
			files[path.Clean(h.Name)] = fmt.Sprintf("%c %o %d:%d %s %q %x", h.Typeflag, h.Mode, h.Uid, h.Gid, h.ModTime.UTC().Format(time.RFC3339Nano), h.Linkname, sum.Sum(nil))
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return files
}
