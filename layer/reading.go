package layer

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"

	"golang.org/x/sync/semaphore"
)

// reading is a segment that is being read as a runtime would read it: its bytes of the blob and of the tar come in order, and have been
// compared with what they were when the segment was made. Several segments of a layer are read, which takes longest, while the
// one before them is hashed.
type reading struct {
	segment *segment
	chunks  chan chunk // closed at the end
	err     error      // once chunks is closed
}

// chunk are bytes of the tar or, of a blob that is compressed, of that.
type chunk struct {
	ofBlob bool
	data   []byte
	buffer *[copyBuffer]byte   // that data is in; nil where it is in that of a later chunk
	room   *semaphore.Weighted // of which the buffer takes one; nil for none
}

// readAhead is how many chunks of a segment may wait.
const readAhead = 4

var chunkBuffers = sync.Pool{New: func() any { return new([copyBuffer]byte) }}

// free ends the use of the chunk, and of those before it that share its buffer.
func (c chunk) free() {
	if c.buffer != nil {
		chunkBuffers.Put(c.buffer)
	}
	if c.room != nil {
		c.room.Release(1)
	}
}

// read begins to read a segment. done is called when that has ended.
func (s *segment) read(ctx context.Context, done func()) *reading {
	r := &reading{segment: s, chunks: make(chan chunk, readAhead)}
	go func() {
		defer done()
		defer close(r.chunks)
		r.err = r.run(ctx)
	}()
	return r
}

// drop waits for the end of a reading whose context has ended.
func (r *reading) drop() {
	for c := range r.chunks {
		c.free()
	}
}

func (r *reading) run(ctx context.Context) (err error) {
	s := r.segment
	blob, err := s.blob()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, blob.Close()) }()
	if _, plain := s.codec.(plainCodec); plain {
		_, err := r.pass(ctx, blob, -1, false)
		return err
	}
	kept := s.keeper.take(s.key)
	defer kept.drop()
	for _, p := range s.pieces {
		of := io.LimitReader(blob, p.Size)
		if kept == nil || p.Spliced {
			err = r.inflate(ctx, of, p)
		} else if _, err = r.pass(ctx, of, p.Size, true); err == nil {
			err = kept.pass(ctx, r, p.Raw)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// inflate passes on a piece of the blob and what it is decompressed to, which must be what was compressed.
func (r *reading) inflate(ctx context.Context, blob io.Reader, p piece) (err error) {
	got := int64(0)
	tar, err := r.segment.codec.decode(readFunc(func(p []byte) (int, error) {
		n, err := r.tee(ctx, blob, p)
		got += int64(n)
		return n, err
	}))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tar.Close()) }()
	crc, err := r.pass(ctx, tar, p.Raw, false)
	if err != nil {
		return err
	}
	var more [1]byte
	switch _, err := io.ReadFull(tar, more[:]); {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case crc != p.CRC32:
		return fmt.Errorf("%w: its CRC-32 is another", errSegment)
	case err != io.EOF:
		return fmt.Errorf("%w: it is longer than it was", errSegment)
	case got != p.Size:
		return fmt.Errorf("%w: it has %d bytes and had %d", errSegment, got, p.Size)
	}
	return nil
}

// pass passes on size bytes of the tar or of the blob, or all of them if it is negative, and gives their CRC-32.
func (r *reading) pass(ctx context.Context, from io.Reader, size int64, ofBlob bool) (crc uint32, err error) {
	for size != 0 {
		buffer := chunkBuffers.Get().(*[copyBuffer]byte)
		room := buffer[:]
		if size > 0 && size < int64(len(room)) {
			room = room[:size]
		}
		n, err := io.ReadFull(from, room)
		if n > 0 {
			crc = crc32.Update(crc, crc32.IEEETable, room[:n])
			if err := r.send(ctx, chunk{ofBlob: ofBlob, data: room[:n], buffer: buffer}); err != nil {
				return 0, err
			}
		} else {
			chunkBuffers.Put(buffer)
		}
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return 0, context.Cause(ctx)
		case size < 0 && (err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF)):
			return crc, nil
		case size > int64(n):
			return 0, fmt.Errorf("%w: %w", errSegment, err)
		}
		if size > 0 {
			size -= int64(n)
		}
	}
	return crc, nil
}

func (r *reading) send(ctx context.Context, c chunk) error {
	select {
	case r.chunks <- c:
		return nil
	case <-ctx.Done():
		c.free()
		return context.Cause(ctx)
	}
}

// tee reads some of the blob and passes on what it read.
func (r *reading) tee(ctx context.Context, blob io.Reader, p []byte) (int, error) {
	buffer := chunkBuffers.Get().(*[copyBuffer]byte)
	n, err := blob.Read(buffer[:min(len(p), len(buffer))])
	if n == 0 {
		chunkBuffers.Put(buffer)
		return 0, err
	}
	copy(p, buffer[:n])
	if sent := r.send(ctx, chunk{ofBlob: true, data: buffer[:n], buffer: buffer}); sent != nil {
		return 0, sent
	}
	return n, err
}

// readFunc is a function as io.Reader.
type readFunc func(p []byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }
