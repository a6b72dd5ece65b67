package layer_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"vpk/internal/fault"
	"vpk/internal/peer"
	"vpk/internal/progress"
	"vpk/layer"
)

const goldenArchive = "227b7fcae810036d565ae4daf845b1cfd2711dc4618b4e3733dc7ff5237215f3"

func deliver(t *testing.T, d layer.Destination, a layer.Artifact) layer.Delivered {
	t.Helper()
	got, err := layer.Deliver(t.Context(), d, a, progress.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestLayoutKeepsOtherImages(t *testing.T) {
	dir := t.TempDir()
	theirs, err := random.Image(100, 2)
	if err != nil {
		t.Fatal(err)
	}
	path, err := layout.Write(dir, randomIndex(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := path.AppendImage(theirs, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": "v1"})); err != nil {
		t.Fatal(err)
	}
	img, _ := Image(t, Cache(t), false)
	first := deliver(t, layer.Layout{Dir: dir, Tag: "v1"}, layer.Artifact{Image: img})
	if first.Skipped.Blobs != 0 || first.Target != "oci:"+dir+":v1" {
		t.Errorf("first: %+v", first)
	}
	second := deliver(t, layer.Layout{Dir: dir}, layer.Artifact{Image: img})
	if second.Sent.Blobs != 0 || second.Skipped != first.Sent || second.Target != "oci:"+dir+":latest" {
		t.Errorf("second: %+v after %+v", second, first)
	}
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	m, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var tags []string
	for _, d := range m.Manifests {
		tags = append(tags, d.Annotations["org.opencontainers.image.ref.name"])
	}
	if diff := cmp.Diff([]string{"", "v1", "latest"}, tags); diff != "" {
		t.Errorf("tags -want +got:\n%s", diff)
	}
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
}

func TestLayoutRepairsBlobs(t *testing.T) {
	dir := t.TempDir()
	img, _ := Image(t, Cache(t), false)
	d := layer.Layout{Dir: dir}
	deliver(t, d, layer.Artifact{Image: img})
	name, _ := img.ConfigName()
	path := filepath.Join(dir, "blobs", "sha256", name.Hex)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[0] ^= 1
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := deliver(t, d, layer.Artifact{Image: img}); got.Sent.Blobs != 1 {
		t.Errorf("sent %+v", got.Sent)
	}
	if err := validate.Image(readLayout(t, dir, "latest")); err != nil {
		t.Error(err)
	}
}

func TestLayoutRefusesOtherDirectories(t *testing.T) {
	img, _ := Image(t, Cache(t), false)
	for name, make := range map[string]func(dir string) error{
		"something else": func(dir string) error { return os.WriteFile(filepath.Join(dir, "index.json"), []byte("{}"), 0o644) },
		"other version": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "oci-layout"), []byte(`{"imageLayoutVersion":"2.0.0"}`), 0o644)
		},
		"no layout at all": func(dir string) error { return os.WriteFile(filepath.Join(dir, "oci-layout"), []byte(`x`), 0o644) },
		"broken index": func(dir string) error {
			return errors.Join(os.WriteFile(filepath.Join(dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644),
				os.WriteFile(filepath.Join(dir, "index.json"), []byte("{"), 0o644))
		},
		"a file": func(dir string) error { return errors.Join(os.Remove(dir), os.WriteFile(dir, nil, 0o644)) },
	} {
		dir := filepath.Join(t.TempDir(), "dir")
		if err := errors.Join(os.Mkdir(dir, 0o755), make(dir)); err != nil {
			t.Fatal(err)
		}
		before := files(t, dir)
		_, err := layer.Deliver(t.Context(), layer.Layout{Dir: dir}, layer.Artifact{Image: img}, progress.Discard)
		if fault.KindOf(err) != fault.Delivery || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: kind %d, %v", name, fault.KindOf(err), err)
		}
		if diff := cmp.Diff(before, files(t, dir)); diff != "" {
			t.Errorf("%s: files before and after:\n%s", name, diff)
		}
	}
}

func TestLayoutIsSharedByManyWriters(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "layout")
	img, _ := Image(t, Cache(t), false)
	if err := os.MkdirAll(filepath.Join(dir, ".vpk-left-behind"), 0o755); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if _, err := layer.Deliver(t.Context(), layer.Layout{Dir: dir, Tag: fmt.Sprint("v", i)}, layer.Artifact{Image: img}, progress.Discard); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i := range 8 {
		readLayout(t, dir, fmt.Sprint("v", i))
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestLockedLayoutIsWaitedFor(t *testing.T) {
	dir := t.TempDir()
	held, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if err := syscall.Flock(int(held.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	img, _ := Image(t, Cache(t), false)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := layer.Deliver(ctx, layer.Layout{Dir: dir}, layer.Artifact{Image: img}, progress.Discard); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("err = %v", err)
	}
	if left := files(t, dir); len(left) != 1 {
		t.Errorf("left %q", left)
	}
}

func TestUmaskDecidesModes(t *testing.T) {
	root := t.TempDir()
	img, _ := Image(t, Cache(t), false)
	defer syscall.Umask(syscall.Umask(0o027))
	deliver(t, layer.Layout{Dir: filepath.Join(root, "layout")}, layer.Artifact{Image: img})
	deliver(t, layer.DockerArchive{File: filepath.Join(root, "app.tar")}, layer.Artifact{Image: img})
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		info, err := d.Info()
		if want := map[bool]fs.FileMode{true: 0o750, false: 0o640}[d.IsDir()]; err == nil && info.Mode().Perm() != want {
			t.Errorf("%s has mode %o, want %o", path, info.Mode().Perm(), want)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestArchiveBytes(t *testing.T) {
	img, _ := Image(t, Cache(t), false)
	a := layer.Artifact{Image: img, Names: names(t, "app:v1", "app:v1", "registry.example/app:v1")}
	file := filepath.Join(t.TempDir(), "app.tar")
	deliver(t, layer.DockerArchive{File: file}, a)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%x", sha256.Sum256(data)); got != goldenArchive {
		t.Errorf("archive has digest %s, want %s", got, goldenArchive)
	}

	dir := untar(t, file)
	config, _ := img.ConfigName()
	m, _ := img.Manifest()
	var layers []string
	for _, l := range m.Layers {
		layers = append(layers, `"blobs/sha256/`+l.Digest.Hex+`"`)
	}
	want := fmt.Sprintf(`[{"Config":"blobs/sha256/%s","RepoTags":["docker.io/library/app:v1","registry.example/app:v1"],"Layers":[%s]}]`,
		config.Hex, strings.Join(layers, ","))
	got, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("manifest.json -want +got:\n%s", diff)
	}
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	im, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var annotations []map[string]string
	for _, d := range im.Manifests {
		annotations = append(annotations, d.Annotations)
	}
	wantAnnotations := []map[string]string{
		{"io.containerd.image.name": "docker.io/library/app:v1", "org.opencontainers.image.ref.name": "v1"},
		{"io.containerd.image.name": "registry.example/app:v1", "org.opencontainers.image.ref.name": "v1"},
	}
	if diff := cmp.Diff(wantAnnotations, annotations); diff != "" {
		t.Errorf("index.json -want +got:\n%s", diff)
	}
}

func TestArchiveWithoutNames(t *testing.T) {
	img, _ := Image(t, Cache(t), false)
	file := filepath.Join(t.TempDir(), "app.tar")
	deliver(t, layer.DockerArchive{File: file}, layer.Artifact{Image: img})
	data, err := os.ReadFile(filepath.Join(untar(t, file), "manifest.json"))
	if err != nil || !strings.Contains(string(data), `"RepoTags":null`) {
		t.Errorf("manifest.json is %s, %v", data, err)
	}
	deliver(t, layer.OCIArchive{File: file}, layer.Artifact{Image: img}) // over it
	readLayout(t, untar(t, file), "latest")
}

func TestFilesAreReplacedWithCare(t *testing.T) {
	img, _ := Image(t, Cache(t), false)
	root := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Mkdir(filepath.Join(root, "dir"), 0o755))
	must(os.WriteFile(filepath.Join(root, "old.tar"), []byte("old"), 0o644))
	must(os.Symlink("old.tar", filepath.Join(root, "link.tar")))
	must(syscall.Mkfifo(filepath.Join(root, "fifo"), 0o644))

	before := files(t, root)
	for _, name := range []string{"dir", "fifo", "missing/app.tar", "old.tar/app.tar"} {
		file := filepath.Join(root, name)
		_, err := layer.Deliver(t.Context(), layer.OCIArchive{File: file}, layer.Artifact{Image: img}, progress.Discard)
		if fault.KindOf(err) != fault.Delivery || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: kind %d, %v", name, fault.KindOf(err), err)
		}
	}
	if diff := cmp.Diff(before, files(t, root)); diff != "" {
		t.Errorf("files before and after:\n%s", diff)
	}

	deliver(t, layer.OCIArchive{File: filepath.Join(root, "link.tar")}, layer.Artifact{Image: img})
	if to, err := os.Readlink(filepath.Join(root, "link.tar")); err != nil || to != "old.tar" {
		t.Errorf("the link is now %q, %v", to, err)
	}
	readLayout(t, untar(t, filepath.Join(root, "old.tar")), "latest")
}

// mount is the directory of a new, empty file system.
func mount(t *testing.T, flags uintptr, options string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", flags, options); err != nil {
		peer.Missing(t, "no file system of its own, which only root can mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestFullDisk(t *testing.T) {
	root := mount(t, 0, "size=64k")
	img, all := Image(t, Cache(t), false)
	for _, d := range []layer.Destination{
		layer.Layout{Dir: filepath.Join(root, "a", "layout")},
		layer.OCIArchive{File: filepath.Join(root, "a.tar")},
		layer.DockerArchive{File: filepath.Join(root, "a.tar")},
		layer.Directory{Dir: filepath.Join(root, "files")},
	} {
		_, err := layer.Deliver(t.Context(), d, layer.Artifact{Image: img, Tree: all}, progress.Discard)
		if fault.KindOf(err) != fault.Delivery || !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), root) {
			t.Errorf("%T: kind %d, %v", d, fault.KindOf(err), err)
		}
		if left, _ := os.ReadDir(root); len(left) > 0 {
			t.Errorf("%T left %v", d, left)
		}
	}
}

func TestPlaceWithoutPermission(t *testing.T) {
	root := mount(t, syscall.MS_RDONLY, "")
	img, _ := Image(t, Cache(t), false)
	for _, d := range []layer.Destination{layer.Layout{Dir: root + "/layout"}, layer.DockerArchive{File: root + "/a.tar"}} {
		_, err := layer.Deliver(t.Context(), d, layer.Artifact{Image: img}, progress.Discard)
		if fault.KindOf(err) != fault.Delivery || !strings.Contains(strings.Join(fault.Hints(err), ""), "may write") {
			t.Errorf("%T: kind %d, %v, hints %q", d, fault.KindOf(err), err, fault.Hints(err))
		}
	}
}

// randomIndex is an index that is not ours.
func randomIndex(t *testing.T) v1.ImageIndex {
	t.Helper()
	index, err := random.Index(100, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	return index
}
