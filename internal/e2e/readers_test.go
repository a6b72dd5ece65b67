package e2e

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vpk/internal/peer"
)

// packed is the example in every form of file.
type packed struct {
	report
	layout, ociArchive, dockerArchive, files string
}

const packedName = "registry.example/team/demo:1"

func packEveryForm(u *user) packed {
	p := packed{
		layout: u.path("image"), ociArchive: u.path("oci.tar"), dockerArchive: u.path("docker.tar"), files: u.path("files"),
	}
	p.report = u.pack(u.example(fastapiDemo), "--base", base(u.t, base12), "-t", packedName,
		"-o", "oci:"+p.layout, "-o", "oci-archive:"+p.ociArchive, "-o", "docker-archive:"+p.dockerArchive, "-o", "dir:"+p.files)
	return p
}

func TestSkopeoReads(t *testing.T) {
	t.Parallel()
	skopeo, u := peer.Tool(t, "skopeo"), warmUser(t)
	p := packEveryForm(u)
	for _, ref := range []string{
		"oci:" + p.layout + ":1", "oci-archive:" + p.ociArchive + ":1", "docker-archive:" + p.dockerArchive + ":" + packedName,
	} {
		var got struct {
			Digest, Architecture, Os string
			Labels                   map[string]string
			Layers, Env              []string
		}
		out := tool(t, nil, skopeo, "inspect", "--no-tags", ref)
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			t.Fatal(err)
		}
		// Out of a docker-archive skopeo makes a manifest of its own.
		if !strings.HasPrefix(ref, "docker-archive:") && got.Digest != p.Digest {
			t.Errorf("%s: digest %s, want %s", ref, got.Digest, p.Digest)
		}
		if got.Labels["org.opencontainers.image.base.digest"] != p.Base.Digest || got.Os+"/"+got.Architecture != p.Platform {
			t.Errorf("%s: %s", ref, out)
		}
		// A copy reads every layer and checks its digest.
		copied := u.path("copy")
		tool(t, nil, skopeo, "copy", "--quiet", "--insecure-policy", "--preserve-digests", ref, "dir:"+copied)
		if err := os.RemoveAll(copied); err != nil {
			t.Fatal(err)
		}
	}
	if os.Getuid() != 0 {
		return // those above were such already
	}
	// It unpacks this form, and may not give the files away to anybody when it does.
	home := u.path("nobody")
	if err := errors.Join(os.Mkdir(home, 0o755), os.Chown(home, nobody, nobody)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), skopeo, "inspect", "--no-tags", "oci-archive:"+p.ociArchive+":1")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + home}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("skopeo as an unprivileged user: %v\n%s", err, out)
	}
}

// TestUmociUnpacks compares what another unpacker makes of the layers with the files as vpk writes them itself.
func TestUmociUnpacks(t *testing.T) {
	t.Parallel()
	umoci, u := peer.Tool(t, "umoci"), warmUser(t)
	p := packEveryForm(u)
	args := []string{"unpack", "--image", p.layout + ":1", u.path("bundle")}
	if os.Getuid() != 0 {
		args = append(args, "--rootless")
	}
	tool(t, nil, umoci, args...)
	app := u.path("bundle", "rootfs", "app")
	got, want := readTree(t, app), readTree(t, filepath.Join(p.files, "app"))
	if diff := cmp.Diff(want, got); diff != "" || len(want) < 1000 {
		t.Errorf("%d paths, -want +got:\n%s", len(want), diff)
	}
	if os.Getuid() != 0 {
		return
	}
	err := filepath.WalkDir(app, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if s := info.Sys().(*syscall.Stat_t); s.Uid != 65532 || s.Gid != 65532 || info.ModTime().Unix() != 315532800 {
			t.Errorf("%s belongs to %d:%d and is of %v", path, s.Uid, s.Gid, info.ModTime())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestCraneValidates(t *testing.T) {
	t.Parallel()
	crane, u := peer.Tool(t, "crane"), warmUser(t)
	p := packEveryForm(u)
	tool(t, nil, crane, "validate", "--tarball", p.dockerArchive)
	reg := newRegistry(t)
	ref := reg.host + "/team/demo:1"
	tool(t, nil, crane, "push", p.layout, ref)
	tool(t, nil, crane, "validate", "--remote", ref)
	if digest := tool(t, nil, crane, "digest", ref); digest != p.Digest {
		t.Errorf("the digest in the registry is %s, want %s", digest, p.Digest)
	}
}

// pythonReads walks through a docker-archive and prints the files of the layers that vpk added.
const pythonReads = `
import hashlib, json, sys, tarfile
with tarfile.open(sys.argv[1]) as outer:
    [image] = json.load(outer.extractfile("manifest.json"))
    assert image["RepoTags"] == [sys.argv[2]], image
    config = json.load(outer.extractfile(image["Config"]))
    found = {}
    made = [h["created_by"] for h in config["history"] if not h.get("empty_layer")]
    for name, by in zip(image["Layers"], made, strict=True):
        own, owner, top, parents = by.startswith("vpk: "), 65532, "app", {""}
        if "standard library" in by:
            owner, top = 0, "usr"
        with tarfile.open(fileobj=outer.extractfile(name)) as layer:
            for m in layer:
                content = layer.extractfile(m).read() if m.isreg() else b""
                if not own:
                    continue
                assert m.name.startswith(top) and m.name.rpartition("/")[0] in parents, m.name
                if m.isdir():
                    parents.add(m.name)
                    if top == "usr":
                        continue # as the base has it
                assert (m.uid, m.gid, m.uname, m.gname, m.mtime) == (owner, owner, "", "", 315532800), m.get_info()
                if m.isdir():
                    continue
                if m.issym():
                    found[m.name] = "link " + m.linkname
                else:
                    assert m.isreg(), m.name
                    found[m.name] = "file %o %s" % (m.mode, hashlib.sha256(content).hexdigest())
print(json.dumps(found))
`

func TestPythonReads(t *testing.T) {
	t.Parallel()
	python, u := peer.Python(t), warmUser(t)
	p := packEveryForm(u)
	got := tree{}
	out := tool(t, nil, python, "-I", "-X", "utf8", "-c", pythonReads, p.dockerArchive, packedName)
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	want := readTree(t, p.files)
	for name := range want {
		if strings.HasSuffix(name, "/") {
			delete(want, name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
