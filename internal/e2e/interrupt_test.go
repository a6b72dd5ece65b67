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

// experiment disturbs packs to every form of file at random moments, so that each part of the work is struck at some time:
// from an empty cache and with slow downloads, or from a warm one, where nearly all of the time is the delivery's.
type experiment struct {
	t              *testing.T
	cache          string // the warm one, or ""
	project, image string
	want           map[string]string // what an undisturbed run delivers
	took           time.Duration     // by it
	random         *rand.Rand
}

func newExperiment(t *testing.T, warm bool) *experiment {
	t.Helper()
	u, seed := newUser(t), uint64(time.Now().UnixNano())
	x := &experiment{t: t, project: u.example(fastapiDemo), image: base(t, base12), random: rand.New(rand.NewPCG(seed, 0))}
	lock(t, x.project, slow)
	x.want, x.took = x.again(u)
	if warm {
		x.cache = u.cache
		if err := os.RemoveAll(u.path("out")); err != nil {
			t.Fatal(err)
		}
		_, x.took = x.again(u)
	}
	t.Logf("seed %d, an undisturbed run takes %v", seed, x.took.Round(time.Millisecond))
	return x
}

// args deliver into the user's directory out.
func (x *experiment) args(u *user) []string {
	out := u.path("out")
	if err := os.MkdirAll(out, 0o755); err != nil {
		x.t.Fatal(err)
	}
	return []string{
		"pack", x.project, "--base", x.image, "-o", "oci:" + out + "/layout", "-o", "oci-archive:" + out + "/oci.tar",
		"-o", "docker-archive:" + out + "/docker.tar", "-o", "dir:" + out + "/files", "--digest-file", out + "/digest",
	}
}

// delivered is what the directory out holds, by name; two that are made by two runs say the same when they hold the same.
func (x *experiment) delivered(u *user) map[string]string {
	x.t.Helper()
	entries, err := os.ReadDir(u.path("out"))
	if err != nil {
		x.t.Fatal(err)
	}
	found := map[string]string{}
	for _, e := range entries {
		path, hash := u.path("out", e.Name()), sha256.New()
		if e.IsDir() {
			tree := readTree(x.t, path)
			for _, name := range slices.Sorted(maps.Keys(tree)) {
				fmt.Fprintf(hash, "%s %s\n", name, tree[name])
			}
		} else {
			fmt.Fprint(hash, readFile(x.t, path))
		}
		found[e.Name()] = hex.EncodeToString(hash.Sum(nil))
	}
	return found
}

// again packs to the end, where nothing of the files is: they would not be overwritten.
func (x *experiment) again(u *user) (delivered map[string]string, took time.Duration) {
	x.t.Helper()
	if err := os.RemoveAll(u.path("out", "files")); err != nil {
		x.t.Fatal(err)
	}
	began := time.Now()
	u.does(x.args(u)...)
	took = time.Since(began)
	return x.delivered(u), took
}

// strike starts a pack of a new user and sends it a signal at a random moment of the n-th of several equal parts of the time.
func (x *experiment) strike(n, of int, send func(*process)) (*user, result) {
	x.t.Helper()
	u := newUser(x.t)
	if x.cache != "" {
		u.cache = x.cache
	}
	moment := time.Duration((float64(n) + x.random.Float64()) / float64(of) * float64(x.took))
	began := time.Now()
	p := u.start(x.args(u)...)
	alarm := time.AfterFunc(moment, func() { send(p) })
	r := p.wait()
	if alarm.Stop() {
		x.took = time.Since(began) // the machine has become faster
	}
	x.t.Logf("%d: signal after %v, end after %v, exit code %d, delivered %q", n, moment.Round(time.Millisecond),
		time.Since(began).Round(time.Millisecond), r.code, slices.Sorted(maps.Keys(x.delivered(u))))
	return u, r
}

// TestInterrupt: what was delivered by then is whole, nothing else is left, and the same pack then works.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	t.Run("from nothing", func(t *testing.T) { interrupt(t, newExperiment(t, false), 8) })
	t.Run("delivery", func(t *testing.T) { interrupt(t, newExperiment(t, true), 6) })
}

func interrupt(t *testing.T, x *experiment, strikes int) {
	struck := 0
	for n := range strikes {
		u, r := x.strike(n, strikes, func(p *process) {
			if n%2 == 0 {
				p.signalGroup(syscall.SIGINT) // as a terminal does
			} else {
				p.signal(syscall.SIGTERM)
			}
		})
		got := x.delivered(u)
		switch {
		case r.code == interrupted:
			struck++
		case r.code == -1 && r.stderr == "": // before it could listen
		case r.code == 0 && len(got) == len(x.want): // it was faster
		default:
			t.Errorf("exit code %d\n%s", r.code, r.stderr)
		}
		for name, state := range got {
			if state != x.want[name] {
				t.Errorf("%s is half written", name)
			}
		}
		u.leavesNothing()
		if n%3 == 2 || t.Failed() {
			got, _ := x.again(u)
			if diff := cmp.Diff(x.want, got); diff != "" {
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
	if struck < strikes/3 {
		t.Errorf("only %d of %d runs were interrupted", struck, strikes)
	}
}

// TestKill: nobody can tidy up then, but nothing lives on, nothing under its own name is half of what it should be, and the
// next pack is not in doubt about anything. Files with names of their own (.NAME.vpk-*) may stay.
func TestKill(t *testing.T) {
	t.Parallel()
	t.Run("from nothing", func(t *testing.T) { kill(t, newExperiment(t, false), 3) })
	t.Run("delivery", func(t *testing.T) { kill(t, newExperiment(t, true), 8) })
}

func kill(t *testing.T, x *experiment, strikes int) {
	for n := range strikes {
		u, _ := x.strike(n, strikes, func(p *process) { p.signal(syscall.SIGKILL) })
		u.leavesNothingAlive()
		for name, state := range x.delivered(u) {
			if name == "layout" && !exists(u.path("out", name, "index.json")) {
				continue // not a layout yet, and the next pack makes it one
			}
			if want, ok := x.want[name]; ok && state != want {
				t.Errorf("%s is half written", name)
			}
		}
		if x.cache == "" && n < strikes-1 { // it takes long, and there is more to see in a delivery
			continue
		}
		got, _ := x.again(u)
		for name, want := range x.want {
			if got[name] != want {
				t.Errorf("once more, %s is something else", name)
			}
		}
		if err := os.RemoveAll(u.dir); err != nil {
			t.Fatal(err)
		}
	}
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
