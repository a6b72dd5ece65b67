package pyc

import (
	"context"
	"fmt"
	"io"
	"path"
	"strings"

	"golang.org/x/sync/errgroup"

	"vpk/internal/cas"
	"vpk/internal/fault"
	"vpk/internal/trace"
	"vpk/pyc/marshal"
	"vpk/venv/tree"
)

// SliceSize is the number of modules that are compiled in one child. Each fork costs its pages: of the time that 400 modules of sympy take,
// 8 % is the kernel's with 32 modules a child, 6 % with 64, 4 % with 128.
const SliceSize = 64

// FormatVersion rises when the same module may get other bytes than before.
const FormatVersion = 4

// Invalidation is how the interpreter decides whether bytecode is still good for its source (PEP 552).
type Invalidation uint32

// The kinds of PEP 552 headers that are written; the numbers are the header's flags.
const (
	UncheckedHash Invalidation = 0b01
	CheckedHash   Invalidation = 0b11
)

// Failure is a module that has no bytecode.
type Failure struct {
	Path   string // of the module in the image
	Reason string // what the compiler said
}

// Source is what to compile, and how.
type Source struct {
	// Part has the modules: every file whose name ends in .py and that is not itself in a __pycache__. Their paths become
	// the file names in tracebacks: "/" + path.
	Part tree.Part
	// Root is the directory that all modules are below, such as "app/.venv"; empty: the root of the tree. Bytecode in the
	// cache serves every root.
	Root string
	Mode Invalidation
	// Optimize is 0, or 1: without assert and __debug__, or 2: without docstrings too. The interpreter takes bytecode of the
	// level that it runs at itself (-O, PYTHONOPTIMIZE).
	Optimize int
}

// PartSuffix is what the name of a part of bytecode has after that of its modules' part.
const PartSuffix = "/bytecode"

// Result is the bytecode of one part.
type Result struct {
	// Part holds the bytecode files; its Key is empty when the source part's is. It has no entries when there are no modules.
	Part     tree.Part
	Failures []Failure // sorted by path
	// Interpreter is who compiled; zero when there was nothing to compile.
	Interpreter Interpreter
	Cached      bool // nothing was compiled
}

// Compiler compiles parts. It is safe for concurrent use.
type Compiler struct {
	cache *cas.Store
	boot  string
	pool  *pool
}

// Options of a Compiler.
type Options struct {
	// Launch starts the interpreter.
	Launch Launcher
	// Accept judges what an interpreter says of itself, before it compiles anything or is remembered; one that is remembered under the
	// same Root was judged. Nil accepts all.
	Accept func(Interpreter) error
	// Root names the interpreter's root file system: what was learnt of its interpreter is remembered under that name.
	Root string
	// Boot names the boot of this machine: a file of the cache that was read in the same boot, and looks as it did, is not read again.
	// Empty: that cannot be told, and it is always read.
	Boot string
	// Workers is how many processes there are at a time, at least one.
	Workers int
}

// New makes a compiler. Its workers are started as they are needed and live no longer than ctx. Close must be called.
func New(ctx context.Context, cache *cas.Store, o Options) *Compiler {
	return &Compiler{cache: cache, boot: o.Boot, pool: newPool(ctx, cache, o)}
}

// Close ends the workers.
func (c *Compiler) Close() error { return c.pool.close() }

// Interpreter says who compiles: from memory of the same root, or else by starting a worker.
func (c *Compiler) Interpreter(ctx context.Context) (Interpreter, error) { return c.pool.identify(ctx) }

