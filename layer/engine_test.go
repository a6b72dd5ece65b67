package layer_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"vpk/internal/fault"
	"vpk/internal/peer"
	"vpk/internal/progress"
	"vpk/layer"
	"vpk/venv/tree"
)

func TestEngineFaults(t *testing.T) {
	img, _ := Image(t, Cache(t), false)
	for name, c := range map[string]struct{ commands, want string }{
		"fails at once":    {"echo 'cannot connect to the daemon' >&2\nexit 1", "cannot connect to the daemon"},
		"fails at last":    {"cat > /dev/null\necho 'no space left on device' >&2\nexit 3", "no space left on device"},
		"reads too little": {"head -c 1000 > /dev/null", "broken pipe"},
	} {
		_, err := layer.Deliver(t.Context(), layer.Daemon{Engine: script(t, t.TempDir(), c.commands)}, layer.Artifact{Image: img}, progress.Discard)
		if fault.KindOf(err) != fault.Delivery || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: kind %d, %v, want %q", name, fault.KindOf(err), err, c.want)
		}
	}
	_, err := layer.Deliver(t.Context(), layer.Daemon{Engine: "no-such-engine"}, layer.Artifact{Image: img}, progress.Discard)
	if fault.KindOf(err) != fault.Delivery || !strings.Contains(err.Error(), "no-such-engine") {
		t.Errorf("kind %d, %v", fault.KindOf(err), err)
	}
	t.Setenv("PATH", t.TempDir())
	_, err = layer.Deliver(t.Context(), layer.Daemon{}, layer.Artifact{Image: img}, progress.Discard)
	if fault.KindOf(err) != fault.Delivery || !strings.Contains(err.Error(), "docker, podman, nerdctl") {
		t.Errorf("kind %d, %v", fault.KindOf(err), err)
	}
}

func TestEngineIsFoundInPath(t *testing.T) {
	dir := t.TempDir()
	if err := os.Rename(script(t, dir, "/bin/cat > /dev/null\necho 'Loaded image: docker.io/library/app:v1'"), filepath.Join(dir, "podman")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	img, _ := Image(t, Cache(t), false)
	got := deliver(t, layer.Daemon{}, layer.Artifact{Image: img, Names: names(t, "app:v1")})
	if got.Target != "docker.io/library/app:v1" || got.Sent.Blobs != 6 {
		t.Errorf("%+v", got)
	}
}

func TestHangingEngineIsStopped(t *testing.T) {
	img, _ := Image(t, Cache(t), false)
	dir := t.TempDir()
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("interrupted")
	engine := script(t, dir, "echo > started\nsleep 1000")
	go func() {
		for {
			if _, err := os.Stat(filepath.Join(dir, "started")); err == nil {
				cancel(cause)
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	if _, err := layer.Deliver(ctx, layer.Daemon{Engine: engine}, layer.Artifact{Image: img}, progress.Discard); !errors.Is(err, cause) {
		t.Errorf("err = %v", err)
	}
}

// TestDockerLoads needs an engine: the image must load, show its history, and run.
func TestDockerLoads(t *testing.T) {
	docker := peer.Docker(t)
	dir := t.TempDir()
	source := filepath.Join(dir, "hello.go")
	const program = "package main\nimport (\"fmt\"; \"os\")\nfunc main() { wd, _ := os.Getwd(); fmt.Println(\"hello as\", os.Getuid(), \"in\", wd, os.Args[1:]) }\n"
	if err := os.WriteFile(source, []byte(program), 0o644); err != nil {
		t.Fatal(err)
	}
	compile := exec.Command("go", "build", "-o", filepath.Join(dir, "hello"), source)
	compile.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	binary, err := os.ReadFile(filepath.Join(dir, "hello"))
	if err != nil {
		t.Fatal(err)
	}

	cache := Cache(t)
	base, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: runtime.GOARCH, RootFS: v1.RootFS{Type: "layers"}})
	if err != nil {
		t.Fatal(err)
	}
	spec := Project()
	spec.Parts = []tree.Part{Part("program", File("app/hello", binary, true))}
	config := Config()
	config.Cmd = []string{"/app/hello", "one", "two"}
	run := func(args ...string) string {
		t.Helper()
		return peer.Output(t, exec.Command(docker, args...))
	}
	var img v1.Image
	tag := fmt.Sprintf("vpk-test/hello:%d", os.Getpid())
	for _, how := range []string{"none", "zstd", "gzip"} {
		dependencies := compressed(t, how)
		spec.Compression = dependencies.Compression
		if img, err = layer.Image(base, layer.BaseInfo{}, []*layer.Layer{build(t, cache, dependencies), build(t, cache, spec)}, config); err != nil {
			t.Fatal(err)
		}
		got := deliver(t, layer.Daemon{Engine: docker}, layer.Artifact{Image: img, Names: names(t, tag)})
		if got.Target != tag {
			t.Errorf("%s: target is %q, want %q", how, got.Target, tag)
		}
		if out := run("run", "--rm", "--read-only", "--network=none", tag); out != "hello as 65532 in /app [one two]\n" {
			t.Errorf("%s: the image says %q", how, out)
		}
		if out := run("history", "--format={{.CreatedBy}}", "--no-trunc", tag); out != "vpk: project\nvpk: dependencies\n" {
			t.Errorf("%s: its history is %q", how, out)
		}
	}
	defer run("rmi", "--force", tag)

	untagged := deliver(t, layer.Daemon{Engine: docker}, layer.Artifact{Image: img})
	if id := strings.TrimSpace(run("image", "inspect", "--format={{.Id}}", tag)); untagged.Target != id {
		t.Errorf("without a name the target is %q, want %q", untagged.Target, id)
	}
}
