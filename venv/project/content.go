package project

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"os"

	"vpk/internal/fault"
	"vpk/venv/tree"
)

// content is a file of the project as it was when it was planned.
type content struct {
	root, path string
	size       int64
	digest     tree.Digest
}

// readContent hashes the file at path. The root is given open and as a path, which is what the content keeps.
func readContent(ctx context.Context, open *os.Root, root, path string) (tree.Content, error) {
	f, err := open.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, reader(func(p []byte) (int, error) {
		if err := context.Cause(ctx); err != nil {
			return 0, err
		}
		return f.Read(p)
	}))
	if err != nil {
		return nil, err
	}
	return content{root, path, n, tree.Digest(h.Sum(nil))}, nil
}

// reader is a function as io.Reader.
type reader func(p []byte) (int, error)

func (r reader) Read(p []byte) (int, error) { return r(p) }

func (c content) Digest() tree.Digest { return c.digest }
func (c content) Size() int64         { return c.size }

// Open opens the file again. The reader fails where the file turns out to differ from what was planned, before it has
// given all of it.
func (c content) Open() (io.ReadCloser, error) {
	f, err := os.OpenInRoot(c.root, c.path)
	if err != nil {
		return nil, fmt.Errorf("open project file: %w", err)
	}
	return &checked{content: c, file: f, hash: sha256.New()}, nil
}

// checked is a file that must still be its content.
type checked struct {
	content content
	file    *os.File
	hash    hash.Hash
	read    int64
}

func (r *checked) Read(p []byte) (int, error) {
	n, err := r.file.Read(p)
	r.hash.Write(p[:n])
	r.read += int64(n)
	short := err == io.EOF && r.read < r.content.size
	other := r.read == r.content.size && tree.Digest(r.hash.Sum(nil)) != r.content.digest
	if short || other || r.read > r.content.size {
		return 0, fault.New(fault.Other, "pack again when nothing writes to the project", "read project file %q: it changed while it was packed", r.content.path)
	}
	return n, err
}

func (r *checked) Close() error { return r.file.Close() }
