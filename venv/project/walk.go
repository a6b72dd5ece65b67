package project

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

	"vpk/venv/tree"
)

// walk collects the files of a project. Paths are relative to it.
type walk struct {
	root     *os.Root
	fsys     fs.FS // of root
	filter   filter
	skip     map[string]bool // paths that nothing brings back
	omitted  map[string]bool // directories of projects, and whether they are left out; the root is "."
	entries  []tree.Entry    // files without content until hash gives it
	problems []string        // what the user has to mend
}

func (w *walk) problem(p, format string, args ...any) {
	w.problems = append(w.problems, fmt.Sprintf("%q: ", p)+fmt.Sprintf(format, args...))
}

// directory walks what is below dir. An error is a fault of the filter or the end of ctx; what is wrong with files
// becomes a problem. A directory that is out is walked for what is brought back, if it can be read.
func (w *walk) directory(ctx context.Context, dir string, out bool, info matched) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	packed := w.packed(dir)
	out = out || !packed
	names, err := fs.ReadDir(w.fsys, dir)
	if err != nil {
		if !out {
			w.problem(dir, "cannot be read: %v", reason(err))
		}
		return nil
	}
	isImage := slices.ContainsFunc(names, func(d fs.DirEntry) bool { return d.Name() == imageMarker })
	if isImage && dir != "." && !w.filter.imageReturns(dir) {
		return nil
	}
	for _, d := range names {
		p := path.Join(dir, d.Name())
		if w.skip[p] || slices.Contains(never, d.Name()) {
			continue
		}
		out, enter, own, err := w.filter.look(p, info)
		switch {
		case err != nil:
			return fmt.Errorf("match %q: %w", p, err)
		case !utf8.ValidString(p):
			if !out && packed {
				w.problem(p, "its name is not UTF-8")
			}
		case d.IsDir() && enter && (packed || w.leadsToPacked(p)):
			if err := w.directory(ctx, p, out, own); err != nil {
				return err
			}
		case !d.IsDir() && !out && packed:
			w.file(p, d)
		}
	}
	return nil
}

// packed tells whether the files of a directory belong to a project that is packed: the innermost one that holds it decides.
func (w *walk) packed(dir string) bool {
	for ; ; dir = path.Dir(dir) {
		if omitted, ok := w.omitted[dir]; ok || dir == "." {
			return !omitted
		}
	}
}

// leadsToPacked tells a directory that is, or holds, a project that is packed, or is part of one.
func (w *walk) leadsToPacked(dir string) bool {
	if w.packed(dir) {
		return true
	}
	for member, omitted := range w.omitted {
		if !omitted && strings.HasPrefix(member, dir+"/") {
			return true
		}
	}
	return false
}

// file adds one path that is not a directory.
func (w *walk) file(p string, d fs.DirEntry) {
	info, err := d.Info()
	switch {
	case err != nil:
		w.problem(p, "cannot be read: %v", reason(err))
	case info.Mode().IsRegular():
		w.entries = append(w.entries, tree.Entry{Path: p, Mode: tree.FileMode(info.Mode()&0o111 != 0)})
	case info.Mode().Type() == fs.ModeSymlink:
		w.link(p)
	default:
		w.problem(p, "it is a %s, not a file", special(info.Mode()))
	}
}

// link adds a link that stays in the project. Whether it does, os.Root finds out: it follows the link as the kernel
// would, and refuses to leave. That the target does not exist is fine.
func (w *walk) link(p string) {
	target, err := w.root.Readlink(p)
	if err != nil {
		w.problem(p, "cannot be read: %v", reason(err))
		return
	}
	if path.IsAbs(target) || !utf8.ValidString(target) {
		w.problem(p, "it is a link to %q, not a relative path in UTF-8", target)
		return
	}
	if _, err := w.root.Stat(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.problem(p, "it is a link to %q, which cannot be followed inside the project: %v", target, reason(err))
		return
	}
	w.entries = append(w.entries, tree.Entry{Path: p, Kind: tree.Link, Mode: 0o777, Target: target})
}

// hash gives every file its content, hashed side by side.
func (w *walk) hash(ctx context.Context, root string) error {
	failed := make([]error, len(w.entries))
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i := range w.entries {
		e := &w.entries[i]
		if e.Kind != tree.File {
			continue
		}
		group.Go(func() error {
			e.Content, failed[i] = readContent(gctx, w.root, root, e.Path)
			return context.Cause(gctx)
		})
	}
	err := group.Wait()
	for i, err := range failed {
		if err != nil {
			w.problem(w.entries[i].Path, "cannot be read: %v", reason(err))
		}
	}
	return err
}

// reason is the cause of an error without the path, which the problem names already.
func reason(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

func special(m fs.FileMode) string {
	switch {
	case m&fs.ModeNamedPipe != 0:
		return "named pipe"
	case m&fs.ModeSocket != 0:
		return "socket"
	}
	return "device"
}
