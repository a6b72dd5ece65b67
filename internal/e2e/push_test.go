package e2e

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"vpk/internal/peer"
)

// blobs are the digests of an image's config and layers, split where vpk's own begin.
func blobs(t *testing.T, img v1.Image) (base, own []string) {
	t.Helper()
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	from := ownLayers(t, img)
	for i, l := range m.Layers {
		if i < from {
			base = append(base, l.Digest.String())
		} else {
			own = append(own, l.Digest.String())
		}
	}
	own = append(own, m.Config.Digest.String())
	slices.Sort(base)
	slices.Sort(own)
	return slices.Compact(base), own // trixie has one layer twice
}

func sorted(list ...string) []string { return slices.Compact(slices.Sorted(slices.Values(list))) }

func TestPushSendsWhatIsMissing(t *testing.T) {
	t.Parallel()
	u, reg := warmUser(t), newRegistry(t)
	project, ref := u.example(fastapiDemo), reg.host+"/team/demo:1"
	push := func() (report, account) {
		r := u.pack(project, "--base", base(t, base12), "-t", ref, "--push", "-o", "oci:"+u.path("image"))
		return r, reg.settle()
	}
	first, a := push()
	fromBase, own := blobs(t, imageIn(t, u.path("image"), first.Digest))
	if diff := cmp.Diff(sorted(append(fromBase, own...)...), sorted(a.sent...)); diff != "" || len(a.sent) != len(fromBase)+len(own) || a.manifests != 1 {
		t.Errorf("first push: %d blobs, %d manifests; -want +got:\n%s", len(a.sent), a.manifests, diff)
	}
	if want := reg.host + "/team/demo@" + first.Digest; first.Reference != want {
		t.Errorf("reference %s, want %s", first.Reference, want)
	}
	tool(t, nil, peer.Tool(t, "crane"), "validate", "--remote", first.Reference)
	reg.settle()

	second, a := push()
	if len(a.sent) > 0 || len(a.mounted) > 0 || second.Digest != first.Digest {
		t.Errorf("second push: sent %q, mounted %q, digest %s", a.sent, a.mounted, second.Digest)
	}

	edit(t, filepath.Join(project, "app.py"), "Distroless Demo", "Another Demo")
	third, a := push()
	_, changed := blobs(t, imageIn(t, u.path("image"), third.Digest))
	changed = slices.DeleteFunc(changed, func(digest string) bool { return slices.Contains(own, digest) })
	if diff := cmp.Diff(changed, sorted(a.sent...)); diff != "" || len(a.sent) != 2 || a.manifests != 1 {
		t.Errorf("third push, of another app.py: %d manifests, -want +got:\n%s", a.manifests, diff)
	}
	if third.layer("dependencies") != first.layer("dependencies") || third.layer("app") == first.layer("app") {
		t.Error("another app.py changes the wrong layer")
	}
}

func TestPushMountsTheBase(t *testing.T) {
	t.Parallel()
	u, reg := newUser(t), newRegistry(t)
	crane, project := peer.Tool(t, "crane"), u.example(fastapiDemo)
	tool(t, nil, crane, "push", peer.Base(t, base12), reg.host+"/base/python3:nonroot")
	reg.settle()
	args := []string{project, "--base", reg.host + "/base/python3:nonroot"}
	pushed := u.pack(append(args, "-t", reg.host+"/team/demo:1", "--push")...)
	a := reg.settle()

	// Its layers are read, to compile; the same ones then serve for a layout.
	r := u.pack(append(args, "-o", "oci:"+u.path("image"))...)
	if r.Digest != pushed.Digest {
		t.Errorf("digest %s in the layout, %s in the registry", r.Digest, pushed.Digest)
	}
	if again := reg.settle(); len(again.read) > 0 {
		t.Errorf("read a second time: %q", again.read)
	}
	fromBase, own := blobs(t, imageIn(t, u.path("image"), r.Digest))
	if diff := cmp.Diff(fromBase, sorted(a.mounted...)); diff != "" {
		t.Errorf("mounted: -want +got:\n%s", diff)
	}
	if diff := cmp.Diff(own, sorted(a.sent...)); diff != "" {
		t.Errorf("sent: -want +got:\n%s", diff)
	}
	tool(t, nil, crane, "validate", "--remote", pushed.Reference)
	config := configOf(t, imageIn(t, u.path("image"), r.Digest)).Config
	if got := config.Labels["org.opencontainers.image.base.name"]; got != reg.host+"/base/python3:nonroot" {
		t.Errorf("the base's name is %q", got)
	}

	// And with the registry gone, all that is needed is there.
	reg.Close()
	offline := u.pack(append(args, "-o", "oci:"+u.path("offline"), "--offline")...)
	if offline.Digest != r.Digest {
		t.Errorf("offline the digest is %s, else %s", offline.Digest, r.Digest)
	}
	if got := u.vpk(append([]string{"pack", "-t", reg.host + "/team/demo:1", "--push"}, args...)...); got.code == 0 {
		t.Error("pushed to a registry that is gone")
	}
}

