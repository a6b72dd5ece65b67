package base

import (
	"debug/elf"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"vpk/internal/peer"
	"vpk/layer/base/basetest"
	"vpk/wheel/tag"
)

// standIn is the reference of a stand-in for a distroless base.
func standIn(t testing.TB, name string) string {
	t.Helper()
	return "oci:" + peer.Base(t, name)
}

func TestStandIns(t *testing.T) {
	for _, test := range []struct {
		name     string
		platform v1.Platform
		want     Facts
	}{
		{"BASE12", amd64, Facts{
			Target: bookworm, Interpreter: "/usr/bin/python3.11", Stdlib: "/usr/lib/python3.11",
			Loader:      "/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
			LibraryDirs: []string{"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/lib", "/usr/lib"},
		}},
		{"BASE13", amd64, Facts{
			Target:      tag.Target{Python: tag.Python{Major: 3, Minor: 13, Full: "3.13.5"}, Arch: tag.X8664, Glibc: tag.Glibc{Major: 2, Minor: 41}},
			Interpreter: "/usr/bin/python3.13", Stdlib: "/usr/lib/python3.13",
			Loader:      "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
			LibraryDirs: []string{"/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib"},
		}},
		{"BASE12_MULTI", arm64, Facts{
			Target: bookwormOn(tag.AArch64), Interpreter: "/usr/bin/python3.11", Stdlib: "/usr/lib/python3.11",
			Loader:      "/lib/aarch64-linux-gnu/ld-linux-aarch64.so.1",
			LibraryDirs: []string{"/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/lib", "/usr/lib"},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			img := mustOpen(t, standIn(t, test.name), Options{Platform: test.platform})
			got := img.Facts
			got.Loaded = nil
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			modules := 0
			for _, file := range img.Facts.Loaded {
				if strings.HasSuffix(file, ".py") {
					modules++
				}
			}
			// What ctypes, ssl and the like need is among the libraries, through lib-dynload.
			for _, lib := range []string{"libz.so.", "libssl.so.3", "libffi.so.8", "libc.so.6"} {
				if !slices.ContainsFunc(img.Facts.Loaded, func(p string) bool { return strings.Contains(p, "/"+lib) }) {
					t.Errorf("no %s among what is loaded", lib)
				}
			}
			if modules < 400 {
				t.Errorf("%d modules in the standard library", modules)
			}
			if _, err := img.Root(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestMergedUsrOfStandIn(t *testing.T) {
	files := mustOpen(t, standIn(t, "BASE13"), Options{}).Files
	for in, want := range map[string]string{
		"/lib/python3.13/__pycache__": "usr/lib/python3.13/__pycache__", "/bin": "usr/bin", "lib64": "usr/lib64", "sbin": "usr/sbin", "/app/.venv/bin": "app/.venv/bin",
	} {
		if got, err := files.RealDir(in); err != nil || got != want {
			t.Errorf("RealDir(%q) = %q, %v: want %q", in, got, err, want)
		}
	}
	if got, err := files.Resolve("/lib64/ld-linux-x86-64.so.2"); err != nil || got != "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" {
		t.Errorf("the loader is %q, %v", got, err)
	}
}

// TestELFAgainstTheStandardLibrary compares the reader with debug/elf on every program and library of a base.
func TestELFAgainstTheStandardLibrary(t *testing.T) {
	img := mustOpen(t, standIn(t, "BASE12"), Options{})
	root := unpackWhole(t, img)
	n := 0
	for _, e := range img.Files.All() {
		if e.ELF == nil {
			continue
		}
		f, err := elf.Open(filepath.Join(root, e.Path))
		if err != nil {
			t.Fatal(err)
		}
		want := &ELF{Machine: f.Machine, pythons: e.ELF.pythons}
		if section := f.Section(".interp"); section != nil {
			data, err := section.Data()
			if err != nil {
				t.Fatal(err)
			}
			want.Interp = strings.TrimRight(string(data), "\x00")
		}
		want.Needed, _ = f.DynString(elf.DT_NEEDED)
		if soname, _ := f.DynString(elf.DT_SONAME); len(soname) == 1 {
			want.Soname = soname[0]
		}
		if path, _ := f.DynString(elf.DT_RUNPATH); len(path) == 1 {
			want.RunPath = strings.Split(path[0], ":")
		}
		versions, _ := f.DynamicVersions()
		for _, v := range versions {
			if minor, err := strconv.Atoi(strings.TrimPrefix(v.Name, "GLIBC_2.")); err == nil {
				want.Glibc = tag.Glibc{Major: 2, Minor: max(want.Glibc.Minor, minor)}
			}
		}
		if diff := cmp.Diff(want, e.ELF, elfOptions); diff != "" {
			t.Errorf("%s (-debug/elf +got):\n%s", e.Path, diff)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n < 50 {
		t.Errorf("only %d programs and libraries", n)
	}
}

// umoci unpacks an image of a layout.
func umoci(t testing.TB, layout, tagName string) (root string) {
	t.Helper()
	bundle := filepath.Join(t.TempDir(), "bundle")
	args := []string{"unpack", "--image", layout + ":" + tagName, bundle}
	if os.Geteuid() != 0 {
		args = slices.Insert(args, 1, "--rootless")
	}
	if out, err := exec.Command(peer.Tool(t, "umoci"), args...).CombinedOutput(); err != nil {
		t.Fatalf("umoci: %v\n%s", err, out)
	}
	return filepath.Join(bundle, "rootfs")
}

// modes is every file and directory of a root with its mode and time; with ours, the mode is the one that unpack makes of it.
func modes(t testing.TB, root string, ours bool) (list []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == root {
			return err
		}
		info, err := d.Info()
		if err != nil || !info.Mode().IsRegular() && !info.IsDir() {
			return err
		}
		mode := info.Mode().Perm()
		if !ours {
			mode = unpackedMode(info.Mode())
		}
		list = append(list, fmt.Sprintf("%s %s %d", strings.TrimPrefix(p, root), mode, info.ModTime().UnixNano()))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// unpackWhole unpacks all of an image.
func unpackWhole(t testing.TB, img *Image) string {
	t.Helper()
	dir := t.TempDir()
	if err := UnpackImage(t.Context(), img.V1(t.Context()), dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestUnpackEqualsUmociUnpack(t *testing.T) {
	peer.Tool(t, "umoci")
	for _, name := range []string{"BASE12", "BASE13"} {
		t.Run(name, func(t *testing.T) {
			ref := standIn(t, name)
			theirs := umoci(t, strings.TrimPrefix(ref, "oci:"), "nonroot")
			ours := unpackWhole(t, mustOpen(t, ref, Options{}))
			if diff := cmp.Diff(describeDir(t, theirs), describeDir(t, ours)); diff != "" {
				t.Errorf("-umoci +vpk:\n%s", diff)
			}
			if diff := cmp.Diff(modes(t, theirs, false), modes(t, ours, true)); diff != "" {
				t.Errorf("modes and times (-umoci +vpk):\n%s", diff)
			}
		})
	}
}

// importAll tells of each module of the standard library whether it can be imported, and why not.
const importAll = `
import sys
for name in sorted(sys.stdlib_module_names - {"antigravity", "this"}):
    try:
        __import__(name)
        print(name)
    except Exception as error:
        print(name, repr(error))
`

// TestRootHasWhatTheInterpreterNeeds: in a root as in the whole image, the interpreter imports the same modules of its library.
func TestRootHasWhatTheInterpreterNeeds(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may change the root directory")
	}
	for _, name := range []string{"BASE12", "BASE13"} {
		t.Run(name, func(t *testing.T) {
			img := mustOpen(t, standIn(t, name), Options{})
			root, err := img.Root(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			said := map[string]string{}
			for _, dir := range []string{root, unpackWhole(t, img)} {
				cmd := exec.CommandContext(t.Context(), img.Facts.Interpreter, "-S", "-B", "-c", importAll)
				cmd.SysProcAttr, cmd.Env, cmd.Dir = &syscall.SysProcAttr{Chroot: dir}, []string{"LANG=C.UTF-8"}, "/"
				out, err := cmd.Output()
				if err != nil {
					t.Fatalf("in %s: %v", dir, err)
				}
				said[dir] = string(out)
			}
			if n := strings.Count(said[root], "\n"); n < 200 {
				t.Errorf("only %d modules", n)
			}
			for dir, text := range said {
				if diff := cmp.Diff(said[root], text); diff != "" {
					t.Errorf("-root +%s:\n%s", dir, diff)
				}
			}
		})
	}
}

// TestLayersEqualUmociUnpack compares images of layers that meet each other in every way.
func TestLayersEqualUmociUnpack(t *testing.T) {
	peer.Tool(t, "umoci")
	for name, layers := range map[string][]string{
		"whiteouts":   {"d/ d/x=1 d/e/ d/e/y=2 f=3 g/ g/h=4", "d/ d/.wh.x g/ g/.wh..wh..opq g/new=5 .wh.f"},
		"types":       {"a/ a/x=1 b=2 c->a", "a=3 b/ b/y=4", ".wh.a a/ a/z=5 c/"},
		"links":       {"usr/ usr/lib/ usr/lib/x=1 lib->usr/lib abs->/usr/lib", "lib/y=2 abs/z=3 lib/.wh.x"},
		"hard links":  {"a=1 b==a d/ d/c==b", "e==a", ".wh.a"},
		"replacement": {"d/ d/x=1", ".wh.d d/ d/y=2"},
	} {
		t.Run(name, func(t *testing.T) {
			var list []v1.Layer
			for _, words := range layers {
				list = append(list, basetest.Layer(t, basetest.Tar(t, short(words)...), types.OCILayer))
			}
			img := basetest.Image(t, v1.ConfigFile{OS: "linux", Architecture: "amd64"}, list...)
			dir := writeLayout(t, []string{"x"}, []mutate.Appendable{img})
			ours := t.TempDir()
			if err := UnpackImage(t.Context(), img, ours); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(describeDir(t, umoci(t, dir, "x")), describeDir(t, ours)); diff != "" {
				t.Errorf("-umoci +vpk:\n%s", diff)
			}
		})
	}
}

func benchmarkRef(b *testing.B) string {
	if dir := peer.LookupBase(b, "BASE12"); dir != "" {
		return "oci:" + dir
	}
	return "oci:" + writeLayout(b, []string{""}, []mutate.Appendable{basetest.PythonImage(b, bookworm)})
}

// BenchmarkOpenCached opens a base whose index is in the cache. The goal is well under 5 ms.
func BenchmarkOpenCached(b *testing.B) {
	opts := Options{Cache: newStore(b), Platform: amd64}
	ref := mustRef(b, benchmarkRef(b))
	for b.Loop() {
		if _, err := Open(b.Context(), ref, opts); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpenCold reads, proves and indexes all layers.
func BenchmarkOpenCold(b *testing.B) {
	ref := mustRef(b, benchmarkRef(b))
	img := mustOpen(b, ref.String(), Options{})
	b.SetBytes(sizeOf(img.Files))
	for b.Loop() {
		if _, err := squash(b.Context(), img.layerSources(), defaultJobs); err != nil {
			b.Fatal(err)
		}
	}
}

func sizeOf(files *Files) (n int64) {
	for _, e := range files.All() {
		n += e.Size
	}
	return n
}

// BenchmarkRootChecked takes a root that is there and proves it.
func BenchmarkRootChecked(b *testing.B) {
	img := mustOpen(b, benchmarkRef(b), Options{})
	if _, err := img.Root(b.Context()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := img.Root(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
