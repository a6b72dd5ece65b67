package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// conform holds an engine to the contract of Compile, and one that has it to that of Run.
func conform(t *testing.T, e *engineUnderTest) {
	t.Run("exit status", func(t *testing.T) {
		for _, code := range []int{0, 1, 3, 77} {
			_, _, err := e.run(t, e.command(nil, "exit", fmt.Sprint(code)))
			var failed *ExitError
			switch {
			case code == 0 && err != nil:
				t.Errorf("exit 0: %v", err)
			case code != 0 && (!errors.As(err, &failed) || failed.ExitCode() != code || failed.Program != "/probe"):
				t.Errorf("exit %d: %v", code, err)
			}
		}
	})
	t.Run("arguments", func(t *testing.T) {
		args := []string{"", "a b", "-c", "ünï", "$HOME", "\n", "'\"\\"}
		if !e.engine { // their protocols are made of JSON
			args = append(args, "\xff\xfe")
		}
		if got, want := e.output(t, e.command(nil, append([]string{"args"}, args...)...)), fmt.Sprintf("%q\n", args); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
	t.Run("environment", func(t *testing.T) {
		c := e.command(nil, "env")
		c.Env = []string{"B=x y", "A=1=2", "EMPTY=", "LINES=1\n2"}
		added := []string{`"HOME=`, `"HOSTNAME=`, `"PATH=`, `"TERM=`, `"container=`}
		var got []string
		for line := range strings.Lines(e.output(t, c)) {
			if !e.engine || !slices.ContainsFunc(added, func(prefix string) bool { return strings.HasPrefix(line, prefix) }) {
				got = append(got, strings.TrimSpace(line))
			}
		}
		if want := []string{`"A=1=2"`, `"B=x y"`, `"EMPTY="`, `"LINES=1\n2"`}; !slices.Equal(got, want) {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
	t.Run("streams", func(t *testing.T) { conformStreams(t, e) })
	t.Run("place and user", func(t *testing.T) {
		c := e.command(nil, "status")
		c.Dir = "/" // there is no other directory in the probe's root
		got := e.output(t, c)
		want := "dir=/ uid=65534 gid=65534 "
		if !e.container {
			want = fmt.Sprintf("dir=%s uid=%d gid=%d ", e.root, os.Getuid(), os.Getgid())
		}
		if e.host {
			want = fmt.Sprintf("dir=/ uid=%d gid=%d ", os.Getuid(), os.Getgid())
		}
		if !strings.HasPrefix(got, want) || !strings.HasSuffix(got, " umask=022\n") {
			t.Errorf("got %q, want %q and umask 022", got, want)
		}
	})
	t.Run("isolation", func(t *testing.T) { conformIsolation(t, e) })
	t.Run("limits", func(t *testing.T) { conformLimits(t, e) })
	t.Run("ends", func(t *testing.T) { conformEnds(t, e) })
	t.Run("refusals", func(t *testing.T) {
		c := e.command(nil, "exit", "0")
		c.Args[0] = "/no/such/program"
		if _, _, err := e.run(t, c); !e.host && (err == nil || !strings.Contains(err.Error(), "/no/such/program")) {
			t.Errorf("a program that does not exist: %v", err)
		}
		c = e.command(nil, "exit", "0")
		c.Dir = "no/absolute/path"
		if _, _, err := e.run(t, c); err == nil {
			t.Error("a relative working directory was accepted")
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("changed my mind")
		cancel(why)
		if _, err := e.Start(ctx, e.command(nil, "exit", "0")); !errors.Is(err, why) {
			t.Errorf("start after the end of the context: %v", err)
		}
	})
	t.Run("leaves nothing", func(t *testing.T) {
		starts := 50
		if e.engine {
			starts = 3
		}
		before := belongings(t, e.root)
		for range starts {
			e.output(t, e.command(nil, "exit", "0"))
		}
		if after := belongings(t, e.root); after != before {
			t.Errorf("before:\n%s\nafter:\n%s", before, after)
		}
	})
	if e.container {
		t.Run("run", func(t *testing.T) { conformRun(t, e) })
	}
}

func conformStreams(t *testing.T, e *engineUnderTest) {
	data := bytes.Repeat([]byte("0123456789abcde\n"), 1<<19) // 8 MiB
	t.Run("reader", func(t *testing.T) {
		c := e.command(nil, "cat")
		c.Stdin = bytes.NewReader(data)
		if got := e.output(t, c); got != string(data) {
			t.Errorf("%d bytes came back of %d", len(got), len(data))
		}
	})
	t.Run("files", func(t *testing.T) {
		r, stdout, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		stdin, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		c := e.command(os.Stderr, "cat")
		c.Stdin, c.Stdout = stdin, stdout
		p, err := e.Start(t.Context(), c)
		if err := errors.Join(err, stdin.Close(), stdout.Close()); err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = w.Write(data); _ = w.Close() }()
		got, err := io.ReadAll(r)
		if err := errors.Join(err, p.Wait(), r.Close()); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes came back of %d: %v", len(got), len(data), err)
		}
	})
	t.Run("an answer before the end of the input", func(t *testing.T) {
		stdin, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		c := e.command(nil, "cat")
		c.Stdin = stdin
		go func() { _, _ = w.WriteString("ready\n") }()
		p, r := e.startReady(t, t.Context(), c)
		if err := errors.Join(stdin.Close(), w.Close(), p.Wait()); err != nil {
			t.Error(err)
		}
		expectEnd(t, r)
	})
	t.Run("input that never ends", func(t *testing.T) {
		c := e.command(nil, "exit", "4")
		r, w := io.Pipe()
		defer func() { _ = w.Close() }()
		c.Stdin = r
		var failed *ExitError
		if _, _, err := e.run(t, c); !errors.As(err, &failed) || failed.Code != 4 {
			t.Error(err)
		}
	})
	t.Run("output and errors apart", func(t *testing.T) {
		out, errOut, err := e.run(t, e.command(nil, "print", "to stdout", "to stderr"))
		if out != "to stdout" || errOut != "to stderr" || err != nil {
			t.Errorf("stdout %q, stderr %q, %v", out, errOut, err)
		}
	})
}

func conformIsolation(t *testing.T, e *engineUnderTest) {
	t.Run("network", func(t *testing.T) {
		if got := e.output(t, e.command(nil, "dial", listen(t))); got != "no\n" {
			t.Error("the host's network is reached")
		}
	})
	t.Run("host files", func(t *testing.T) {
		if e.host {
			t.Skip("the host is visible by design")
		}
		secret := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(secret, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
		files := []string{secret, "/etc/shadow", "/usr", "/home", "/proc/self/environ/../../1/environ", "/dev/kmsg"}
		got := e.output(t, e.command(nil, append([]string{"open"}, files...)...))
		for _, f := range files {
			if !strings.Contains(got, f+" no\n") {
				t.Errorf("%q can be opened", f)
			}
		}
	})
	t.Run("nothing to write to", func(t *testing.T) {
		files := []string{"/new", "/dev/new", "/probe", "/tmp/new", "/dev/shm/new"}
		for i, f := range files {
			files[i] = e.path(f)
		}
		open := t.TempDir() // a directory of the host where everyone may write
		if err := errors.Join(os.Chmod(open, 0o777), os.Chmod(filepath.Dir(open), 0o755)); err != nil {
			t.Fatal(err)
		}
		files = append(files, filepath.Join(open, "new"))
		for _, way := range []string{"write", "mkdir"} {
			got := e.output(t, e.command(nil, append([]string{way}, files...)...))
			for _, f := range files {
				if !strings.Contains(got, f+" no\n") {
					t.Errorf("%s %q was done", way, f)
				}
			}
		}
		if list, err := os.ReadDir(e.root); err != nil || len(list) != 1 {
			t.Errorf("the root has changed: %v, %v", list, err)
		}
	})
	t.Run("devices", func(t *testing.T) {
		want := "full true\nrandom true\nurandom true\nzero true\nnull true\n"
		if got := e.output(t, e.command(nil, "devices")); got != want {
			t.Errorf("got\n%s", got)
		}
	})
	t.Run("system calls", func(t *testing.T) {
		if !e.filter {
			t.Skip("the engine has a filter of its own")
		}
		refused, missing := syscall.EPERM.Error(), syscall.ENOSYS.Error()
		want := fmt.Sprintf("clone %[1]s\nclone3 %[2]s\nkill %[1]s\nptrace %[1]s\nsetsid %[1]s\nsocket %[1]s\nunshare %[1]s\n", refused, missing)
		if got := e.output(t, e.command(nil, "calls")); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
}

// listen returns the address of a listener on the host.
func listen(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

func conformLimits(t *testing.T, e *engineUnderTest) {
	t.Run("memory", func(t *testing.T) {
		c := e.command(nil, "memory")
		c.Limits.Memory = 2 << 30 // of address space, of which a Go program asks for more than it uses
		if e.engine {
			c.Limits.Memory = 128 << 20
		}
		var failed *ExitError
		if out, _, err := e.run(t, c); !errors.As(err, &failed) || out != "started\n" {
			t.Errorf("more memory than the limit: %q, %v", out, err)
		}
	})
	t.Run("stack", func(t *testing.T) {
		var own unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_STACK, &own); err != nil {
			t.Fatal(err)
		}
		// Whatever the caller's is.
		if err := unix.Setrlimit(unix.RLIMIT_STACK, &unix.Rlimit{Cur: 1 << 20, Max: own.Max}); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := unix.Setrlimit(unix.RLIMIT_STACK, &own); err != nil {
				t.Error(err)
			}
		}()
		if got, want := e.output(t, e.command(nil, "stack")), fmt.Sprintln(CompileLimits.Stack, CompileLimits.Stack); got != want {
			t.Errorf("the stack is limited to %q, want %q", got, want)
		}
	})
	t.Run("processes", func(t *testing.T) {
		if !e.container { // not limited: the kernel would count all of the user's
			c := e.command(nil, "forks", "3")
			c.Limits.Processes = 1
			if got := e.output(t, c); got != "allowed\n" {
				t.Errorf("forks of a user who has other processes: %q", got)
			}
			return
		}
		if uid, _ := hostUser(); uid == 0 && !e.engine {
			t.Skip("not limited: root in a user namespace that has no other user")
		}
		c := e.command(nil, "forks", "200")
		c.Limits.Processes = 30
		if got := e.output(t, c); got != "refused true true\n" {
			t.Errorf("200 processes: %q", got)
		}
	})
}

func conformEnds(t *testing.T, e *engineUnderTest) {
	t.Run("cancel", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		p, r := e.startReady(t, ctx, e.command(nil, "family"))
		why := errors.New("no longer wanted")
		cancel(why)
		if err := p.Wait(); !errors.Is(err, why) {
			t.Errorf("Wait after cancel: %v", err)
		}
		expectEnd(t, r)
		expectNoContainers(t, e)
	})
	t.Run("program ends before its children", func(t *testing.T) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		c := e.command(nil, "forks", "3")
		c.Stdout = w
		p, err := e.Start(t.Context(), c)
		if err := errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(p.Wait(), r.SetReadDeadline(time.Now().Add(time.Minute))); err != nil {
			t.Error(err)
		}
		expectEnd(t, r)
		_ = r.Close()
	})
	t.Run("termination is the program's affair", func(t *testing.T) {
		p, _ := e.startReady(t, t.Context(), e.command(nil, "term"))
		if err := p.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		var failed *ExitError
		if err := p.Wait(); !errors.As(err, &failed) || failed.Code != 7 {
			t.Errorf("Wait after SIGTERM: %v", err)
		}
		if err := p.Signal(syscall.SIGTERM); !errors.Is(err, os.ErrProcessDone) {
			t.Errorf("signal after the end: %v", err)
		}
	})
	t.Run("kill", func(t *testing.T) {
		p, r := e.startReady(t, t.Context(), e.command(nil, "family"))
		if err := p.Signal(syscall.SIGKILL); err != nil {
			t.Error(err)
		}
		var failed *ExitError
		if err := p.Wait(); !errors.As(err, &failed) || failed.Signal != syscall.SIGKILL || !strings.Contains(err.Error(), `"/probe" was killed by signal 9`) {
			t.Errorf("Wait after SIGKILL: %v", err)
		}
		expectEnd(t, r)
	})
	t.Run("death of the parent", func(t *testing.T) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Close() }()
		name := e.Name()
		if e.host {
			name = "interpreter"
		}
		parent := exec.Command("/proc/self/exe")
		parent.Env = append(os.Environ(), parentVariable+"="+name, rootVariable+"="+e.root)
		parent.Stdout, parent.Stderr = w, os.Stderr
		if err := errors.Join(parent.Start(), w.Close()); err != nil {
			t.Fatal(err)
		}
		expectReady(t, r)
		if err := parent.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = parent.Wait() // killed
		expectEnd(t, r)
		expectNoContainers(t, e)
	})
}

func conformRun(t *testing.T, e *engineUnderTest) {
	command := func(args ...string) Command {
		c := e.command(nil, args...)
		c.Profile, c.UID, c.GID = Run, 65532, 65531
		return c
	}
	t.Run("user", func(t *testing.T) {
		if got := e.output(t, command("status")); !strings.HasPrefix(got, "dir=/ uid=65532 gid=65531 ") {
			t.Errorf("got %q", got)
		}
		root := command("status")
		root.UID, root.GID = 0, 0
		if got := e.output(t, root); !strings.HasPrefix(got, "dir=/ uid=0 gid=0 ") {
			t.Errorf("got %q", got)
		}
	})
	// The host's root needs no capability to write to /proc/sys, and so to have the kernel start a program as it.
	t.Run("no root of the host", func(t *testing.T) {
		if uid, _ := hostUser(); e.engine || uid == 0 {
			t.Skip("engines have their own ways; root of a namespace without another user is not the host's")
		}
		root := command("read", "/proc/self/uid_map")
		root.UID, root.GID = 0, 0
		for _, c := range []Command{root, command("read", "/proc/self/uid_map")} {
			var inside, outside, count int
			if _, err := fmt.Sscan(e.output(t, c), &inside, &outside, &count); err != nil || inside != c.UID || outside == 0 {
				t.Errorf("user %d of the image is %d of the host (%v)", c.UID, outside, err)
			}
		}
	})
	t.Run("network", func(t *testing.T) {
		if got := e.output(t, command("dial", listen(t))); got != "yes\n" {
			t.Error("the host's network is not reached")
		}
	})
	t.Run("host files", func(t *testing.T) {
		for _, path := range []string{"/etc/resolv.conf", "/etc/hosts"} {
			want, err := os.ReadFile(path)
			if err != nil {
				continue
			}
			// Engines adapt them.
			if got := e.output(t, command("read", path)); got != string(want) && !e.engine || got == "" {
				t.Errorf("%s is %q", path, got)
			}
		}
	})
	t.Run("what can be written to", func(t *testing.T) {
		got := e.output(t, command("write", "/tmp/new", "/dev/shm/new", "/new", "/probe", "/etc/new", "/dev/new"))
		want := "/tmp/new yes\n/dev/shm/new yes\n/new no\n/probe no\n/etc/new no\n/dev/new no\n"
		if got != want {
			t.Errorf("got\n%s", got)
		}
	})
	t.Run("processes", func(t *testing.T) {
		if got := e.output(t, command("pid")); got != "1\n" {
			t.Errorf("the program is process %q", got)
		}
		if got := e.output(t, command("read", "/proc/self/comm")); got != "probe\n" {
			t.Errorf("/proc/self is %q", got)
		}
	})
	t.Run("binds", func(t *testing.T) { conformBinds(t, e, command) })
}

func conformBinds(t *testing.T, e *engineUnderTest, command func(...string) Command) {
	dir := t.TempDir()
	for path, content := range map[string]string{"shown/file": "a file\n", "open/file": "another\n", "alone": "alone\n"} {
		path = filepath.Join(dir, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, []byte(content), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	// The user of an engine's container is not the caller.
	if err := errors.Join(os.Chmod(filepath.Join(dir, "open"), 0o777), os.Chmod(filepath.Dir(dir), 0o755)); err != nil {
		t.Fatal(err)
	}
	binds := []Bind{
		{Host: filepath.Join(dir, "shown"), Image: "/deep/below/shown"},
		{Host: filepath.Join(dir, "open"), Image: "/open", Writable: true},
		{Host: filepath.Join(dir, "alone"), Image: "/deep/alone"},
	}
	c := command("read", "/deep/below/shown/file")
	c.Binds = binds
	if got := e.output(t, c); got != "a file\n" {
		t.Errorf("a directory's file is %q", got)
	}
	c = command("read", "/deep/alone")
	c.Binds = binds
	if got := e.output(t, c); got != "alone\n" {
		t.Errorf("a file is %q", got)
	}
	c = command("write", "/deep/below/shown/file", "/deep/alone", "/deep/new", "/open/new")
	c.Binds = binds
	if got, want := e.output(t, c), "/deep/below/shown/file no\n/deep/alone no\n/deep/new no\n/open/new yes\n"; got != want {
		t.Errorf("got\n%s", got)
	}
	if list, err := os.ReadDir(e.root); err != nil || len(list) != 1 {
		t.Errorf("the root has changed: %v, %v", list, err)
	}
}
