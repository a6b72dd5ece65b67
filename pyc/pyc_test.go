package pyc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"vpk/internal/cas"
	"vpk/internal/fault"
	"vpk/internal/peer"
	"vpk/venv/tree"
)

// start starts a program in a process group of its own, which ends with ctx as a sandbox does: children and all.
func start(ctx context.Context, program string, args, env []string, stdin io.Reader, stdout, stderr io.Writer) (Process, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = env, stdin, stdout, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd, cmd.Start()
}

// launcher starts an interpreter of the machine: these tests are about the worker and its protocol, not about a base image.
func launcher(t testing.TB, started *int) Launcher {
	program := peer.Python(t)
	return func(ctx context.Context, args, env []string, stdin io.Reader, stdout, stderr io.Writer) (Process, error) {
		if started != nil {
			*started++
		}
		return start(ctx, program, args, env, stdin, stdout, stderr)
	}
}

func compiler(t testing.TB, cache *cas.Store, workers int, started *int) *Compiler {
	t.Helper()
	c := New(context.Background(), cache, Options{Launch: launcher(t, started), Root: "root", Workers: workers})
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return c
}

func openCache(t testing.TB) *cas.Store {
	t.Helper()
	cache, err := cas.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return cache
}

func partOf(key string, sources map[string]string) tree.Part {
	p := tree.Part{Name: "test", Key: key}
	for name, text := range sources {
		p.Entries = append(p.Entries, tree.Entry{Path: name, Kind: tree.File, Mode: 0o644, Content: tree.Bytes(text)})
	}
	tree.Sort(p.Entries)
	return p
}

// modules are many enough for several slices, with constants that CPython shares between modules.
func modules(n int) map[string]string {
	sources := map[string]string{"app/broken.py": "print 'python 2'\n", "app/nul.py": "a\x00b", "app/data.txt": "no module", "app/__pycache__/x.py": "1"}
	for i := range n {
		sources[fmt.Sprintf("app/m%03d.py", i)] = fmt.Sprintf("import os\nA = 'a'\ndef f%d(x=(1, 2.5, 'b'), *, k={'z': None}):\n    return x in {%d, 'q', 3.0, None}\n", i, i)
	}
	return sources
}

func read(t testing.TB, e tree.Entry) []byte {
	t.Helper()
	r, err := e.Content.Open()
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	if tree.Bytes(data).Digest() != e.Content.Digest() || int64(len(data)) != e.Content.Size() {
		t.Fatalf("%s: content is not what it claims", e.Path)
	}
	return data
}

func snapshot(t testing.TB, p tree.Part) map[string]string {
	t.Helper()
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, e := range p.Entries {
		files[e.Path] = string(read(t, e))
	}
	return files
}

