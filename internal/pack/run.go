package pack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"vpk/internal/cas"
	"vpk/internal/fault"
	"vpk/internal/sandbox"
	"vpk/internal/trace"
	"vpk/layer/base"
)

// RunOptions of Run.
type RunOptions struct {
	// Image is a reference to start; without one the project of Pack is packed and started.
	Image string
	Pack  Options
	// Args replace the image's Cmd. Env is added to the image's environment, NAME=VALUE.
	Args, Env      []string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Started is called when nothing more will be reported.
	Started func()
}

// IsImage says whether a word names an image on disk and not a project.
func IsImage(word string) bool {
	for _, scheme := range []string{"oci:", "oci-archive:", "docker-archive:"} {
		if strings.HasPrefix(word, scheme) {
			return true
		}
	}
	return false
}

// CheckProject refuses what is not a project but an image whose form was not said.
func CheckProject(word string) error {
	info, err := os.Stat(word)
	if err != nil {
		return nil // whoever reads the project will say it
	}
	if info.Mode().IsRegular() {
		return fault.New(fault.Usage, fmt.Sprintf("write oci-archive:%s or docker-archive:%s for an image", word, word), "%q is a file, not the directory of a project", word)
	}
	if _, err := os.Stat(filepath.Join(word, "pyproject.toml")); err == nil {
		return nil
	}
	if _, err := os.Stat(filepath.Join(word, "oci-layout")); err == nil {
		return fault.New(fault.Usage, fmt.Sprintf("write oci:%s", word), "%q is an image, not a project", word)
	}
	return nil
}

