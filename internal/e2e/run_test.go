package e2e

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"vpk/internal/peer"
)

// needSandbox asks for a container that can run images, and not only compile.
func (u *user) needSandbox(image string) {
	u.t.Helper()
	if r := u.vpk("run", image, "--", "/app/.venv/bin/python", "-c", ""); r.code == sandboxFault {
		peer.Missing(u.t, "no sandbox to run images in: %s", r.stderr)
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	project, image := u.example(fastapiDemo), base(t, base12)
	// The host's network is shared: each server has a port of its own.
	port := freePort(t)
	edit(t, filepath.Join(project, "pyproject.toml"), `"0.0.0.0", "--port", "8000"`, fmt.Sprintf(`"127.0.0.1", "--port", "%s"`, port))
	u.pack(project, "--base", image, "-o", "oci:"+u.path("image"), "-o", "oci-archive:"+u.path("image.tar"), "-o", "docker-archive:"+u.path("docker.tar"))
	u.needSandbox("oci:" + u.path("image"))
	for _, c := range []struct {
		name string
		args []string
		end  func(*process)
	}{
		{"layout", []string{"oci:" + u.path("image")}, func(p *process) { p.signal(syscall.SIGTERM) }},
		{"archive", []string{"oci-archive:" + u.path("image.tar")}, func(p *process) { p.signalGroup(syscall.SIGINT) }},
		{"docker archive", []string{"docker-archive:" + u.path("docker.tar")}, func(p *process) { p.signal(syscall.SIGINT) }},
		{"project", []string{project, "--base", image}, func(p *process) { p.signalGroup(syscall.SIGTERM) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := *u
			u.t = t
			p := u.start(append([]string{"run"}, c.args...)...)
			ended := make(chan result, 1)
			go func() { ended <- p.wait() }()
			probe(t, "127.0.0.1:"+port, func() error {
				select {
				case r := <-ended:
					ended <- r
					return fmt.Errorf("vpk run ended: %d\n%s%s", r.code, r.stdout, r.stderr)
				default:
					return nil
				}
			})
			c.end(p)
			if r := <-ended; r.code != interrupted {
				t.Errorf("exit code %d, want %d\n%s", r.code, interrupted, r.stderr)
			}
			if _, err := get("http://127.0.0.1:" + port); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("afterwards the port says %v", err)
			}
			u.leavesNothing()
		})
	}
}

func TestRunOfAnotherCommand(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.pack(u.example(fastapiDemo), "--base", base(t, base12), "-o", "oci:"+u.path("image"))
	image := "oci:" + u.path("image")
	u.needSandbox(image)
	if out := u.does("run", image, "--", "python", "-c", identity); out != "65532 65532 /app /app/.venv 1" {
		t.Errorf("inside it is %q", out)
	}
	const script = `
import os, sys
for place in "/app", "/app/.venv", "/usr/bin", "/etc":
    try:
        open(place + "/written", "w")
        print("written to", place)
    except OSError:
        pass
open("/tmp/written", "w").close()
print(os.environ["GREETING"], os.listdir("/tmp"), sys.stdin.read())
sys.exit(7)
`
	r := u.vpk("run", image, "-e", "GREETING=hello", "--", "python", "-c", script)
	if r.code != 7 || strings.TrimSpace(r.stdout) != "hello ['written']" {
		t.Errorf("exit code %d, stdout %q, stderr %q", r.code, r.stdout, r.stderr)
	}
	u.leavesNothing()
}
