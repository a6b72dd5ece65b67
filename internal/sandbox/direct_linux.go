package sandbox

import (
	"bufio"
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/landlock-lsm/go-landlock/landlock"
	"golang.org/x/sys/unix"

	"vpk/internal/fault"
)

// direct is the engine of the same name.
type direct struct{}

func (direct) Name() string { return "direct" }

func (d direct) Start(ctx context.Context, c Command) (Process, error) {
	c, err := c.checked()
	if err != nil {
		return nil, refuse(d, err)
	}
	if c.Profile != Compile {
		return nil, refuse(d, fault.New(fault.Sandbox, "allow user namespaces, or use docker or podman",
			"it can't run an image, whose absolute paths do not exist without namespaces"))
	}
	if len(c.Binds) > 0 {
		return nil, refuse(d, errors.New("it can't bind files of the host"))
	}
	p, err := translate(c)
	if err != nil {
		return nil, refuse(d, err)
	}
	return startConfined(ctx, d, c, p, c.Root)
}

// startConfined starts a program of the host that may see one directory, under a supervisor.
func startConfined(ctx context.Context, b Sandbox, c Command, p program, visible string) (Process, error) {
	p.Limits.Processes = 0 // the kernel would count all of the user's, and refuse the first fork to a busy one
	inner := &stage{Program: p, Confine: &confinement{Visible: raw(visible)}}
	return start(ctx, b, c, stage{Supervise: &supervision{Inner: inner}}, &syscall.SysProcAttr{})
}

// confinement is the stage that shuts the host out as far as Landlock can.
type confinement struct {
	Visible raw // a directory that may be read and executed
}

func (f *confinement) enter() error {
	var nodes []string
	for _, d := range devices {
		nodes = append(nodes, "/dev/"+d)
	}
	err := landlock.V8.BestEffort().Restrict(landlock.RODirs(string(f.Visible)), landlock.RWFiles(nodes...).IgnoreIfMissing())
	if err != nil {
		return fmt.Errorf("restrict access with Landlock: %w", err)
	}
	// The root may lie below directories of other users. Whoever may not drop capabilities has none to drop.
	if err := boundCapabilities(unix.CAP_DAC_READ_SEARCH); err != nil && !errors.Is(err, unix.EPERM) {
		return err
	}
	return nil
}

// translate makes of a command in the image one on the host: a script becomes its interpreter's argument, and a program
// is started by the root's own loader, with the root's own libraries.
func translate(c Command) (program, error) {
	p := program{Limits: c.Limits, Filter: true}
	dir, err := inside(c.Root, c.Dir)
	if err != nil {
		return p, err
	}
	p.Dir = raw(filepath.Join(c.Root, dir))
	name, args, env := c.Args[0], c.Args[1:], slices.Clone(c.Env)
	for range 5 { // scripts of scripts: as many as the kernel follows
		path, err := find(c.Root, dir, name, env)
		if err != nil {
			return p, err
		}
		host := filepath.Join(c.Root, path)
		words, err := shebang(host)
		if err != nil {
			return p, err
		}
		if words != nil {
			name, args = words[0], slices.Concat(words[1:], []string{host}, args)
			continue
		}
		loader, err := loaderOf(host)
		if err != nil {
			return p, err
		}
		if strings.HasPrefix(filepath.Base(path), "python") {
			env = append(slices.DeleteFunc(env, func(e string) bool { return strings.HasPrefix(e, "PYTHONHOME=") }),
				"PYTHONHOME="+filepath.Join(c.Root, filepath.Dir(filepath.Dir(path))))
		}
		p.Env = raws(env)
		if loader == "" { // static
			p.Path, p.Args = raw(host), raws(append([]string{name}, args...))
			return p, nil
		}
		real, err := inside(c.Root, loader)
		if err != nil {
			return p, fmt.Errorf("the loader of %q: %w", name, err)
		}
		libraries, err := libraryPath(c.Root, filepath.Dir(real))
		if err != nil {
			return p, err
		}
		p.Path = raw(filepath.Join(c.Root, real))
		p.Args = raws(slices.Concat([]string{string(p.Path), "--inhibit-cache", "--library-path", libraries, host}, args))
		return p, nil
	}
	return p, fmt.Errorf("start %q: too many scripts that start scripts", c.Args[0])
}

// find resolves the name of a program in the image.
func find(root, dir, name string, env []string) (string, error) {
	if filepath.IsAbs(name) {
		return inside(root, name)
	}
	if strings.Contains(name, "/") {
		return inside(root, filepath.Join(dir, name))
	}
	for _, e := range env {
		if list, ok := strings.CutPrefix(e, "PATH="); ok {
			for _, dir := range filepath.SplitList(list) {
				if path, err := inside(root, filepath.Join(dir, name)); err == nil {
					return path, nil
				}
			}
		}
	}
	return "", fmt.Errorf("start %q: not in PATH", name)
}

// shebang returns the interpreter and at most one argument of a script, nil for a file that is none.
func shebang(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	line, err := bufio.NewReaderSize(io.LimitReader(f, 256), 256).ReadBytes('\n') // the kernel's limit
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	line, ok := bytes.CutPrefix(line, []byte("#!"))
	if !ok {
		return nil, nil
	}
	interpreter, argument, _ := strings.Cut(strings.TrimSpace(string(line)), " ")
	if interpreter == "" {
		return nil, fmt.Errorf("script %q names no interpreter", path)
	}
	words := []string{interpreter}
	if argument = strings.TrimSpace(argument); argument != "" {
		words = append(words, argument)
	}
	return words, nil
}

// loaderOf returns the path of the loader that an ELF program asks for, a path in the image; empty when it is static.
func loaderOf(path string) (string, error) {
	f, err := elf.Open(path)
	if err != nil {
		return "", fmt.Errorf("read program %q: %w", path, err)
	}
	defer func() { _ = f.Close() }()
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		if p.Filesz > 4096 {
			return "", fmt.Errorf("read program %q: the loader's name has %d bytes", path, p.Filesz)
		}
		name, err := io.ReadAll(p.Open())
		if err != nil {
			return "", fmt.Errorf("read program %q: %w", path, err)
		}
		return string(bytes.TrimRight(name, "\x00")), nil
	}
	return "", nil
}

// libraryPath is where the root's libraries are: beside its loader (with Debian a directory for the architecture), and
// where loaders look by default. Links are followed inside the root.
func libraryPath(root, loaderDir string) (string, error) {
	if strings.ContainsAny(root, ":;") {
		return "", fmt.Errorf("the loader can't look for libraries in %q: it takes ':' and ';' as the ends of names", root)
	}
	var dirs []string
	for _, dir := range []string{
		loaderDir, strings.TrimPrefix(loaderDir, "/usr"), filepath.Join("/usr", strings.TrimPrefix(loaderDir, "/usr")),
		"/usr/local/lib", "/lib64", "/usr/lib64", "/lib", "/usr/lib",
	} {
		if path, err := inside(root, dir); err == nil && !slices.Contains(dirs, filepath.Join(root, path)) {
			dirs = append(dirs, filepath.Join(root, path))
		}
	}
	return strings.Join(dirs, ":"), nil
}
