package layer

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"vpk/internal/cas"
	"vpk/internal/trace"
	"vpk/venv/tree"
)

// The kinds of the cache that segments have: what is compressed of one, and its pieces.
var (
	segmentKind  = cas.Kind{Name: "segment", Version: FormatVersion}
	encodingKind = cas.Kind{Name: "segment-data", Version: FormatVersion}
)

// errSegment says that what the cache has of a segment does not fit its members, or that its bytes are not what they were.
var errSegment = errors.New("a compressed part of it was damaged in the cache")

// segment is a stretch of the archive in compressed form.
type segment struct {
	codec  codec
	key    string // in the cache
	items  []item
	pieces []piece
	open   func() (encodedData, error)
	keeper *keeper
}

// encodedData is what codec.encode wrote.
type encodedData interface {
	io.ReaderAt
	io.Closer
}

// memory is an encodedData that is not in the cache.
type memory struct{ *bytes.Reader }

func (memory) Close() error { return nil }

// segmentKey is the key of a stretch's segment.
func segmentKey(c codec, s stretch) string { return cas.Key("segment", c.key(), s.key) }

// newSegment makes the segment of a stretch, or finds it in the cache. Its turn has come.
func newSegment(ctx context.Context, turn trace.Turn, cache *cas.Store, keeper *keeper, c codec, s stretch) (*segment, error) {
	seg := &segment{codec: c, key: segmentKey(c, s), items: s.items, keeper: keeper}
	seg.open = func() (encodedData, error) { return cache.OpenFile(encodingKind, seg.key) }
	if _, plain := c.(plainCodec); plain || !s.keep {
		span := turn.Start(trace.Compress, s.name)
		defer span.End()
		var data bytes.Buffer
		pieces, err := c.encode(ctx, &data, io.Discard, s.items)
		seg.pieces = pieces
		span.Bytes(seg.rawSize())
		seg.open = func() (encodedData, error) { return memory{bytes.NewReader(data.Bytes())}, nil }
		return seg, err
	}
	span := turn.Start(trace.LookUp, s.name)
	known, err := seg.load(cache)
	span.End()
	if known || err != nil {
		return seg, err
	}
	span = trace.Start(ctx, trace.Compress, s.name)
	defer span.End()
	err = seg.make(ctx, cache)
	span.Bytes(seg.rawSize())
	return seg, err
}

// load looks a segment up; false when the cache does not have it, or not whole.
func (s *segment) load(cache *cas.Store) (bool, error) {
	data, err := cache.Record(segmentKind, s.key)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if json.Unmarshal(data, &s.pieces) != nil || !s.codec.fits(s.items, s.pieces) {
		return false, nil
	}
	f, err := cache.OpenFile(encodingKind, s.key)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	info, err := f.Stat()
	return err == nil && info.Size() == encodedSize(s.pieces), errors.Join(err, f.Close())
}

func encodedSize(pieces []piece) (n int64) {
	for _, p := range pieces {
		if !p.Spliced {
			n += p.Size
		}
	}
	return n
}

// make compresses the segment into the cache.
func (s *segment) make(ctx context.Context, cache *cas.Store) (err error) {
	w, err := cache.Create(encodingKind)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	buffered := bufio.NewWriterSize(w, copyBuffer)
	kept := s.keeper.start()
	defer func() {
		if err != nil {
			kept.drop()
		}
	}()
	if s.pieces, err = s.codec.encode(ctx, buffered, kept, s.items); err != nil {
		return err
	}
	if err := buffered.Flush(); err != nil {
		return err
	}
	data, err := json.Marshal(s.pieces)
	if err != nil {
		return err
	}
	if err := w.Commit(s.key); err != nil {
		return err
	}
	if err := cache.PutRecord(segmentKind, s.key, data); err != nil {
		return err
	}
	s.keeper.put(s.key, kept)
	return nil
}

// discard removes the segment from the cache. A wheel that proves damaged discards itself and is the error.
func (s *segment) discard(ctx context.Context, cache *cas.Store) error {
	err := errors.Join(cache.Remove(segmentKind, s.key), cache.Remove(encodingKind, s.key))
	buf := make([]byte, copyBuffer)
	for _, it := range s.items {
		if _, ok := it.Content.(tree.Deflated); ok && err == nil {
			err = copyContent(ctx, io.Discard, it.Entry, buf)
		}
	}
	return err
}

// size is the number of the segment's bytes of the tar and, unless nothing is compressed, of the blob.
func (s *segment) size() (raw, blob int64) {
	for _, p := range s.pieces {
		raw, blob = raw+p.Raw, blob+p.Size
	}
	return raw, blob
}

// rawSize is the number of the segment's bytes of the tar.
func (s *segment) rawSize() int64 {
	raw, _ := s.size()
	return raw
}

// blob opens the segment's bytes of the blob. They are not checked.
func (s *segment) blob() (io.ReadCloser, error) {
	encoded, err := s.open()
	if err != nil {
		return nil, fmt.Errorf("open segment: %w", err)
	}
	r, err := s.codec.blob(s.items, s.pieces, encoded)
	if err != nil {
		return nil, errors.Join(err, encoded.Close())
	}
	closers := closers{encoded}
	if c, ok := r.(io.Closer); ok {
		closers = append(closers, c)
	}
	return struct {
		io.Reader
		io.Closer
	}{r, closers}, nil
}

type closers []io.Closer

func (c closers) Close() error {
	errs := make([]error, len(c))
	for i := range c {
		errs[i] = c[i].Close()
	}
	return errors.Join(errs...)
}

// crcAndSize are those of the tar that segments make.
func crcAndSize(segments []*segment) (crc uint32, size int64) {
	for _, s := range segments {
		for _, p := range s.pieces {
			crc, size = crcCombine(crc, p.CRC32, p.Raw), size+p.Raw
		}
	}
	return crc, size
}
