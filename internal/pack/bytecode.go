package pack

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"vpk/internal/cas"
	"vpk/internal/fault"
	"vpk/internal/progress"
	"vpk/internal/sandbox"
	"vpk/internal/trace"
	"vpk/layer/base"
	"vpk/pyc"
	"vpk/venv"
	"vpk/venv/tree"
	"vpk/wheel/tag"
)

// compiler makes the bytecode of one environment's parts and keeps count. It may be used from any goroutine.
type compiler struct {
	pyc      *pyc.Compiler
	options  bytecodeOptions
	place    string                 // the environment, in the tree
	site     string                 // site-packages there
	mode     pyc.Invalidation       // of wheels
	root     func() (string, error) // the base's unpacked root; of a compiler for a base
	reporter progress.Reporter
	ended    func() (struct{}, error) // nil before end

	mu   sync.Mutex
	done Bytecode // of the environment
	own  Bytecode // of the project's files
}

// bytecode is [tool.vpk.bytecode] where there is to be bytecode for an interpreter, else nil. An interpreter for which none can be made is
// refused here, before anything is fetched.
func (o Options) bytecode(python tag.Python) (*bytecodeOptions, error) {
	options, err := newBytecodeOptions(o.Project.Config.Bytecode)
	if err != nil || !o.Bytecode || !options.enabled() {
		return nil, err
	}
	return &options, pyc.Supports(python)
}

// newCompiler makes a compiler for an environment, whose processes are started by launch, when they are needed.
func newCompiler(ctx context.Context, s *Sources, spec venv.Spec, options bytecodeOptions, mode pyc.Invalidation, o pyc.Options) *compiler {
	o.Workers, o.Boot = runtime.GOMAXPROCS(0), bootID()
	return &compiler{
		pyc: pyc.New(ctx, s.cache, o), options: options, place: strings.TrimPrefix(spec.Prefix, "/"), site: spec.SitePackages(), mode: mode, reporter: s.reporter,
		done: Bytecode{Optimize: options.Optimize, Sourceless: options.sourceless()},
	}
}

// baseCompiler compiles for a base image, with the interpreter of runner in a sandbox, which is that base or the same for this
// machine's architecture. Nothing is unpacked and no sandbox chosen before something really has to be compiled.
func baseCompiler(ctx context.Context, s *Sources, spec venv.Spec, options bytecodeOptions, b, runner *base.Image, choice string) *compiler {
	var c *compiler
	type place struct {
		box  sandbox.Sandbox
		root string
	}
	command := func(root string, args, env []string) sandbox.Command {
		return sandbox.Command{
			Root: root, RootID: runner.Digest.String(), Args: append([]string{runner.Facts.Interpreter}, args...), Env: env, Profile: sandbox.Compile,
		}
	}
	unpack := sync.OnceValues(func() (string, error) { return b.Root(ctx) })
	open := sync.OnceValues(func() (place, error) {
		find := unpack
		if runner != b {
			find = func() (string, error) { return runner.Root(ctx) }
		}
		root, err := find()
		if err != nil {
			return place{}, err
		}
		args, env := pyc.Arguments()
		args = append(slices.Clone(args[:len(args)-1]), "import sys")
		box, err := sandbox.Choose(ctx, sandbox.Options{Choice: choice, Cache: s.cache, BootID: bootID(), Trial: command(root, args, env)})
		if err != nil {
			return place{}, fault.Wrap(fault.KindOf(err), emulationHint(runner.Platform.Architecture, runtime.GOARCH), fmt.Errorf("compile bytecode: %w", err))
		}
		c.mu.Lock()
		c.done.Sandbox = box.Name()
		c.mu.Unlock()
		return place{box, root}, nil
	})
	c = newCompiler(ctx, s, spec, options, pyc.UncheckedHash, pyc.Options{
		Root: interpreterName(b, runner),
		Launch: func(ctx context.Context, args, env []string, stdin io.Reader, stdout, stderr io.Writer) (pyc.Process, error) {
			p, err := open()
			if err != nil {
				return nil, err
			}
			cmd := command(p.root, args, env)
			cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, stderr
			return p.box.Start(ctx, cmd)
		},
		Accept: func(i pyc.Interpreter) error {
			root, err := unpack()
			if err != nil {
				return err
			}
			span := trace.Start(ctx, trace.ProveInterpreter, "")
			err = isInterpreter(i, b.Facts, root)
			span.End()
			if err != nil && runner != b {
				hint := emulationHint(b.Platform.Architecture, runtime.GOARCH)
				err = fault.New(fault.Sandbox, hint, "%w: the images of the base for %s and %s are of different builds", err, b.Platform.Architecture, runtime.GOARCH)
			}
			return err
		},
	})
	c.root = unpack
	return c
}

// interpreterName is the name under which it is remembered what compiles for a base.
func interpreterName(b, runner *base.Image) string {
	if runner == b {
		return b.Digest.String()
	}
	return b.Digest.String() + " by " + runner.Digest.String()
}

