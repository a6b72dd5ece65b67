package base

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"vpk/internal/cas"
	"vpk/internal/trace"
	"vpk/venv/tree"
)

// kindRepair is only a name to lock while a damaged root is made again.
var kindRepair = cas.Kind{Name: "base-root-repair", Version: 1}

// Root is a directory with those of the image's files that its interpreter needs to run: Facts.Loaded, and the links that lead there. It is
// unpacked by the rules of the package comment, made once for each digest, and belongs to the cache: nobody writes into it. What the interpreter loads is compared with the index, and a root that
// is damaged is made again; files that look as they did when they were compared, in the same boot of the machine, are not read again.
func (i *Image) Root(ctx context.Context) (string, error) {
	dir, err := i.unpacked(ctx)
	if err == nil {
		if damage := i.checkRoot(ctx, dir); damage != nil {
			dir, err = i.repair(ctx, damage)
		}
	}
	if err != nil {
		return "", fmt.Errorf("base image %q: unpack: %w", i.Ref, err)
	}
	return dir, nil
}

// unpacked is the cache's root of the image, made where there is none.
func (i *Image) unpacked(ctx context.Context) (string, error) {
	return i.opts.Cache.Directory(ctx, kindRoot, i.Digest.Hex, func(dir string) error {
		task := i.opts.Progress.Task("unpack base", 0)
		defer task.Done()
		return unpack(ctx, i.needed(), i.layerSources(), i.opts.Jobs, dir)
	})
}

// loaderCache is where the loader looks for libraries that are in none of its own directories.
const loaderCache = "etc/ld.so.cache"

// needed is what a root has: the files that the interpreter loads, the directories of the standard library, links to any of them, and the
// directories of all that.
func (i *Image) needed() *Files {
	keep := map[string]bool{".": true}
	var add func(p string)
	add = func(p string) {
		for ; !keep[p]; p = parent(p) {
			keep[p] = true
			if e, _ := i.Files.Lookup(p); e.HardLink != "" {
				add(e.HardLink)
			}
		}
	}
	for _, p := range i.Facts.Loaded {
		add(clean(p))
	}
	for _, e := range i.stdlibDirs() {
		add(e.Path)
	}
	if _, ok := i.Files.Lookup(loaderCache); ok {
		add(loaderCache)
	}
	// A link that is kept brings its directory, to which there may be links as well.
	for before := 0; before != len(keep); {
		before = len(keep)
		for _, e := range i.Files.entries {
			if e.Mode&fs.ModeSymlink == 0 || keep[e.Path] {
				continue
			}
			if real, err := i.Files.Resolve(e.Path); err == nil && keep[real] {
				add(e.Path)
			}
		}
	}
	needed := &Files{}
	for _, e := range i.Files.entries {
		if keep[e.Path] {
			needed.entries = append(needed.entries, e)
		}
	}
	return needed
}

// stdlibDirs are the directories of the standard library, itself first, without what is installed there.
func (i *Image) stdlibDirs() []Entry {
	stdlib := clean(i.Facts.Stdlib)
	top, _ := i.Files.Lookup(stdlib)
	dirs := []Entry{top}
	for _, e := range i.Files.below(stdlib) {
		if e.Mode.IsDir() && !inSitePackages(e.Path, stdlib) {
			dirs = append(dirs, e)
		}
	}
	return dirs
}

// repair makes a damaged root again, unless another process has done so meanwhile.
func (i *Image) repair(ctx context.Context, damage error) (string, error) {
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	unlock, err := i.opts.Cache.Lock(ctx, kindRepair, i.Digest.Hex)
	if err != nil {
		return "", err
	}
	defer unlock()
	dir, err := i.unpacked(ctx)
	if err != nil || i.checkRoot(ctx, dir) == nil {
		return dir, err
	}
	i.opts.Progress.Detail("the unpacked base %s is damaged (%v): making it again", i.Digest, damage)
	if err := i.opts.Cache.Remove(kindRoot, i.Digest.Hex); err != nil {
		return "", err
	}
	if dir, err = i.unpacked(ctx); err != nil {
		return "", err
	}
	return dir, i.checkRoot(ctx, dir)
}

// checkRoot compares with the index what the interpreter loads, unless it looks as it did when that was last done.
func (i *Image) checkRoot(ctx context.Context, dir string) error {
	span := trace.Start(ctx, trace.CheckBase, i.Digest.String())
	defer span.End()
	if i.opts.Boot == "" {
		return i.compareRoot(ctx, span, dir)
	}
	l, err := i.look(dir)
	if err != nil || i.isRemembered(l) {
		return err
	}
	if err := i.compareRoot(ctx, span, dir); err != nil {
		return err
	}
	if err := i.remember(l); err != nil {
		i.opts.Progress.Detail("the unpacked base %s will be compared again: %v", i.Digest, err)
	}
	return nil
}

// compareRoot compares the content of each file that the interpreter loads, and sees that the standard library has no other ones
// (bytecode that something left there would be run).
func (i *Image) compareRoot(ctx context.Context, span *trace.Span, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	group, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() error {
			buffer := make([]byte, 256<<10)
			at := shelf{root: root}
			defer at.close()
			for {
				n := int(next.Add(1)) - 1
				if n >= len(i.Facts.Loaded) || ctx.Err() != nil {
					return ctx.Err()
				}
				e, _ := i.Files.Lookup(i.Facts.Loaded[n])
				if err := checkFile(&at, e, buffer); err != nil {
					return err
				}
				span.Bytes(e.Size)
			}
		})
	}
	group.Go(func() error { return i.checkStdlib(root) })
	return group.Wait()
}

// checkFile compares the content of a regular file with the index.
func checkFile(at *shelf, e Entry, buffer []byte) error {
	f, err := at.open(e.Path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	sum := sha256.New()
	// Without the struct, the file would copy itself with a buffer of its own.
	if _, err := io.CopyBuffer(sum, struct{ io.Reader }{f}, buffer); err != nil {
		return err
	}
	if tree.Digest(sum.Sum(nil)) != e.Digest {
		return fmt.Errorf("%q has other content than the image", e.Path)
	}
	return nil
}

// shelf opens files below a root. It stays in the directory of the last one: a root opens a path element by element, and most
// files have the directory of the one before.
type shelf struct {
	root *os.Root
	dir  *os.Root
	name string // of dir
}

func (s *shelf) open(name string) (*os.File, error) {
	dir, base, err := s.at(name)
	if err != nil {
		return nil, err
	}
	return dir.Open(base)
}

// at gives the directory of a file, and the file's name there.
func (s *shelf) at(name string) (dir *os.Root, base string, err error) {
	if dir := path.Dir(name); s.dir == nil || s.name != dir {
		s.close()
		opened, err := s.root.OpenRoot(dir)
		if err != nil {
			return nil, "", err
		}
		s.dir, s.name = opened, dir
	}
	return s.dir, path.Base(name), nil
}

func (s *shelf) close() {
	if s.dir != nil {
		_ = s.dir.Close()
		s.dir = nil
	}
}

// checkStdlib looks for what is in the standard library but not in the index.
func (i *Image) checkStdlib(root *os.Root) error {
	return fs.WalkDir(root.FS(), clean(i.Facts.Stdlib), func(p string, _ fs.DirEntry, err error) error {
		if _, ok := i.Files.Lookup(p); err == nil && !ok {
			err = fmt.Errorf("%q is not of the image", p)
		}
		return err
	})
}
