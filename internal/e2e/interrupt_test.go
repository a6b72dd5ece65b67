package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// moments is how many times a pack is interrupted, by one signal and the other in turn.
const moments = 12

// TestInterrupt ends packs at random moments, each from an empty cache and with slow downloads, so that each part of the
// work is struck at some time. Whatever was written by then is whole, nothing else is left, and the same pack then works.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	image := base(t, base12)
	first := newUser(t)
	project := first.example(fastapiDemo)
	lock(t, project, slow)
	began := time.Now()
	whole := deliverAll(first, project, image)
	first.does(whole.args...)
	took := time.Since(began)
	want := whole.read(t)
	if len(want) != len(whole.names) {
		t.Fatalf("written: %q", slices.Sorted(maps.Keys(want)))
	}

	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d, an undisturbed run takes %v", seed, took.Round(time.Millisecond))
	random := rand.New(rand.NewPCG(seed, 0))
	struck := 0
	for n := range moments {
		// Once in each part of the time.
		moment := time.Duration((float64(n) + random.Float64()) / moments * float64(took))
		u := newUser(t)
		d := deliverAll(u, project, image)
		p := u.start(d.args...)
		time.Sleep(moment)
		how := "SIGTERM to the process"
		if n%2 == 0 {
			how = "SIGINT to the group" // as a terminal does
			p.signalGroup(syscall.SIGINT)
		} else {
			p.signal(syscall.SIGTERM)
		}
		r := p.wait()
		got := d.read(t)
		written := slices.Sorted(maps.Keys(got))
		t.Logf("%s after %v: exit code %d, written %q", how, moment.Round(time.Millisecond), r.code, written)
		switch {
		case r.code == interrupted:
			struck++
		case r.code == -1 && !exists(u.cache): // it had not begun
		case r.code == 0 && len(got) == len(want): // it was faster
		default:
			t.Errorf("exit code %d\n%s", r.code, r.stderr)
		}
		for name, state := range got {
			if state != want[name] {
				t.Errorf("%s is half written", name)
			}
		}
		u.leavesNothing()
		if n%4 == 3 || t.Failed() {
			if err := os.RemoveAll(d.dir + "/files"); err != nil { // if it is there, it is not overwritten
				t.Fatal(err)
			}
			u.does(d.args...)
			if diff := cmp.Diff(want, d.read(t)); diff != "" {
				t.Errorf("once more: -want +got:\n%s", diff)
			}
		}
		if t.Failed() {
			return
		}
		if err := os.RemoveAll(u.dir); err != nil {
			t.Fatal(err)
		}
	}
	if struck < moments/2 {
		t.Errorf("only %d of %d runs were interrupted", struck, moments)
	}
}

// delivery is a pack to every form of file, all in one directory.
type delivery struct {
	dir   string
	names []string
	args  []string
}

func deliverAll(u *user, project, image string) delivery {
	dir := u.path("out")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		u.t.Fatal(err)
	}
	return delivery{dir, []string{"layout", "oci.tar", "docker.tar", "files", "digest"}, []string{
		"pack", project, "--base", image, "-o", "oci:" + dir + "/layout", "-o", "oci-archive:" + dir + "/oci.tar",
		"-o", "docker-archive:" + dir + "/docker.tar", "-o", "dir:" + dir + "/files", "--digest-file", dir + "/digest",
	}}
}

// read says what each name in the directory holds: two that are written by two runs say the same when they hold the same.
func (d delivery) read(t *testing.T) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, e := range entries {
		path := filepath.Join(d.dir, e.Name())
		if !slices.Contains(d.names, e.Name()) {
			t.Errorf("%s was left", path)
			continue
		}
		hash := sha256.New()
		if e.IsDir() {
			tree := readTree(t, path)
			for _, name := range slices.Sorted(maps.Keys(tree)) {
				fmt.Fprintf(hash, "%s %s\n", name, tree[name])
			}
		} else {
			fmt.Fprint(hash, readFile(t, path))
		}
		found[e.Name()] = hex.EncodeToString(hash.Sum(nil))
	}
	return found
}

// TestInterruptOfDocker: a container has a life of its own, which must end too.
func TestInterruptOfDocker(t *testing.T) {
	t.Parallel()
	d, image := needDocker(t), base(t, base12)
	for word, sig := range map[string]syscall.Signal{"image": syscall.SIGINT, "create": syscall.SIGTERM, "start": syscall.SIGINT} {
		u := newUser(t)
		project, log := u.example(fastapiDemo), u.watchDocker(d)
		p := u.start("pack", project, "--base", image, "--sandbox", "docker", "-o", "oci:"+u.path("image"))
		err := waitFor(time.Minute, func() error {
			if text, err := os.ReadFile(log); err != nil || !strings.Contains("\n"+string(text), "\n"+word+" ") {
				return fmt.Errorf("docker %s was not run: %v\n%s%s", word, err, text, p.stderr.String())
			}
			return nil
		})
		p.signal(sig)
		r := p.wait()
		if err != nil {
			t.Fatal(err)
		}
		if r.code != interrupted || exists(u.path("image")) {
			t.Errorf("%v at docker %s: exit code %d\n%s", sig, word, r.code, r.stderr)
		}
		u.leavesNothing()
		for _, m := range containerPattern.FindAllStringSubmatch(readFile(t, log), -1) {
			if err := waitFor(time.Minute, func() error {
				if left := d.does("ps", "--all", "--quiet", "--filter", "name="+m[1]); left != "" {
					return fmt.Errorf("%v at docker %s: container %s is left", sig, word, m[1])
				}
				return nil
			}); err != nil {
				t.Error(err)
			}
		}
	}
}

var containerPattern = regexp.MustCompile(`(?m)^create .*--name (vpk-\S+)`)

// watchDocker gives the user a docker that writes down its arguments.
func (u *user) watchDocker(d docker) (log string) {
	u.t.Helper()
	bin, log := u.path("bin"), u.path("docker.log")
	if err := os.Mkdir(bin, 0o755); err != nil {
		u.t.Fatal(err)
	}
	script := fmt.Sprintf("#!/bin/sh\necho \"$*\" >>'%s'\nexec '%s' \"$@\"\n", log, d.path)
	writeFile(u.t, filepath.Join(bin, "docker"), script)
	if err := os.Chmod(filepath.Join(bin, "docker"), 0o755); err != nil {
		u.t.Fatal(err)
	}
	u.env["PATH"] = bin + ":" + u.env["PATH"]
	return log
}
