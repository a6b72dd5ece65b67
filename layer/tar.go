package layer

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"

	"vpk/internal/fault"
	"vpk/venv/tree"
)

const (
	blockSize  = 512
	copyBuffer = 128 << 10
)

// zeros end an archive, and fill the last block of a file.
var zeros [2 * blockSize]byte

// padding is what follows the content of a file.
func (it item) padding() []byte {
	if it.Kind != tree.File {
		return nil
	}
	return zeros[:-it.Content.Size()&(blockSize-1)]
}

// header gives the member's header blocks, in the memory of buf. A writer of archive/tar serves for one header only: the
// content and its padding are ours, so that bytes can come from elsewhere than a plain copy.
func (it item) header(buf *bytes.Buffer) ([]byte, error) {
	if it.end {
		return zeros[:], nil
	}
	h := tar.Header{
		Name:     it.Path,
		Mode:     it.mode,
		Uid:      it.owner.UID,
		Gid:      it.owner.GID,
		ModTime:  it.mtime,
		Typeflag: tar.TypeReg,
		Format:   tar.FormatUSTAR,
	}
	switch it.Kind {
	case tree.Dir:
		h.Typeflag = tar.TypeDir
		h.Name += "/"
	case tree.Link:
		h.Typeflag = tar.TypeSymlink
		h.Linkname = it.Target
	case tree.File:
		h.Size = it.Content.Size()
	}
	if it.mtime.Nanosecond() != 0 {
		h.Format = tar.FormatPAX // USTAR would cut it
	}
	buf.Reset()
	err := tar.NewWriter(buf).WriteHeader(&h)
	if err != nil {
		buf.Reset()
		h.Format = tar.FormatPAX
		err = tar.NewWriter(buf).WriteHeader(&h)
	}
	if err != nil {
		return nil, fmt.Errorf("write tar header of %q: %w", it.Path, err)
	}
	return buf.Bytes(), nil
}

// tarReader reads members as they are in an archive.
type tarReader struct {
	items   []item
	buf     bytes.Buffer
	head    []byte        // of the present member: what is left of its header, or of its padding
	content io.ReadCloser // of the present member, while it is read
	err     error
}

func (r *tarReader) Read(p []byte) (n int, err error) {
	for n == 0 && r.err == nil && len(p) > 0 {
		switch {
		case len(r.head) > 0:
			n = copy(p, r.head)
			r.head = r.head[n:]
		case r.content != nil:
			if n, err = r.content.Read(p); err != nil {
				r.endContent(err)
			}
		case len(r.items) == 0:
			r.err = io.EOF
		default:
			r.next()
		}
	}
	if n > 0 {
		return n, nil
	}
	return 0, r.err
}

// next begins a member.
func (r *tarReader) next() {
	it := r.items[0]
	if r.head, r.err = it.header(&r.buf); r.err != nil {
		return
	}
	if it.Kind == tree.File {
		r.content, r.err = openContent(it.Entry)
		return
	}
	r.items = r.items[1:]
}

// endContent ends a file.
func (r *tarReader) endContent(err error) {
	closed := r.content.Close()
	if err == io.EOF {
		err = nil
	}
	r.head, r.err = r.items[0].padding(), errors.Join(err, closed)
	r.items, r.content = r.items[1:], nil
}

// Close closes the content that is being read.
func (r *tarReader) Close() error {
	if r.content == nil {
		return nil
	}
	err := r.content.Close()
	r.content = nil
	return err
}

// openContent gives a file's content. Instead of its end there comes an error when it was not what its Content claims.
func openContent(e tree.Entry) (io.ReadCloser, error) {
	rc, err := e.Content.Open()
	if err != nil {
		return nil, fmt.Errorf("open content of %q: %w", e.Path, err)
	}
	return &checkedContent{ReadCloser: rc, entry: e, hash: sha256.New()}, nil
}

// copyContent writes a file's content, checked.
func copyContent(ctx context.Context, w io.Writer, e tree.Entry, buf []byte) (err error) {
	rc, err := openContent(e)
	if err != nil {
		return err
	}
	return errors.Join(copyBytes(ctx, w, rc, buf), rc.Close())
}

// copyBytes copies to the end, through buf, until ctx ends.
func copyBytes(ctx context.Context, w io.Writer, r io.Reader, buf []byte) error {
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n, rerr := r.Read(buf)
		if _, err := w.Write(buf[:n]); err != nil {
			return err
		}
		if rerr == io.EOF {
			return nil
		}
		if rerr != nil {
			return rerr
		}
	}
}

type checkedContent struct {
	io.ReadCloser
	entry tree.Entry
	hash  hash.Hash
	size  int64
}

func (c *checkedContent) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	want := c.entry.Content
	if c.size += int64(n); c.size > want.Size() {
		return 0, mismatch("content of %q is longer than the %d bytes that it should have", c.entry.Path, want.Size())
	}
	c.hash.Write(p[:n])
	switch {
	case err == nil:
		return n, nil
	case err != io.EOF:
		return n, fmt.Errorf("read content of %q: %w", c.entry.Path, err)
	case c.size < want.Size():
		return n, mismatch("content of %q ends after %d of %d bytes", c.entry.Path, c.size, want.Size())
	}
	if got := tree.Digest(c.hash.Sum(nil)); got != want.Digest() {
		return n, mismatch("content of %q has digest sha256:%s, want sha256:%s", c.entry.Path, got, want.Digest())
	}
	return n, io.EOF
}

func mismatch(format string, args ...any) error {
	return fault.New(fault.Integrity, "the file was changed or damaged while it was being packed: try again", format, args...)
}
