package layer_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"go.uber.org/goleak"

	"vpk/internal/fault"
	"vpk/internal/progress"
	"vpk/layer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testRegistry is a registry in this process that remembers what it was asked.
type testRegistry struct {
	host      string
	transport *http.Transport

	mu       sync.Mutex
	requests []string
}

// newRegistry starts a registry; before may answer a request itself, by returning true.
func newRegistry(t *testing.T, before func(http.ResponseWriter, *http.Request) bool) *testRegistry {
	r := &testRegistry{transport: &http.Transport{}}
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		r.requests = append(r.requests, req.Method+" "+req.URL.RequestURI())
		r.mu.Unlock()
		if before == nil || !before(w, req) {
			handler.ServeHTTP(w, req)
		}
	}))
	r.host = strings.TrimPrefix(server.URL, "http://")
	t.Cleanup(func() {
		r.transport.CloseIdleConnections()
		server.Close()
	})
	return r
}

// count is how many requests began so: with a method, or with a method and a path.
func (r *testRegistry) count(prefix string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, req := range r.requests {
		if strings.HasPrefix(req, prefix) {
			n++
		}
	}
	return n
}

func (r *testRegistry) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = nil
}

func names(t *testing.T, all ...string) []name.Tag {
	t.Helper()
	tags, err := layer.ParseNames(all)
	if err != nil {
		t.Fatal(err)
	}
	return tags
}

// place is a destination and how to read it back.
type place struct {
	layer.Destination
	root  string                        // directory that everything on the disk is below
	names []name.Tag                    // to deliver under
	read  func(t *testing.T) []v1.Image // what a reader finds, in every form that there is
	none  func(t *testing.T)            // proves that nothing was delivered
}

// places are all destinations that take images, each new.
func places(t *testing.T) map[string]place {
	t.Helper()
	all := map[string]place{}
	add := func(kind string, p place) {
		if p.names == nil {
			p.names = names(t, "app:v1", "registry.example/app:v2")
		}
		all[kind] = p
	}

	reg := newRegistry(t, nil)
	tag := names(t, reg.host+"/team/app:v1", reg.host+"/team/app:v2")
	add("registry", place{
		Destination: layer.Registry{Transport: reg.transport},
		root:        t.TempDir(),
		names:       tag,
		read: func(t *testing.T) []v1.Image {
			var images []v1.Image
			for _, tag := range tag {
				img, err := remote.Image(tag, remote.WithTransport(reg.transport))
				if err != nil {
					t.Fatal(err)
				}
				images = append(images, img)
			}
			return images
		},
		none: func(t *testing.T) {
			for _, tag := range tag {
				if _, err := remote.Head(tag, remote.WithTransport(reg.transport)); err == nil {
					t.Errorf("%s is there", tag)
				}
			}
		},
	})

	root := t.TempDir()
	dir := filepath.Join(root, "some", "layout")
	add("layout", place{
		Destination: layer.Layout{Dir: dir},
		root:        root,
		read:        func(t *testing.T) []v1.Image { return []v1.Image{readLayout(t, dir, "v1")} },
	})
	root2 := t.TempDir()
	add("oci-archive", place{
		Destination: layer.OCIArchive{File: filepath.Join(root2, "app.tar")},
		root:        root2,
		read: func(t *testing.T) []v1.Image {
			dir := untar(t, filepath.Join(root2, "app.tar"))
			return []v1.Image{readLayout(t, dir, "v1"), readLayout(t, dir, "v2")}
		},
	})
	root3 := t.TempDir()
	add("docker-archive", place{
		Destination: layer.DockerArchive{File: filepath.Join(root3, "app.tar")},
		root:        root3,
		read:        func(t *testing.T) []v1.Image { return readDockerArchive(t, filepath.Join(root3, "app.tar")) },
	})
	root4, out := t.TempDir(), t.TempDir()
	engine := script(t, out, `cat > tmp && mv tmp loaded.tar && echo "Loaded image: app:v1"`)
	add("daemon", place{
		Destination: layer.Daemon{Engine: engine},
		root:        root4,
		read:        func(t *testing.T) []v1.Image { return readDockerArchive(t, filepath.Join(out, "loaded.tar")) },
		none: func(t *testing.T) {
			if _, err := os.Stat(filepath.Join(out, "loaded.tar")); err == nil {
				t.Error("the engine has loaded something")
			}
		},
	})
	return all
}

