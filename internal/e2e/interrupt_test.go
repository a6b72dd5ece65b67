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
)

// experiment disturbs packs to every form of file at random moments, so that each part of the work is struck at some time.
type experiment struct {
	t              *testing.T
	project, image string
	want           map[string]string // what an undisturbed run delivers
	random         *rand.Rand
	cold, warm     *phase
}

// phase is what a run goes through from one state of the cache.
type phase struct {
	cache    string // "" for an empty one
	took     time.Duration
	repeated int // one of so many strikes is followed by an undisturbed run
}

func newExperiment(t *testing.T) *experiment {
	t.Helper()
	u, seed := newUser(t), uint64(time.Now().UnixNano())
	x := &experiment{t: t, project: u.example(fastapiDemo), image: base(t, base12), random: rand.New(rand.NewPCG(seed, 0))}
	lock(t, x.project, slow)
	x.cold, x.warm = &phase{repeated: 4}, &phase{cache: u.cache, repeated: 2}
	_, x.cold.took = x.again(u)
	if err := os.RemoveAll(u.path("out")); err != nil {
		t.Fatal(err)
	}
	x.want, x.warm.took = x.again(u) // nearly all of it is delivery
	t.Logf("seed %d, undisturbed runs take %v and %v", seed, x.cold.took.Round(time.Millisecond), x.warm.took.Round(time.Millisecond))
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

// strikes starts packs, each of a new user, and sends each a signal at a random moment: the n-th of so many in the n-th
// equal part of the time. Then check looks at what is left, and now and then the same pack has to work.
func (x *experiment) strikes(p *phase, strikes int, send func(n int, p *process), check func(*user, result)) {
	x.t.Helper()
	for n := range strikes {
		u := newUser(x.t)
		if p.cache != "" {
			u.cache = p.cache
		}
		moment := time.Duration((float64(n) + x.random.Float64()) / float64(strikes) * float64(p.took))
		began := time.Now()
		process := u.start(x.args(u)...)
		alarm := time.AfterFunc(moment, func() { send(n, process) })
		r := process.wait()
		if alarm.Stop() {
			p.took = time.Since(began) // the machine has become faster
		}
		x.t.Logf("%d: signal after %v, end after %v, exit code %d, delivered %q", n, moment.Round(time.Millisecond),
			time.Since(began).Round(time.Millisecond), r.code, slices.Sorted(maps.Keys(x.delivered(u))))
		check(u, r)
		if n%p.repeated == p.repeated-1 {
			got, _ := x.again(u)
			for name, want := range x.want {
				if got[name] != want {
					x.t.Errorf("once more, %s is something else", name)
				}
			}
		}
		if x.t.Failed() {
			return
		}
		if err := os.RemoveAll(u.dir); err != nil {
			x.t.Fatal(err)
		}
	}
}

// on is the experiment in a subtest.
func (x *experiment) on(t *testing.T) *experiment {
	other := *x
	other.t = t
	return &other
}

func TestSignals(t *testing.T) {
	t.Parallel()
	x := newExperiment(t)
	t.Run("interrupt", func(t *testing.T) { x.on(t).interrupt(x.cold, 8) })
	t.Run("interrupt of the delivery", func(t *testing.T) { x.on(t).interrupt(x.warm, 6) })
	t.Run("kill", func(t *testing.T) { x.on(t).kill(x.cold, 3) })
	t.Run("kill in the delivery", func(t *testing.T) { x.on(t).kill(x.warm, 8) })
}

// interrupt: what was delivered by then is whole, and nothing else is left.
func (x *experiment) interrupt(p *phase, strikes int) {
	struck := 0
	send := func(n int, p *process) {
		if n%2 == 0 {
			p.signalGroup(syscall.SIGINT) // as a terminal does
		} else {
			p.signal(syscall.SIGTERM)
		}
	}
	x.strikes(p, strikes, send, func(u *user, r result) {
		got := x.delivered(u)
		switch {
		case r.code == interrupted:
			struck++
		case r.code == -1 && r.stderr == "": // before it could listen
		case r.code == 0 && len(got) == len(x.want): // it was faster
		default:
			x.t.Errorf("exit code %d\n%s", r.code, r.stderr)
		}
		for name, state := range got {
			if state != x.want[name] {
				x.t.Errorf("%s is half written", name)
			}
		}
		u.leavesNothing()
	})
	if struck < strikes/3 {
		x.t.Errorf("only %d of %d runs were interrupted", struck, strikes)
	}
}

// kill: nobody can tidy up then, but nothing lives on, and nothing under its own name is half of what it should be. Files with
// names of their own (.NAME.vpk-*) may stay.
func (x *experiment) kill(p *phase, strikes int) {
	send := func(_ int, p *process) { p.signal(syscall.SIGKILL) }
	x.strikes(p, strikes, send, func(u *user, _ result) {
		u.leavesNothingAlive()
		// A whole layout may still hold its staging directory, which the next pack removes.
		staging, err := filepath.Glob(u.path("out", "layout", ".vpk-*"))
		if err != nil {
			x.t.Fatal(err)
		}
		for _, dir := range staging {
			if err := os.RemoveAll(dir); err != nil {
				x.t.Fatal(err)
			}
		}
		for name, state := range x.delivered(u) {
			if name == "layout" && !exists(u.path("out", name, "index.json")) {
				continue // not a layout yet, and the next pack makes it one
			}
			if want, ok := x.want[name]; ok && state != want {
				x.t.Errorf("%s is half written", name)
			}
		}
	})
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
