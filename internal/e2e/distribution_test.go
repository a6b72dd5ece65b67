package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"vpk/internal/peer"
)

// distribution is the registry that most registries are made of, with its access log.
type distribution struct {
	host string
	log  lockedBuffer
	read int // of the log, by settle
}

func newDistribution(t *testing.T) *distribution {
	t.Helper()
	path := os.Getenv("VPK_TEST_REGISTRY")
	if path == "" {
		var err error
		// No more than an addition to the registry of the other tests: its absence is no failure.
		if path, err = exec.LookPath("docker-registry"); err != nil {
			t.Skip("NOT TESTED: no docker-registry in PATH, and VPK_TEST_REGISTRY is not set")
		}
	}
	dir := scratch(t)
	d := &distribution{host: "127.0.0.1:" + freePort(t)}
	writeFile(t, filepath.Join(dir, "config.yml"), fmt.Sprintf(`version: 0.1
storage: {filesystem: {rootdirectory: %q}}
http: {addr: %q}
`, dir, d.host))
	cmd := exec.Command(path, "serve", filepath.Join(dir, "config.yml"))
	cmd.Stdout, cmd.Stderr = &d.log, &d.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	err := waitFor(30*time.Second, func() error {
		answer, err := http.Get("http://" + d.host + "/v2/")
		if err != nil {
			return err
		}
		return answer.Body.Close()
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, d.log.String())
	}
	return d
}

// Lines of the combined log format.
var (
	uploadPattern   = regexp.MustCompile(`"PUT /v2/\S+/blobs/uploads/\S+ HTTP/1.1" 201`)
	mountPattern    = regexp.MustCompile(`"POST /v2/\S+/blobs/uploads/\?\S*mount=\S+ HTTP/1.1" 201`)
	manifestPattern = regexp.MustCompile(`"PUT /v2/\S+/manifests/\S+ HTTP/1.1" 201`)
)

// settle counts what came since the last time.
func (d *distribution) settle() (sent, mounted, manifests int) {
	text := d.log.String()
	text, d.read = text[d.read:], len(text)
	count := func(p *regexp.Regexp) int { return len(p.FindAllString(text, -1)) }
	return count(uploadPattern), count(mountPattern), count(manifestPattern)
}

func TestPushToDistribution(t *testing.T) {
	t.Parallel()
	d, u, crane := newDistribution(t), warmUser(t), peer.Tool(t, "crane")
	project, ref := u.example(fastapiDemo), d.host+"/team/demo:1"
	check := func(what string, r report, sent, mounted int) {
		t.Helper()
		s, m, manifests := d.settle()
		if s != sent || m != mounted || manifests > 1 {
			t.Errorf("%s: sent %d, mounted %d, want %d, %d; %d manifests\n%s", what, s, m, sent, mounted, manifests, strings.Join(r.Deliveries, "\n"))
		}
		tool(t, nil, crane, "validate", "--remote", r.Reference)
		d.settle()
	}
	first := u.pack(project, "--base", base(t, base12), "-t", ref, "--push", "-o", "oci:"+u.path("image"))
	fromBase, own := blobs(t, imageIn(t, u.path("image"), first.Digest))
	check("first push", first, len(fromBase)+len(own), 0)
	check("second push", u.pack(project, "--base", base(t, base12), "-t", ref, "--push"), 0, 0)
	edit(t, filepath.Join(project, "app.py"), "Distroless Demo", "Another Demo")
	check("push of another app.py", u.pack(project, "--base", base(t, base12), "-t", ref, "--push"), 2, 0)

	tool(t, nil, crane, "push", peer.Base(t, base12), d.host+"/base/python3:nonroot")
	d.settle()
	// The base's layers lie in its repository, and ours in the one that they went to: only the config is new.
	mounted := u.pack(project, "--base", d.host+"/base/python3:nonroot", "-t", d.host+"/other/demo:1", "--push")
	check("push with the base in the same registry", mounted, 1, len(fromBase)+len(own)-1)
}
