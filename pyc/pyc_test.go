package pyc

import (
	stdcmp "cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"vpk/internal/cas"
	"vpk/internal/fault"
	"vpk/internal/peer"
	"vpk/venv/tree"
	"vpk/wheel/tag"
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
		if _, err := c.Compile(t.Context(), Source{Part: partOf("", map[string]string{"other.py": "A = 'a'; q = {'q', 'z'}\n"}), Mode: UncheckedHash}); err != nil {
			t.Fatal(err)
		}
		result, err := c.Compile(t.Context(), Source{Part: part, Mode: UncheckedHash})
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

// Interpreters of all minors run the worker and take what comes of it.
func TestInterpretersAcceptTheFiles(t *testing.T) {
	for _, minor := range peer.CPythons {
		t.Run(minor, func(t *testing.T) { acceptsTheFiles(t, peer.CPython(t, minor)) })
	}
}

func acceptsTheFiles(t *testing.T, python string) {
	dir := t.TempDir()
	sources := map[string]string{"pkg/__init__.py": "", "pkg/m.py": "WHERE = (lambda: 0).__code__.co_filename\n"}
	c := New(t.Context(), openCache(t), Options{Root: "root", Launch: func(ctx context.Context, args, env []string, stdin io.Reader, stdout, stderr io.Writer) (Process, error) {
		return start(ctx, python, args, env, stdin, stdout, stderr)
	}})
	defer func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, mode := range []Invalidation{UncheckedHash, CheckedHash} {
		part := partOf("", map[string]string{})
		for name, text := range sources {
			part.Entries = append(part.Entries, tree.Entry{Path: strings.TrimPrefix(dir, "/") + "/" + name, Kind: tree.File, Mode: 0o644, Content: tree.Bytes(text)})
		}
		tree.Sort(part.Entries)
		result, err := c.Compile(t.Context(), Source{Part: part, Mode: mode})
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
		cmd := exec.Command(python, "-S", "-B", "-c", "import sys; sys.path[:0] = [sys.argv[1]]; import pkg.m; print(pkg.m.WHERE)", dir)
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
	first, err := compiler(t, cache, 1, &started).Compile(t.Context(), Source{Part: part, Mode: UncheckedHash})
	if err != nil {
		t.Fatal(err)
	}
	if first.Cached || started != 1 {
		t.Fatalf("cached = %v, started = %d", first.Cached, started)
	}
	want := snapshot(t, first.Part)

	again, err := compiler(t, cache, 1, &started).Compile(t.Context(), Source{Part: part, Mode: UncheckedHash})
	if err != nil {
		t.Fatal(err)
	}
	if !again.Cached || started != 1 {
		t.Errorf("second run: cached = %v, started = %d", again.Cached, started)
	}
	if fmt.Sprint(snapshot(t, again.Part)) != fmt.Sprint(want) || fmt.Sprint(again.Failures) != fmt.Sprint(first.Failures) {
		t.Error("second run differs from the first")
	}

	damage(t, again.Part.Entries[0].Content.(content).of.file)
	healed, err := compiler(t, cache, 1, &started).Compile(t.Context(), Source{Part: part, Mode: UncheckedHash})
	if err != nil {
		t.Fatal(err)
	}
	if healed.Cached || fmt.Sprint(snapshot(t, healed.Part)) != fmt.Sprint(want) {
		t.Error("damaged bytecode was used")
	}
	other, err := compiler(t, cache, 1, &started).Compile(t.Context(), Source{Part: part, Mode: CheckedHash})
	if err != nil {
		t.Fatal(err)
	}
	if !other.Cached || other.Part.Key == first.Part.Key {
		t.Errorf("another header: cached = %v, key %s, before %s", other.Cached, other.Part.Key, first.Part.Key)
	}
}

// Code that looks as it did is not read: nothing can show that but a look at damaged code that is said to be one at what was proven.
func TestCodeThatLooksTheSameIsNotRead(t *testing.T) {
	cache, source := openCache(t), Source{Part: partOf("key", modules(4)), Mode: UncheckedHash}
	run := func(boot string) Result {
		t.Helper()
		started := 0
		c := compiler(t, cache, 1, &started)
		c.boot = boot
		result, err := c.Compile(t.Context(), source)
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	digests := func(r Result) (all []string) {
		for _, e := range r.Part.Entries {
			all = append(all, fmt.Sprint(e.Path, e.Content.Size(), e.Content.Digest()))
		}
		return all
	}
	run("boot")
	first := run("boot")
	if _, err := cache.Record(placeKind, first.Part.Key); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("code that was written just now is remembered: %v", err)
	}
	file := first.Part.Entries[0].Content.(content).of.file
	damage(t, file)
	look, err := cas.LookAt("boot", "", file)
	if err != nil {
		t.Fatal(err)
	}
	look.Changed = time.Time{}
	entries := slices.Clone(first.Part.Entries)
	slices.SortFunc(entries, func(a, b tree.Entry) int {
		return stdcmp.Compare(a.Content.(content).Offset, b.Content.(content).Offset)
	})
	if err := (&Compiler{cache: cache}).remember(look, first.Part.Key, entries); err != nil {
		t.Fatal(err)
	}
	if again := run("boot"); !again.Cached || !slices.Equal(digests(again), digests(first)) {
		t.Error("code was read that looks as it did")
	}
	if again := run(""); again.Cached {
		t.Error("code is not read where nobody knows the boot")
	}
	damage(t, file)
	if again := run("boot"); again.Cached {
		t.Error("code is not read that looks another")
	}
	damage(t, file)
	if again := run("another"); again.Cached {
		t.Error("code is not read that was proven in another boot")
	}
}

// A disk that is full, or may not be written to, is none of a reader's business.
func TestCodeIsReadFromACacheThatCannotRemember(t *testing.T) {
	cache, started := openCache(t), 0
	source := Source{Part: partOf("key", modules(4)), Mode: UncheckedHash}
	if _, err := compiler(t, cache, 1, &started).Compile(t.Context(), source); err != nil {
		t.Fatal(err)
	}
	scratch := filepath.Join(cache.Dir(), "tmp")
	if err := errors.Join(os.RemoveAll(scratch), os.WriteFile(scratch, nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	c := compiler(t, cache, 1, &started)
	c.boot = "boot"
	if again, err := c.Compile(t.Context(), source); err != nil || !again.Cached {
		t.Errorf("cached = %v, error %v", again.Cached, err)
	}
}

// damage changes a file's last byte.
func damage(t *testing.T, file string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-1] ^= 1
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// What is compiled for one place serves all others, with the names of files there.
func TestCacheServesEveryRoot(t *testing.T) {
	cache, started := openCache(t), 0
	sources := modules(3)
	sources["app/é.py"] = "def f(): return lambda: 0\n"
	for i, root := range []string{"", "srv/venv", "tmp/" + strings.Repeat("long/", 60) + "é"} {
		part := tree.Part{Name: "test", Key: "a key of " + root}
		for name, text := range sources {
			part.Entries = append(part.Entries, tree.Entry{Path: path.Join(root, name), Kind: tree.File, Mode: 0o644, Content: tree.Bytes(text)})
		}
		tree.Sort(part.Entries)
		cached, err := compiler(t, cache, 1, &started).Compile(t.Context(), Source{Part: part, Root: root, Mode: UncheckedHash})
		if err != nil {
			t.Fatal(err)
		}
		if cached.Cached != (i > 0) || started != 1 {
			t.Errorf("%q: cached = %v, started = %d", root, cached.Cached, started)
		}
		if len(cached.Failures) != 2 || cached.Failures[0].Path != path.Join(root, "app/broken.py") {
			t.Errorf("%q: failures %v", root, cached.Failures)
		}
		part.Key = ""
		uncached, err := compiler(t, cache, 1, nil).Compile(t.Context(), Source{Part: part, Root: root, Mode: UncheckedHash})
		if err != nil {
			t.Fatal(err)
		}
		want := snapshot(t, uncached.Part)
		if diff := cmp.Diff(want, snapshot(t, cached.Part)); diff != "" {
			t.Errorf("%q: from the cache differs (-want +got):\n%s", root, diff)
		}
		for _, e := range cached.Part.Entries {
			files := peer.Output(t, loading(t, "import marshal, sys\ndef names(c): return {c.co_filename}.union(*(names(k) for k in c.co_consts if hasattr(k, 'co_code')))\n"+
				"print(*names(marshal.loads(sys.stdin.buffer.read()[16:])), sep='|')", want[e.Path]))
			module := strings.Replace(strings.Replace(e.Path, "__pycache__/", "", 1), "."+cached.Interpreter.CacheTag+".pyc", ".py", 1)
			if strings.TrimSpace(files) != "/"+module {
				t.Errorf("%s: files %q", e.Path, files)
			}
		}
	}
	if _, err := compiler(t, cache, 1, nil).Compile(t.Context(), Source{Part: partOf("", sources), Root: "ap", Mode: UncheckedHash}); err == nil {
		t.Error("modules outside the root are compiled")
	}
}

// loading is an interpreter that runs a script on an input.
func loading(t *testing.T, script, input string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), peer.Python(t), "-c", script)
	cmd.Env = append(os.Environ(), "PYTHONIOENCODING=utf-8")
	cmd.Stdin = strings.NewReader(input)
	return cmd
}

// Each level of optimisation has files and cache entries of its own, which an interpreter of that level takes.
func TestOptimize(t *testing.T) {
	cache, dir := openCache(t), t.TempDir()
	const text = "'doc'\ndef f():\n 'doc of f'\n assert False\nprint(__doc__, f.__doc__, __debug__, __cached__.split('.', 1)[1])\n"
	part := tree.Part{Name: "test", Key: "key", Entries: []tree.Entry{
		{Path: strings.TrimPrefix(dir, "/") + "/m.py", Kind: tree.File, Mode: 0o644, Content: tree.Bytes(text)},
	}}
	c := compiler(t, cache, 1, nil)
	keys := map[string]bool{}
	for level := range 3 {
		result, err := c.Compile(t.Context(), Source{Part: part, Mode: UncheckedHash, Optimize: level})
		if err != nil {
			t.Fatal(err)
		}
		if result.Cached || keys[result.Part.Key] {
			t.Errorf("level %d has the cache entry or the key of another", level)
		}
		keys[result.Part.Key] = true
		for _, e := range result.Part.Entries {
			if err := os.MkdirAll(filepath.Dir("/"+e.Path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile("/"+e.Path, read(t, e), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "m.py"), []byte("print('the source')\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	tag := strings.TrimSpace(peer.Output(t, loading(t, "import sys; print(sys.implementation.cache_tag)", "")))
	for level, want := range []string{
		"doc doc of f True " + tag + ".pyc", "doc doc of f False " + tag + ".opt-1.pyc", "None None False " + tag + ".opt-2.pyc",
	} {
		cmd := loading(t, "import sys; sys.path[:0] = [sys.stdin.read()]; import m", dir)
		cmd.Env = append(cmd.Env, fmt.Sprintf("PYTHONOPTIMIZE=%d", level), "PYTHONDONTWRITEBYTECODE=1")
		if got := strings.TrimSpace(peer.Output(t, cmd)); got != want {
			t.Errorf("level %d: %q, want %q", level, got, want)
		}
	}
}

// A module's bytecode is the same in whatever company it is compiled.
func TestBytecodeDependsOnNoSlice(t *testing.T) {
	sources := modules(SliceSize + 3)
	together, err := compiler(t, openCache(t), 2, nil).Compile(t.Context(), Source{Part: partOf("", sources), Mode: UncheckedHash})
	if err != nil {
		t.Fatal(err)
	}
	want, c := snapshot(t, together.Part), compiler(t, openCache(t), 2, nil)
	for name, text := range sources {
		alone, err := c.Compile(t.Context(), Source{Part: partOf("", map[string]string{name: text}), Mode: UncheckedHash})
		if err != nil {
			t.Fatal(err)
		}
		for file, data := range snapshot(t, alone.Part) {
			if want[file] != data {
				t.Errorf("%s: alone it has other bytecode than with others", name)
			}
		}
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

func TestUnknownInterpreterIsRefused(t *testing.T) {
	for _, cacheTag := range []string{"cpython-38", "cpython-313t", "pypy39"} {
		fake := fmt.Sprintf("sys.implementation.cache_tag = %q", cacheTag)
		c := New(t.Context(), openCache(t), Options{Launch: script(t, fake), Root: "root", Workers: 1})
		_, err := c.Compile(t.Context(), Source{Part: partOf("", modules(1)), Mode: UncheckedHash})
		if want := "no bytecode can be made for " + cacheTag + ": only for CPython 3.9 to 3.14"; err == nil || err.Error() != want || fault.KindOf(err) != fault.Sandbox {
			t.Errorf("err = %v, want %q", err, want)
		}
		_ = c.Close() // what was killed says so
	}
	for minor, want := range map[int]bool{8: false, 9: true, 14: true, 15: false} {
		if err := Supports(tag.Python{Major: 3, Minor: minor}); (err == nil) != want {
			t.Errorf("CPython 3.%d: %v", minor, err)
		}
	}
}

// What nests too deeply for the parser is a MemoryError, too, and the module's own fault.
func TestDeepNestingIsNoDeath(t *testing.T) {
	c := compiler(t, openCache(t), 1, nil)
	result, err := c.Compile(t.Context(), Source{Part: partOf("", map[string]string{"deep.py": "x = " + strings.Repeat("-", 100_000) + "1\n"}), Mode: UncheckedHash})
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
	result, err := compiler(t, openCache(t), 1, nil).Compile(t.Context(), Source{Part: partOf("", sources), Mode: UncheckedHash})
	if err != nil || len(result.Failures) != 1 || result.Failures[0].Path != "none.py" {
		t.Errorf("failures = %v, err = %v", result.Failures, err)
	}
}

// A name that is short enough for a module can be too long for its bytecode, and no file system would take that image.
func TestNameTooLongForBytecode(t *testing.T) {
	fits, tooLong := strings.Repeat("a", maxName-len(".cpython-399.pyc")), strings.Repeat("b", maxName-len(".py"))
	result, err := compiler(t, openCache(t), 1, nil).Compile(t.Context(), Source{Part: partOf("", map[string]string{fits + ".py": "", tooLong + ".py": ""}), Mode: UncheckedHash})
	if err != nil || len(result.Failures) != 1 || result.Failures[0].Path != tooLong+".py" || len(result.Part.Entries) != 1 {
		t.Errorf("failures = %v, bytecode for %d, err = %v", result.Failures, len(result.Part.Entries), err)
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
	c := New(ctx, openCache(t), Options{Launch: script(t, "import posix\ndef compiled(path, source, level):\n    posix.read(posix.pipe()[0], 1)"), Root: "root", Workers: 2})
	done := make(chan error)
	go func() {
		_, err := c.Compile(ctx, Source{Part: partOf("key", modules(80)), Mode: UncheckedHash})
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

func BenchmarkCompile(b *testing.B) {
	part := partOf("", modules(256))
	size := int64(0)
	for _, e := range part.Entries {
		size += e.Content.Size()
	}
	c := New(b.Context(), openCache(b), Options{Launch: launcher(b, nil), Root: "root", Workers: 2})
	b.SetBytes(size)
	for b.Loop() {
		if _, err := c.Compile(b.Context(), Source{Part: part, Mode: UncheckedHash}); err != nil {
			b.Fatal(err)
		}
	}
	if err := c.Close(); err != nil {
		b.Fatal(err)
	}
}
