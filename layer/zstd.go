package layer

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"github.com/klauspost/compress/zstd"
)

// zstdCodec makes a blob of frames, one a segment (RFC 8878 §3: frames follow each other). A frame has a checksum of its own.
type zstdCodec struct{ level zstd.EncoderLevel }

func (z zstdCodec) key() string { return "zstd " + z.level.String() }

func (zstdCodec) head() []byte              { return nil }
func (zstdCodec) tail(uint32, int64) []byte { return nil }

func (z zstdCodec) encode(ctx context.Context, w, tar io.Writer, items []item) (_ []piece, err error) {
	if len(items) == 0 {
		return nil, nil
	}
	out := &meter{w: w}
	// Segments are made side by side, so that each needs no more than one goroutine.
	encoder, err := zstd.NewWriter(out, zstd.WithEncoderLevel(z.level), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("start compression: %w", err)
	}
	sum := crc32.NewIEEE()
	raw := &meter{w: io.MultiWriter(encoder, sum, tar)}
	archive := &tarReader{items: items}
	err = copyBytes(ctx, raw, archive, make([]byte, copyBuffer))
	if err := errors.Join(err, archive.Close(), encoder.Close()); err != nil {
		return nil, err
	}
	return []piece{{Raw: raw.n, Size: out.n, CRC32: sum.Sum32()}}, nil
}

func (zstdCodec) fits(items []item, pieces []piece) bool {
	return len(pieces) == min(1, len(items)) && !slices.ContainsFunc(pieces, func(p piece) bool { return p.Spliced })
}

func (zstdCodec) blob(_ []item, pieces []piece, encoded io.ReaderAt) (io.Reader, error) {
	return io.NewSectionReader(encoded, 0, encodedSize(pieces)), nil
}

func (zstdCodec) decode(blob io.Reader) (io.ReadCloser, error) {
	// One goroutine, and as little memory as the frames themselves ask for.
	d, err := zstd.NewReader(blob, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, fmt.Errorf("start decompression: %w", err)
	}
	return d.IOReadCloser(), nil
}
