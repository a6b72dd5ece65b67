package layer_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vpk/internal/peer"
	"vpk/layer"
	"vpk/venv/tree"
)

// tool runs another program on what vpk wrote.
func tool(t *testing.T, path string, args ...string) string {
	t.Helper()
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "TMPDIR="+t.TempDir())
	return peer.Output(t, cmd)
}

func TestSkopeoReadsEveryForm(t *testing.T) {
	skopeo := peer.Tool(t, "skopeo")
	img, _ := Image(t, Cache(t), true)
	digest, _ := img.Digest()
	dir := t.TempDir()
	a := layer.Artifact{Image: img, Names: names(t, "app:v1")}
	deliver(t, layer.Layout{Dir: dir + "/layout"}, a)
	deliver(t, layer.OCIArchive{File: dir + "/oci.tar"}, a)
	deliver(t, layer.DockerArchive{File: dir + "/docker.tar"}, a)
	reg := newRegistry(t, nil)
	deliver(t, layer.Registry{Transport: reg.transport}, layer.Artifact{Image: img, Names: names(t, reg.host+"/app:v1")})

	for _, ref := range []string{
		"oci:" + dir + "/layout:v1", "oci-archive:" + dir + "/oci.tar:v1", "oci-archive:" + dir + "/docker.tar:v1",
		"docker-archive:" + dir + "/docker.tar:docker.io/library/app:v1", "docker://" + reg.host + "/app:v1",
	} {
		var got struct {
			Digest string
			Labels map[string]string
			Layers []string
		}
		out := tool(t, skopeo, "inspect", "--tls-verify=false", "--no-tags", ref)
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			t.Fatal(err)
		}
		if got.Labels["mine"] != "<yes & no>" || len(got.Layers) != 5 {
			t.Errorf("%s: %s", ref, out)
		}
		if !strings.HasPrefix(ref, "docker-archive:") && got.Digest != digest.String() {
			t.Errorf("%s: digest %s, want %s", ref, got.Digest, digest)
		}
		// A copy reads and checks every layer.
		copied := t.TempDir()
		tool(t, skopeo, "copy", "--quiet", "--src-tls-verify=false", "--insecure-policy", ref, "dir:"+copied)
		if m, err := os.ReadFile(filepath.Join(copied, "manifest.json")); err != nil || !json.Valid(m) {
			t.Errorf("%s: copied manifest %s, %v", ref, m, err)
		}
	}
}

func TestUmociUnpacks(t *testing.T) {
	umoci := peer.Tool(t, "umoci")
	img, all := Image(t, Cache(t), false)
	dir := t.TempDir()
	deliver(t, layer.Layout{Dir: dir + "/layout", Tag: "v1"}, layer.Artifact{Image: img})
	tool(t, umoci, "unpack", "--rootless", "--image", dir+"/layout:v1", dir+"/bundle")

	want := map[string]string{}
	for _, p := range all.Parts {
		for _, e := range p.Entries {
			switch e.Kind {
			case tree.File:
				want[e.Path] = fmt.Sprintf("%o %s", e.Mode, e.Content.Digest())
			case tree.Link:
				want[e.Path] = "-> " + e.Target
			}
		}
	}
	got := map[string]string{}
	root := dir + "/bundle/rootfs"
	err := filepath.WalkDir(root+"/app", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel := strings.TrimPrefix(path, root+"/")
		if d.Type() == fs.ModeSymlink {
			to, err := os.Readlink(path)
			got[rel] = "-> " + to
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		got[rel] = fmt.Sprintf("%o %s", info.Mode().Perm(), tree.Bytes(data).Digest())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if _, err := os.Stat(root + "/etc/os-release"); err != nil {
		t.Error("the base is missing: ", err)
	}
}
