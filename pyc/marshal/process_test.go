package marshal

import (
	"archive/zip"
	"bytes"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"vpk/internal/peer"
)

// curious are modules with what is rare, by the first minor whose grammar has it.
var curious = []struct {
	since int
	text  string
}{
	{9, "x = '.'; y = '\\xe9'; z = 'é'\nimport é, ÿ.ü\ndef f(é): return f(é=1, ü=2, ñandú='ñandú')\n"},
	{9, "class X:\n class Y:\n  class Z: 'X.Y.Z'\n  def f(self): 'X.Y.f'\nq = 'X.Y', 'X.Y.f', 'X.Y.Z'\n"},
	{9, "q = 'X.Y', 'X.Y.Z'\nclass X:\n class Y:\n  class Z: pass\n"},
	{9, "import a.b\nx = 'a.b', ('a.b',), ('a.b', 'c')\nfrom . import y\nfrom .z import *\n"},
	{9, "f = lambda: '<lambda>'\ng = ('<lambda>', '<module>', '<listcomp>', [lambda: a for a in b])\n"},
	{9, "def f():\n def f():\n  def f(): nonlocal_ = f; return f, nonlocal_\n  return f\n return f\nclass f: 'f'\n"},
	{9, "def f():\n try: return 1\n finally: (lambda: 0)() or {1, 2}\n"},
	{9, "assert x, 'y'\n'no doc'\nif __debug__: pass\n"},
	{9, "class C:\n def f(self): self.a = self.b = self.ç = 1\n def g(self): self.d, self.e = 1, 2\n"},
	{10, "match x:\n case C(é=1, ab=2): pass\n case {'é': 1, 'a.b': 2.0, **r}: pass\n case -1 | 1 - 2j | 'x' | None: pass\n"},
	{11, "try: pass\nexcept* (A, B): x = 1\n"},
	{12, "type A[T: (int, 'a.b'), *Ts, **P] = dict[T, 'é']\ndef f[T](x: T) -> T: return f'{x!r:>{x}} {\"a\" + f\"{x}\"}'\nclass C[É]:\n class D[T](list): pass\n"},
	{13, "def f[T = int](x: T): return locals()\nclass C[T = 'a.b']:\n class D: __static_attributes__\n"},
	{14, "x[1:2]; x[::'a.b']; x[None:'é', 1:2.0]; t'{x}é{y:z}'\nx['left':'right'], 'left', x['right':'', 'a':'.']; x['é':'ünï']; x[:'left'] = 'ünï'\ndef f(a: 'a.b', é: y): return a\nclass C:\n a: int\n class D:\n  b: 'D'\n"},
}

// modules are a sample of the standard library, or all of it, what is curious, and the module with everything.
func modules(t testing.TB, minor string) []source {
	t.Helper()
	everything, err := os.ReadFile("testdata/module.py")
	if err != nil {
		t.Fatal(err)
	}
	sources := []source{{"/app/module.py", string(everything)}}
	for _, c := range curious {
		sources = append(sources, source{"/app/curious.py", c.text})
	}
	files := standardLibrary(t, minor)
	if !peer.InFull() {
		rand.New(rand.NewPCG(1, 2)).Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
		files = files[:min(len(files), 20)]
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, source{name, string(text)})
	}
	return sources
}

// The interpreter loads what is rewritten to the same objects, a second rewriting changes nothing, and sizes don't grow.
func TestSameObjects(t *testing.T) {
	for _, minor := range peer.CPythons {
		t.Run(minor, func(t *testing.T) {
			t.Parallel()
			sources := modules(t, minor)
			seen := sameObjects(t, minor, sources, compiled(t, minor, "0", "fresh", sources))
			if seen["modules"] < 20 {
				t.Errorf("%d modules were compiled", seen["modules"])
			}
		})
	}
}

