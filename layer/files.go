package layer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"vpk/internal/fault"
	"vpk/internal/trace"
)

// WriteFile makes the file at path with what fill writes: synced, and under its name only when it is complete. It replaces
// a file that is there, through links, and nothing that is not a regular file.
func WriteFile(ctx context.Context, path string, fill func(io.Writer) error) (err error) {
	if info, serr := os.Stat(path); serr == nil {
		if !info.Mode().IsRegular() {
			return errors.New("there is something that is not a file")
		}
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return err
		}
	} else if !errors.Is(serr, fs.ErrNotExist) {
		return serr
	}
	f, err := createTemp(path)
	if err != nil {
		return err
	}
	if err = fillFile(ctx, f, fill); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDir(filepath.Dir(path))
}

// fillFile writes, syncs and closes a file.
func fillFile(ctx context.Context, f *os.File, fill func(io.Writer) error) error {
	err := fill(f)
	if err == nil {
		span := trace.Start(ctx, trace.Sync, filepath.Base(f.Name()))
		err = f.Sync()
		span.End()
	}
	return errors.Join(err, f.Close())
}

// createTemp makes a new file next to path, with the mode that the umask leaves (os.CreateTemp allows nobody else).
func createTemp(path string) (*os.File, error) {
	for range 100 {
		name := fmt.Sprintf(".%s.vpk-%08x", filepath.Base(path), rand.Uint32())
		f, err := os.OpenFile(filepath.Join(filepath.Dir(path), name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
	return nil, fmt.Errorf("no free name for a temporary file next to %q", path)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// makeDirs makes a directory and what is missing above it, and returns what it made, outermost first.
func makeDirs(dir string) (made []string, err error) {
	if info, err := os.Stat(dir); err == nil {
		if !info.IsDir() {
			return nil, errors.New("it is not a directory")
		}
		return nil, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if parent := filepath.Dir(dir); parent != dir {
		if made, err = makeDirs(parent); err != nil {
			return made, err
		}
	}
	if err := os.Mkdir(dir, 0o777); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return made, nil
		}
		return made, err
	}
	return append(made, dir), nil
}

// lockDir holds a directory exclusively among processes, by a lock on the directory itself that leaves no file behind.
func lockDir(ctx context.Context, dir string) (unlock func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(d.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = d.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(fmt.Errorf("lock directory: %w", err), d.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), d.Close())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// failed is the error of a delivery to a place on the disk: ctx's cause if it ended, else err with the place, of kind
// Delivery unless err has a kind of its own.
func failed(ctx context.Context, what, place string, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s %q: %w", what, place, context.Cause(ctx))
	case fault.KindOf(err) != fault.Other:
		return fmt.Errorf("%s %q: %w", what, place, err)
	}
	hint := ""
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		hint = "free some space there, or choose another place"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		hint = "choose a place that you may write to"
	case errors.Is(err, fs.ErrNotExist):
		hint = "the directory that it goes to must exist"
	}
	return fault.New(fault.Delivery, hint, "%s %q: %w", what, place, err)
}
