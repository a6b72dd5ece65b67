package diff_test

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"vpk/internal/cas"
	"vpk/internal/peer"
	"vpk/layer/base"
)

// TestAgreesWithUmoci: of two real images, the files that differ are those that differ once umoci has unpacked both.
func TestAgreesWithUmoci(t *testing.T) {
	umoci := peer.Tool(t, "umoci")
	layouts := []string{peer.Base(t, "BASE12"), peer.Base(t, "BASE12_DEBUG")}
	cache, err := cas.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var images []v1.Image
	var unpacked []map[string]string
	for i, dir := range layouts {
		img := load(t, cache, "oci:"+dir)
		images = append(images, img)
		digest, err := img.Digest()
		if err != nil {
			t.Fatal(err)
		}
		unpacked = append(unpacked, unpack(t, umoci, dir, digest.String(), filepath.Join(t.TempDir(), fmt.Sprint(i))))
	}
	r := compare(t, images[0], images[1])

	var want []string
	for path := range maps.Keys(unpacked[0]) {
		if other, ok := unpacked[1][path]; !ok {
			want = append(want, "removed "+path)
		} else if other != unpacked[0][path] {
			want = append(want, "changed "+path)
		}
	}
	for path := range maps.Keys(unpacked[1]) {
		if _, ok := unpacked[0][path]; !ok {
			want = append(want, "added "+path)
		}
	}
	var got []string
	for _, c := range r.Files {
		got = append(got, fmt.Sprintf("%s %s", c.Kind, c.Path))
	}
	slices.Sort(want)
	slices.Sort(got)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-umoci +vpk):\n%s", d)
	}
	t.Logf("%d of %d files differ", len(got), len(unpacked[1]))
	if len(got) == 0 {
		t.Error("the images are the same, which proves nothing")
	}
}

// load opens the image of a layout.
func load(t *testing.T, cache *cas.Store, ref string) v1.Image {
	t.Helper()
	parsed, err := base.ParseRef(ref)
	if err != nil {
		t.Fatal(err)
	}
	img, err := base.Load(t.Context(), parsed, base.Options{Cache: cache, Platform: v1.Platform{OS: "linux", Architecture: runtime.GOARCH}})
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// unpack is what umoci makes of an image: a line for each path.
func unpack(t *testing.T, umoci, layout, digest, bundle string) map[string]string {
	t.Helper()
	// umoci finds images by tag only: a layout of links, with a tag.
	tagged := bundle + "-layout"
	if err := os.CopyFS(tagged, os.DirFS(layout)); err != nil {
		t.Fatal(err)
	}
	index := fmt.Sprintf(`{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":%q,"size":%d,"annotations":{"org.opencontainers.image.ref.name":"it"}}]}`,
		digest, fileSize(t, filepath.Join(tagged, "blobs", strings.Replace(digest, ":", "/", 1))))
	if err := os.WriteFile(filepath.Join(tagged, "index.json"), []byte(index), 0o644); err != nil {
		t.Fatal(err)
	}
	args := []string{"unpack", "--image", tagged + ":it", bundle}
	root := os.Getuid() == 0
	if !root {
		args = slices.Insert(args, 1, "--rootless")
	}
	cmd := exec.Command(umoci, args...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	peer.Output(t, cmd)

	found := map[string]string{}
	rootfs := filepath.Join(bundle, "rootfs")
	err := filepath.WalkDir(rootfs, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(rootfs, path)
		if err != nil {
			return err
		}
		line := fmt.Sprint(info.Mode())
		if rel != "." { // umoci makes the root, where no layer has one
			line += fmt.Sprint(" ", info.ModTime().Unix())
		}
		if stat := info.Sys().(*syscall.Stat_t); root {
			line += fmt.Sprintf(" %d:%d", stat.Uid, stat.Gid)
		}
		switch {
		case d.Type() == fs.ModeSymlink:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			line += " -> " + target
		case d.Type().IsRegular():
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" %x", sha256.Sum256(data))
		}
		found[rel] = line
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func fileSize(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
