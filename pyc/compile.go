package pyc

import (
	"context"
	"fmt"
	"io"
	"path"
	"strings"

	"golang.org/x/sync/errgroup"

	"vpk/internal/cas"
	"vpk/venv/tree"
)

// SliceSize is the number of modules that are compiled in one child. It is part of FormatVersion.
const SliceSize = 32

// FormatVersion rises when the same module may get other bytes than before.
const FormatVersion = 3

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
	pool  *pool
}

// Options of a Compiler.
type Options struct {
	// Launch starts the interpreter.
	Launch Launcher
	// Accept judges what an interpreter says of itself, before it compiles anything or is remembered. Nil accepts all.
	Accept func(Interpreter) error
	// Root names the interpreter's root file system: what was learnt of its interpreter is remembered under that name.
	Root string
	// Workers is how many processes there are at a time, at least one.
	Workers int
}

// New makes a compiler. Its workers are started as they are needed and live no longer than ctx. Close must be called.
func New(ctx context.Context, cache *cas.Store, o Options) *Compiler {
	return &Compiler{cache: cache, pool: newPool(ctx, cache, o)}
}

// Close ends the workers.
func (c *Compiler) Close() error { return c.pool.close() }

// Interpreter says who compiles: from memory of the same root, or else by starting a worker.
func (c *Compiler) Interpreter(ctx context.Context) (Interpreter, error) { return c.pool.identify(ctx) }

// Compile makes the bytecode of every module of a part: every file whose name ends in .py and that is not itself in a
// __pycache__. Entries' paths become the file names in tracebacks: "/" + path.
func (c *Compiler) Compile(ctx context.Context, part tree.Part, mode Invalidation) (Result, error) {
	var modules []tree.Entry
	for _, e := range part.Entries {
		if e.Kind == tree.File && strings.HasSuffix(e.Path, ".py") && path.Base(path.Dir(e.Path)) != "__pycache__" {
			modules = append(modules, e)
		}
	}
	result := Result{Part: tree.Part{Name: part.Name + "/bytecode"}}
	if len(modules) == 0 {
		return result, nil
	}
	interpreter, err := c.pool.identify(ctx)
	if err != nil {
		return Result{}, err
	}
	result.Interpreter = interpreter
	key := ""
	if part.Key != "" {
		key = cas.Key("bytecode", fmt.Sprint(FormatVersion), part.Key, interpreter.ID(), fmt.Sprint(mode))
		result.Part.Key = key
	}
	compiled, err := c.load(key)
	if err != nil {
		return Result{}, fmt.Errorf("compile %s: %w", part.Name, err)
	}
	result.Cached = compiled != nil
	if compiled == nil {
		answers, err := c.compileAll(ctx, modules)
		if err != nil {
			return Result{}, fmt.Errorf("compile %s: %w", part.Name, err)
		}
		if compiled, err = c.store(key, interpreter, mode, modules, answers); err != nil {
			return Result{}, fmt.Errorf("compile %s: %w", part.Name, err)
		}
	}
	result.Failures = compiled.Failures
	result.Part.Entries = compiled.entries
	return result, nil
}

// compileAll compiles modules in slices; answers are in the modules' order.
func (c *Compiler) compileAll(ctx context.Context, modules []tree.Entry) ([]answer, error) {
	answers := make([]answer, len(modules))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(c.pool.size)
	for start := 0; start < len(modules); start += SliceSize {
		slice := modules[start:min(start+SliceSize, len(modules))]
		g.Go(func() error { return c.pool.compile(ctx, slice, answers[start:start+len(slice)]) })
	}
	return answers, g.Wait()
}

// Cached is where the interpreter looks for the bytecode of a module: PEP 3147.
func Cached(module, cacheTag string) string {
	dir, file := path.Split(module)
	return path.Join(dir, "__pycache__", strings.TrimSuffix(file, ".py")+"."+cacheTag+".pyc")
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
