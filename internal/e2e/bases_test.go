package e2e

import (
	"archive/tar"
	"runtime"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"vpk/internal/peer"
)

func searchPath(c *v1.ConfigFile) string {
	for _, variable := range c.Config.Env {
		if value, ok := strings.CutPrefix(variable, "PATH="); ok {
			return value
		}
	}
	return ""
}

func TestDebugBaseKeepsItsShell(t *testing.T) {
	t.Parallel()
	d, u := needDocker(t), warmUser(t)
	tag := d.tag()
	r := u.pack(u.example(fastapiDemo), "--base", base(t, base12Debug), "-t", tag, "--load", "-o", "oci:"+u.path("image"))
	path := searchPath(configOf(t, imageIn(t, u.path("image"), r.Digest)))
	if dirs := strings.Split(path, ":"); dirs[0] != "/app/.venv/bin" || !slices.Contains(dirs, "/busybox") {
		t.Errorf("PATH is %q", path)
	}
	c := d.run(tag)
	c.probe()
	for name, args := range map[string][]string{
		"as its entry point": {"run", "--rm", "--name", uniqueName("shell"), "--read-only", "--entrypoint", "sh", tag},
		"in the container":   {"exec", c.name, "sh"},
	} {
		out := d.does(append(args, "-c", "id -u; which uvicorn; ls /app/*.py")...)
		if want := "65532\n/app/.venv/bin/uvicorn\n/app/app.py"; out != want {
			t.Errorf("the shell %s says %q, want %q", name, out, want)
		}
	}
}

func TestTrixie(t *testing.T) {
	t.Parallel()
	d, u := needDocker(t), warmUser(t)
	tag := d.tag()
	r := u.pack(u.example(fastapiDemo), "--base", base(t, base13), "-t", tag, "--load", "-o", "oci:"+u.path("image"))
	if !strings.HasPrefix(r.Base.Python, "3.13.") || r.Base.Interpreter != "/usr/bin/python3.13" {
		t.Errorf("the interpreter is %q, %q", r.Base.Interpreter, r.Base.Python)
	}
	// /bin, /lib and others are links in this base: a directory of that name in a layer would take the base apart.
	for _, h := range ownHeaders(t, imageIn(t, u.path("image"), r.Digest)) {
		switch top, _, _ := strings.Cut(h.Name, "/"); {
		case top != "app" && top != "usr", h.Typeflag != tar.TypeDir && top == "usr" && !strings.HasSuffix(h.Name, ".cpython-313.pyc"):
			t.Errorf("a layer has %q", h.Name)
		}
	}
	c := d.run(tag)
	c.probe()
	const script = "import sys, os, pydantic_core, uvloop; print(sys.version_info[:2], os.path.realpath(sys.executable), os.readlink('/lib'))"
	if out := c.does("exec", c.name, "/app/.venv/bin/python", "-c", script); out != "(3, 13) /usr/bin/python3.13 usr/lib" {
		t.Errorf("inside it is %q", out)
	}
}

func TestOtherArchitecture(t *testing.T) {
	t.Parallel()
	u := warmUser(t)
	image := base(t, base12Multi)
	for _, arch := range []string{"amd64", "arm64"} {
		r := u.pack(u.example(fastapiDemo), "--base", image, "--platform", "linux/"+arch, "--no-bytecode", "-o", "oci:"+u.path(arch))
		config := configOf(t, imageIn(t, u.path(arch), r.Digest))
		if config.Architecture != arch || config.OS != "linux" || !strings.HasPrefix(r.Platform, "linux/"+arch) {
			t.Errorf("%s: packed for %s, config says %s/%s", arch, r.Platform, config.OS, config.Architecture)
		}
		machine := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[arch]
		native := 0
		for _, p := range r.Packages {
			switch {
			case strings.HasSuffix(p.File, "_"+machine+".whl"):
				native++
			case !strings.HasSuffix(p.File, "-any.whl"):
				t.Errorf("%s: wheel %s", arch, p.File)
			}
		}
		if native < 4 || r.Bytecode.Modules != 0 {
			t.Errorf("%s: %d wheels for it, %d modules with bytecode", arch, native, r.Bytecode.Modules)
		}
	}
	if r := u.vpk("pack", u.example(fastapiDemo), "--base", base(t, base12), "--platform", "linux/"+otherThanHost(t), "-o", "oci:"+u.path("wrong")); r.code != 7 || exists(u.path("wrong")) {
		t.Errorf("a base of another architecture: exit code %d\n%s", r.code, r.stderr)
	}
}

// TestPlatforms packs for two platforms at once. The image of each is the one that it is by itself; that for the foreign processor
// has bytecode, made by the interpreter for this one.
func TestPlatforms(t *testing.T) {
	t.Parallel()
	u := warmUser(t)
	image := base(t, base12Multi)
	project := u.example(fastapiDemo)
	registry := newRegistry(t)
	const both = "linux/arm64,linux/amd64"
	r := u.pack(project, "--base", image, "--platform", both, "-o", "oci:"+u.path("both"), "-o", "oci-archive:"+u.path("both.tar"), "-t", registry.host+"/demo:1", "--push")
	if len(r.Images) != 2 || r.Images[0].Platform != "linux/amd64" || !strings.HasPrefix(r.Images[1].Platform, "linux/arm64") {
		t.Fatalf("images %+v", r.Images)
	}
	stdlib := map[string]bool{}
	for _, i := range r.Images {
		arch := strings.Split(i.Platform, "/")[1]
		if i.Bytecode.Modules < 400 || i.Bytecode.Stdlib.Modules < 400 {
			t.Errorf("%s: %d modules and %d of the standard library have bytecode", arch, i.Bytecode.Modules, i.Bytecode.Stdlib.Modules)
		}
		alone := u.pack(project, "--base", image, "--platform", "linux/"+arch, "-o", "oci:"+u.path(arch))
		if alone.Digest != i.Digest {
			t.Errorf("%s: %s of two, %s by itself", arch, i.Digest, alone.Digest)
		}
		if config := configOf(t, imageIn(t, u.path(arch), i.Digest)); config.Architecture != arch {
			t.Errorf("%s: the config says %s", arch, config.Architecture)
		}
		stdlib[i.layer("stdlib")] = true
	}
	// A few modules of the standard library name the architecture.
	if len(stdlib) != 2 {
		t.Errorf("layers of the standard library: %v", stdlib)
	}
	crane := peer.Tool(t, "crane")
	tool(t, nil, crane, "validate", "--remote", registry.host+"/demo:1")
	if digest := strings.TrimSpace(tool(t, nil, crane, "digest", registry.host+"/demo:1")); digest != r.Digest {
		t.Errorf("the registry has %s, packed was %s", digest, r.Digest)
	}
	for _, refused := range [][]string{{"pack", "-o", "docker-archive:" + u.path("x.tar")}, {"pack", "-o", "dir:" + u.path("x")}, {"plan"}, {"run"}} {
		args := append(refused, project, "--base", image, "--platform", both)
		if ended := u.vpk(args...); ended.code != 2 || !strings.Contains(ended.stderr, "platform") {
			t.Errorf("vpk %q: exit code %d\n%s", args, ended.code, ended.stderr)
		}
	}
}

// otherThanHost is an architecture that the one-platform base is not of.
func otherThanHost(t *testing.T) string {
	t.Helper()
	if runtime.GOARCH == "arm64" {
		return "amd64"
	}
	return "arm64"
}
