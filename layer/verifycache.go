package layer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"

	"vpk/internal/cas"
)

// Kinds are what this room keeps in the cache.
func Kinds() []cas.Registration {
	return []cas.Registration{
		{Kind: segmentKind, Verify: cas.IsJSON[[]piece]},
		{Kind: encodingKind, With: segmentKind, Verify: verifyEncoding},
		{Kind: recordKind, Verify: cas.IsJSON[sums]},
		{Kind: stateKind, Verify: verifyState},
		{Kind: pushedKind, Verify: cas.IsRecord},
	}
}

// verifyState: it can be read, unless its hashes are of another Go.
func verifyState(_ context.Context, p cas.Proof) error {
	var s state
	if err := p.DecodeJSON(&s); err != nil {
		return err
	}
	if !newHashing(plainCodec{}).restore(s) {
		return fmt.Errorf("%w: another program made it", cas.ErrUnknown)
	}
	return nil
}

// verifyEncoding: what is compressed of a segment inflates to the pieces that the segment's record has.
func verifyEncoding(ctx context.Context, p cas.Proof) error {
	var pieces []piece
	data, err := p.RecordOf(segmentKind, p.Key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: it has no record (yet)", cas.ErrUnknown)
	case errors.Is(err, cas.ErrDamaged), err == nil && json.Unmarshal(data, &pieces) != nil:
		return fmt.Errorf("%w: its record is, without which it is of no use", cas.ErrDamaged)
	case err != nil:
		return err
	}
	file, err := p.Open(encodingKind, p.Key)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if want := encodedSize(pieces); info.Size() != want {
		return fmt.Errorf("%w: it has %d bytes, its record says %d", cas.ErrDamaged, info.Size(), want)
	}
	var magic [4]byte
	if _, err := file.ReadAt(magic[:], 0); err != nil && err != io.EOF {
		return err
	}
	// The record does not say which codec it was. No run of deflate begins as a frame does: its stored block would have two lengths.
	var c codec = gzipCodec{}
	if bytes.Equal(magic[:], zstdMagic) {
		c = zstdCodec{}
	}
	offset := int64(0)
	for _, piece := range pieces {
		if piece.Spliced {
			continue
		}
		if err := verifyPiece(ctx, c, io.NewSectionReader(file, offset, piece.Size), piece); err != nil {
			return err
		}
		offset += piece.Size
	}
	return nil
}

// zstdMagic is how a frame begins (RFC 8878 §3.1.1).
var zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}

// verifyPiece inflates a piece.
func verifyPiece(ctx context.Context, c codec, encoded io.Reader, want piece) (err error) {
	tar, err := c.decode(encoded)
	if err != nil {
		return fmt.Errorf("%w: %w", cas.ErrDamaged, err)
	}
	defer func() { err = errors.Join(err, tar.Close()) }()
	sum := crc32.NewIEEE()
	got := meter{w: sum}
	err = copyBytes(ctx, &got, io.LimitReader(tar, want.Raw+1), make([]byte, copyBuffer))
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return fmt.Errorf("%w: %w", cas.ErrDamaged, err)
	case got.n != want.Raw || sum.Sum32() != want.CRC32:
		return fmt.Errorf("%w: it inflates to other bytes than its record says", cas.ErrDamaged)
	}
	return nil
}
