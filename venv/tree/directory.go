package tree

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"vpk/internal/fault"
)

// WriteOptions says how WriteDir writes. The zero value writes the whole tree into a new or empty directory.
type WriteOptions struct {
	// Base is the path in the tree that the directory stands for: with "app/.venv", the entry "app/.venv/bin/python"
	// becomes bin/python. Every entry must be below it. The default is the root of the tree.
	Base string
	// ModTime is given to every file, directory and link. The default is to leave the times as they come.
	ModTime time.Time
	// Replace allows the directory to hold something, all of which is removed once the tree is written.
	Replace bool
	// Parallel is how many files are written at once. The default is 8.
	Parallel int
}

// WriteDir writes the tree as the content of dir, whose missing parents are made.
//
// Modes are exact whatever the umask: what an Entry says, 0755 for directories. Files are copies, and their size and
// digest are proven on the way. Nothing is ever written through a link or outside dir (os.Root). A directory that
// exists already keeps its own mode when it is empty, and is an error (fault.Usage) when it holds something, unless
// Replace is set.
//
// A new or replaced directory is written under a temporary name next to it and renamed at the end; an empty one is
// filled in place, since it may be a mount point. When WriteDir fails or ctx ends, nothing new remains and what was
// there before is untouched; a process that is killed leaves a directory named .NAME.vpk-*.
func WriteDir(ctx context.Context, t Tree, dir string, o WriteOptions) error {
	f, err := t.flatten(o.Base)
	if err != nil {
		return fmt.Errorf("write directory %q: %w", dir, err)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return disk("write directory", err)
	}
	dir, found, err := inspect(dir)
	if err != nil {
		return err
	}
	switch {
	case found == missing:
		return writeNew(dir, func(tmp string) error { return f.write(ctx, tmp, o) })
	case found == empty:
		return writeInPlace(dir, func() error { return f.write(ctx, dir, o) })
	case o.Replace:
		return replace(dir, func(tmp string) error { return f.write(ctx, tmp, o) })
	}
	return fault.New(fault.Usage, "name a new or empty directory", "write directory %q: it is not empty", dir)
}

// disk is an error of the file system that is written to.
func disk(what string, err error) error {
	hint := ""
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		hint = "free some space there, or choose another directory"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, unix.EROFS):
		hint = "choose a directory that you may write to"
	}
	return fault.New(fault.Delivery, hint, "%s: %w", what, err)
}

type state int

const (
	missing state = iota
	empty
	full
)

// inspect resolves links in dir and says what is there.
func inspect(dir string) (string, state, error) {
	real, err := filepath.EvalSymlinks(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(dir); err == nil {
			return "", 0, fault.New(fault.Usage, "", "write directory %q: it is a link to nothing", dir)
		}
		return dir, missing, nil
	}
	if err != nil {
		return "", 0, disk("write directory", err)
	}
	info, err := os.Stat(real)
	if err != nil {
		return "", 0, disk("write directory", err)
	}
	if !info.IsDir() {
		return "", 0, fault.New(fault.Usage, "", "write directory %q: it is not a directory", dir)
	}
	names, err := os.ReadDir(real)
	if err != nil {
		return "", 0, disk("write directory", err)
	}
	if len(names) > 0 {
		return real, full, nil
	}
	return real, empty, nil
}

// writeNew fills a temporary sibling and renames it to dir, which does not exist.
func writeNew(dir string, fill func(tmp string) error) (err error) {
	parents, err := makeParents(filepath.Dir(dir))
	defer func() {
		if err != nil {
			for _, p := range slices.Backward(parents) {
				_ = os.Remove(p) // only if still empty
			}
		}
	}()
	if err != nil {
		return err
	}
	tmp, err := fillSibling(dir, fill)
	if err != nil {
		return err
	}
	if err := os.Rename(tmp, dir); err != nil {
		return errors.Join(disk("write directory", err), os.RemoveAll(tmp))
	}
	return nil
}

// replace is writeNew for a directory that exists: it steps aside for the new one and is then removed.
func replace(dir string, fill func(tmp string) error) error {
	tmp, err := fillSibling(dir, fill)
	if err != nil {
		return err
	}
	grave, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+".vpk-")
	if err != nil {
		return errors.Join(disk("replace directory", err), os.RemoveAll(tmp))
	}
	old := filepath.Join(grave, "old")
	if err := os.Rename(dir, old); err != nil {
		return errors.Join(disk("replace directory", err), os.RemoveAll(tmp), os.RemoveAll(grave))
	}
	if err := os.Rename(tmp, dir); err != nil {
		return errors.Join(disk("replace directory", err), os.Rename(old, dir), os.RemoveAll(tmp), os.Remove(grave))
	}
	if err := os.RemoveAll(grave); err != nil {
		return disk("remove the replaced directory", err)
	}
	return nil
}

