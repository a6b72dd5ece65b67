package layer

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"time"

	"vpk/internal/fault"
	"vpk/venv/tree"
)

const (
	blockSize  = 512
	copyBuffer = 128 << 10
)

var zeros [2 * blockSize]byte

// writeTar writes the archive of items to w.
func writeTar(ctx context.Context, w io.Writer, items []item) error {
	var header bytes.Buffer
	buf := make([]byte, copyBuffer)
	for _, it := range items {
		header.Reset()
		if err := it.writeHeader(&header); err != nil {
			return err
		}
		if _, err := w.Write(header.Bytes()); err != nil {
			return err
		}
		if it.Kind != tree.File {
			continue
		}
		if err := copyContent(ctx, w, it.Entry, buf); err != nil {
			return err
		}
		if pad := -it.Content.Size() & (blockSize - 1); pad > 0 {
			if _, err := w.Write(zeros[:pad]); err != nil {
				return err
			}
		}
	}
	_, err := w.Write(zeros[:])
	return err
}

// writeHeader writes the member's header blocks. A writer of archive/tar serves for one header only: the content and its
// padding are ours, so that bytes can come from elsewhere than a plain copy.
func (it item) writeHeader(w *bytes.Buffer) error {
	h := tar.Header{
		Name:     it.Path,
		Mode:     it.mode,
		Uid:      it.owner.UID,
		Gid:      it.owner.GID,
		ModTime:  time.Unix(it.mtime, 0),
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
	err := tar.NewWriter(w).WriteHeader(&h)
	if err != nil {
		w.Reset()
		h.Format = tar.FormatPAX
		err = tar.NewWriter(w).WriteHeader(&h)
	}
	if err != nil {
		return fmt.Errorf("write tar header of %q: %w", it.Path, err)
	}
	return nil
}

// copyContent writes a file's content and proves that it is what its Content claims.
func copyContent(ctx context.Context, w io.Writer, e tree.Entry, buf []byte) (err error) {
	rc, err := e.Content.Open()
	if err != nil {
		return fmt.Errorf("open content of %q: %w", e.Path, err)
	}
	defer func() { err = errors.Join(err, rc.Close()) }()

	digest, size, want := sha256.New(), int64(0), e.Content.Size()
	for {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		n, rerr := rc.Read(buf)
		if size += int64(n); size > want {
			return mismatch("content of %q is longer than the %d bytes that it should have", e.Path, want)
		}
		digest.Write(buf[:n])
		if _, err := w.Write(buf[:n]); err != nil {
			return err
		}
		if rerr == io.EOF {
			break
		}
		if rerr != nil {
			return fmt.Errorf("read content of %q: %w", e.Path, rerr)
		}
	}
	if size < want {
		return mismatch("content of %q ends after %d of %d bytes", e.Path, size, want)
	}
	if got := tree.Digest(digest.Sum(nil)); got != e.Content.Digest() {
		return mismatch("content of %q has digest sha256:%s, want sha256:%s", e.Path, got, e.Content.Digest())
	}
	return nil
}

func mismatch(format string, args ...any) error {
	return fault.New(fault.Integrity, "the file was changed or damaged while it was being packed: try again", format, args...)
}
