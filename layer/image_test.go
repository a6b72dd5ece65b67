package layer_test

import (
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"vpk/internal/fault"
	"vpk/internal/progress"
	"vpk/layer"
)

func manifest(t *testing.T, img v1.Image) *v1.Manifest {
	t.Helper()
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func config(t *testing.T, img v1.Image) *v1.ConfigFile {
	t.Helper()
	c, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestImageIsValid(t *testing.T) {
	for _, docker := range []bool{false, true} {
		img, _ := Image(t, Cache(t), docker)
		if err := validate.Image(img); err != nil {
			t.Errorf("docker %v: %v", docker, err)
		}
		m := manifest(t, img)
		if m.MediaType != types.OCIManifestSchema1 || m.Config.MediaType != types.OCIConfigJSON {
			t.Errorf("docker %v: types %s, %s", docker, m.MediaType, m.Config.MediaType)
		}
		for _, l := range m.Layers {
			if l.MediaType != types.OCILayer {
				t.Errorf("docker %v: layer type %s", docker, l.MediaType)
			}
		}
	}
}

func TestConfigOnTopOfBase(t *testing.T) {
	img, _ := Image(t, Cache(t), true)
	base := Base(t, true)
	got := config(t, img)
	created := v1.Time{Time: time.Unix(1_700_000_000, 0).UTC()}

	want := config(t, base)
	want.Created = created
	want.RootFS.DiffIDs = append(want.RootFS.DiffIDs, got.RootFS.DiffIDs[3:]...)
	want.History = append(want.History,
		v1.History{Created: created, CreatedBy: "vpk: dependencies"},
		v1.History{Created: created, CreatedBy: "vpk: project"})
	digest := BaseInfo(t, base).Digest.String()
	want.Config = v1.Config{
		User: "65532:65532", WorkingDir: "/app",
		Env: []string{
			"PATH=/app/.venv/bin:/usr/bin:/bin", "LANG=C.UTF-8", "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt",
			"PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1",
		},
		Cmd:          []string{"/app/.venv/bin/first", "app:app"},
		ExposedPorts: map[string]struct{}{"53/udp": {}, "8000/tcp": {}},
		Volumes:      want.Config.Volumes,
		Healthcheck:  want.Config.Healthcheck,
		Labels: map[string]string{
			"from": "base", "mine": "<yes & no>",
			"org.opencontainers.image.base.name":   "index.example/python:nonroot",
			"org.opencontainers.image.base.digest": digest,
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("config -want +got:\n%s", diff)
	}
	wantAnnotations := map[string]string{
		"about":                                "the service",
		"org.opencontainers.image.base.name":   "index.example/python:nonroot",
		"org.opencontainers.image.base.digest": digest,
	}
	if diff := cmp.Diff(wantAnnotations, manifest(t, img).Annotations); diff != "" {
		t.Errorf("annotations -want +got:\n%s", diff)
	}
}

// withConfig is an image with another config on the same layers.
func withConfig(t *testing.T, img v1.Image, change func(*v1.ConfigFile)) v1.Image {
	t.Helper()
	c := config(t, img)
	change(c)
	img, err := mutate.ConfigFile(img, c)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func TestBaseWithoutNameIsNotNamed(t *testing.T) {
	base := Base(t, false)
	info := BaseInfo(t, base)
	info.Name = ""
	img, err := layer.Image(base, info, nil, layer.Config{})
	if err != nil {
		t.Fatal(err)
	}
	const key = "org.opencontainers.image.base.name"
	if _, ok := config(t, img).Config.Labels[key]; ok {
		t.Error("the label names the base of the base")
	}
	if _, ok := manifest(t, img).Annotations[key]; ok {
		t.Error("the annotation names a base without a name")
	}
	if c := config(t, img).Config; c.User != "0" || c.WorkingDir != "/" {
		t.Errorf("user %q and directory %q are not the base's", c.User, c.WorkingDir)
	}
}

func TestEnv(t *testing.T) {
	for _, c := range []struct{ base, over, want []string }{
		{nil, []string{"B=1", "A=2"}, []string{"B=1", "A=2"}},
		{[]string{"A=1", "B=2"}, []string{"C=3", "B="}, []string{"A=1", "B=", "C=3"}},
		{[]string{"A=1", "B=2", "A=3"}, []string{"A=4"}, []string{"A=4", "B=2"}},
		{[]string{"A=1", "A=2", "broken"}, nil, []string{"A=1", "A=2", "broken"}},
	} {
		base := withConfig(t, empty.Image, func(f *v1.ConfigFile) { f.Config.Env = c.base })
		img, err := layer.Image(base, layer.BaseInfo{}, nil, layer.Config{Env: c.over})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, config(t, img).Config.Env); diff != "" {
			t.Errorf("%q over %q -want +got:\n%s", c.over, c.base, diff)
		}
	}
	_, err := layer.Image(empty.Image, layer.BaseInfo{}, nil, layer.Config{Env: []string{"A=1", "=x", "B", "A=2"}})
	if fault.KindOf(err) != fault.Usage || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("not every wrong entry is reported: %v", err)
	}
}

// TestHistoryHasAnEntryForEachLayer: tools that pair the two refuse an image where the numbers differ.
func TestHistoryHasAnEntryForEachLayer(t *testing.T) {
	base := Base(t, false)
	plain := slices.Repeat([]v1.History{{Comment: "layer of the base image"}}, 3)
	full := config(t, base).History
	withEmpty := slices.Insert(slices.Clone(full), 1, v1.History{CreatedBy: "ENV A=1", EmptyLayer: true})
	for name, c := range map[string]struct{ history, want []v1.History }{
		"full":       {full, full},
		"with empty": {withEmpty, withEmpty},
		"none":       {nil, plain},
		"too few":    {full[:2], plain},
		"too many":   {append(slices.Clone(full), full[0]), plain},
	} {
		img, err := layer.Image(withConfig(t, base, func(f *v1.ConfigFile) { f.History = c.history }), layer.BaseInfo{},
			[]*layer.Layer{build(t, Cache(t), Project())}, layer.Config{})
		if err != nil {
			t.Fatal(err)
		}
		got := config(t, img).History
		if diff := cmp.Diff(c.want, got[:len(got)-1]); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
		if got[len(got)-1].CreatedBy != "vpk: project" {
			t.Errorf("%s: last entry is %+v", name, got[len(got)-1])
		}
	}
}

func TestLimitOfLayers(t *testing.T) {
	l := build(t, Cache(t), Project())
	for _, n := range []int{118, 119} {
		base, err := random.Image(16, int64(n))
		if err != nil {
			t.Fatal(err)
		}
		_, err = layer.Image(base, layer.BaseInfo{}, []*layer.Layer{l, l}, layer.Config{})
		if over := n+2 > layer.MaxLayers; (err != nil) != over || over && fault.KindOf(err) != fault.Base {
			t.Errorf("%d and 2 layers: %v", n, err)
		}
	}
}

func TestBrokenBaseIsRefused(t *testing.T) {
	base := Base(t, false)
	odd, err := mutate.Append(empty.Image, mutate.Addendum{Layer: build(t, Cache(t), Project()), MediaType: "application/x-odd"})
	if err != nil {
		t.Fatal(err)
	}
	for name, broken := range map[string]v1.Image{
		"fewer diff IDs": withConfig(t, base, func(f *v1.ConfigFile) { f.RootFS.DiffIDs = f.RootFS.DiffIDs[1:] }),
		"artifact":       mutate.ConfigMediaType(base, "application/vnd.cncf.helm.config.v1+json"),
		"odd layer":      odd,
	} {
		if _, err := layer.Image(broken, layer.BaseInfo{}, nil, layer.Config{}); fault.KindOf(err) != fault.Base {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLayersOfARemoteBaseStayMountable: a registry that holds the base need not get its layers again.
func TestLayersOfARemoteBaseStayMountable(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	ref, err := name.ParseReference(strings.TrimPrefix(server.URL, "http://") + "/base:latest")
	if err != nil {
		t.Fatal(err)
	}
	pushed := Base(t, true)
	if err := remote.Write(ref, pushed); err != nil {
		t.Fatal(err)
	}
	base, err := remote.Image(ref)
	if err != nil {
		t.Fatal(err)
	}
	img, err := layer.Image(base, BaseInfo(t, base), []*layer.Layer{build(t, Cache(t), Project())}, Config())
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(img); err != nil {
		t.Error(err)
	}
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	var from []string
	for _, l := range layers {
		m, ok := l.(*remote.MountableLayer)
		from = append(from, fmt.Sprint(ok && m.Reference == ref))
	}
	if diff := cmp.Diff([]string{"true", "true", "true", "false"}, from); diff != "" {
		t.Errorf("mountable layers -want +got:\n%s", diff)
	}
}

// TestDockerTypesAreMapped: types change, bytes and places do not; and what may not be distributed is not pushed.
func TestDockerTypesAreMapped(t *testing.T) {
	base := Base(t, true)
	layers, err := base.Layers()
	if err != nil {
		t.Fatal(err)
	}
	odd, err := mutate.Append(base,
		mutate.Addendum{Layer: layers[0], MediaType: types.DockerUncompressedLayer},
		mutate.Addendum{Layer: layers[0], MediaType: "application/vnd.docker.image.rootfs.diff.tar.zstd"},
		mutate.Addendum{Layer: foreign(t), MediaType: types.DockerForeignLayer, URLs: []string{"https://index.example/blob"}},
	)
	if err != nil {
		t.Fatal(err)
	}
	img, err := layer.Image(odd, layer.BaseInfo{}, nil, layer.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var got []types.MediaType
	for _, d := range manifest(t, img).Layers[3:] {
		got = append(got, d.MediaType)
	}
	if diff := cmp.Diff([]types.MediaType{types.OCIUncompressedLayer, types.OCILayerZStd, types.OCIRestrictedLayer}, got); diff != "" {
		t.Errorf("types -want +got:\n%s", diff)
	}
	last := manifest(t, img).Layers[5]
	if diff := cmp.Diff([]string{"https://index.example/blob"}, last.URLs); diff != "" {
		t.Errorf("URLs -want +got:\n%s", diff)
	}

	reg := newRegistry(t, nil)
	said := notes{Reporter: progress.Discard}
	res, err := layer.Deliver(t.Context(), layer.Registry{Transport: reg.transport}, layer.Artifact{Image: img, Names: names(t, reg.host+"/app:v1")}, &said)
	if err != nil {
		t.Fatal(err)
	}
	if len(said.lines) != 1 || !strings.Contains(said.lines[0], last.Digest.String()) || res.Skipped.Blobs != 1 {
		t.Errorf("notes %q, skipped %+v", said.lines, res.Skipped)
	}
}

// foreign is a layer that base images do not have.
func foreign(t *testing.T) v1.Layer {
	t.Helper()
	spec := Project()
	spec.Name = "foreign"
	return build(t, Cache(t), spec)
}

// notes keeps what a delivery says.
type notes struct {
	progress.Reporter
	lines []string
}

func (n *notes) Note(format string, args ...any) {
	n.lines = append(n.lines, fmt.Sprintf(format, args...))
}
