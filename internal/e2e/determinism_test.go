package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"vpk/internal/peer"
)

// nobody is an unprivileged user.
const nobody = 65534

// TestDigestDependsOnInputsAlone packs an example under conditions that must not matter; a large one when it is asked for in full.
func TestDigestDependsOnInputsAlone(t *testing.T) {
	t.Parallel()
	image := base(t, base12)
	demo, modules := fastapiDemo, 400
	if peer.InFull() {
		demo, modules = scienceDemo, 5000
	}
	conditions := []struct {
		name string
		pack func(t *testing.T) report
	}{
		{"namespaces, cold cache", func(t *testing.T) report { return packIn(t, demo, image, "namespaces") }},
		{"direct, cold cache", func(t *testing.T) report { return packIn(t, demo, image, "direct") }},
		{"docker, cold cache", func(t *testing.T) report { needDocker(t); return packIn(t, demo, image, "docker") }},
		{"eight workers", func(t *testing.T) report {
			u := newUser(t)
			u.env["GOMAXPROCS"] = "8"
			return u.pack(u.example(demo), "--base", image, "-o", "oci:"+u.path("image"))
		}},
		{"other machine, one worker", func(t *testing.T) report { return packElsewhere(t, demo, image) }},
		{"unprivileged user", func(t *testing.T) report { return packAsNobody(t, demo) }},
		{"slow downloads", func(t *testing.T) report {
			u := newUser(t)
			project := u.example(demo)
			lock(t, project, slow)
			return u.pack(project, "--base", image, "-o", "oci:"+u.path("image"))
		}},
		{"outputs of its own in the project", func(t *testing.T) report { return packInto(t, demo, image) }},
		{"nothing left but wheels", func(t *testing.T) report { return packFromWheels(t, demo, image) }},
		{"warm cache, the index's own URLs, offline", func(t *testing.T) report {
			u := warmUser(t)
			project := u.example(demo)
			u.pack(project, "--base", image, "-o", "dir:"+u.path("files"))
			lock(t, project, "")
			r := u.pack(project, "--base", image, "--offline", "-o", "oci:"+u.path("image"))
			for _, l := range r.Layers {
				if !l.Cached {
					t.Errorf("layer %s was built again", l.Name)
				}
			}
			return r
		}},
	}
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	digests := map[string]bool{}
	wheels := 0
	for _, c := range conditions {
		t.Run(c.name, func(t *testing.T) {
			r := c.pack(t)
			digests[r.Digest] = true
			wheels = len(r.Packages)
			fmt.Fprintf(w, "%s\t%s\t%.2f s\t%s\n", c.name, r.Bytecode.Sandbox, r.Seconds, r.Digest)
			if r.Bytecode.Modules < modules {
				t.Errorf("%d modules have bytecode", r.Bytecode.Modules)
			}
		})
	}
	_ = w.Flush()
	t.Logf("%d wheels\n%s", wheels, table.String())
	if len(digests) != 1 {
		t.Errorf("%d digests", len(digests))
	}
}

// packIn packs from nothing with the sandbox that is named. Its absence from this machine is no failure of vpk's.
func packIn(t *testing.T, demo, image, sandbox string) report {
	u := newUser(t)
	r, ended := u.tryPack(u.example(demo), "--base", image, "--sandbox", sandbox, "-o", "oci:"+u.path("image"))
	switch ended.code {
	case 0:
	case sandboxFault:
		peer.Missing(t, "no sandbox %s: %s", sandbox, ended.stderr)
	default:
		t.Fatalf("exit code %d\n%s", ended.code, ended.stderr)
	}
	if r.Bytecode.Sandbox != sandbox {
		t.Errorf("compiled in %q, want %q", r.Bytecode.Sandbox, sandbox)
	}
	return r
}