// script is a program that runs shell commands in dir when it is called as "PROGRAM load".
func script(t *testing.T, dir, commands string) string {
	t.Helper()
	path := filepath.Join(dir, "engine")
	text := fmt.Sprintf("#!/bin/sh\nset -e\n[ \"$*\" = load ]\ncd '%s'\n%s\n", dir, commands)
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// readLayout finds the image with a tag, after hashing every blob that is there.
func readLayout(t *testing.T, dir, tag string) v1.Image {
	t.Helper()
	blobs, err := filepath.Glob(filepath.Join(dir, "blobs", "sha256", "*"))
	if err != nil || len(blobs) == 0 {
		t.Fatalf("blobs: %v, %v", blobs, err)
	}
	for _, b := range blobs {
		data, err := os.ReadFile(b)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%x", sha256.Sum256(data)); got != filepath.Base(b) {
			t.Errorf("blob %s has digest %s", filepath.Base(b), got)
		}
	}
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	m, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range m.Manifests {
		if d.Annotations["org.opencontainers.image.ref.name"] == tag {
			if d.Platform == nil || d.Platform.OS != "linux" {
				t.Errorf("index entry has platform %v", d.Platform)
			}
			img, err := index.Image(d.Digest)
			if err != nil {
				t.Fatal(err)
			}
			return img
		}
	}
	t.Fatalf("no image %q in %+v", tag, m.Manifests)
	return nil
}

