package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"vpk/internal/peer"
)

// Variables by which a test passes work to this test program, started again.
const (
	rootVariable   = "VPK_TEST_SANDBOX_ROOT"   // the probe's root, already made
	parentVariable = "VPK_TEST_SANDBOX_PARENT" // be a parent that will be killed: the engine's name
)

func TestMain(m *testing.M) {
	Init()
	if name := os.Getenv(parentVariable); name != "" {
		beParent(name)
	}
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if os.Getenv(rootVariable) == "" {
		if root, err := probeRoot(); err == nil {
			_ = os.RemoveAll(root)
		}
	}
	os.Exit(code)
}

// probeRoot makes, once, a root with nothing but the probe.
var probeRoot = sync.OnceValues(func() (string, error) {
	if root := os.Getenv(rootVariable); root != "" {
		return root, nil
	}
	root, err := os.MkdirTemp("", "vpk-sandbox-root-")
	if err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", filepath.Join(root, "probe"), "./testdata/probe")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the probe: %w: %s", err, out)
	}
	return root, os.Chmod(root, 0o755)
})

// engineUnderTest is an engine and what may be expected of it.
type engineUnderTest struct {
	Sandbox
	root      string
	container bool // has the image's paths and user, and limits processes
	filter    bool // refuses system calls
	host      bool // shows the host's files
	engine    bool // docker or podman
}

// underTest returns the engine of a name, tried.
func underTest(t testing.TB, name string) *engineUnderTest {
	t.Helper()
	root, err := probeRoot()
	if err != nil {
		t.Fatal(err)
	}
	absent := peer.Missing
	if name == "podman" { // docker is enough of its kind
		absent = func(t testing.TB, format string, args ...any) { t.Skipf("SKIPPED, MISSING: "+format, args...) }
	}
	e := &engineUnderTest{root: root}
	switch name {
	case "namespaces":
		e.Sandbox, e.container, e.filter = namespaces{}, true, true
	case "direct":
		e.Sandbox, e.filter = direct{}, true
	case "interpreter":
		e.Sandbox, e.filter, e.host = interpreter{path: filepath.Join(root, "probe")}, true, true
	default:
		client, err := newEngine(name)
		if err == nil {
			_, err = client.run(t.Context(), nil, "info")
		}
		if err != nil {
			absent(t, "%v", err)
		}
		e.Sandbox, e.container, e.engine = client, true, true
		t.Cleanup(func() {
			for image := range client.imported {
				// Others may be removing containers at the same time, which engines do not like.
				if out, err := exec.Command(client.path, "image", "rm", "--force", image).CombinedOutput(); err != nil {
					t.Logf("remove the image: %v: %s", err, out)
				}
			}
		})
	}
	var said bytes.Buffer
	p, err := e.Start(t.Context(), e.command(&said, "exit", "0"))
	if err == nil {
		err = p.Wait()
	}
	if err != nil {
		absent(t, "%s does not work here: %v: %s", name, err, said.Bytes())
	}
	return e
}

// command is a probe.
func (e *engineUnderTest) command(stderr io.Writer, args ...string) Command {
	return Command{
		Root: e.root, RootID: e.root, Args: append([]string{"/probe"}, args...), Env: []string{"A=1"}, Stderr: stderr,
	}
}

// path is what the program has to call a path of the image.
func (e *engineUnderTest) path(path string) string {
	if e.container {
		return path
	}
	return filepath.Join(e.root, path)
}

// output runs a command that must succeed.
func (e *engineUnderTest) output(t *testing.T, c Command) string {
	t.Helper()
	out, errOut, err := e.run(t, c)
	if err != nil {
		t.Fatalf("%q: %v: %s", c.Args, err, errOut)
	}
	return out
}

// run runs a command to its end.
func (e *engineUnderTest) run(t *testing.T, c Command) (stdout, stderr string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // nothing should take as long
	defer cancel()
	var out, errOut bytes.Buffer
	c.Stdout, c.Stderr = &out, &errOut
	p, err := e.Start(ctx, c)
	if err != nil {
		return "", "", err
	}
	err = p.Wait()
	return out.String(), errOut.String(), err
}

// startReady starts a probe that says "ready", and waits for it. The reader ends when nobody has its output open any more.
func (e *engineUnderTest) startReady(t *testing.T, ctx context.Context, c Command) (Process, *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	c.Stdout = w
	p, err := e.Start(ctx, c)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	expectReady(t, r)
	return p, r
}