// packElsewhere packs with everything else that one machine can have and another not.
func packElsewhere(t *testing.T, demo, image string) report {
	u := newUser(t)
	project := u.example(demo)
	other := u.path("another place", "with a longer name and ümlauts")
	if err := os.MkdirAll(filepath.Dir(other), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(project, other); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(other)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range entries {
		name := filepath.Join(other, e.Name())
		then := time.Date(2001+i, 2, 3, 4, 5, 6, 7, time.UTC)
		if err := errors.Join(os.Chtimes(name, then, then), os.Chmod(name, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	u.cwd, u.umask = other, "077"
	u.env["TZ"], u.env["LC_ALL"], u.env["LANG"] = "Pacific/Kiritimati", "tr_TR.UTF-8", "tr_TR.UTF-8"
	u.env["GOMAXPROCS"], u.env["HOSTNAME"], u.env["USER"] = "1", "elsewhere", "somebody"
	u.env["PYTHONHASHSEED"], u.env["PYTHONOPTIMIZE"], u.env["PYTHONDONTWRITEBYTECODE"] = "7", "2", "1"
	return u.pack("--base", image, "-o", "oci:../image", "-o", "docker-archive:../image.tar", "-t", "another.example/name:2")
}

// packAsNobody packs as an unprivileged user, who can read the base image and has a directory of its own.
func packAsNobody(t *testing.T, demo string) report {
	layout := peer.Base(t, base12)
	if os.Getuid() != 0 {
		t.Skip("NOT TESTED: only root can become somebody else; the other conditions ran unprivileged")
	}
	u := newUser(t)
	project := u.example(demo)
	image := u.path("base")
	if err := os.CopyFS(image, os.DirFS(layout)); err != nil {
		t.Fatal(err)
	}
	u.uid = nobody
	err := filepath.WalkDir(u.dir, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, nobody, nobody))
	})
	if err != nil {
		t.Fatal(err)
	}
	r := u.pack(project, "--base", "oci:"+image, "-o", "oci:"+u.path("image"))
	info, err := os.Stat(u.path("image", "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	if uid := info.Sys().(*syscall.Stat_t).Uid; uid != nobody {
		t.Errorf("the image belongs to %d", uid)
	}
	return r
}

// packInto packs twice into the project's own directory, where the cache is too.
func packInto(t *testing.T, demo, image string) (r report) {
	u := newUser(t)
	u.cwd = u.example(demo)
	u.cache = filepath.Join(u.cwd, ".cache")
	for range 2 {
		r = u.pack("--base", image, "-o", "oci:image", "-o", "oci-archive:image.tar", "-o", "docker-archive:docker.tar", "--digest-file", "digest")
	}
	return r
}

// packFromWheels packs a second time when all that is derived has gone from the cache.
func packFromWheels(t *testing.T, demo, image string) report {
	u := newUser(t)
	project := u.example(demo)
	u.pack(project, "--base", image, "-o", "dir:"+u.path("files"))
	kinds, err := os.ReadDir(u.cache)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range kinds {
		if !strings.HasPrefix(kind.Name(), "wheels-") {
			if err := os.RemoveAll(filepath.Join(u.cache, kind.Name())); err != nil {
				t.Fatal(err)
			}
		}
	}
	r := u.pack(project, "--base", image, "--offline", "-o", "oci:"+u.path("image"))
	for _, p := range r.Packages {
		if !p.Cached {
			t.Errorf("%s was downloaded again", p.Name)
		}
		if p.Name == "pytest" && demo == fastapiDemo {
			t.Error("the group dev is in the image")
		}
	}
	return r
}

// TestSourceDateEpochDatesTheProject: the one thing of time that does matter, and nothing of it in the dependencies.
func TestSourceDateEpochDatesTheProject(t *testing.T) {
	t.Parallel()
	u := warmUser(t)
	project, image := u.example(fastapiDemo), base(t, base12)
	pack := func(epoch string) report {
		u.env["SOURCE_DATE_EPOCH"] = epoch
		return u.pack(project, "--base", image, "-o", "oci:"+u.path("image")+":at"+epoch)
	}
	without, first, again, second := pack(""), pack("1700000000"), pack("1700000000"), pack("1800000000")
	if first.Digest != again.Digest || first.Digest == second.Digest || first.Digest == without.Digest {
		t.Errorf("digests %s, %s, %s, %s", without.Digest, first.Digest, again.Digest, second.Digest)
	}
	for _, name := range []string{"stdlib", "dependencies"} {
		if without.layer(name) != first.layer(name) || first.layer(name) != second.layer(name) {
			t.Errorf("layer %s depends on the time", name)
		}
	}
	created := configOf(t, imageIn(t, u.path("image"), first.Digest)).Created
	if !created.Equal(time.Unix(1700000000, 0)) {
		t.Errorf("created %v", created)
	}
}
