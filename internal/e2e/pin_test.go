package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/match"

	"vpk/internal/peer"
)

// setBase writes a base into [tool.vpk].
func setBase(t *testing.T, project, ref string) {
	t.Helper()
	edit(t, filepath.Join(project, "pyproject.toml"), "[tool.vpk]\n", "[tool.vpk]\nbase = \""+ref+"\"\n")
}

// checkPin pins the base of a project and checks what it changes, and then, when move has given the name to another image,
// that the project keeps its base and one that is not pinned gets the new one.
func checkPin(t *testing.T, u *user, ref string, move func()) {
	t.Helper()
	pinned, loose := u.example(fastapiDemo), u.example(fastapiDemo)
	setBase(t, pinned, ref)
	setBase(t, loose, ref)
	before := u.pack(loose, "-o", "oci:"+u.path("before"))
	manifest := filepath.Join(pinned, "pyproject.toml")
	text := readFile(t, manifest)
	pin := u.does("base", "pin", pinned)
	if want := ref + "@" + before.Base.Digest; pin != want {
		t.Errorf("pinned to %q, want %q", pin, want)
	}
	if got, want := readFile(t, manifest), strings.Replace(text, ref, pin, 1); got != want {
		t.Errorf("pyproject.toml is\n%s\nwant\n%s", got, want)
	}
	if again := u.does("base", "pin", pinned); again != pin {
		t.Errorf("pinned again to %q", again)
	}

	move()
	// Not the same image: pyproject.toml is in it.
	if r := u.pack(pinned, "-o", "oci:"+u.path("pinned")); r.Base.Digest != before.Base.Digest || r.layer("dependencies") != before.layer("dependencies") {
		t.Errorf("pinned, the base is %s, it was %s", r.Base.Digest, before.Base.Digest)
	}
	after := u.pack(loose, "-o", "oci:"+u.path("after"))
	if after.Base.Digest == before.Base.Digest {
		t.Error("the base did not move: the test shows nothing")
	}
	if again := u.does("base", "pin", pinned); again != ref+"@"+after.Base.Digest {
		t.Errorf("a new pin is %q", again)
	}
}

func TestPinOfARegistry(t *testing.T) {
	t.Parallel()
	u, reg, crane := warmUser(t), newRegistry(t), peer.Tool(t, "crane")
	ref := reg.host + "/base/python3:nonroot"
	tool(t, nil, crane, "push", peer.Base(t, base12), ref)
	checkPin(t, u, ref, func() { tool(t, nil, crane, "push", peer.Base(t, base12Debug), ref) })

	// What is not pinned is said, with the command that pins.
	project := u.example(fastapiDemo)
	setBase(t, project, ref)
	r := u.vpk("pack", project, "-o", "dir:"+u.path("loose"))
	if r.code != 0 || !strings.Contains(r.stderr, "vpk base pin") {
		t.Errorf("exit code %d, stderr:\n%s", r.code, r.stderr)
	}
	u.does("base", "pin", project)
	if r := u.vpk("pack", project, "-o", "dir:"+u.path("fixed")); r.code != 0 || strings.Contains(r.stderr, "vpk base pin") {
		t.Errorf("pinned: exit code %d, stderr:\n%s", r.code, r.stderr)
	}
}

func TestPinOfALayout(t *testing.T) {
	t.Parallel()
	u := warmUser(t)
	dir := u.path("bases")
	if err := os.CopyFS(dir, os.DirFS(peer.Base(t, base12))); err != nil {
		t.Fatal(err)
	}
	checkPin(t, u, "oci:../bases:nonroot", func() {
		other, err := layout.ImageIndexFromPath(peer.Base(t, base12Debug))
		if err != nil {
			t.Fatal(err)
		}
		index, err := other.IndexManifest()
		if err != nil {
			t.Fatal(err)
		}
		img, err := other.Image(index.Manifests[0].Digest)
		if err != nil {
			t.Fatal(err)
		}
		p, err := layout.FromPath(dir)
		if err != nil {
			t.Fatal(err)
		}
		const name = "org.opencontainers.image.ref.name"
		if err := p.ReplaceImage(img, match.Annotation(name, "nonroot"), layout.WithAnnotations(map[string]string{name: "nonroot"})); err != nil {
			t.Fatal(err)
		}
	})
}
