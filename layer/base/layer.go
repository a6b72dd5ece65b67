package base

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"vpk/internal/fault"
	"vpk/internal/trace"
)

// layerSource is a layer that can be read, any number of times.
type layerSource struct {
	diffID v1.Hash
	// open opens the blob. Its reader ends in an error, not in io.EOF, when the bytes are not the ones promised.
	open func(ctx context.Context) (io.ReadCloser, error)
}

// read streams the layer once: proves blob and DiffID, and visits its entries. What visit has seen counts only when read
// returns nil. The step is what the reading is for.
func (l layerSource) read(ctx context.Context, step trace.Step, b *budget, visit visitor) (err error) {
	blob, err := l.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, blob.Close()) }()
	span := trace.Start(ctx, step, l.diffID.String())
	defer span.End()
	var size int64
	defer func() { span.Bytes(size) }()
	buffered := bufio.NewReaderSize(untilDone(ctx, reader(func(p []byte) (int, error) {
		n, err := blob.Read(p)
		size += int64(n)
		return n, err
	})), 256<<10)
	err = readArchive(buffered, l.diffID, b, visit)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	// What follows the compressed stream belongs to the blob as well. And where that is not the blob promised, this is the
	// reason for any other error.
	if _, drained := io.Copy(io.Discard, buffered); drained != nil {
		err = drained
	}
	return err
}

// readArchive inflates a layer and visits its entries.
func readArchive(r *bufio.Reader, diffID v1.Hash, b *budget, visit visitor) error {
	plain, err := inflate(r)
	if err != nil {
		return broken("inflate: %w", err)
	}
	defer func() { _ = plain.Close() }()
	sum := sha256.New()
	counted := reader(func(p []byte) (int, error) {
		n, err := plain.Read(p)
		sum.Write(p[:n])
		if over := b.takeBytes(int64(n)); over != nil {
			return n, over
		}
		return n, err
	})
	if err := walkArchive(counted, b, visit); err != nil {
		return err
	}
	// An archive ends before its padding does.
	if _, err := io.Copy(io.Discard, counted); err != nil {
		return broken("read padding: %w", err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != diffID.Hex {
		return fault.New(fault.Integrity, "", "layer has DiffID sha256:%s, the config says %s", got, diffID)
	}
	return nil
}

// compression is what a stream begins like. Media types are not always right.
type compression int

const (
	uncompressed compression = iota
	gzipped
	zstandard
)

func compressionOf(r *bufio.Reader) (compression, error) {
	magic, err := r.Peek(4)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return uncompressed, err
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		return gzipped, nil
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}), isSkippableFrame(magic):
		return zstandard, nil
	}
	return uncompressed, nil
}

// inflate undoes the compression of a stream, whichever it has.
func inflate(r *bufio.Reader) (io.ReadCloser, error) {
	c, err := compressionOf(r)
	if err != nil {
		return nil, err
	}
	switch c {
	case gzipped:
		return gzip.NewReader(r)
	case zstandard:
		d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	}
	return io.NopCloser(r), nil
}

// isSkippableFrame says whether zstd would skip these first bytes (RFC 8878 §3.1.2); chunked layers may begin so.
func isSkippableFrame(magic []byte) bool {
	return len(magic) == 4 && magic[0]&0xf0 == 0x50 && bytes.Equal(magic[1:], []byte{0x2a, 0x4d, 0x18})
}

// broken is the error of an image that is not as it must be.
func broken(format string, args ...any) error { return fault.New(fault.Base, "", format, args...) }

// reader is a function as io.Reader.
type reader func(p []byte) (int, error)

func (r reader) Read(p []byte) (int, error) { return r(p) }

// untilDone reads until the context ends.
func untilDone(ctx context.Context, r io.Reader) reader {
	return func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return r.Read(p)
	}
}

// verified is a blob whose end is an error unless its bytes are the ones promised.
type verified struct {
	blob io.ReadCloser
	desc v1.Descriptor
	sum  hash.Hash
	left int64
}

func verify(blob io.ReadCloser, desc v1.Descriptor) io.ReadCloser {
	return &verified{blob: blob, desc: desc, sum: sha256.New(), left: desc.Size}
}

// errDamaged is a blob whose bytes are not the ones that its digest names.
var errDamaged = errors.New("damaged")

func (v *verified) Read(p []byte) (int, error) {
	n, err := v.blob.Read(p)
	v.sum.Write(p[:n])
	v.left -= int64(n)
	if v.left >= 0 && !errors.Is(err, io.EOF) {
		return n, err
	}
	if got := hex.EncodeToString(v.sum.Sum(nil)); v.left != 0 || got != v.desc.Digest.Hex {
		err := fmt.Errorf("blob %s is %w: its digest or its size (%d bytes) is another one", v.desc.Digest, errDamaged, v.desc.Size)
		return n, fault.Wrap(fault.Integrity, "", err)
	}
	return n, io.EOF
}

func (v *verified) Close() error { return v.blob.Close() }
