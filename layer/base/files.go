package base

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"vpk/venv/tree"
)

// Files is every path of a squashed image. It is immutable and safe for concurrent use.
//
// Paths are as in a tree: slash-separated, relative to the root of the image, clean; "." is the root itself. Methods take
// absolute paths and unclean ones too, and give back paths of that form.
type Files struct {
	entries []Entry // sorted by Path
}

// Entry is one path of an image.
type Entry struct {
	Path    string      // "usr/bin/python3.11"
	Mode    fs.FileMode // type and permission bits, setuid and sticky among them
	UID     int
	GID     int
	ModTime time.Time
	Size    int64       // of a regular file
	Link    string      // of a symbolic link: its target, as written
	Digest  tree.Digest // of a regular file: SHA-256 of its content
	// HardLink is the first path, in the order of the index, of the same inode, where that is another one.
	HardLink string
	// ELF is what the headers of a program or library say; nil for any other file and for one above MaxELF.
	ELF *ELF

	place place
}

// place is where the content of a regular file lies: which layer, and which entry of its archive.
type place struct{ layer, ordinal int }

// ErrLoop is a path with more links in it than are followed.
var ErrLoop = errors.New("too many levels of symbolic links")

// clean is the form of the index for any spelling of a path.
func clean(p string) string {
	if p = path.Clean("/" + p)[1:]; p == "" {
		return "."
	}
	return p
}

// All is every entry, sorted by path, bytewise. It must not be changed.
func (f *Files) All() []Entry { return f.entries }

// Lookup finds a path as it stands: no link in it is followed.
func (f *Files) Lookup(path string) (Entry, bool) {
	i, ok := slices.BinarySearchFunc(f.entries, clean(path), func(e Entry, p string) int { return strings.Compare(e.Path, p) })
	if !ok {
		return Entry{}, false
	}
	return f.entries[i], true
}

// ReadDir is what lies directly in a directory, sorted by path; its links are followed first. Empty when there is none.
func (f *Files) ReadDir(dir string) []Entry {
	dir, err := f.Resolve(dir)
	if err != nil {
		return nil
	}
	var found []Entry
	for _, e := range f.below(dir) {
		if parent(e.Path) == dir && e.Path != "." {
			found = append(found, e)
		}
	}
	return found
}

// Below is every entry at any depth in a directory, without the directory, sorted by path. No link is followed: empty when dir is
// one. It must not be changed.
func (f *Files) Below(dir string) []Entry { return f.below(clean(dir)) }

// below is every entry at any depth in a directory, without the directory, sorted by path.
func (f *Files) below(dir string) []Entry {
	if dir == "." {
		return f.entries
	}
	at := func(p string) int {
		i, _ := slices.BinarySearchFunc(f.entries, p, func(e Entry, p string) int { return strings.Compare(e.Path, p) })
		return i
	}
	return f.entries[at(dir+"/"):at(dir+"0")] // '0' follows '/'
}

// parent is the directory of a clean path.
func parent(p string) string { return path.Dir(p) }

// Resolve follows every link in a path, inside the root, and gives the path of what is there in the end.
// fs.ErrNotExist when there is nothing, ErrLoop when links run in circles.
func (f *Files) Resolve(path string) (string, error) {
	real, missing, err := f.walk(clean(path))
	if err == nil && missing {
		err = fs.ErrNotExist
	}
	if err != nil {
		return "", fmt.Errorf("resolve %q: %w", path, err)
	}
	return real, nil
}

// RealDir is where a directory really lies, which need not exist (yet): links are followed as far as there is something.
// A layer emits directories under these names, since a directory over a link replaces it: in an image with merged /usr,
// "lib/x" is "usr/lib/x". An error when the path leads through a regular file, or to one.
func (f *Files) RealDir(dir string) (string, error) {
	real, _, err := f.walk(clean(dir))
	if err == nil {
		if e, ok := f.Lookup(real); ok && !e.Mode.IsDir() {
			err = fmt.Errorf("%q is not a directory", real)
		}
	}
	if err != nil {
		return "", fmt.Errorf("resolve directory %q: %w", dir, err)
	}
	return real, nil
}

// Place is where a file of the given path would really lie: its directory is RealDir's, its name stays.
func (f *Files) Place(file string) (string, error) {
	file = clean(file)
	if file == "." {
		return ".", nil
	}
	dir, err := f.RealDir(parent(file))
	if err != nil {
		return "", err
	}
	return path.Join(dir, path.Base(file)), nil
}

// walk follows links. missing says that the result is not in the index.
func (f *Files) walk(p string) (real string, missing bool, err error) {
	real = "."
	todo, links := p, 0
	for todo != "" && todo != "." {
		var name string
		name, todo, _ = strings.Cut(todo, "/")
		switch name {
		case "", ".":
			continue
		case "..":
			real = parent(real)
			continue
		}
		next := path.Join(real, name)
		e, ok := f.Lookup(next)
		switch {
		case !ok:
			missing = true
		case e.Mode&fs.ModeSymlink != 0:
			if links++; links > maxLinks {
				return "", false, ErrLoop
			}
			if path.IsAbs(e.Link) {
				real = "."
			}
			todo = e.Link + "/" + todo
			if len(todo) > MaxPath {
				return "", false, fmt.Errorf("path grows beyond %d bytes", MaxPath)
			}
			continue
		case !e.Mode.IsDir() && todo != "":
			return "", false, fmt.Errorf("%q is not a directory: %w", next, fs.ErrNotExist)
		}
		real = next
	}
	return real, missing, nil
}
