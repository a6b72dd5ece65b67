package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// user is somebody who types vpk: a directory of their own with home and cache, a working directory and an environment.
type user struct {
	t     *testing.T
	dir   string // scratch; its name is in nobody else's paths
	cache string
	cwd   string
	env   map[string]string
	umask string // octal, "" for the test's
	uid   uint32 // and gid; 0 for the test's own
}

// newUser has an empty cache.
func newUser(t *testing.T) *user {
	t.Helper()
	dir := scratch(t)
	u := &user{t: t, dir: dir, cache: filepath.Join(dir, "cache"), cwd: dir, env: map[string]string{
		"HOME": filepath.Join(dir, "home"), "PATH": os.Getenv("PATH"), "TMPDIR": filepath.Join(dir, "tmp"),
	}}
	for _, name := range []string{"DOCKER_HOST", "XDG_RUNTIME_DIR"} {
		if value, ok := os.LookupEnv(name); ok {
			u.env[name] = value
		}
	}
	for _, sub := range []string{"home", "tmp"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return u
}

// warmUser shares a cache with the other warm users of the run.
func warmUser(t *testing.T) *user {
	t.Helper()
	u := newUser(t)
	u.cache = run.cache
	return u
}

// path is a path below the user's directory.
func (u *user) path(elements ...string) string {
	return filepath.Join(append([]string{u.dir}, elements...)...)
}

// result is how a run of vpk ended.
type result struct {
	stdout, stderr string
	code           int // -1 when a signal ended it
}

// vpk runs vpk to its end, whatever that is.
func (u *user) vpk(args ...string) result {
	u.t.Helper()
	p := u.start(args...)
	return p.wait()
}

// does runs vpk, which must succeed, and returns its stdout.
func (u *user) does(args ...string) string {
	u.t.Helper()
	r := u.vpk(args...)
	if r.code != 0 {
		u.t.Fatalf("vpk %q: exit code %d\n%s%s", args, r.code, r.stdout, r.stderr)
	}
	return strings.TrimSpace(r.stdout)
}

// pack runs vpk pack, which must succeed, and returns its report.
func (u *user) pack(args ...string) report {
	u.t.Helper()
	r, ended := u.tryPack(args...)
	if ended.code != 0 {
		u.t.Fatalf("vpk pack %q: exit code %d\n%s%s", args, ended.code, ended.stdout, ended.stderr)
	}
	return r
}

// tryPack is pack for a run that may fail; then the report is empty.
func (u *user) tryPack(args ...string) (r report, ended result) {
	u.t.Helper()
	ended = u.vpk(append([]string{"pack", "--json"}, args...)...)
	if ended.code == 0 {
		if err := json.Unmarshal([]byte(ended.stdout), &r); err != nil {
			u.t.Fatalf("report of vpk pack %q: %v\n%s", args, err, ended.stdout)
		}
	}
	return r, ended
}

// The exit codes that tests ask for.
const (
	deliveryFault   = 8
	sandboxFault    = 9
	notReproducible = 10
	interrupted     = 130
)

// report is what the tests read of `vpk pack --json`.
type report struct {
	Reference string
	imageReport
	Images     []imageReport // of several platforms
	Deliveries []string
	Seconds    float64
}

// imageReport is about the image of one platform.
type imageReport struct {
	Digest, Platform string
	Base             struct{ Name, Digest, Interpreter, Python string }
	Packages         []struct {
		Name, Version, File string
		Cached              bool
	}
	Layers []struct {
		Name, Digest string
		Cached       bool
	}
	Bytecode struct {
		Sandbox  string
		Modules  int
		Failures []struct{ Path, Reason string }
		Stdlib   struct {
			Modules int
			Cached  bool
		}
	}
}

// layer is the digest of the layer with a name, "" where there is none.
func (r imageReport) layer(name string) string {
	for _, l := range r.Layers {
		if l.Name == name {
			return l.Digest
		}
	}
	return ""
}

// process is a vpk that was started.
type process struct {
	u              *user
	cmd            *exec.Cmd
	stdout, stderr lockedBuffer
	cancel         context.CancelFunc
}

// start starts vpk, in a process group of its own, as a shell does. wait must be called.
func (u *user) start(args ...string) *process {
	u.t.Helper()
	ctx, cancel := context.WithTimeout(u.t.Context(), patience)
	words := append([]string{run.vpk}, args...)
	if u.umask != "" {
		words = append([]string{"/bin/sh", "-c", `umask "$0" && exec "$@"`, u.umask}, words...)
	}
	p := &process{u: u, cancel: cancel, cmd: exec.CommandContext(ctx, words[0], words[1:]...)}
	p.cmd.Dir = u.cwd
	env := maps.Clone(u.env)
	env["VPK_CACHE_DIR"] = u.cache
	for _, name := range slices.Sorted(maps.Keys(env)) {
		p.cmd.Env = append(p.cmd.Env, name+"="+env[name])
	}
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if u.uid != 0 {
		p.cmd.SysProcAttr.Credential = &syscall.Credential{Uid: u.uid, Gid: u.uid}
	}
	// Whoever holds its output open after its end is a process that it left behind.
	p.cmd.WaitDelay = 20 * time.Second
	if err := p.cmd.Start(); err != nil {
		cancel()
		u.t.Fatal(err)
	}
	return p
}

// signal sends a signal to vpk alone.
func (p *process) signal(sig syscall.Signal) { _ = p.cmd.Process.Signal(sig) }

// signalGroup sends a signal to its process group, as a terminal does.
func (p *process) signalGroup(sig syscall.Signal) { _ = syscall.Kill(-p.cmd.Process.Pid, sig) }

func (p *process) wait() result {
	p.u.t.Helper()
	err := p.cmd.Wait()
	p.cancel()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.u.t.Errorf("%q: %v\n%s%s", p.cmd.Args, err, p.stdout.String(), p.stderr.String())
	}
	return result{p.stdout.String(), p.stderr.String(), p.cmd.ProcessState.ExitCode()}
}