// Compile makes the bytecode of every module of a part.
func (c *Compiler) Compile(ctx context.Context, src Source) (Result, error) {
	part := src.Part
	result := Result{Part: tree.Part{Name: part.Name + PartSuffix}}
	modules, err := src.modules()
	if err != nil {
		return Result{}, fmt.Errorf("compile %s: %w", part.Name, err)
	}
	if len(modules) == 0 {
		return result, nil
	}
	interpreter, err := c.pool.identify(ctx)
	if err != nil {
		return Result{}, err
	}
	format, err := interpreter.format()
	if err != nil {
		return Result{}, err
	}
	result.Interpreter = interpreter
	b := &bytecode{interpreter: interpreter, format: format, root: src.Root, mode: src.Mode, optimize: src.Optimize}
	key := ""
	if part.Key != "" {
		key = cacheKey(interpreter, src.Optimize, modules)
		result.Part.Key = cas.Key("bytecode part", key, src.Root, fmt.Sprint(src.Mode))
	}
	made, err := c.load(ctx, b, part.Name, key, result.Part.Key)
	if err != nil {
		return Result{}, fmt.Errorf("compile %s: %w", part.Name, err)
	}
	result.Cached = made
	if !made {
		answers, err := c.compileAll(ctx, format, src, modules)
		if err != nil {
			return Result{}, fmt.Errorf("compile %s: %w", part.Name, err)
		}
		if err = c.store(ctx, b, part.Name, key, modules, answers); err != nil {
			return Result{}, fmt.Errorf("compile %s: %w", part.Name, err)
		}
	}
	result.Failures = b.failures()
	result.Part.Entries = b.entries
	return result, nil
}

// modules are the modules of a part, with their paths below the root.
func (s Source) modules() ([]tree.Entry, error) {
	var modules []tree.Entry
	for _, e := range s.Part.Entries {
		if e.Kind != tree.File || !strings.HasSuffix(e.Path, ".py") || path.Base(path.Dir(e.Path)) == "__pycache__" {
			continue
		}
		if s.Root != "" {
			below, ok := strings.CutPrefix(e.Path, s.Root+"/")
			if !ok {
				return nil, fmt.Errorf("%q is not below %q", e.Path, s.Root)
			}
			e.Path = below
		}
		modules = append(modules, e)
	}
	return modules, nil
}

// cacheKey names the bytecode of modules: all that it depends on, which is neither where they are installed to nor what else
// is installed with them.
func cacheKey(interpreter Interpreter, optimize int, modules []tree.Entry) string {
	inputs := []string{"bytecode", fmt.Sprint(FormatVersion), interpreter.ID(), fmt.Sprint(optimize)}
	for _, m := range modules {
		inputs = append(inputs, m.Path, m.Content.Digest().String())
	}
	return cas.Key(inputs...)
}

// compileAll compiles modules in slices; answers are in the modules' order.
func (c *Compiler) compileAll(ctx context.Context, format *marshal.Format, src Source, modules []tree.Entry) ([]answer, error) {
	answers := make([]answer, len(modules))
	weight := int64(0)
	for _, e := range src.Part.Entries {
		if e.Kind == tree.File {
			weight += e.Content.Size()
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(c.pool.size + 1) // one more waits, lest another part takes its turn
	for start := 0; start < len(modules); start += SliceSize {
		end := min(start+SliceSize, len(modules))
		g.Go(func() error {
			if err := c.pool.compile(ctx, slice{of: src.Part.Name, root: src.Root, modules: modules[start:end], weight: weight, limit: c.pool.module, optimize: src.Optimize}, answers[start:end]); err != nil {
				return err
			}
			span := trace.Start(ctx, trace.Canonicalise, src.Part.Name)
			defer span.End()
			for i := start; i < end; i++ {
				span.Bytes(int64(len(answers[i].code)))
				if err := answers[i].rewrite(format); err != nil {
					return fault.New(fault.Sandbox, "leave the module out ([tool.vpk.bytecode] exclude), or all bytecode (--no-bytecode), and report it",
						"read the bytecode of %q: %w", path.Join(src.Root, modules[i].Path), err)
				}
			}
			return nil
		})
	}
	return answers, g.Wait()
}

// Cached is where the interpreter looks for the bytecode of a module: PEP 3147, and PEP 488 for the levels of optimisation.
func Cached(module, cacheTag string, optimize int) string {
	dir, file := path.Split(module)
	name := strings.TrimSuffix(file, ".py") + "." + cacheTag
	if optimize > 0 {
		name += fmt.Sprintf(".opt-%d", optimize)
	}
	return path.Join(dir, "__pycache__", name+".pyc")
}

// copyExactly copies content to w and fails unless it is as long as it says.
func copyExactly(w io.Writer, content tree.Content) error {
	r, err := content.Open()
	if err != nil {
		return err
	}
	n, err := io.Copy(w, io.LimitReader(r, content.Size()+1))
	if closeErr := r.Close(); err == nil {
		err = closeErr
	}
	if err == nil && n != content.Size() {
		err = fmt.Errorf("content has %d bytes, not the %d it claims", n, content.Size())
	}
	return err
}