func expectReady(t *testing.T, r *os.File) {
	t.Helper()
	if err := r.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, len("ready\n"))
	if _, err := io.ReadFull(r, line); err != nil || string(line) != "ready\n" {
		t.Fatalf("the probe said %q, %v", line, err)
	}
}

func expectEnd(t *testing.T, r io.Reader) {
	t.Helper()
	if rest, err := io.ReadAll(r); err != nil {
		t.Errorf("a descendant of the program lives: %v (%q)", err, rest)
	}
}

var allEngines = []string{"namespaces", "direct", "interpreter", "docker", "podman"}

// TestConformance holds every engine to the contract of Compile, and those that have it to that of Run.
func TestConformance(t *testing.T) {
	for _, name := range allEngines {
		t.Run(name, func(t *testing.T) { conform(t, underTest(t, name)) })
	}
}

// TestConformanceAsNobody does so for an unprivileged user, where namespaces and direct differ most.
func TestConformanceAsNobody(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: only root can become another user; this run is unprivileged already")
	}
	root, err := probeRoot()
	if err != nil {
		t.Fatal(err)
	}
	// A copy that the user can reach.
	program := filepath.Join(t.TempDir(), "sandbox.test")
	self, err := os.ReadFile("/proc/self/exe")
	if err := errors.Join(err, os.WriteFile(program, self, 0o755), os.Chmod(filepath.Dir(filepath.Dir(program)), 0o755)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "-test.run=^TestConformance$/^(namespaces|direct|interpreter)$", "-test.v")
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), rootVariable+"="+root, "HOME=/nonexistent", "TMPDIR=/tmp")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "    --- ") || strings.Contains(line, "SKIPPED") {
			t.Log(strings.TrimSpace(line))
		}
	}
}

// beParent starts a family and waits to be killed.
func beParent(name string) {
	root := os.Getenv(rootVariable)
	var s Sandbox = interpreter{path: filepath.Join(root, "probe")}
	if name != "interpreter" {
		var err error
		if s, err = open(name); err != nil {
			panic(err)
		}
	}
	c := (&engineUnderTest{root: root}).command(os.Stderr, "family")
	c.Stdout = os.Stdout
	p, err := s.Start(context.Background(), c)
	if err != nil {
		panic(err)
	}
	panic(p.Wait())
}

// expectNoContainers waits until the engine has no container of the probe's root.
func expectNoContainers(t *testing.T, e *engineUnderTest) {
	t.Helper()
	client, ok := e.Sandbox.(*engine)
	if !ok {
		return
	}
	var list string
	for range 100 {
		var err error
		if list, err = client.run(t.Context(), nil, "ps", "--all", "--quiet", "--filter", "ancestor="+imageName(e.root)); err != nil {
			t.Fatal(err)
		}
		if list == "" {
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
	t.Errorf("containers are left: %s", list)
}

// belongings are this process's mounts, children and open files. Other tests are at work at the same time: what engines mount
// does not count, nor what lies in directories of tests that do not hold this root.
func belongings(t *testing.T, root string) string {
	t.Helper()
	mountInfo, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	var mounts strings.Builder
	for line := range strings.Lines(string(mountInfo)) {
		if strings.Contains(line, "docker") || strings.Contains(line, "/containers/") {
			continue
		}
		// The fifth field is where it is mounted (proc_pid_mountinfo(5)).
		if fields := strings.Fields(line); len(fields) > 4 && strings.HasPrefix(fields[4], os.TempDir()+"/") && !strings.HasPrefix(fields[4], root) {
			continue
		}
		mounts.WriteString(line)
	}
	var children string
	tasks, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		data, _ := os.ReadFile(task) // threads come and go
		children += string(data)
	}
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%schildren: %s\nfiles: %d", &mounts, children, len(files))
}

// TestNamespacesShowNothingElse lists all that there is in the container.
func TestNamespacesShowNothingElse(t *testing.T) {
	e := underTest(t, "namespaces")
	want := "/\n/dev\n/dev/full\n/dev/null\n/dev/random\n/dev/urandom\n/dev/zero\n/probe\n/proc\n"
	if got := e.output(t, e.command(nil, "list", "/")); got != want {
		t.Errorf("got\n%s", got)
	}
}

func BenchmarkStart(b *testing.B) {
	for _, name := range []string{"namespaces", "direct"} {
		b.Run(name, func(b *testing.B) {
			e := underTest(b, name)
			for b.Loop() {
				p, err := e.Start(b.Context(), e.command(nil, "exit", "0"))
				if err == nil {
					err = p.Wait()
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
