package layer

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"

	"vpk/internal/inflate"
	"vpk/venv/tree"
)

const (
	// gzipLevel is the level of what is compressed here, see the package comment.
	gzipLevel = 6
	// spliceFrom is the size from which a file's own compressed form is used, see the package comment.
	spliceFrom = 32 << 10
)

// gzipHeader is RFC 1952 §2.3: magic, deflate, no flags, no time, no extra flags, operating system unknown. It is fixed because
// gzip packages put their level, and klauspost's even a time, into it.
var gzipHeader = [10]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff}

// lastBlock is an empty block that is the last one (RFC 1951 §3.2.6: final, fixed codes, end of block).
var lastBlock = [2]byte{0x03, 0x00}

// gzipCodec makes one gzip member: runs of what is compressed here, and between them the compressed forms that content brings.
type gzipCodec struct{ spliceFrom int64 }

func (g gzipCodec) key() string { return fmt.Sprintf("gzip %d %d", gzipLevel, g.spliceFrom) }

func (gzipCodec) head() []byte { return gzipHeader[:] }

func (gzipCodec) tail(crc uint32, size int64) []byte {
	tail := binary.LittleEndian.AppendUint32(lastBlock[:2:2], crc)
	return binary.LittleEndian.AppendUint32(tail, uint32(size)) // modulo 2^32, RFC 1952 §2.3.1
}

// splices says whether a member's content is spliced, and gives its stream.
func (g gzipCodec) splices(it item) (tree.Deflate, bool) {
	if !it.splice || it.Kind != tree.File || it.Content.Size() < g.spliceFrom {
		return tree.Deflate{}, false
	}
	c, ok := it.Content.(tree.Deflated)
	if !ok {
		return tree.Deflate{}, false
	}
	return c.Deflate()
}

func (g gzipCodec) encode(ctx context.Context, w, tar io.Writer, items []item) ([]piece, error) {
	deflater := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(deflater)
	r := run{out: &meter{w: w}, tar: tar, deflater: deflater}
	var header bytes.Buffer
	var pieces []piece
	end := func() error {
		p, err := r.end()
		if err == nil && p.Raw > 0 {
			pieces = append(pieces, p)
		}
		return err
	}
	buf := make([]byte, copyBuffer)
	for _, it := range items {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		data, err := it.header(&header)
		if err != nil {
			return nil, err
		}
		if _, err := r.Write(data); err != nil {
			return nil, err
		}
		if stream, ok := g.splices(it); ok {
			if err := end(); err != nil {
				return nil, err
			}
			pieces = append(pieces, piece{Raw: it.Content.Size(), Size: spliced(stream), CRC32: stream.CRC32, Spliced: true})
		} else if it.Kind == tree.File {
			if err := copyContent(ctx, &r, it.Entry, buf); err != nil {
				return nil, err
			}
		}
		if _, err := r.Write(it.padding()); err != nil {
			return nil, err
		}
	}
	return pieces, end()
}

// deflaters are used again and again: one has tables of a megabyte. Reset makes each as if it were new.
var deflaters = sync.Pool{New: func() any {
	w, err := flate.NewWriter(nil, gzipLevel)
	if err != nil {
		panic(err) // the level is a constant
	}
	return w
}}

// run is what is being compressed between two splices.
type run struct {
	out      *meter
	tar      io.Writer // gets what is compressed as well
	deflater *flate.Writer
	raw      int64
	crc      uint32
}

func (r *run) Write(p []byte) (int, error) {
	if r.raw == 0 {
		r.out.n, r.crc = 0, 0
		r.deflater.Reset(r.out)
	}
	r.raw += int64(len(p))
	r.crc = crc32.Update(r.crc, crc32.IEEETable, p)
	if _, err := r.tar.Write(p); err != nil {
		return 0, err
	}
	return r.deflater.Write(p)
}

// end ends the run at a byte. A run of nothing is a piece of nothing.
func (r *run) end() (piece, error) {
	if r.raw == 0 {
		return piece{}, nil
	}
	err := r.deflater.Flush()
	p := piece{Raw: r.raw, Size: r.out.n, CRC32: r.crc}
	r.raw = 0
	return p, err
}

// meter counts what is written.
type meter struct {
	w io.Writer
	n int64
}

func (m *meter) Write(p []byte) (int, error) {
	n, err := m.w.Write(p)
	m.n += int64(n)
	return n, err
}

// streams are those that are spliced, in order.
func (g gzipCodec) streams(items []item) []tree.Deflate {
	var streams []tree.Deflate
	for _, it := range items {
		if stream, ok := g.splices(it); ok {
			streams = append(streams, stream)
		}
	}
	return streams
}

func (g gzipCodec) fits(items []item, pieces []piece) bool {
	streams := g.streams(items)
	for _, p := range pieces {
		if !p.Spliced {
			continue
		}
		if len(streams) == 0 || spliced(streams[0]) != p.Size || streams[0].CRC32 != p.CRC32 {
			return false
		}
		streams = streams[1:]
	}
	return len(streams) == 0
}

func (g gzipCodec) blob(items []item, pieces []piece, encoded io.ReaderAt) (io.Reader, error) {
	streams := g.streams(items)
	var readers []io.Reader
	offset := int64(0)
	for _, p := range pieces {
		if !p.Spliced {
			readers = append(readers, io.NewSectionReader(encoded, offset, p.Size))
			offset += p.Size
			continue
		}
		raw, err := streams[0].Open()
		if err != nil {
			return nil, err
		}
		readers = append(readers, splice(raw, streams[0]))
		streams = streams[1:]
	}
	return io.MultiReader(readers...), nil
}

func (gzipCodec) decode(blob io.Reader) (io.ReadCloser, error) {
	i := inflaters.Get().(*inflate.Reader)
	i.Reset(io.MultiReader(blob, bytes.NewReader(lastBlock[:])))
	return inflating{i}, nil
}

var inflaters = sync.Pool{New: func() any { return inflate.NewReader() }}

// inflating is an inflater that others may use once it is closed.
type inflating struct{ *inflate.Reader }

// Close must be called once.
func (i inflating) Close() error {
	i.Reset(nil)
	inflaters.Put(i.Reader)
	return nil
}