// isInterpreter proves that what compiles is the base's interpreter, whoever started it: each piece of its sys.version (version, build,
// compiler) is in the base's program, or in a library next to the standard library.
func isInterpreter(i pyc.Interpreter, facts base.Facts, root string) error {
	mismatch := fault.New(fault.Sandbox, "compile with the base's own interpreter: --sandbox auto",
		"the interpreter that compiles is %q, which is not the base image's build of CPython %s", i.Version, facts.Target.Python)
	if !strings.HasPrefix(i.Version, facts.Target.Python.Full) {
		return mismatch
	}
	pieces := strings.FieldsFunc(i.Version, func(r rune) bool { return strings.ContainsRune("()[],\n", r) })
	for _, name := range slices.Concat([]string{facts.Interpreter}, facts.Loaded) {
		if name != facts.Interpreter && !strings.Contains(filepath.Base(name), "libpython") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return fault.Wrap(fault.Base, "", fmt.Errorf("read the base's interpreter: %w", err))
		}
		if !slices.ContainsFunc(pieces, func(piece string) bool {
			piece = strings.TrimSpace(piece)
			return piece != "" && !bytes.Contains(data, []byte(piece))
		}) {
			return nil
		}
	}
	return mismatch
}

// emulationHint is what to do where the base's programs cannot start because they are for another processor; "" where they are not.
func emulationHint(arch, host string) string {
	if arch == host {
		return ""
	}
	return fmt.Sprintf("the base image is for %s and this machine is %s: install an emulator (qemu-user with binfmt_misc), pack on %s, or leave bytecode out (--no-bytecode)", arch, host, arch)
}

// bootID names the boot of this host, "" where the system does not say.
func bootID() string {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// wheel compiles the modules of a wheel.
func (c *compiler) wheel(ctx context.Context, part tree.Part) (tree.Part, error) {
	return c.compile(ctx, c.site, pyc.Source{Part: part, Root: c.place, Mode: c.mode}, &c.done)
}

// project compiles the project's modules: checked against their source when they are imported, so that a file which is mounted
// over one of them counts. Bytecode that the project brings along stays as it is.
func (c *compiler) project(ctx context.Context, part tree.Part) (tree.Part, error) {
	made, err := c.compile(ctx, strings.TrimPrefix(appDir, "/"), pyc.Source{Part: part, Mode: pyc.CheckedHash}, &c.own)
	if err != nil {
		return tree.Part{}, err
	}
	n := len(made.Entries)
	made.Entries = slices.DeleteFunc(made.Entries, func(e tree.Entry) bool {
		_, found := slices.BinarySearchFunc(part.Entries, e.Path, func(e tree.Entry, path string) int { return cmp.Compare(e.Path, path) })
		return found
	})
	if len(made.Entries) < n && made.Key != "" {
		made.Key = cas.Key("less", made.Key, part.Key)
	}
	return made, nil
}

// compile compiles what the options choose of a part whose patterns are about paths below root, and counts it.
func (c *compiler) compile(ctx context.Context, root string, src pyc.Source, done *Bytecode) (tree.Part, error) {
	var left int
	var err error
	if src.Part, left, err = c.options.choose(src.Part, root); err != nil {
		return tree.Part{}, err
	}
	src.Optimize = c.options.Optimize
	result, err := c.pyc.Compile(ctx, src)
	if err != nil {
		return tree.Part{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	done.Excluded += left
	done.Modules += len(result.Part.Entries)
	if len(result.Part.Entries) > 0 {
		done.Interpreter = result.Interpreter.ID()
	}
	for _, f := range result.Failures {
		done.Failures = append(done.Failures, ModuleReport{Path: f.Path, Reason: f.Reason})
		c.reporter.Detail("no bytecode for %s: %s", f.Path, f.Reason)
	}
	return result.Part, nil
}

// counts says what became of the modules of the environment so far.
func (c *compiler) counts() Bytecode {
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.SortFunc(c.done.Failures, byPath)
	return c.done
}

// all says what became of all modules, those of the project included.
func (c *compiler) all() Bytecode {
	all := c.counts()
	c.mu.Lock()
	defer c.mu.Unlock()
	all.Excluded += c.own.Excluded
	all.Modules += c.own.Modules
	all.Interpreter = cmp.Or(all.Interpreter, c.own.Interpreter)
	all.Failures = slices.Concat(all.Failures, c.own.Failures)
	slices.SortFunc(all.Failures, byPath)
	return all
}

func byPath(a, b ModuleReport) int { return cmp.Compare(a.Path, b.Path) }

// recall counts what was compiled before, in its failures as well.
func (c *compiler) recall(done Bytecode) {
	if c == nil {
		return
	}
	for _, f := range done.Failures {
		c.reporter.Detail("no bytecode for %s: %s", f.Path, f.Reason)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	done.Sandbox = c.done.Sandbox
	c.done = done
}

// end begins to end the processes: it takes them longer than it takes to send a layer.
func (c *compiler) end(ctx context.Context) {
	if c != nil {
		c.ended = beside(func() (struct{}, error) {
			span := trace.Start(ctx, trace.StopInterpreter, "")
			defer span.End()
			return struct{}{}, c.pyc.Close()
		})
	}
}

// close ends the processes, and waits for that.
func (c *compiler) close() error {
	switch {
	case c == nil:
		return nil
	case c.ended != nil:
		_, err := c.ended()
		return err
	}
	return c.pyc.Close()
}