func TestBytecodeDependsOnNothingElse(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	part := partOf("key", modules(3*SliceSize))
	var first map[string]string
	for _, workers := range []int{1, 2, 8} {
		cache := openCache(t)
		c := New(t.Context(), cache, Options{Launch: launcher(t, nil), Root: "root", Workers: workers})
		// Something else first, in the same workers.
		if _, err := c.Compile(t.Context(), partOf("", map[string]string{"other.py": "A = 'a'; q = {'q', 'z'}\n"}), UncheckedHash); err != nil {
			t.Fatal(err)
		}
		result, err := c.Compile(t.Context(), part, UncheckedHash)
		if err != nil {
			t.Fatal(err)
		}
		got := snapshot(t, result.Part)
		if len(got) != 3*SliceSize {
			t.Fatalf("%d bytecode files, want %d", len(got), 3*SliceSize)
		}
		var failed []string
		for _, f := range result.Failures {
			failed = append(failed, f.Path)
		}
		if want := []string{"app/broken.py", "app/nul.py"}; !slices.Equal(failed, want) {
			t.Errorf("failures = %q, want %q", failed, want)
		}
		if first == nil {
			first = got
		}
		for name := range first {
			if first[name] != got[name] {
				t.Errorf("%d workers: %s differs", workers, name)
			}
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestInterpreterAcceptsTheFiles(t *testing.T) {
	dir := t.TempDir()
	sources := map[string]string{"pkg/__init__.py": "", "pkg/m.py": "WHERE = (lambda: 0).__code__.co_filename\n"}
	c := compiler(t, openCache(t), 1, nil)
	for _, mode := range []Invalidation{UncheckedHash, CheckedHash} {
		part := partOf("", map[string]string{})
		for name, text := range sources {
			part.Entries = append(part.Entries, tree.Entry{Path: strings.TrimPrefix(dir, "/") + "/" + name, Kind: tree.File, Mode: 0o644, Content: tree.Bytes(text)})
		}
		tree.Sort(part.Entries)
		result, err := c.Compile(t.Context(), part, mode)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range slices.Concat(part.Entries, result.Part.Entries) {
			if err := os.MkdirAll(filepath.Dir("/"+e.Path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile("/"+e.Path, read(t, e), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		// With the source changed, an unchecked file is still used and a checked one is not.
		if err := os.WriteFile(filepath.Join(dir, "pkg/m.py"), []byte("WHERE = 'changed'\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(peer.Python(t), "-S", "-B", "-c", "import sys; sys.path[:0] = [sys.argv[1]]; import pkg.m; print(pkg.m.WHERE)", dir)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		want := "changed"
		if mode == UncheckedHash {
			want = filepath.Join(dir, "pkg/m.py")
		}
		if got := strings.TrimSpace(string(out)); got != want {
			t.Errorf("mode %b: module says %q, want %q", mode, got, want)
		}
	}
}

func TestCacheServesAndHeals(t *testing.T) {
	cache := openCache(t)
	part := partOf("key", modules(4))
	started := 0
	first, err := compiler(t, cache, 1, &started).Compile(t.Context(), part, UncheckedHash)
	if err != nil {
		t.Fatal(err)
	}
	if first.Cached || started != 1 {
		t.Fatalf("cached = %v, started = %d", first.Cached, started)
	}
	want := snapshot(t, first.Part)

	again, err := compiler(t, cache, 1, &started).Compile(t.Context(), part, UncheckedHash)
	if err != nil {
		t.Fatal(err)
	}
	if !again.Cached || started != 1 {
		t.Errorf("second run: cached = %v, started = %d", again.Cached, started)
	}
	if fmt.Sprint(snapshot(t, again.Part)) != fmt.Sprint(want) || fmt.Sprint(again.Failures) != fmt.Sprint(first.Failures) {
		t.Error("second run differs from the first")
	}

	file := again.Part.Entries[0].Content.(content).file
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-1] ^= 1
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
	healed, err := compiler(t, cache, 1, &started).Compile(t.Context(), part, UncheckedHash)
	if err != nil {
		t.Fatal(err)
	}
	if healed.Cached || fmt.Sprint(snapshot(t, healed.Part)) != fmt.Sprint(want) {
		t.Error("damaged bytecode was used")
	}
	other, err := compiler(t, cache, 1, &started).Compile(t.Context(), part, CheckedHash)
	if err != nil {
		t.Fatal(err)
	}
	if other.Cached || other.Part.Key == first.Part.Key {
		t.Error("the header's kind is not part of the key")
	}
}

func TestRefusedInterpreterIsNotRemembered(t *testing.T) {
	cache := openCache(t)
	refusal := errors.New("not this one")
	c := New(context.Background(), cache, Options{Launch: launcher(t, nil), Accept: func(Interpreter) error { return refusal }, Root: "root", Workers: 1})
	if _, err := c.Interpreter(t.Context()); !errors.Is(err, refusal) {
		t.Errorf("err = %v", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	started := 0
	if _, err := compiler(t, cache, 1, &started).Interpreter(t.Context()); err != nil || started != 1 {
		t.Errorf("err = %v, started = %d", err, started)
	}
}

// script launches a worker whose compiler does something else than compile.
func script(t *testing.T, prelude string) Launcher {
	program := peer.Python(t)
	return func(ctx context.Context, args, env []string, stdin io.Reader, stdout, stderr io.Writer) (Process, error) {
		args = slices.Clone(args)
		args[len(args)-1] = strings.Replace(args[len(args)-1], "\nserve()\n", "\n"+prelude+"\nserve()\n", 1)
		return start(ctx, program, args, env, stdin, stdout, stderr)
	}
}

// dying are compilers that come to their end at a module whose source begins with DIE.
var dying = map[string]string{
	"child":  "posix.kill(posix.getpid(), 11)",
	"worker": "posix.kill(posix.getppid(), 9); posix.kill(posix.getpid(), 9)",
	"hang":   "posix.read(posix.pipe()[0], 1)",
	"memory": "raise MemoryError",
}

// dies launches workers that do so, as long as the file is there.
func dies(t *testing.T, how, file string) Launcher {
	return script(t, fmt.Sprintf(`import builtins
real = compiled
def compiled(path, source):
    if source.startswith(b'DIE'):
        try:
            posix.stat(%q)
        except OSError:
            return real(path, source)
        if %q == 'memory':
            def bytes(size):
                raise MemoryError
            builtins.bytes = bytes
            def compile(*args, **kwargs):
                raise MemoryError
            builtins.compile = compile
            return real(path, source)
        posix.unlink(%q) if %q.endswith('.once') else None
        %s
    return real(path, source)`, file, how, file, file, dying[how]))
}

func TestDeathFailsTheBuild(t *testing.T) {
	sources := modules(2 * SliceSize)
	sources["app/m003.py"] = "DIE = 1\n"
	// Each says where it happened, as well as can be known.
	want := map[string]string{
		"child":  `the compiler died: signal segmentation fault (tried 2 times, at "app/m003.py")`,
		"worker": `(tried 2 times, at one of "app/broken.py" to "app/m0`,
		"hang":   `the compile worker did not answer in 2s (tried 2 times, at one of "app/broken.py" to`,
		"memory": `the compiler died: exit status 1: there is no memory left`,
	}
	for how := range dying {
		t.Run(how, func(t *testing.T) {
			cache, file := openCache(t), filepath.Join(t.TempDir(), "always")
			if err := os.WriteFile(file, nil, 0o644); err != nil {
				t.Fatal(err)
			}
			c := New(t.Context(), cache, Options{Launch: dies(t, how, file), Root: "root", Workers: 2})
			c.pool.limit = 2 * time.Second
			_, err := c.Compile(t.Context(), partOf("key", sources), UncheckedHash)
			if err == nil || !strings.Contains(err.Error(), want[how]) || fault.KindOf(err) != fault.Sandbox {
				t.Errorf("err = %v, want %q", err, want[how])
			}
			_ = c.Close() // what was killed says so
			if again, err := compiler(t, cache, 1, nil).Compile(t.Context(), partOf("key", sources), UncheckedHash); err != nil || again.Cached {
				t.Errorf("cached = %v, err = %v", again.Cached, err)
			}
		})
	}
}

func TestDeathIsTriedAgain(t *testing.T) {
	sources := modules(2 * SliceSize)
	sources["app/m003.py"] = "DIE = 1\n"
	want, err := compiler(t, openCache(t), 1, nil).Compile(t.Context(), partOf("", sources), UncheckedHash)
	if err != nil {
		t.Fatal(err)
	}
	for _, how := range []string{"child", "worker", "hang"} {
		t.Run(how, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "one.once")
			if err := os.WriteFile(file, nil, 0o644); err != nil {
				t.Fatal(err)
			}
			c := New(t.Context(), openCache(t), Options{Launch: dies(t, how, file), Root: "root", Workers: 2})
			c.pool.limit = 2 * time.Second
			result, err := c.Compile(t.Context(), partOf("", sources), UncheckedHash)
			if err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(snapshot(t, result.Part)) != fmt.Sprint(snapshot(t, want.Part)) {
				t.Error("the second try differs")
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// What nests too deeply for the parser is a MemoryError, too, and the module's own fault.
func TestDeepNestingIsNoDeath(t *testing.T) {
	c := compiler(t, openCache(t), 1, nil)
	result, err := c.Compile(t.Context(), partOf("", map[string]string{"deep.py": "x = " + strings.Repeat("-", 100_000) + "1\n"}), UncheckedHash)
	if err != nil || len(result.Failures) != 1 {
		t.Errorf("failures = %v, err = %v", result.Failures, err)
	}
}

// Codecs that are not built in come from the standard library, of which some builds lack those of the third kind.
func TestSourceEncodings(t *testing.T) {
	sources := map[string]string{
		"latin.py": "# coding: latin-1\nX = '\xe9'\n",
		"koi.py":   "# coding: koi8-r\nX = '\xc1'\n",
		"sjis.py":  "# coding: shift_jis\nX = '\x82\xa0'\n",
		"none.py":  "# coding: no-such-coding\nX = 1\n",
	}
	result, err := compiler(t, openCache(t), 1, nil).Compile(t.Context(), partOf("", sources), UncheckedHash)
	if err != nil || len(result.Failures) != 1 || result.Failures[0].Path != "none.py" {
		t.Errorf("failures = %v, err = %v", result.Failures, err)
	}
}

// A name that is short enough for a module can be too long for its bytecode, and no file system would take that image.
func TestNameTooLongForBytecode(t *testing.T) {
	fits, tooLong := strings.Repeat("a", maxName-len(".cpython-399.pyc")), strings.Repeat("b", maxName-len(".py"))
	result, err := compiler(t, openCache(t), 1, nil).Compile(t.Context(), partOf("", map[string]string{fits + ".py": "", tooLong + ".py": ""}), UncheckedHash)
	if err != nil || len(result.Failures) != 1 || result.Failures[0].Path != tooLong+".py" || len(result.Part.Entries) != 1 {
		t.Errorf("failures = %v, bytecode for %d, err = %v", result.Failures, len(result.Part.Entries), err)
	}
}

// A compiler that foreign code has taken over can't speak for its worker.
func TestChildHasNoPipeOfItsWorker(t *testing.T) {
	probe := "real = compiled\ndef compiled(path, source):\n    for fd in (0, 1):\n        try:\n            posix.fstat(fd)\n" +
		"        except OSError:\n            continue\n        posix.kill(posix.getpid(), 9)\n    return real(path, source)"
	c := New(t.Context(), openCache(t), Options{Launch: script(t, probe), Root: "root", Workers: 1})
	if _, err := c.Compile(t.Context(), partOf("", modules(2)), UncheckedHash); err != nil {
		t.Error(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func TestStartFailureSaysWhy(t *testing.T) {
	c := New(t.Context(), openCache(t), Options{Launch: script(t, "import posix\nposix.write(2, b'no such thing')\nposix._exit(3)"), Root: "root", Workers: 1})
	if _, err := c.Interpreter(t.Context()); err == nil || !strings.Contains(err.Error(), "no such thing") {
		t.Errorf("err = %v", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func TestCancelEndsWorkers(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	ctx, cancel := context.WithCancel(t.Context())
	c := New(ctx, openCache(t), Options{Launch: script(t, "import posix\ndef compiled(path, source):\n    posix.read(posix.pipe()[0], 1)"), Root: "root", Workers: 2})
	done := make(chan error)
	go func() {
		_, err := c.Compile(ctx, partOf("key", modules(80)), UncheckedHash)
		done <- err
	}()
	if _, err := c.Interpreter(t.Context()); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
	_ = c.Close() // what was killed says so
}

func FuzzAnswers(f *testing.F) {
	f.Add([]byte("E\x01\x00\x00\x00x"), 1)
	f.Add([]byte("C12345678\x02\x00\x00\x00\x00\x00\x00\x00ab"), 1)
	f.Add([]byte("C12345678\xff\xff\xff\xff\xff\xff\xff\xff"), 2)
	f.Fuzz(func(t *testing.T, data []byte, n int) {
		answers := make([]answer, max(0, min(n, 64)))
		if n, err := parseAnswers(data, answers); err != nil {
			if n < 0 || n > len(answers) {
				t.Errorf("%d of %d answers", n, len(answers))
			}
			return
		}
		// What was accepted is the whole input, in order.
		var b bytes.Buffer
		for _, a := range answers {
			b.Write(a.hash[:])
			b.Write(a.code)
			b.WriteString(a.reason)
		}
		if b.Len() > len(data)+8*len(answers) {
			t.Errorf("%d bytes became %d", len(data), b.Len())
		}
	})
}

func FuzzHello(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x00c\x04\x00\x00\x00magc\x01\x00\x00\x00\x00\x01\x00\x00\x00v"))
	f.Fuzz(func(t *testing.T, data []byte) {
		i, err := parseHello(data)
		if err == nil && (len(i.Magic) != 4 || i.CacheTag == "" || strings.Contains(i.CacheTag, "/")) {
			t.Errorf("accepted %+v", i)
		}
	})
}

func BenchmarkCompile(b *testing.B) {
	part := partOf("", modules(256))
	size := int64(0)
	for _, e := range part.Entries {
		size += e.Content.Size()
	}
	c := New(b.Context(), openCache(b), Options{Launch: launcher(b, nil), Root: "root", Workers: 2})
	b.SetBytes(size)
	for b.Loop() {
		if _, err := c.Compile(b.Context(), part, UncheckedHash); err != nil {
			b.Fatal(err)
		}
	}
	if err := c.Close(); err != nil {
		b.Fatal(err)
	}
}