// login writes a configuration of Docker's with credentials for a registry.
func (u *user) login(host, name, password string) {
	dir := u.path("docker-" + name)
	u.env["DOCKER_CONFIG"] = dir
	config, err := json.Marshal(map[string]any{"auths": map[string]any{
		host: map[string]string{"auth": base64.StdEncoding.EncodeToString([]byte(name + ":" + password))},
	}})
	if err != nil {
		u.t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		u.t.Fatal(err)
	}
	writeFile(u.t, filepath.Join(dir, "config.json"), string(config))
}

func TestPushWithCredentials(t *testing.T) {
	t.Parallel()
	u, reg := warmUser(t), newRegistry(t)
	const password, wrong = "Geheim-4711", "Falsch-0815"
	reg.require("robot", password)
	project := u.example(fastapiDemo)
	push := func(args ...string) result {
		return u.vpk(append([]string{"pack", project, "--base", base(t, base12), "-t", reg.host + "/team/demo:1", "--push"}, args...)...)
	}
	check := func(what string, r result, code int) {
		t.Helper()
		if r.code != code {
			t.Errorf("%s: exit code %d, want %d\n%s", what, r.code, code, r.stderr)
		}
		for _, secret := range []string{password, wrong} {
			for _, form := range []string{secret, base64.StdEncoding.EncodeToString([]byte("robot:" + secret)), base64.StdEncoding.EncodeToString([]byte("stranger:" + secret))} {
				if strings.Contains(r.stdout+r.stderr, form) {
					t.Errorf("%s: the output has a secret:\n%s%s", what, r.stdout, r.stderr)
				}
			}
		}
	}
	r := push("-v")
	check("without credentials", r, deliveryFault)
	if !strings.Contains(r.stderr, "docker login "+reg.host) {
		t.Errorf("without credentials the hint is missing:\n%s", r.stderr)
	}
	u.login(reg.host, "stranger", wrong)
	check("with wrong credentials", push("-v", "--json"), deliveryFault)
	if a := reg.settle(); len(a.sent) > 0 || a.manifests > 0 || a.refused == 0 {
		t.Errorf("before the right credentials the registry had %+v", a)
	}
	u.login(reg.host, "robot", password)
	check("with credentials", push("-v"), 0)
	if a := reg.settle(); len(a.sent) == 0 || a.manifests != 1 {
		t.Errorf("with credentials the registry got %d blobs and %d manifests", len(a.sent), a.manifests)
	}
	check("again", push("--json"), 0)

	// The base of the next project is behind the same door.
	args := []string{"pack", project, "--base", reg.host + "/team/demo:1", "-o", "dir:" + u.path("files"), "-v"}
	check("base with credentials", u.vpk(args...), 0)
	u.login(reg.host, "stranger", wrong)
	if r := u.vpk(append(args, "--cache-dir", u.path("other"))...); r.code == 0 {
		t.Error("the base was read with wrong credentials")
	} else {
		check("base with wrong credentials", r, r.code)
		t.Logf("base with wrong credentials: exit code %d\n%s", r.code, r.stderr)
	}
}
