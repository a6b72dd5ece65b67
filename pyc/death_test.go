package pyc

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vpk/internal/fault"
	"vpk/internal/peer"
)

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
def compiled(path, source, level):
    if source.startswith(b'DIE'):
        try:
            posix.stat(%q)
        except OSError:
            return real(path, source, level)
        if %q == 'memory':
            def bytes(size):
                raise MemoryError
            builtins.bytes = bytes
            def compile(*args, **kwargs):
                raise MemoryError
            builtins.compile = compile
            return real(path, source, level)
        posix.unlink(%q) if %q.endswith('.once') else None
        %s
    return real(path, source, level)`, file, how, file, file, dying[how]))
}

func TestDeathFailsTheBuild(t *testing.T) {
	sources := modules(2 * SliceSize)
	sources["app/m003.py"] = "DIE = 1\n"
	for how, want := range map[string]string{
		"worker": "the compile worker died: ",
		"hang":   "the compiler died: it took too long",
		"memory": "the compiler died: exit status 1: there is no memory left",
	} {
		t.Run(how, func(t *testing.T) {
			cache, file := openCache(t), filepath.Join(t.TempDir(), "always")
			if err := os.WriteFile(file, nil, 0o644); err != nil {
				t.Fatal(err)
			}
			c := New(t.Context(), cache, Options{Launch: dies(t, how, file), Root: "root", Workers: 2})
			c.pool.module = 3 * time.Second // a loaded machine is slow to compile even the others
			_, err := c.Compile(t.Context(), Source{Part: partOf("key", sources), Mode: UncheckedHash})
			if err == nil || !strings.Contains(err.Error(), want) || fault.KindOf(err) != fault.Sandbox || !strings.HasSuffix(err.Error(), `(tried 2 times, at "app/m003.py")`) {
				t.Errorf("err = %v, want %q at the module", err, want)
			}
			_ = c.Close() // what was killed says so
			if again, err := compiler(t, cache, 1, nil).Compile(t.Context(), Source{Part: partOf("key", sources), Mode: UncheckedHash}); err != nil || again.Cached {
				t.Errorf("cached = %v, err = %v", again.Cached, err)
			}
		})
	}
}

// A module on which the compiler itself crashes, each time, has no bytecode, and all others have theirs.
func TestCrashIsReported(t *testing.T) {
	sources := modules(2 * SliceSize)
	sources["app/m003.py"], sources["app/m005.py"] = "DIE = 1\n", "DIE = 2\n"
	file := filepath.Join(t.TempDir(), "always")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	c := New(t.Context(), openCache(t), Options{Launch: dies(t, "child", file), Root: "root", Workers: 2})
	result, err := c.Compile(t.Context(), Source{Part: partOf("key", sources), Mode: UncheckedHash})
	if err != nil {
		t.Fatal(err)
	}
	reason := "the compiler died: signal segmentation fault (tried 2 times)"
	want := []Failure{{"app/m003.py", reason}, {"app/m005.py", reason}}
	got := slices.DeleteFunc(result.Failures, func(f Failure) bool { return f.Path == "app/broken.py" || f.Path == "app/nul.py" })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("failures (-want +got):\n%s", diff)
	}
	if n := len(result.Part.Entries); n != 2*SliceSize-2 {
		t.Errorf("bytecode for %d modules", n)
	}
	_ = c.Close() // what was killed says so
}

func TestDeathIsTriedAgain(t *testing.T) {
	sources := modules(2 * SliceSize)
	sources["app/m003.py"] = "DIE = 1\n"
	want, err := compiler(t, openCache(t), 1, nil).Compile(t.Context(), Source{Part: partOf("", sources), Mode: UncheckedHash})
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
			c.pool.module = 3 * time.Second // a loaded machine is slow to compile even the others
			result, err := c.Compile(t.Context(), Source{Part: partOf("", sources), Mode: UncheckedHash})
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

// What can't be read as marshalled code is told of with the name of its module, and never packed.
func TestUnreadableBytecodeNamesItsModule(t *testing.T) {
	garbage := "real = compiled\ndef compiled(path, source, level):\n    if path != b'/app/m001.py':\n        return real(path, source, level)\n" +
		"    return b'C', bytes(8), (1).to_bytes(8, 'little'), b'?'"
	c := New(t.Context(), openCache(t), Options{Launch: script(t, garbage), Root: "root", Workers: 1})
	_, err := c.Compile(t.Context(), Source{Part: partOf("key", modules(3)), Mode: UncheckedHash})
	if want := `read the bytecode of "app/m001.py": offset 0: type byte 0x3f`; err == nil || !strings.Contains(err.Error(), want) || fault.KindOf(err) != fault.Sandbox {
		t.Errorf("err = %v, want %q", err, want)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// A compiler that foreign code has taken over can't speak for its worker.
func TestChildHasNoPipeOfItsWorker(t *testing.T) {
	probe := "real = compiled\ndef compiled(path, source, level):\n    for fd in (0, 1):\n        try:\n            posix.fstat(fd)\n" +
		"        except OSError:\n            continue\n        posix.kill(posix.getpid(), 9)\n    return real(path, source, level)"
	c := New(t.Context(), openCache(t), Options{Launch: script(t, probe), Root: "root", Workers: 1})
	if _, err := c.Compile(t.Context(), Source{Part: partOf("", modules(2)), Mode: UncheckedHash}); err != nil {
		t.Error(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}
