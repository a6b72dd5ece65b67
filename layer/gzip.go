package layer

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/flate"
)

// gzipLevel is part of FormatVersion. On a mix of scientific wheels level 5 makes blobs 1 % larger than level 6, 10 % faster.
const gzipLevel = 5

// gzipHeader is RFC 1952 §2.3: magic, deflate, no flags, no time, no extra flags, operating system unknown. It is fixed because
// gzip packages put their level, and klauspost's even a time, into it.
var gzipHeader = [10]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff}

// gzipWriter writes one gzip member.
type gzipWriter struct {
	dst   io.Writer
	flate *flate.Writer
	crc   uint32
	size  uint32 // modulo 2^32, as the trailer wants it
}

func newGzipWriter(dst io.Writer) (*gzipWriter, error) {
	if _, err := dst.Write(gzipHeader[:]); err != nil {
		return nil, err
	}
	fw, err := flate.NewWriter(dst, gzipLevel)
	if err != nil {
		return nil, fmt.Errorf("start compression: %w", err)
	}
	return &gzipWriter{dst: dst, flate: fw}, nil
}

func (w *gzipWriter) Write(p []byte) (int, error) {
	n, err := w.flate.Write(p)
	w.crc = crc32.Update(w.crc, crc32.IEEETable, p[:n])
	w.size += uint32(n)
	return n, err
}

// Close ends the member; it does not close the destination.
func (w *gzipWriter) Close() error {
	if err := w.flate.Close(); err != nil {
		return err
	}
	trailer := binary.LittleEndian.AppendUint32(make([]byte, 0, 8), w.crc)
	trailer = binary.LittleEndian.AppendUint32(trailer, w.size)
	_, err := w.dst.Write(trailer)
	return err
}
