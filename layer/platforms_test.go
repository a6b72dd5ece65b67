package layer_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"vpk/internal/fault"
	"vpk/internal/progress"
	"vpk/layer"
)

// twoPlatforms is an index of two images that share their layers and differ in their architecture.
func twoPlatforms(t *testing.T) *layer.Index {
	t.Helper()
	img, _ := Image(t, Cache(t), false)
	arm := withConfig(t, img, func(c *v1.ConfigFile) { c.Architecture, c.Variant = "arm64", "v8" })
	index, err := layer.NewIndex([]v1.Image{img, arm})
	if err != nil {
		t.Fatal(err)
	}
	return index
}

// TestIndexIsDelivered to all that take several platforms: whole, valid, and with the same bytes.
func TestIndexIsDelivered(t *testing.T) {
	index := twoPlatforms(t)
	digest, _ := index.Digest()
	m, err := index.IndexManifest()
	if err != nil || len(m.Manifests) != 2 || m.Manifests[0].Platform.String() != "linux/amd64" || m.Manifests[1].Platform.String() != "linux/arm64/v8" {
		t.Fatalf("index %+v, %v", m, err)
	}
	reg := newRegistry(t, nil)
	deliver := func(d layer.Destination) layer.Delivered {
		t.Helper()
		got, err := layer.Deliver(t.Context(), d, layer.Artifact{Index: index, Names: names(t, reg.host+"/app:v1")}, progress.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if got.Digest != digest {
			t.Errorf("delivered %s, want %s", got.Digest, digest)
		}
		return got
	}

	first := deliver(layer.Registry{Transport: reg.transport})
	pulled, err := remote.Index(names(t, reg.host+"/app:v1")[0], remote.WithTransport(reg.transport))
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(pulled); err != nil {
		t.Error(err)
	}
	if first.Sent.Blobs != 6 { // the layers of both, once, and two configs
		t.Errorf("sent %d blobs, want 6", first.Sent.Blobs)
	}
	if again := deliver(layer.Registry{Transport: reg.transport}); again.Sent.Blobs != 0 || again.Skipped.Blobs != 6 {
		t.Errorf("the second push sent %+v, skipped %+v", again.Sent, again.Skipped)
	}

	dir := t.TempDir()
	deliver(layer.Layout{Dir: filepath.Join(dir, "layout")})
	file := filepath.Join(dir, "image.tar")
	deliver(layer.OCIArchive{File: file})
	for _, place := range []string{filepath.Join(dir, "layout"), untar(t, file)} {
		top, err := layout.ImageIndexFromPath(place)
		if err != nil {
			t.Fatal(err)
		}
		inner, err := top.ImageIndex(digest)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate.Index(inner); err != nil {
			t.Errorf("%s: %v", place, err)
		}
	}
}

// TestIndexIsRefused by what holds one image.
func TestIndexIsRefused(t *testing.T) {
	a := layer.Artifact{Index: twoPlatforms(t)}
	file := filepath.Join(t.TempDir(), "image.tar")
	_, err := layer.Deliver(t.Context(), layer.DockerArchive{File: file}, a, progress.Discard)
	if fault.KindOf(err) != fault.Usage || !strings.Contains(err.Error(), "one platform") {
		t.Errorf("a Docker archive: %v", err)
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("a file was left: %v", err)
	}
	script := filepath.Join(t.TempDir(), "docker")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := layer.Deliver(t.Context(), layer.Daemon{Engine: script}, a, progress.Discard); fault.KindOf(err) != fault.Usage {
		t.Errorf("an engine: %v", err)
	}
}

// TestGoldenIndex: the index of images is a function of their manifests.
func TestGoldenIndex(t *testing.T) {
	index := twoPlatforms(t)
	raw, err := index.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	var entries []string
	m, _ := index.IndexManifest()
	for _, d := range m.Manifests {
		platform, _ := json.Marshal(d.Platform)
		size, _ := json.Marshal(d.Size)
		entries = append(entries, `{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":`+string(size)+`,"digest":"`+d.Digest.String()+`","platform":`+string(platform)+`}`)
	}
	want := `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[` + strings.Join(entries, ",") + `]}`
	if string(raw) != want {
		t.Errorf("got  %s\nwant %s", raw, want)
	}
}
