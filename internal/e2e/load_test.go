package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// inspected is what `docker inspect` says of an image or a container.
type inspected struct {
	ID       string `json:"Id"`
	RepoTags []string
	Config   struct {
		User         string
		WorkingDir   string
		Env          []string
		Entrypoint   []string
		Cmd          []string
		ExposedPorts map[string]struct{}
		Labels       map[string]string
	}
}

const identity = "import os, sys; print(os.getuid(), os.getgid(), os.getcwd(), sys.prefix, sys.flags.dont_write_bytecode)"

func TestDockerRunsTheExample(t *testing.T) {
	t.Parallel()
	d, u := needDocker(t), warmUser(t)
	tag, image := d.tag(), base(t, base12)
	r := u.pack(u.example(fastapiDemo), "--base", image, "-t", tag, "--load", "-o", "oci:"+u.path("image"), "-o", "docker-archive:"+u.path("image.tar"))

	c := d.run(tag)
	c.probe()
	if got, want := c.does("exec", c.name, "/app/.venv/bin/python", "-c", identity), "65532 65532 /app /app/.venv 1"; got != want {
		t.Errorf("inside it is %q, want %q", got, want)
	}
	if out, err := try(t, nil, d.path, "exec", c.name, "/bin/sh", "-c", "exit"); err == nil {
		t.Error("the image has a shell: ", out)
	}
	var got inspected
	d.inspect("container", c.name, &got)
	config := configOf(t, imageIn(t, u.path("image"), r.Digest))
	if got.Config.User != "65532:65532" {
		t.Errorf("user %q", got.Config.User)
	}
	if diff := cmp.Diff(map[string]struct{}{"8000/tcp": {}}, got.Config.ExposedPorts); diff != "" {
		t.Errorf("ports: -want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"/app/.venv/bin/uvicorn", "app:app", "--host", "0.0.0.0", "--port", "8000"}, got.Config.Cmd); diff != "" || len(got.Config.Entrypoint) > 0 {
		t.Errorf("entrypoint %q, cmd: -want +got:\n%s", got.Config.Entrypoint, diff)
	}
	for _, want := range []string{"PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1", "LANG=C.UTF-8"} {
		if !slices.Contains(got.Config.Env, want) {
			t.Errorf("environment %q lacks %q", got.Config.Env, want)
		}
	}
	if written := d.does("diff", c.name); written != "" {
		t.Errorf("the service wrote into its image:\n%s", written)
	}
	// uvicorn ends by itself when it is told to.
	d.does("stop", "--time", "30", c.name)
	if code := d.does("inspect", "--format", "{{.State.ExitCode}}", c.name); code != "0" {
		t.Errorf("stopped with exit code %s", code)
	}

	var img inspected
	d.inspect("image", tag, &img)
	if !slices.Contains(img.RepoTags, tag) { // a demo may have left the same image under its own
		t.Errorf("tags %q", img.RepoTags)
	}
	if diff := cmp.Diff(config.Config.Labels, img.Config.Labels); diff != "" || img.Config.Labels["org.opencontainers.image.base.digest"] != r.Base.Digest {
		t.Errorf("labels: -want +got:\n%s", diff)
	}
	checkHistory(t, d.does("history", "--no-trunc", "--format", "{{.CreatedBy}}", tag), config)

	// The same image by way of a file.
	d.does("image", "rm", "--force", tag)
	if said := d.does("load", "--input", u.path("image.tar")); !strings.Contains(said, "Loaded image: "+tag) {
		t.Errorf("docker load says %q", said)
	}
	var loaded inspected
	d.inspect("image", tag, &loaded)
	if loaded.ID != img.ID {
		t.Errorf("loaded from a file it is %s, else %s", loaded.ID, img.ID)
	}
	if out := d.once(tag, "/app/.venv/bin/python", "-c", "import uvicorn, app; print(app.app.title)"); out != "Distroless Demo" {
		t.Errorf("it says %q", out)
	}
}

// checkHistory compares what Docker shows, newest first, with the config's: ours on top of the base's.
func checkHistory(t *testing.T, shown string, config *v1.ConfigFile) {
	t.Helper()
	lines := strings.Split(shown, "\n")
	if len(lines) != len(config.History) || len(lines) != len(config.RootFS.DiffIDs) {
		t.Fatalf("%d entries of history shown, %d in the config, of %d layers", len(lines), len(config.History), len(config.RootFS.DiffIDs))
	}
	if lines[0] != "vpk: app" || !strings.HasPrefix(lines[1], "vpk: dependencies: environment, annotated-doc ") {
		t.Errorf("the newest layers are %q", lines[:2])
	}
	for i, h := range config.History {
		if lines[len(lines)-1-i] != h.CreatedBy {
			t.Errorf("history %d is %q, shown as %q", i, h.CreatedBy, lines[len(lines)-1-i])
		}
	}
}

func TestDockerRunsHypercorn(t *testing.T) {
	t.Parallel()
	d, u := needDocker(t), warmUser(t)
	tag := d.tag()
	r := u.pack(u.example(hypercornDemo), "--base", base(t, base12), "-t", tag, "--load")
	if len(r.Bytecode.Failures) > 0 {
		t.Errorf("no bytecode for %v", r.Bytecode.Failures)
	}
	c := d.run(tag)
	c.probe()
}
