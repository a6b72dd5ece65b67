package layer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// hashing computes what is known of a layer, segment by segment: it reads the blob as a runtime would.
type hashing struct {
	codec codec
	blob  counter
	raw   counter
	crc   uint32 // of the tar
	buf   []byte
}

func newHashing(c codec) *hashing {
	h := &hashing{codec: c, blob: counter{hash: sha256.New()}, raw: counter{hash: sha256.New()}, buf: make([]byte, copyBuffer)}
	_, _ = h.blob.Write(c.head())
	return h
}

// add goes on with a segment. That its bytes are not what they were when it was made is an errSegment.
func (h *hashing) add(ctx context.Context, s *segment) (err error) {
	blob, err := s.blob()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, blob.Close()) }()
	if _, plain := h.codec.(plainCodec); plain {
		return copyBytes(ctx, &h.raw, blob, h.buf)
	}
	tar, err := h.codec.decode(io.TeeReader(blob, &h.blob))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tar.Close()) }()
	_, want := s.size()
	start := h.blob.n
	for _, p := range s.pieces {
		if err := h.piece(ctx, tar, p); err != nil {
			return err
		}
	}
	switch _, err := io.ReadFull(tar, h.buf[:1]); {
	case err != io.EOF:
		return fmt.Errorf("%w: it is longer than it was", errSegment)
	case h.blob.n-start != want:
		return fmt.Errorf("%w: it has %d bytes and had %d", errSegment, h.blob.n-start, want)
	}
	return nil
}

// piece reads one piece of the tar.
func (h *hashing) piece(ctx context.Context, tar io.Reader, p piece) error {
	crc := uint32(0)
	for left := p.Raw; left > 0; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n, err := tar.Read(h.buf[:min(left, int64(len(h.buf)))])
		crc = crc32.Update(crc, crc32.IEEETable, h.buf[:n])
		_, _ = h.raw.Write(h.buf[:n])
		if left -= int64(n); left > 0 && err != nil {
			return fmt.Errorf("%w: %w", errSegment, err)
		}
	}
	if crc != p.CRC32 {
		return fmt.Errorf("%w: its CRC-32 is another", errSegment)
	}
	h.crc = crcCombine(h.crc, crc, p.Raw)
	return nil
}

// sums ends the blob.
func (h *hashing) sums() sums {
	if _, plain := h.codec.(plainCodec); plain {
		return sums{Digest: h.raw.digest(), DiffID: h.raw.digest(), Size: h.raw.n, TarSize: h.raw.n}
	}
	_, _ = h.blob.Write(h.codec.tail(h.crc, h.raw.n))
	return sums{Digest: h.blob.digest(), DiffID: h.raw.digest(), Size: h.blob.n, TarSize: h.raw.n}
}

// counter hashes and counts what passes.
type counter struct {
	hash hash.Hash
	n    int64
}

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return c.hash.Write(p)
}

func (c *counter) digest() v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(c.hash.Sum(nil))}
}
