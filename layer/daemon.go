package layer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"vpk/internal/fault"
	"vpk/internal/progress"
	"vpk/internal/spelling"
	"vpk/internal/trace"
)

// engines are the programs that load images, in the order in which they are looked for.
var engines = []string{"docker", "podman", "nerdctl"}

// Daemon is a container engine on this machine, which gets the image through its command line program.
type Daemon struct {
	// Engine is the program's name or path. Empty: the first of docker, podman and nerdctl that is in PATH.
	Engine string
}

// Deliver implements Destination. The result names what the engine says that it loaded.
func (d Daemon) Deliver(ctx context.Context, a Artifact, report progress.Reporter) (Delivered, error) {
	engine, err := d.find()
	if err != nil {
		return Delivered{}, err
	}
	if a.Image == nil {
		return Delivered{}, fault.New(fault.Usage, "pack this machine's platform too, or push", "load image into %s: it is for none of this machine's platforms", filepath.Base(engine))
	}
	p, err := takeApart(a.Image)
	if err != nil {
		return Delivered{}, failed(ctx, "load image into", engine, err)
	}
	task := report.Task("load into "+filepath.Base(engine), p.size)
	defer task.Done()
	said, err := load(ctx, engine, func(w io.Writer) error { return writeArchive(ctx, w, p, a.Names, true, task) })
	if err != nil {
		return Delivered{}, failed(ctx, "load image into", engine, err)
	}
	target := loaded(said)
	if target == "" && len(a.Names) > 0 {
		target = a.Names[0].String()
	}
	return p.result(target), nil
}

// Check finds out whether the engine's program is here, before there is anything to deliver.
func (d Daemon) Check() error {
	_, err := d.find()
	return err
}

func (d Daemon) find() (string, error) {
	names := engines
	if d.Engine != "" {
		names = []string{d.Engine}
	}
	for _, n := range names {
		if path, err := exec.LookPath(n); err == nil {
			return path, nil
		}
	}
	hint := "install one of docker, podman and nerdctl, or write an archive with -o docker-archive:FILE"
	if near := spelling.Nearest(d.Engine, engines); near != "" && near != d.Engine {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	return "", fault.New(fault.Delivery, hint, "no container engine found: looked for %s", strings.Join(names, ", "))
}

// load runs "ENGINE load" with what feed writes as its input, and returns what it said. When feeding fails, or ctx ends, the
// engine is killed before its input ends, with all that it started: it must not take a part for the whole.
func load(ctx context.Context, engine string, feed func(io.Writer) error) (string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, engine, "load")
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error {
		if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); !errors.Is(err, syscall.ESRCH) {
			return err
		}
		return os.ErrProcessDone
	}
	cmd.WaitDelay = 5 * time.Second
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", errors.Join(err, stdin.Close())
	}
	fed := feed(stdin)
	stopped := errors.Is(fed, syscall.EPIPE) // the engine's own error says why
	switch {
	case fed == nil:
		fed = stdin.Close()
	case !stopped:
		cancel()
	}
	span := trace.Start(ctx, trace.Load, filepath.Base(engine))
	err = cmd.Wait() // closes stdin after the end of the engine
	span.End()
	switch {
	case fed != nil && !stopped:
		return "", fed
	case err != nil:
		return "", fault.New(fault.Delivery, "is the engine running, and may you use it?", "%w: %s", err, lastLines(stderr.String()+stdout.String()))
	}
	return stdout.String(), fed
}

// loaded finds the image in what an engine says: "Loaded image: NAME", "Loaded image ID: sha256:…", podman's
// "Loaded image(s): NAME". Empty when it says nothing of the kind.
func loaded(said string) string {
	for line := range strings.Lines(said) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "Loaded image"); ok {
			if _, what, ok := strings.Cut(rest, ": "); ok {
				return strings.TrimSpace(what)
			}
		}
	}
	return ""
}

// lastLines is the end of a program's complaint, on one line.
func lastLines(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	if len(lines) > 3 {
		lines = lines[len(lines)-3:]
	}
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return fmt.Sprintf("%.500s", strings.Join(lines, "; "))
}