// sameObjects says what was seen.
func sameObjects(t *testing.T, minor string, sources []source, made [][]byte) counts {
	t.Helper()
	f := format(t, minor)
	var names []string
	var pairs [][]byte
	before, after := 0, 0
	for i, s := range sources {
		if len(made[i]) == 0 {
			continue
		}
		whole := canonical(t, f, s.name, made[i])
		if !bytes.Equal(canonical(t, f, s.name, whole), whole) {
			t.Errorf("%s: the second rewriting differs from the first", s.name)
		}
		if len(whole) > len(made[i]) {
			t.Errorf("%s: %d bytes became %d", s.name, len(made[i]), len(whole))
		}
		before, after = before+len(made[i]), after+len(whole)
		names, pairs = append(names, s.name), append(pairs, made[i], whole)
	}
	seen := walk(t, minor, names, pairs)
	seen["modules"], seen["bytes before"], seen["bytes after"] = len(names), before, after
	t.Logf("CPython %s: %v", minor, seen)
	if after > before {
		t.Errorf("%d bytes became %d", before, after)
	}
	return seen
}

// Nothing that a process did before is in the result: not the other modules, not what was interned, nor the seed of hashes.
func TestProcessDoesNotMatter(t *testing.T) {
	for _, minor := range peer.CPythons {
		t.Run(minor, func(t *testing.T) {
			t.Parallel()
			f, sources := format(t, minor), modules(t, minor)
			fresh := compiled(t, minor, "0", "fresh", sources)
			// What it did before is the same, too: each constant, name and qualified name is there already.
			busy := compiled(t, minor, "7", "busy", slices.Concat(sources, sources))[len(sources):]
			differ := 0
			for i, s := range sources {
				if (len(fresh[i]) == 0) != (len(busy[i]) == 0) {
					t.Errorf("%s: compiled in one process only", s.name)
				}
				if len(fresh[i]) == 0 {
					continue
				}
				if !bytes.Equal(fresh[i], busy[i]) {
					differ++
				}
				if !bytes.Equal(canonical(t, f, s.name, fresh[i]), canonical(t, f, s.name, busy[i])) {
					t.Errorf("%s, CPython %s: what was done before is in the canonical form", s.name, minor)
				}
			}
			if differ == 0 {
				t.Error("the interpreter's own output does not differ: nothing was tested")
			}
		})
	}
}

// regressions are modules whose own bytecode is another when many modules were compiled before, as seen with CPython 3.11.
var regressions = map[string][]string{
	"networkx==3.4.2":     {"networkx/algorithms/operators/tests/test_binary.py"},
	"narwhals==2.0.0":     {"narwhals/_pandas_like/expr.py"},
	"scikit-learn==1.5.2": {"sklearn/cluster/_optics.py", "sklearn/manifold/_locally_linear.py"},
	"pandas==2.2.3":       {"pandas/tests/groupby/test_api.py"},
}

func TestRegressions(t *testing.T) {
	const minor = "3.11"
	f := format(t, minor)
	var before, wanted []source
	for _, requirement := range slices.Sorted(maps.Keys(regressions)) {
		names := regressions[requirement]
		for _, m := range wheelModules(t, requirement) {
			if slices.Contains(names, m.name) {
				wanted = append(wanted, m)
			} else if peer.InFull() || len(before)%100 != 99 {
				before = append(before, m)
			}
		}
	}
	slices.SortFunc(before, func(a, b source) int { return strings.Compare(a.name, b.name) })
	slices.SortFunc(wanted, func(a, b source) int { return strings.Compare(a.name, b.name) })
	if len(wanted) != 5 {
		t.Fatalf("%d modules, want 5", len(wanted))
	}
	fresh := compiled(t, minor, "0", "fresh", wanted)
	busy := compiled(t, minor, "0", "busy", slices.Concat(before, wanted))[len(before):]
	for i, s := range wanted {
		if bytes.Equal(fresh[i], busy[i]) {
			t.Errorf("%s: CPython's own output does not differ", s.name)
		}
		if !bytes.Equal(canonical(t, f, s.name, fresh[i]), canonical(t, f, s.name, busy[i])) {
			t.Errorf("%s: %d modules compiled before are in the canonical form", s.name, len(before))
		}
	}
}

// wheelModules are the modules of a wheel.
func wheelModules(t testing.TB, requirement string) []source {
	t.Helper()
	archive, err := zip.OpenReader(peer.Wheels(t, requirement)[0])
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	var sources []source
	for _, f := range archive.File {
		if !strings.HasSuffix(f.Name, ".py") {
			continue
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, source{f.Name, string(text)})
	}
	return sources
}
