package e2e

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"vpk/internal/peer"
)

// docker is Docker's command line, with a daemon behind it.
type docker struct {
	t    *testing.T
	path string
}

func needDocker(t *testing.T) docker {
	t.Helper()
	return docker{t, peer.Docker(t)}
}

func (d docker) does(args ...string) string {
	d.t.Helper()
	return tool(d.t, nil, d.path, args...)
}

// uniqueName is a name that no other test has.
func uniqueName(kind string) string {
	return "vpk-e2e-" + kind + "-" + strings.ToLower(rand.Text()[:8])
}

// tag is a name for an image, which is removed in the end.
func (d docker) tag() string {
	tag := uniqueName("image") + ":1"
	d.t.Cleanup(func() {
		if out, err := try(d.t, nil, d.path, "image", "rm", "--force", tag); err != nil && !strings.Contains(err.Error(), "No such image") {
			d.t.Error(out, err)
		}
	})
	return tag
}

// container is one that was started.
type container struct {
	docker
	name string
}

// run starts a container in the background as users are told to: with a read-only root, ports published on loopback.
func (d docker) run(image string, args ...string) container {
	d.t.Helper()
	c := container{d, uniqueName("container")}
	d.t.Cleanup(func() {
		if out, err := try(d.t, nil, d.path, "rm", "--force", "--volumes", c.name); err != nil {
			d.t.Error(out, err)
		}
	})
	d.does(append([]string{"run", "--detach", "--name", c.name, "--read-only", "--publish", "127.0.0.1::8000", image}, args...)...)
	return c
}

// probe asks the service in the container for its answers.
func (c container) probe() {
	c.t.Helper()
	address, _, _ := strings.Cut(c.does("port", c.name, "8000/tcp"), "\n")
	probe(c.t, address, func() error {
		if c.does("inspect", "--format", "{{.State.Running}}", c.name) == "true" {
			return nil
		}
		out, _ := exec.Command(c.path, "logs", c.name).CombinedOutput()
		return fmt.Errorf("the container ended: %s", out)
	})
}

// once runs a container to its end and returns what it writes.
func (d docker) once(image string, args ...string) string {
	d.t.Helper()
	return d.does(append([]string{"run", "--rm", "--name", uniqueName("once"), "--read-only", "--network", "none", image}, args...)...)
}

// inspect reads an image's or a container's description.
func (d docker) inspect(kind, name string, into any) {
	d.t.Helper()
	if err := json.Unmarshal([]byte(d.does(kind, "inspect", "--format", "{{json .}}", name)), into); err != nil {
		d.t.Fatal(err)
	}
}