// untar unpacks an archive into a new directory. Its members must be plain files and directories without owner and time, and each
// file must come after the directory that it is in: skopeo of Debian 12 needs that.
func untar(t *testing.T, file string) string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	dir := t.TempDir()
	for tr := tar.NewReader(f); ; {
		h, err := tr.Next()
		if err == io.EOF {
			return dir
		}
		if err != nil {
			t.Fatal(err)
		}
		plain := h.Typeflag == tar.TypeReg && h.Mode == 0o644 || h.Typeflag == tar.TypeDir && h.Mode == 0o755
		if !plain || h.Uid|h.Gid != 0 || h.ModTime.Unix() != 0 || h.Format != tar.FormatUSTAR {
			t.Errorf("member %+v", h)
		}
		path := filepath.Join(dir, h.Name)
		if _, err := os.Stat(path); err == nil {
			t.Errorf("member %q comes twice", h.Name)
		}
		if h.Typeflag == tar.TypeDir {
			if err := os.Mkdir(path, 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		data, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// readDockerArchive reads an archive in both of its forms. The older form has no manifest digest of its own, so that its
// image is checked here.
func readDockerArchive(t *testing.T, file string) []v1.Image {
	t.Helper()
	img := readLayout(t, untar(t, file), "v1")
	for _, tag := range names(t, "app:v1", "registry.example/app:v2") {
		old, err := tarball.ImageFromPath(file, &tag)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate.Image(old); err != nil {
			t.Error(err)
		}
		want, _ := img.ConfigName()
		if got, err := old.ConfigName(); err != nil || got != want {
			t.Errorf("as a Docker archive the image has ID %s, %v, want %s", got, err, want)
		}
	}
	return []v1.Image{img, readLayout(t, untar(t, file), "v2")}
}

// files lists everything below a directory, with digests.
func files(t *testing.T, root string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		line := path
		if d.Type().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" %x", sha256.Sum256(data))
		}
		all = append(all, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestEveryDestinationDelivers(t *testing.T) {
	for kind, p := range places(t) {
		t.Run(kind, func(t *testing.T) {
			img, all := Image(t, Cache(t), kind == "layout")
			want, _ := img.Digest()
			a := layer.Artifact{Image: img, Names: p.names, Tree: all}
			for range 2 { // the second time over what the first made
				got, err := layer.Deliver(t.Context(), p, a, progress.Discard)
				if err != nil {
					t.Fatal(err)
				}
				if got.Digest != want || got.Target == "" {
					t.Errorf("delivered %+v, want digest %s", got, want)
				}
				for _, back := range p.read(t) {
					if digest, err := back.Digest(); err != nil || digest != want {
						t.Errorf("read back %s, %v, want %s", digest, err, want)
					}
					if err := validate.Image(back); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
}

// hooked is an image whose first layer's bytes pass through a hook.
type hooked struct {
	v1.Image
	hook func(io.ReadCloser) io.ReadCloser
}

type hookedLayer struct {
	v1.Layer
	hook func(io.ReadCloser) io.ReadCloser
}

func (h hooked) Layers() ([]v1.Layer, error) {
	layers, err := h.Image.Layers()
	if err == nil {
		layers[0] = hookedLayer{layers[0], h.hook}
	}
	return layers, err
}

func (h hookedLayer) Compressed() (io.ReadCloser, error) {
	rc, err := h.Layer.Compressed()
	if err != nil {
		return nil, err
	}
	return h.hook(rc), nil
}

// readHook does something at each read.
type readHook struct {
	io.ReadCloser
	do func(p []byte, n int, err error) (int, error)
}

func (r readHook) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	return r.do(p, n, err)
}

// leftNothing proves that a failed delivery changed nothing.
func leftNothing(t *testing.T, p place, before []string) {
	t.Helper()
	if diff := cmp.Diff(before, files(t, p.root)); diff != "" {
		t.Errorf("files before and after:\n%s", diff)
	}
	if p.none != nil {
		p.none(t)
	}
}

func TestCancelledDeliveryLeavesNothing(t *testing.T) {
	cause := errors.New("interrupted")
	for kind, p := range places(t) {
		t.Run(kind, func(t *testing.T) {
			img, _ := Image(t, Cache(t), false)
			ctx, cancel := context.WithCancelCause(t.Context())
			before := files(t, p.root)
			_, err := layer.Deliver(ctx, p, layer.Artifact{Names: p.names, Image: hooked{img, func(rc io.ReadCloser) io.ReadCloser {
				return readHook{rc, func(p []byte, n int, err error) (int, error) {
					cancel(cause)
					return n, err
				}}
			}}}, progress.Discard)
			if !errors.Is(err, cause) || fault.KindOf(err) != fault.Other {
				t.Errorf("kind %d, %v", fault.KindOf(err), err)
			}
			leftNothing(t, p, before)
		})
	}
}

func TestWrongBytesOfTheBaseAreNotDelivered(t *testing.T) {
	failure := errors.New("the line is cut")
	for kind, p := range places(t) {
		t.Run(kind, func(t *testing.T) {
			img, _ := Image(t, Cache(t), false)
			before := files(t, p.root)
			for want, do := range map[error]func(p []byte, n int, err error) (int, error){
				layer.ErrDamaged: func(p []byte, n int, err error) (int, error) { p[0] ^= 1; return n, err },
				failure:          func(p []byte, n int, err error) (int, error) { return 0, failure },
			} {
				_, err := layer.Deliver(t.Context(), p, layer.Artifact{Names: p.names, Image: hooked{img, func(rc io.ReadCloser) io.ReadCloser {
					return readHook{rc, do}
				}}}, progress.Discard)
				if !errors.Is(err, want) || fault.KindOf(err) != fault.Base {
					t.Errorf("kind %d, %v, want %v", fault.KindOf(err), err, want)
				}
				leftNothing(t, p, before)
			}
		})
	}
}

// TestDamagedCacheHeals: whatever happened to the cache, what arrives is right.
func TestDamagedCacheHeals(t *testing.T) {
	for kind, p := range places(t) {
		t.Run(kind, func(t *testing.T) {
			cache := Cache(t)
			img, _ := Image(t, cache, false)
			want, _ := img.Digest()
			files := segmentFiles(t, cache)
			data, err := os.ReadFile(files[0])
			if err != nil {
				t.Fatal(err)
			}
			data[len(data)/2] ^= 4
			if err := os.WriteFile(files[0], data, 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(files[1]); err != nil {
				t.Fatal(err)
			}
			if _, err := layer.Deliver(t.Context(), p, layer.Artifact{Image: img, Names: p.names}, progress.Discard); err != nil {
				t.Fatal(err)
			}
			for _, back := range p.read(t) {
				if digest, err := back.Digest(); err != nil || digest != want {
					t.Errorf("read back %s, %v, want %s", digest, err, want)
				}
				if err := validate.Image(back); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestDirectory(t *testing.T) {
	_, all := Image(t, Cache(t), false)
	dir := filepath.Join(t.TempDir(), "files")
	d := layer.Directory{Dir: dir, ModTime: MTime}
	got, err := layer.Deliver(t.Context(), d, layer.Artifact{Tree: all}, progress.Discard)
	if err != nil || got.Target != "dir:"+dir {
		t.Fatalf("%+v, %v", got, err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "app/app.py"))
	if err != nil || !bytes.Equal(data, []byte("print('hello')\n")) {
		t.Errorf("app.py is %q, %v", data, err)
	}
	if to, err := os.Readlink(filepath.Join(dir, "app/.venv/bin/python")); err != nil || to != "/usr/bin/python3.11" {
		t.Errorf("python is a link to %q, %v", to, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "app/app.py")); err != nil || !info.ModTime().Equal(MTime) {
		t.Errorf("time %v, %v", info.ModTime(), err)
	}
	if _, err := layer.Deliver(t.Context(), d, layer.Artifact{Tree: all}, progress.Discard); err == nil {
		t.Error("a directory with something in it was written over")
	}
}

func TestParseNames(t *testing.T) {
	_, err := layer.ParseNames([]string{"ok:v1", "NOT ok", "app:", "x@sha256:00"})
	if fault.KindOf(err) != fault.Usage || strings.Count(err.Error(), "image name") != 3 {
		t.Errorf("not every wrong name is reported: %v", err)
	}
}
