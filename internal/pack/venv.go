package pack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"vpk/internal/fault"
	"vpk/internal/trace"
	"vpk/pyc"
	"vpk/venv"
	"vpk/venv/tree"
	"vpk/wheel/tag"
)

// VenvOptions of Venv.
type VenvOptions struct {
	Project   *Project
	Selection Selection
	Dir       string // where to, new or empty
	Python    string // interpreter: a path or a name in PATH
	Bytecode  bool
}

// VenvResult says what Venv wrote.
type VenvResult struct {
	Dir        string
	Python     string
	Packages   []Package
	Collisions []Collision
}

// Venv writes a project's environment to a directory of this machine, for an interpreter of this machine. Projects that are
// installed in place are imported from where they are, as with uv.
func Venv(ctx context.Context, s *Sources, o VenvOptions) (_ *VenvResult, err error) {
	if err := s.check(ctx, o.Project, o.Selection); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	host, err := probe(ctx, o.Python)
	if err != nil {
		return nil, err
	}
	options, err := newBytecodeOptions(o.Project.Config.Bytecode)
	if err != nil {
		return nil, err
	}
	options.Sources = nil // people read and edit what is in an environment of theirs
	if o.Bytecode {
		if err := pyc.Supports(host.target.Python); err != nil {
			return nil, fault.New(fault.Sandbox, "leave out --bytecode", "%v", err) // not its hint, which is for images
		}
	}
	choosing := trace.Start(ctx, trace.Select, "")
	selection, err := o.Project.choose(o.Selection, host.target)
	choosing.End()
	if err != nil {
		return nil, err
	}
	if err := o.Selection.requireHashes(selection); err != nil {
		return nil, err
	}
	locals, err := o.Project.locals(selection)
	if err != nil {
		return nil, err
	}
	spec := venv.Spec{Prefix: dir, Python: host.target.Python, Interpreter: host.Executable}
	var c *compiler
	if o.Bytecode {
		// Checked, because people edit what is in an environment of theirs.
		c = newCompiler(ctx, s, spec, options, pyc.CheckedHash, pyc.Options{Root: "host " + host.Executable + " " + host.Version, Launch: host.launch})
		defer func() {
			if closeErr := c.close(); err == nil {
				err = closeErr
			}
		}()
	}
	w, err := installWheels(ctx, s, o.Project, spec, selection, c, nil)
	if err != nil {
		return nil, err
	}
	defer func() {
		if closeErr := w.close(); err == nil {
			err = closeErr
		}
	}()
	installed, err := installLocals(spec, locals, inPlace)
	if err != nil {
		return nil, err
	}
	joining := trace.Start(ctx, trace.Join, "")
	parts, collisions, err := environmentParts(spec, w, installed, o.Project.Config)
	joining.End()
	if err != nil {
		return nil, err
	}
	span := trace.Start(ctx, trace.Write, filepath.Base(dir))
	defer span.End()
	if err := tree.WriteDir(ctx, tree.Tree{Parts: parts}, dir, tree.WriteOptions{Base: strings.TrimPrefix(dir, "/")}); err != nil {
		return nil, err
	}
	result := &VenvResult{Dir: dir, Python: host.Executable, Packages: reports(w.report(selection), locals)}
	for _, collision := range collisions {
		s.reporter.Note("two packages bring %s", collision)
		result.Collisions = append(result.Collisions, Collision(collision))
	}
	return result, nil
}

// hostPython is an interpreter of this machine.
type hostPython struct {
	Executable     string // absolute; of the installation, when asked through a virtual environment
	Version        string // sys.version
	Full           string // platform.python_version()
	Machine        string // uname -m
	Libc           string // "glibc 2.36"
	Implementation string

	target tag.Target
}

const probeScript = `import json, os, platform, sys
print(json.dumps({
    "Executable": os.path.abspath(getattr(sys, "_base_executable", sys.executable)),
    "Version": sys.version, "Full": platform.python_version(), "Machine": platform.machine(),
    "Libc": os.confstr("CS_GNU_LIBC_VERSION") if "CS_GNU_LIBC_VERSION" in os.confstr_names else "",
    "Implementation": sys.implementation.name,
}))`

// probeLimit is how long an interpreter may take to say what it is.
const probeLimit = time.Minute

// probe asks an interpreter of this machine what it is.
func probe(ctx context.Context, program string) (hostPython, error) {
	refuse := func(format string, args ...any) (hostPython, error) {
		return hostPython{}, fault.New(fault.Usage, "name a CPython with --python", "interpreter %q: "+format, append([]any{program}, args...)...)
	}
	span := trace.Start(ctx, trace.StartInterpreter, filepath.Base(program))
	defer span.End()
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, program, "-I", "-c", probeScript)
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		if text := strings.TrimSpace(said.String()); text != "" {
			err = fmt.Errorf("%w: %s", err, text)
		}
		return refuse("%w", err)
	}
	var h hostPython
	if err := json.Unmarshal(out, &h); err != nil {
		return refuse("its answer is no answer: %w", err)
	}
	if h.Implementation != "cpython" {
		return refuse("it is %s, not CPython", h.Implementation)
	}
	if h.target.Python, err = tag.ParsePython(h.Full); err != nil {
		return refuse("%w", err)
	}
	switch h.target.Arch = tag.Arch(h.Machine); h.target.Arch {
	case tag.X8664, tag.AArch64:
	default:
		return refuse("its machine %q is not supported", h.Machine)
	}
	if _, err := fmt.Sscanf(h.Libc, "glibc %d.%d", &h.target.Glibc.Major, &h.target.Glibc.Minor); err != nil {
		return refuse("it has no glibc (%q)", h.Libc)
	}
	return h, nil
}

// launch starts the interpreter as a compile worker, in a process group of its own, so that its children end with it.
func (h hostPython) launch(ctx context.Context, args, env []string, stdin io.Reader, stdout, stderr io.Writer) (pyc.Process, error) {
	cmd := exec.CommandContext(ctx, h.Executable, args...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = env, stdin, stdout, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	if err := cmd.Start(); err != nil {
		return nil, fault.Wrap(fault.Sandbox, "", err)
	}
	return cmd, nil
}