// writeInPlace fills dir, which is empty, and empties it again on failure.
func writeInPlace(dir string, fill func() error) error {
	err := fill()
	if err == nil {
		return nil
	}
	names, rerr := os.ReadDir(dir)
	for _, n := range names {
		rerr = errors.Join(rerr, os.RemoveAll(filepath.Join(dir, n.Name())))
	}
	return errors.Join(err, rerr)
}

// fillSibling makes and fills a temporary directory next to dir. There is none when it fails.
func fillSibling(dir string, fill func(tmp string) error) (string, error) {
	tmp, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+".vpk-")
	if err != nil {
		return "", disk("write directory", err)
	}
	err = fill(tmp)
	if err == nil {
		if err = os.Chmod(tmp, 0o755); err == nil {
			return tmp, nil
		}
		err = disk("write directory", err)
	}
	return "", errors.Join(err, os.RemoveAll(tmp))
}

// makeParents makes dir and what is missing above it, and returns what it made, outermost first, also when it fails.
func makeParents(dir string) (made []string, err error) {
	var lacking []string
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Stat(d); err == nil || d == filepath.Dir(d) {
			break
		}
		lacking = append(lacking, d)
	}
	for _, d := range slices.Backward(lacking) {
		if err := os.Mkdir(d, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return made, disk("write directory", err)
		}
		made = append(made, d)
	}
	return made, nil
}

// write writes everything below dir, which is empty.
func (f flat) write(ctx context.Context, dir string, o WriteOptions) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return disk("write directory", err)
	}
	defer root.Close()
	for _, d := range f.dirs {
		if err := root.Mkdir(d, 0o755); err != nil {
			return disk("write directory", err)
		}
		if err := root.Chmod(d, 0o755); err != nil {
			return disk("write directory", err)
		}
	}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(cmp.Or(o.Parallel, 8))
	for _, e := range f.files {
		group.Go(func() error { return writeFile(gctx, root, e) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, e := range f.links {
		if err := root.Symlink(e.Target, e.Path); err != nil {
			return disk("write link", err)
		}
	}
	if o.ModTime.IsZero() {
		return nil
	}
	return f.setTimes(root, o.ModTime)
}

func writeFile(ctx context.Context, root *os.Root, e Entry) (err error) {
	content, err := e.Content.Open()
	if err != nil {
		return fmt.Errorf("open content of %q: %w", e.Path, err)
	}
	defer content.Close()
	file, err := root.OpenFile(e.Path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return disk("write file", err)
	}
	defer func() {
		if cerr := file.Close(); err == nil && cerr != nil {
			err = disk("write file", cerr)
		}
	}()
	size, hash := int64(0), sha256.New()
	buffer := make([]byte, min(e.Content.Size()+1, 256<<10)) // one byte more: a content of this size ends in one read
	for {
		if err := context.Cause(ctx); err != nil {
			return fmt.Errorf("write file %q: %w", e.Path, err)
		}
		n, rerr := content.Read(buffer)
		if _, err := file.Write(buffer[:n]); err != nil {
			return disk("write file", err)
		}
		hash.Write(buffer[:n])
		size += int64(n)
		if rerr == io.EOF || size > e.Content.Size() {
			break
		}
		if rerr != nil {
			return fmt.Errorf("read content of %q: %w", e.Path, rerr)
		}
	}
	if size != e.Content.Size() || Digest(hash.Sum(nil)) != e.Content.Digest() {
		return fault.New(fault.Integrity, "", "write file %q: its content is not what was planned: %d bytes for %d, or another hash",
			e.Path, size, e.Content.Size())
	}
	if err := file.Chmod(e.Mode); err != nil {
		return disk("write file", err)
	}
	return nil
}

// setTimes comes last, when nothing is added to a directory any more.
func (f flat) setTimes(root *os.Root, t time.Time) error {
	for _, e := range f.files {
		if err := root.Chtimes(e.Path, t, t); err != nil {
			return disk("set time", err)
		}
	}
	for _, e := range f.links {
		if err := setLinkTime(root, e.Path, t); err != nil {
			return disk("set time", err)
		}
	}
	for _, d := range append(f.dirs, ".") {
		if err := root.Chtimes(d, t, t); err != nil {
			return disk("set time", err)
		}
	}
	return nil
}

// setLinkTime sets the time of a link itself, for which os.Root has no method.
func setLinkTime(root *os.Root, name string, t time.Time) error {
	parent, err := root.Open(path.Dir(name))
	if err != nil {
		return err
	}
	defer parent.Close()
	ts := unix.NsecToTimespec(t.UnixNano())
	if err := unix.UtimesNanoAt(int(parent.Fd()), path.Base(name), []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &fs.PathError{Op: "utimensat", Path: name, Err: err}
	}
	return nil
}
