// Package tree holds the neutral value between planning a file tree and delivering it: a Tree of Parts of Entries, with
// nothing on disk. Whoever makes files (venv, pyc, venv/project) makes Parts; whoever delivers (layer, a directory, a diff)
// reads them and needs to know nothing of Python.
//
// Rules. An Entry's Path is slash-separated, relative to the root of the image, clean, without a leading slash and never
// ".." (Check proves it). A directory is an Entry only where its mode or emptiness matters: consumers make every missing
// parent with mode 0755. Modes are 0644 or 0755 for files, 0755 for directories, 0777 for links: the executable bit
// alone survives from where a file came from. A Part is immutable once it is in a Tree, its entries sorted by Path.
//
// Owner and time are not here: they belong to the layer that an Entry ends up in. Two parts may hold the same entry of one
// path; any other disagreement about a path is an error to who joins them. WriteDir writes a tree to a directory.
//
// The package is a leaf: it imports no room.
package tree

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
)

// Kind says what an Entry is.
type Kind uint8

// The kinds of entries. There are no devices, sockets or hard links in a tree.
const (
	File Kind = iota
	Dir
	Link
)

// Digest is a SHA-256 of bytes: the identity of content.
type Digest [sha256.Size]byte

func (d Digest) String() string { return fmt.Sprintf("%x", d[:]) }

// Content is the content of a file. It knows its identity and size without being read, and opens any number of times,
// also concurrently.
type Content interface {
	Digest() Digest
	Size() int64
	Open() (io.ReadCloser, error)
}

// Deflated is Content that is at hand compressed as well, as it is in a wheel.
type Deflated interface {
	Content
	// Deflate gives the compressed form; ok is false where there is none that others can use.
	Deflate() (d Deflate, ok bool)
}

// Deflate is a raw DEFLATE stream (RFC 1951) without bytes after its last block.
type Deflate struct {
	Size  int64  // of the stream in bytes
	CRC32 uint32 // of the content
	// LastBlock is the bit of the stream at which the header of its last block is, End the one after the end of that block.
	// The bits of a byte count from the least significant one.
	LastBlock, End int64
	// Open opens the stream, any number of times. Nobody has checked what it gives.
	Open func() (*io.SectionReader, error)
}

// Entry is one path of the tree.
type Entry struct {
	Path    string      // "app/.venv/bin/python"
	Kind    Kind        // what it is
	Mode    fs.FileMode // permission bits only
	Target  string      // of a Link: as written into the link, absolute or relative
	Content Content     // of a File
}

// Part is the unit of reuse: the skeleton of the venv, one wheel, the project's files.
type Part struct {
	// Name identifies the part to people and orders the tree: "skeleton", "wheel/fastapi-0.136.1", "project".
	Name string
	// Key names everything that the entries are derived from; equal keys mean equal entries. Empty: not reusable.
	Key string
	// Entries, sorted by Path, each path once.
	Entries []Entry
}

// Tree is every file that is added to a base image.
type Tree struct{ Parts []Part }

// Bytes is Content that is held in memory.
type Bytes []byte

// Digest implements Content.
func (b Bytes) Digest() Digest { return sha256.Sum256(b) }

// Size implements Content.
func (b Bytes) Size() int64 { return int64(len(b)) }

// Open implements Content.
func (b Bytes) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }

// FileMode is the mode of a file in a tree: 0755 if it is executable by anyone, else 0644.
func FileMode(executable bool) fs.FileMode {
	if executable {
		return 0o755
	}
	return 0o644
}

// Same reports whether two entries of one path are interchangeable.
func Same(a, b Entry) bool {
	if a.Kind != b.Kind || a.Mode != b.Mode || a.Target != b.Target {
		return false
	}
	return a.Kind != File || a.Content.Size() == b.Content.Size() && a.Content.Digest() == b.Content.Digest()
}

// Sort orders entries as a Part wants them: by path, bytewise.
func Sort(entries []Entry) {
	slices.SortFunc(entries, func(a, b Entry) int { return cmp.Compare(a.Path, b.Path) })
}

// Check proves the rules of the package comment for one part: paths clean and sorted, each once, content where there
// must be some, modes from the fixed set. It is a guard against faults of the planner, not of the user.
func (p Part) Check() error {
	for i, e := range p.Entries {
		if !fs.ValidPath(e.Path) || e.Path == "." || strings.ContainsRune(e.Path, 0) {
			return fmt.Errorf("part %q: path %q is not a clean relative path", p.Name, e.Path)
		}
		if i > 0 && p.Entries[i-1].Path >= e.Path {
			return fmt.Errorf("part %q: path %q comes after %q", p.Name, e.Path, p.Entries[i-1].Path)
		}
		var ok bool
		switch e.Kind {
		case File:
			ok = e.Content != nil && (e.Mode == 0o644 || e.Mode == 0o755)
		case Dir:
			ok = e.Content == nil && e.Mode == 0o755
		case Link:
			ok = e.Content == nil && e.Mode == 0o777 && e.Target != ""
		}
		if !ok {
			return fmt.Errorf("part %q: entry %q has a mode, target or content that its kind cannot have (mode %o)", p.Name, e.Path, e.Mode)
		}
	}
	return nil
}
