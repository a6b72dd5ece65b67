package sandbox

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"vpk/internal/cas"
)

// imageLabel marks images and containers that were made here, for those who want to remove them.
const imageLabel = "vpk.sandbox"

// engine is docker or podman, through its command line.
type engine struct {
	name, path string

	mu       sync.Mutex
	imported map[string]bool // by image name
}

func newEngine(name string) (*engine, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return nil, err
	}
	return &engine{name: name, path: path, imported: map[string]bool{}}, nil
}

func (e *engine) Name() string { return e.name }

func (e *engine) Start(ctx context.Context, c Command) (Process, error) {
	c, err := c.checked()
	if err != nil {
		return nil, refuse(e, err)
	}
	image, err := e.image(ctx, c)
	if err != nil {
		return nil, refuse(e, err)
	}
	container := "vpk-" + strings.ToLower(rand.Text())
	create, err := e.create(c, image, container)
	if err != nil {
		return nil, refuse(e, err)
	}
	remove := []string{e.path, "rm", "--force", "--volumes", container}
	if e.name == "podman" { // docker does not ask the program first
		remove = append(remove, "--time", "0")
	}
	s := stage{Supervise: &supervision{
		Setup:   raws(create),
		Command: raws([]string{e.path, "start", "--attach", "--interactive", container}),
		Signal:  raws([]string{e.path, "kill", container, "--signal"}),
		Cleanup: raws(remove),
		Env:     raws(os.Environ()), // where the daemon is, and the user's configuration
	}}
	return start(ctx, e, c, s, &syscall.SysProcAttr{})
}

// create is the command line that makes the container.
func (e *engine) create(c Command, image, container string) ([]string, error) {
	args := []string{
		e.path, "create", "--name", container, "--label", imageLabel, "--rm", "--interactive", "--pull", "never",
		"--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
		"--user", fmt.Sprintf("%d:%d", c.UID, c.GID), "--workdir", c.Dir,
	}
	if e.name == "podman" { // it would make /tmp and others writable
		args = append(args, "--read-only-tmpfs=false")
	}
	if c.Profile == Compile {
		args = append(args, "--network", "none", "--ipc", "none", "--hostname", "localhost")
	} else {
		args = append(args, "--network", "host", "--tmpfs", "/tmp:rw,exec,mode=1777")
	}
	if c.Limits.Memory > 0 {
		args = append(args, "--memory", strconv.FormatInt(c.Limits.Memory, 10))
	}
	if c.Limits.Stack > 0 {
		args = append(args, "--ulimit", fmt.Sprintf("stack=%d:%d", c.Limits.Stack, c.Limits.Stack))
	}
	if c.Limits.Processes > 0 {
		args = append(args, "--pids-limit", strconv.Itoa(c.Limits.Processes))
	}
	for _, b := range c.Binds {
		if strings.ContainsAny(b.Host+b.Image, ",\"\n") {
			return nil, fmt.Errorf("bind of %q to %q: %s takes no commas or quotes", b.Host, b.Image, e.name)
		}
		mount := "type=bind,source=" + b.Host + ",target=" + b.Image
		if !b.Writable {
			mount += ",readonly"
		}
		args = append(args, "--mount", mount)
	}
	for _, entry := range c.Env {
		args = append(args, "--env", entry)
	}
	args = append(args, "--entrypoint", c.Args[0], image)
	return append(args, c.Args[1:]...), nil
}

// image is the engine's name of the root, which is imported if need be.
func (e *engine) image(ctx context.Context, c Command) (string, error) {
	if c.RootID == "" {
		return "", errors.New("the root has no name to import it by")
	}
	image := imageName(c.RootID)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.imported[image] {
		return image, nil
	}
	if _, err := e.run(ctx, nil, "image", "inspect", image); err != nil {
		if err := e.load(ctx, c.Root, image); err != nil {
			return "", fmt.Errorf("import %q: %w", c.Root, err)
		}
	}
	e.imported[image] = true
	return image, nil
}

// imageName is what a root is imported as. The number is that of the form of what is imported.
func imageName(rootID string) string { return "vpk-sandbox:" + cas.Key("imported root 1", rootID) }

func (e *engine) load(ctx context.Context, root, image string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r, w := io.Pipe()
	go func() {
		err := writeRoot(w, root)
		if err != nil {
			cancel(err) // the engine must not take half of it for the whole
		}
		_ = w.CloseWithError(err)
	}()
	_, err := e.run(ctx, r, "import", "--change", "LABEL "+imageLabel+"=", "-", image)
	_ = r.Close()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// run runs one of the engine's commands to its end.
func (e *engine) run(ctx context.Context, stdin io.Reader, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, e.path, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return "", cause
		}
		return "", fmt.Errorf("%s %s: %w: %s", e.name, args[0], err, bytes.TrimSpace(stderr.Bytes()))
	}
	return stdout.String(), nil
}

// writeRoot writes a root as a tar file, all of it owned by user 0. What is no file, directory or link is left out.
func writeRoot(w io.Writer, root string) error {
	out := tar.NewWriter(w)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		header := &tar.Header{Name: name, Mode: int64(info.Mode().Perm())}
		switch {
		case info.Mode().IsRegular():
			header.Typeflag, header.Size = tar.TypeReg, info.Size()
		case d.IsDir():
			header.Typeflag, header.Name = tar.TypeDir, name+"/"
		case info.Mode()&fs.ModeSymlink != 0:
			header.Typeflag = tar.TypeSymlink
			if header.Linkname, err = os.Readlink(path); err != nil {
				return err
			}
		default:
			return nil
		}
		if info.Mode()&fs.ModeSticky != 0 {
			header.Mode |= 0o1000
		}
		if err := out.WriteHeader(header); err != nil || header.Typeflag != tar.TypeReg {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		_, err = io.Copy(out, f)
		return errors.Join(err, f.Close())
	})
	return errors.Join(err, out.Close())
}