// Run starts an image in the throwaway container and waits for its end. Its error is a *sandbox.ExitError when the program
// ended with another status than 0.
func Run(ctx context.Context, s *Sources, o RunOptions) (err error) {
	img, done, err := o.open(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	c, err := img.ConfigFile()
	if err != nil {
		return fault.Wrap(fault.Base, "", fmt.Errorf("read image: %w", err))
	}
	root, remove, err := s.cache.TempDir("run")
	if err != nil {
		return fault.Wrap(fault.Delivery, "", err)
	}
	defer func() { err = errors.Join(err, remove()) }()
	if err := base.UnpackImage(ctx, img, root); err != nil {
		return cas.Fault(err)
	}
	cmd, err := o.command(c, root)
	if err != nil {
		return err
	}
	digest, err := img.Digest()
	if err != nil {
		return err
	}
	cmd.RootID = digest.String()
	trial := cmd
	trial.Args = []string{"/app/.venv/bin/python", "-c", ""}
	trial.Stdin, trial.Stdout, trial.Stderr = nil, nil, nil
	box, err := sandbox.Choose(ctx, sandbox.Options{Choice: o.Pack.Sandbox, Cache: s.cache, BootID: bootID(), Trial: trial})
	if err != nil {
		return fmt.Errorf("run image: %w", err)
	}
	s.reporter.Detail("owners of files are not reproduced")
	// The container has all it needs in scratch of its own, which is held by itself: who looks after the cache need not wait for its end.
	if err := s.cache.Release(); err != nil {
		return fault.Wrap(fault.Delivery, "", err)
	}
	o.Started()
	span := trace.Start(ctx, trace.Run, path.Base(cmd.Args[0]))
	defer span.End()
	return supervise(ctx, box, cmd)
}

// grace is how long a program has to end once it was asked to. docker stop gives 10 s; here somebody is waiting.
const grace = 5 * time.Second

// supervise runs a program to its end. When ctx ends it is asked to end too, by the signal that Python understands without
// a handler of the program's, and killed when the grace is over.
func supervise(ctx context.Context, box sandbox.Sandbox, cmd sandbox.Command) error {
	running, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	process, err := box.Start(running, cmd)
	if err != nil {
		return fmt.Errorf("run image: %w", err)
	}
	stop := context.AfterFunc(ctx, func() {
		_ = process.Signal(os.Interrupt) // it may have ended by itself
		time.AfterFunc(grace, kill)
	})
	defer stop()
	return errors.Join(process.Wait(), ctx.Err())
}

// open gives the image; done must be called after its last use.
func (o RunOptions) open(ctx context.Context, s *Sources) (img v1.Image, done func() error, err error) {
	if o.Image == "" {
		built, err := build(ctx, s, o.Pack, newClock())
		if err != nil {
			return nil, nil, err
		}
		return built.v1, built.close, nil
	}
	ref, err := base.ParseRef(o.Image)
	if err != nil {
		return nil, nil, err
	}
	img, err = base.Load(ctx, ref, s.baseOptions(o.Pack.Arch))
	return img, func() error { return nil }, err
}

// command is what the image's config says to start.
func (o RunOptions) command(c *v1.ConfigFile, root string) (sandbox.Command, error) {
	cmd := sandbox.Command{
		Root: root, Args: slices.Clone(c.Config.Entrypoint), Env: slices.Clone(c.Config.Env), Dir: c.Config.WorkingDir, Profile: sandbox.Run,
		Stdin: o.Stdin, Stdout: o.Stdout, Stderr: o.Stderr,
	}
	if len(o.Args) > 0 {
		cmd.Args = append(cmd.Args, o.Args...)
	} else {
		cmd.Args = append(cmd.Args, c.Config.Cmd...)
	}
	if len(cmd.Args) == 0 {
		return cmd, fault.New(fault.Usage, "name a command after --", "run image: it says nothing to run")
	}
	for _, kv := range o.Env {
		name, _, ok := strings.Cut(kv, "=")
		if !ok || name == "" {
			return cmd, fault.New(fault.Usage, "write -e NAME=VALUE", "environment entry %q is not NAME=VALUE", kv)
		}
		cmd.Env = slices.DeleteFunc(cmd.Env, func(old string) bool { return strings.HasPrefix(old, name+"=") })
		cmd.Env = append(cmd.Env, kv)
	}
	if value(cmd.Env, "HOME") == "" {
		cmd.Env = append(cmd.Env, "HOME=/tmp")
	}
	var err error
	cmd.UID, cmd.GID, err = user(c.Config.User, root)
	return cmd, err
}

// maxPasswd bounds an image's passwd, of which those of base images have some kilobytes.
const maxPasswd = 1 << 20

// readPasswd reads an image's passwd. A link in the image means nothing on this machine.
func readPasswd(root string) ([]byte, error) {
	f, err := os.OpenInRoot(root, "etc/passwd")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxPasswd))
}

// user reads the user of an image: UID[:GID] in numbers, or a name that the image's passwd has.
func user(s, root string) (uid, gid int, err error) {
	if s == "" {
		return 0, 0, nil
	}
	name, group, hasGroup := strings.Cut(s, ":")
	uid, err = parseID(name)
	if err != nil || !hasGroup {
		passwd, readErr := readPasswd(root)
		if readErr != nil && err != nil {
			return 0, 0, fault.New(fault.Usage, "", "run image: user %q: %w", s, readErr)
		}
		for line := range strings.Lines(string(passwd)) {
			f := strings.Split(strings.TrimSpace(line), ":")
			if len(f) < 4 || f[0] != name && f[2] != name {
				continue
			}
			u, uerr := parseID(f[2])
			g, gerr := parseID(f[3])
			if uerr == nil && gerr == nil {
				uid, gid, err = u, g, nil
				break
			}
		}
	}
	if err == nil && hasGroup {
		gid, err = parseID(group)
	}
	if err != nil {
		return 0, 0, fault.New(fault.Usage, "set user to UID:GID", "run image: user %q is not known in the image", s)
	}
	return uid, gid, nil
}

// parseID reads the number of a user or group.
func parseID(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 31)
	return int(n), err
}
